"""Why an execution ended red, in words for a person: what failed, where, why, and how it goes on."""

import contextlib
import json
from typing import Any

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from energy.execution_history import failed_state

# What an execution that goes on needs is garbage after a week (energy.garbage), though AWS would redrive it for two.
REDRIVE_DAYS = 7
# States in which the state machine itself ends an execution: a redrive would go on from that end.
_NOT_REDRIVEN = {
    "ReportMissing": "Its numbers are published. Once the reason is removed, make the report by",
    "PublicationConflicted": "The file is read and waits for the next publication of its site. Make one by",
}
# SNS takes no more (API reference, "Publish").
_SUBJECT_LENGTH = 100
_CAUSE_LENGTH = 2000


class EndedExecution(BaseModel):
    """The event "Step Functions Execution Status Change" of an execution that did not succeed."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    region: str
    arn: str = Field(validation_alias=AliasPath("detail", "executionArn"))
    name: str = Field(validation_alias=AliasPath("detail", "name"))
    status: str = Field(validation_alias=AliasPath("detail", "status"))
    error: str | None = Field(default=None, validation_alias=AliasPath("detail", "error"))
    cause: str | None = Field(default=None, validation_alias=AliasPath("detail", "cause"))
    input: str | None = Field(default=None, validation_alias=AliasPath("detail", "input"))
    output: str | None = Field(default=None, validation_alias=AliasPath("detail", "output"))

    @property
    def key(self) -> str | None:
        """The upload that it was about; None where its input does not say."""
        try:
            key = json.loads(self.input or "null")["detail"]["object"]["key"]
        except (ValueError, TypeError, KeyError):
            return None
        return key if isinstance(key, str) else None

    @property
    def backlog(self) -> str | None:
        """What a run through the backlog was asked for, as `energy reprocess` takes it; None for other executions."""
        try:
            asked = json.loads(self.input or "null")
            sites, anew = asked["sites"], asked.get("anew", False)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        return " ".join([*(sites or ["--all"]), *(["--anew"] if anew else [])])

    @property
    def not_announced(self) -> str | None:
        """The error for which nobody could be told of what it has published; None where people were told."""
        found = json.loads(self.output or "{}")
        return str(found["not_announced"]) if "not_announced" in found else None

    @property
    def told_nobody(self) -> bool:
        """Whether the state machine had a message for people, and could not send it."""
        return self.error == "RejectionNotTold" or self.not_announced is not None


class Notice(BaseModel):
    """A message to people. `subject` as SNS wants it: one line of ASCII."""

    model_config = ConfigDict(frozen=True)

    subject: str
    text: str


def explain(ended: EndedExecution, history: list[dict[str, Any]], stack: str, site: str | None) -> Notice:
    """What to tell of an execution. `history` has its last events, as Step Functions lists them, in any order."""
    subject = f"Energy readings: {ended.status} {ended.key or ended.name}"
    what = ended.key or ("a run through the backlog" if ended.backlog else "an execution")
    return Notice(
        subject=subject.encode("ascii", "replace").decode()[:_SUBJECT_LENGTH],
        text="\n".join(
            [
                f"What: {what} ended {ended.status} (execution {ended.name})",
                f"Where: {'Announce' if ended.not_announced else failed_state(history) or 'not in any state'}",
                f"Why: {why(ended)}",
                f"What to do: {_advice(ended, stack, site)}",
                f"Its history: {_console(ended)}",
            ]
        ),
    )


def why(ended: EndedExecution) -> str:
    """Error and cause in one line of plain text; a function's, or a job's, is JSON, of which the message tells."""
    if ended.not_announced:
        return f"it is published, and nobody could be told of it: {ended.not_announced}"
    cause = ended.cause or ""
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        told = json.loads(cause)
        cause = str(told.get("errorMessage") or told["ErrorMessage"])
    found = ": ".join(part for part in (ended.error, cause[:_CAUSE_LENGTH]) if part)
    return found or {"TIMED_OUT": "it ran for longer than it may", "ABORTED": "somebody stopped it"}.get(
        ended.status, "Step Functions does not say"
    )


def _advice(ended: EndedExecution, stack: str, site: str | None) -> str:
    if ended.not_announced:
        return "nothing for the readings; look at the topic, its key and the pipeline's role"
    redrive = f"aws stepfunctions redrive-execution --execution-arn {ended.arn}"
    if ended.backlog:
        again = f"energy reprocess {ended.backlog} --stack {stack}"
        if ended.backlog.endswith("--anew"):
            return f"remove the cause, then within {REDRIVE_DAYS} days\n  {redrive}\nor, from the beginning,\n  {again}"
        return f"remove the cause; what is done is kept, and the same goes on with the rest\n  {again}"
    if ended.error == "RejectionNotTold":
        return "tell whoever uploaded it, to correct the file and upload it again; look at the topic and its key"
    if ended.error in _NOT_REDRIVEN:
        return f"{_NOT_REDRIVEN[ended.error]}\n  energy reprocess {site or 'SITE'} --stack {stack}"
    return (
        f"remove the cause, then within {REDRIVE_DAYS} days\n"
        f"  energy redrive {ended.name} --stack {stack}\n"
        f"or {redrive}"
    )


def _console(ended: EndedExecution) -> str:
    return f"https://{ended.region}.console.aws.amazon.com/states/home?region={ended.region}#/v2/executions/details/{ended.arn}"
