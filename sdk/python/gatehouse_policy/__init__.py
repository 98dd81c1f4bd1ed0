"""For those who write admission policies for Gatehouse in Python: `validator` and `mutator` make a component of a policy.

The modules `cluster`, `authorizer` and `log` are abilities, each to be granted in binding.yaml.
"""

from .guest import About, Request, Review, User, mutator, validator
from .patch import Patch
from .verdict import Verdict

__all__ = ["About", "Patch", "Request", "Review", "User", "Verdict", "mutator", "validator"]
