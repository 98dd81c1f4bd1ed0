"""What stands for the contract outside of a component, where a policy is tested: its records, and nobody who answers."""

from collections import namedtuple
from enum import Enum
from types import SimpleNamespace


class Err(Exception):
    """The error of a result, as componentize-py has it."""

    def __init__(self, value):
        super().__init__(value)
        self.value = value


types = SimpleNamespace(
    GroupVersionResource=namedtuple("GroupVersionResource", "group version resource"),
    Metadata=namedtuple("Metadata", "name version description settings_schema reads writes rules reads_request needs_user"),
    Mutation=namedtuple("Mutation", "patch warnings"),
    RequestPart=Enum("RequestPart", "UID TIME USER ORIGIN NAME DRY_RUN OPTIONS"),
    Rule=namedtuple("Rule", "name description"),
    Verdict=namedtuple("Verdict", "violations warnings"),
    Violation=namedtuple("Violation", "rule message field code"),
)


class Asked:
    """Whether the policy asked what only a server answers, since somebody set it to false."""

    is_so = False


class ReadError_Unavailable:
    value = "there is no cluster here"


def _nobody(*_):
    Asked.is_so = True
    raise Err(ReadError_Unavailable())


def _unknown(*_):
    Asked.is_so = True
    raise Err("there is no authorizer here")


cluster = SimpleNamespace(get=_nobody, list=_nobody)
authorizer = SimpleNamespace(
    check=_unknown,
    Attributes=namedtuple("Attributes", "verb group resource subresource namespace name"),
    Subject_Requester=namedtuple("Subject_Requester", ""),
    Subject_ServiceAccount=namedtuple("Subject_ServiceAccount", "value"),
)
log = SimpleNamespace(
    Level=SimpleNamespace(DEBUG="debug", INFO="info", WARN="warn", ERROR="error"),
    write=lambda level, message: print(f"{level}: {message}"),
)
