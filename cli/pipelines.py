"""A pipeline at work: that of a deployed stack, or of a lake folder for as long as the local AWS is open on it.

Both are asked through the same calls of boto3. What a person does here they do with their own credentials.
"""

import contextlib
import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import daily, sources
from cli import stack as stacks
from cli.output import fail

if TYPE_CHECKING:
    from rich.console import Console

    from local.history import ExecutionRecord, StateChange
    from local.lake_folder import LakeFolder

RUNNING = "RUNNING"
_AWS_POLL_SECONDS, _LOCAL_POLL_SECONDS = 2.0, 0.1


@dataclass(frozen=True)
class Pipeline:
    """Where the parts of a pipeline are. `folder`: the lake folder; null where it is a stack on AWS. `save` makes the
    folder hold what has happened until now. `option` names the pipeline on a command line. `output` is an output of the
    stack by its name, and `invoke` calls the function that one names: what it answers, or the end of the command.
    """

    client: Callable[[str], Any]
    bucket: str
    database: str
    state_machine_arn: str
    option: str
    folder: "LakeFolder | None" = None
    save: Callable[[], None] = lambda: None
    output: Callable[[str], str] = str
    invoke: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda output, event: {}  # noqa: ARG005

    def arn_of(self, name: str) -> str:
        """The ARN of the execution of that name."""
        return f"{self.state_machine_arn.replace(':stateMachine:', ':execution:', 1)}:{name}"

    def start(self, name: str, event: dict[str, Any]) -> bool:
        """Starts an execution; False where one of that name was started before."""
        from botocore.exceptions import ClientError

        try:
            self.client("stepfunctions").start_execution(
                stateMachineArn=self.state_machine_arn, name=name, input=json.dumps(event)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise
            return False
        return True

    def executions(self, status: str | None = None) -> Iterator[tuple[str, dt.datetime]]:
        """The executions' names and when they started, newest first; of one status, if it is given."""
        asked: dict[str, Any] = {"stateMachineArn": self.state_machine_arn}
        if status:
            asked["statusFilter"] = status
        for page in self.client("stepfunctions").get_paginator("list_executions").paginate(**asked):
            for found in sorted(page["executions"], key=lambda each: each["startDate"], reverse=True):
                yield str(found["name"]), found["startDate"]

    def execution(self, name: str, with_states: bool = True) -> "ExecutionRecord | None":
        """One execution; None where there is none of that name. Without its states it takes one call less."""
        from botocore.exceptions import ClientError

        from local.history import record

        try:
            described = self.client("stepfunctions").describe_execution(executionArn=self.arn_of(name))
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ExecutionDoesNotExist", "InvalidArn"}:
                raise
            return None
        return record(described, self._history(name) if with_states else [])

    def follow(self, name: str) -> Iterator["StateChange"]:
        """What happens in an execution, as it happens, until it ends."""
        from local.history import Telling

        told = Telling()
        while True:
            described = self.client("stepfunctions").describe_execution(executionArn=self.arn_of(name))
            yield from told.changes(self._history(name))
            if described["status"] != RUNNING:
                return
            time.sleep(self.poll_seconds)

    def ended(self, name: str) -> "ExecutionRecord":
        """The execution, when it has ended."""
        for _ in self.follow(name):
            pass
        found = self.execution(name)
        if found is None:
            fail(f"There is no execution {name} any more.")
        return found

    @property
    def poll_seconds(self) -> float:
        """How long to wait before a look whether something has ended."""
        return _LOCAL_POLL_SECONDS if self.folder else _AWS_POLL_SECONDS

    def _history(self, name: str) -> list[dict[str, Any]]:
        pages = (
            self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=self.arn_of(name))
        )
        return [event for page in pages for event in page["events"]]


@contextlib.contextmanager
def opened(lake: Path | None, stack: str | None, timezone: str | None, console: "Console") -> Iterator[Pipeline]:
    """The pipeline that is meant. Ends the command where there is none, or with AWS's own words where AWS says no.

    `timezone`: of the sites of a lake folder; a stack has its own.
    """
    folder = daily.check_lake(lake, stack)
    if stack is None:
        with contextlib.ExitStack() as context:
            aws = daily.open_lake(context, folder, timezone, console)
            yield Pipeline(
                client=aws.client,
                bucket=aws.bucket,
                database=aws.outputs["DatabaseName"],
                state_machine_arn=aws.state_machine_arn,
                option=f"--lake {folder}",
                folder=aws.lake,
                save=aws.save,
                output=aws.outputs.__getitem__,
                invoke=lambda output, event: daily.invoke_locally(aws, aws.outputs[output], event),
            )
        return
    yield of_stack(stack)


def of_stack(stack: str) -> Pipeline:
    """That of a deployed stack."""
    import functools

    import boto3

    bucket, database, state_machine_arn = stacks.output(stack, "BucketName", "DatabaseName", "StateMachineArn")
    return Pipeline(
        client=functools.cache(boto3.client),
        bucket=bucket,
        database=database,
        state_machine_arn=state_machine_arn,
        option=f"--stack {stack}",
        output=functools.cache(lambda name: stacks.output(stack, name)[0]),
        invoke=functools.partial(daily.invoke_on_aws, stack),
    )


def where(lake: Path | None, stack: str | None) -> str:
    """The option that names the same pipeline again."""
    if stack is not None:
        return f"--stack {stack}"
    return f"--lake {lake}" if lake is not None and lake != sources.DEFAULT_LAKE else ""
