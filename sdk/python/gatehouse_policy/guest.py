"""Makes of a policy what the contract calls: bytes to values and back. What it raises says that it could not judge."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Optional

try:
    from componentize_py_types import Err
    from wit_world.imports import types
except ModuleNotFoundError:  # Outside of a component.
    from ._native import Err, types

from .patch import Patch
from .verdict import Verdict

# What a policy without settings takes.
_NO_SETTINGS = {"type": "object", "additionalProperties": False}


#: The parts of a request that are shown to those policies alone that read them.
PARTS = ("uid", "time", "user", "origin", "name", "dry_run", "options")


@dataclass
class About:
    """What a policy says of itself."""

    #: In lower case with dashes.
    name: str
    version: str
    #: A sentence or two for people.
    description: str
    #: The fields that it reads, such as `spec.containers[*].image`; the server hands over nothing else.
    reads: list = field(default_factory=list)
    #: The fields that a mutator may change.
    writes: list = field(default_factory=list)
    #: Its rules by name, each with what it demands.
    rules: dict = field(default_factory=dict)
    #: A JSON schema of the settings; none may be set without it.
    settings: dict = field(default_factory=lambda: _NO_SETTINGS)
    #: What it reads of the request beyond where the write goes; the server leaves the rest empty. All of it where it does not
    #: say. A policy that reads neither `uid` nor `time` and asks for no ability is not called again when it is shown the same.
    reads_request: list = field(default_factory=lambda: [*PARTS])
    #: Without a user there is nothing to judge: a scan of what is stored then says so and does not ask.
    needs_user: bool = False


@dataclass
class User:
    """Who asks."""

    name: str
    uid: str
    groups: list
    extra: dict


class Request:
    """Who wants what: the record `request` of the contract, with values that Python has words for."""

    def __init__(self, request):
        self._request = request
        self.operation = request.operation.name
        self.is_scan = request.origin.name == "SCAN"
        user = request.user
        self.user = user and User(user.name, user.uid, user.groups, dict(user.extra))

    def __getattr__(self, name):
        return getattr(self._request, name)

    @property
    def time(self):
        """When the request arrived; the policy has no other clock."""
        time = self._request.time
        return datetime.fromtimestamp(time.seconds, timezone.utc).replace(microsecond=time.nanoseconds // 1000)

    @property
    def options(self):
        """`CreateOptions`, `UpdateOptions` or `DeleteOptions`, or nothing."""
        return json.loads(self._request.options)


@dataclass
class Review:
    """One write to the API."""

    request: Request
    #: As it would be stored; None on a delete.
    object: Optional[Any]
    #: As it is stored now; None on a create.
    old: Optional[Any]
    #: The object that the binding names under paramRef.
    params: Optional[Any]


def validator(policy):
    """The component of a policy that judges; call it `Validation`.

    The policy has `about`, `validate(settings, review, verdict)` and, where a schema cannot say it all,
    `check(settings, problems)`.
    """

    class Validation(_Common):
        def validate(self, request, object, old, params):
            verdict = Verdict()
            _judged(policy.validate, _Common.settings, _review(request, object, old, params), verdict)
            return types.Verdict(_violations(verdict), verdict.warnings)

    Validation.policy = policy
    return Validation


def mutator(policy):
    """The component of a policy that changes; call it `Mutation`. As `validator`, with `mutate(settings, review, patch)`."""

    class Mutation(_Common):
        def mutate(self, request, object, old, params):
            review = _review(request, object, old, params)
            patch = Patch(review.object)
            _judged(policy.mutate, _Common.settings, review, patch)
            operations = json.dumps(patch.operations).encode() if patch.operations else None
            return types.Mutation(operations, patch.warnings)

    Mutation.policy = policy
    return Mutation


class _Common:
    policy = None
    settings = None

    def describe(self):
        about = self.policy.about
        rules = [types.Rule(name, description) for name, description in about.rules.items()]
        schema = json.dumps(about.settings)
        parts = [types.RequestPart[part.upper()] for part in about.reads_request]
        return types.Metadata(
            about.name, about.version, about.description, schema, about.reads, about.writes, rules, parts, about.needs_user
        )

    def configure(self, settings):
        _Common.settings = json.loads(settings)
        problems = Verdict()
        if hasattr(self.policy, "check"):
            self.policy.check(_Common.settings, problems)
        if problems.violations:
            raise Err(_violations(problems))


def _review(request, object, old, params):
    read = lambda text: None if text is None else json.loads(text)
    return Review(Request(request), read(object), read(old), read(params))


def _violations(verdict):
    return [types.Violation(*violation) for violation in verdict.violations]


def _judged(judge, *arguments):
    try:
        judge(*arguments)
    except Exception as why:
        raise Err(f"{type(why).__name__}: {why} ({_where(why, judge.__code__.co_filename)})")


def _where(why, file):
    """The last line of the policy's file that it passed."""
    at, line = why.__traceback__, 0
    while at is not None:
        if at.tb_frame.f_code.co_filename == file:
            line = at.tb_lineno
        at = at.tb_next
    return f"{file.rsplit('/', 1)[-1]}, line {line}"
