"""Every call of a process is judged by its role before it is made, and noted."""

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from local.iam.calls import Surroundings, UnmappedCall, listing, requests
from local.iam.policies import Grant, Request, Role, decide

# What S3 answers, in place of 403, only to those who may list the bucket (API Reference, "GetObject").
_NOT_THERE = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
# How each service says it.
_DENIED = {"s3": "AccessDenied", "sns": "AuthorizationError"}


@dataclass(frozen=True)
class Judged:
    """What was asked of a role, and how it was answered. `call` is the API's; `unmapped`: nobody knew what it asks."""

    role: str
    call: str
    action: str
    resource: str
    allowed: bool
    used: tuple[Grant, ...] = ()
    unmapped: bool = False


@dataclass(frozen=True)
class Journal:
    """A file that many processes add lines to."""

    path: Path

    def add(self, judged: Judged) -> None:
        """Notes one judgement; lines of different processes do not mix."""
        line = json.dumps(asdict(judged)).encode() + b"\n"
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def read(self) -> list[Judged]:
        """All that was noted, oldest first."""
        if not self.path.exists():
            return []
        return [_judged(json.loads(line)) for line in self.path.read_text().splitlines()]


def _judged(noted: dict[str, Any]) -> Judged:
    used = tuple(
        Grant(**{**grant, "conditions": tuple((key, value) for key, value in grant["conditions"])})
        for grant in noted.pop("used")
    )
    return Judged(**noted, used=used)


@dataclass(frozen=True)
class Judge:
    """Judges the calls of one role."""

    role: Role
    surroundings: Surroundings
    journal: Journal

    def check(self, call: str, parameters: Mapping[str, Any]) -> None:
        """Raises the ClientError of the call's service if the role may not make it, UnmappedCall if nobody knows."""
        try:
            asked = requests(call, parameters, self.surroundings)
        except UnmappedCall:
            self.journal.add(Judged(self.role.name, call, "", "", allowed=False, unmapped=True))
            raise
        for request in asked:
            self._ask(call, request)

    def check_absence(self, call: str, parameters: Mapping[str, Any]) -> None:
        """Raises S3's 403 if the role may not learn that an object is not there."""
        self._ask(call, listing(parameters["Bucket"], self.surroundings))

    def _ask(self, call: str, request: Request) -> None:
        decision = decide(self.role, request)
        self.journal.add(
            Judged(self.role.name, call, request.action, request.resource, decision.allowed, decision.used)
        )
        if not decision.allowed:
            raise _denied(self.role, call, request, decision.reason)


def _denied(role: Role, call: str, request: Request, reason: str) -> ClientError:
    service, operation = call.split(".")
    message = (
        f"User: {role.arn} is not authorized to perform: {request.action} on resource: {request.resource} "
        f"because {reason}"
    )
    code = _DENIED.get(service, "AccessDeniedException")
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    return ClientError(answer, operation)


def enforce(judge: Judge) -> None:
    """From now on every call of this process is the role's."""
    make = BaseClient._make_api_call  # type: ignore[attr-defined]

    @functools.wraps(make)
    def judged(self: Any, operation_name: str, api_params: dict[str, Any]) -> Any:
        call = f"{self.meta.service_model.service_name}.{operation_name}"
        judge.check(call, api_params)
        try:
            return make(self, operation_name, api_params)
        except ClientError as error:
            if call.startswith("s3.") and error.response.get("Error", {}).get("Code") in _NOT_THERE:
                judge.check_absence(call, api_params)
            raise

    BaseClient._make_api_call = judged  # type: ignore[attr-defined]
