"""What the history of an execution tells, Step Functions' own or the local one's: its states, how long, what failed.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

import contextlib
import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from energy.execution_history import FAILED_ATTEMPTS, entering, failed_state, until_its_end
from energy.execution_history import details as details_of


@dataclass(frozen=True)
class StateChange:
    """A step of an execution. `status`: entered, failed (one attempt), caught (left through a Catch), succeeded.

    `seconds` is how long the state took until now; `detail` says what failed.
    """

    state: str
    status: str
    seconds: float
    detail: str | None = None


@dataclass(frozen=True)
class StateVisit:
    """A state that was entered once. `status`: succeeded, caught, or failed, which also says that it never ended.

    `failures` has what each failed attempt said; `seconds` counts them and the waits between them.
    """

    state: str
    status: str
    seconds: float
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ExecutionRecord:
    """An execution as it is told to people. `started` and `ended` are ISO 8601, UTC; null while it runs.

    `failed_at` is the state that it failed in; null where it did not. `states` in the order in which they were entered.
    """

    name: str
    status: str
    started: str
    ended: str | None
    input: dict[str, Any]
    error: str | None = None
    cause: str | None = None
    failed_at: str | None = None
    states: list[StateVisit] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The key under raw/ that it is for; empty where its input names none."""
        with contextlib.suppress(KeyError, TypeError):
            return str(self.input["detail"]["object"]["key"])
        return ""

    @property
    def seconds(self) -> float | None:
        """How long it took; null while it runs."""
        if self.ended is None:
            return None
        return (dt.datetime.fromisoformat(self.ended) - dt.datetime.fromisoformat(self.started)).total_seconds()

    @property
    def why(self) -> str | None:
        """Why it failed, in the words of whatever failed in it; null where it did not."""
        return words_of(self.error, self.cause) if self.error or self.cause else None


class Telling:
    """Turns a growing history into state changes, each told once."""

    def __init__(self) -> None:
        self._told = 0
        self._failures: dict[int, str] = {}

    def changes(self, history: Sequence[dict[str, Any]]) -> Iterator[StateChange]:
        """What has happened since the last call; `history` is all of it, oldest first."""
        by_id = {event["id"]: event for event in history}
        for event in history[self._told :]:
            self._told += 1
            kind = event["type"]
            if kind.endswith("StateEntered"):
                yield StateChange(event["stateEnteredEventDetails"]["name"], "entered", 0.0)
                continue
            if not kind.endswith("StateExited") and kind not in FAILED_ATTEMPTS:
                continue
            entered = entering(event, by_id)
            if entered is None:
                continue
            state = entered["stateEnteredEventDetails"]["name"]
            seconds = (_moment(event) - _moment(entered)).total_seconds()
            if kind in FAILED_ATTEMPTS:
                detail = _failure(event)
                self._failures[entered["id"]] = detail
                yield StateChange(state, "failed", seconds, detail)
            else:
                caught = self._failures.get(entered["id"]) if _was_caught(event, by_id) else None
                yield StateChange(state, "caught" if caught else "succeeded", seconds, caught)


def visits(history: Sequence[dict[str, Any]]) -> list[StateVisit]:
    """Every state that was entered, in that order; one that was entered again comes again."""
    found: list[StateVisit] = []
    under_way: dict[str, int] = {}
    for change in Telling().changes(until_its_end(history)):
        if change.status == "entered":
            under_way[change.state] = len(found)
            found.append(StateVisit(change.state, "failed", 0.0))
            continue
        place = under_way[change.state]
        failures = found[place].failures + ([change.detail or ""] if change.status == "failed" else [])
        found[place] = StateVisit(change.state, change.status, change.seconds, failures)
    return found


def record(described: Mapping[str, Any], history: Sequence[dict[str, Any]]) -> ExecutionRecord:
    """What DescribeExecution and GetExecutionHistory say."""
    ended = described.get("stopDate")
    return ExecutionRecord(
        name=described["name"],
        status=described["status"],
        started=_iso(described["startDate"]),
        ended=None if ended is None else _iso(ended),
        input=json.loads(described.get("input") or "{}"),
        error=described.get("error"),
        cause=described.get("cause"),
        failed_at=failed_state(history),
        states=visits(history),
    )


def words_of(error: str | None, cause: str | None) -> str:
    """What an error says, in the words of whatever raised it."""
    words = _message(cause or "")
    return words if error == "UploadRejected" else f"{error or ''}: {words}".strip(": ")


def _message(cause: str) -> str:
    """What a function, or a job of Glue, says in its error, which is JSON; any other cause as it is."""
    with contextlib.suppress(ValueError, AttributeError):
        told = json.loads(cause)
        return str(told.get("errorMessage") or told.get("ErrorMessage") or cause)
    return cause


def _was_caught(exited: dict[str, Any], by_id: dict[int, dict[str, Any]]) -> bool:
    previous = by_id.get(exited["previousEventId"])
    return previous is not None and (previous["type"] in FAILED_ATTEMPTS or previous["type"] == "ParallelStateFailed")


def _failure(event: dict[str, Any]) -> str:
    details = details_of(event)
    error, cause = details.get("error", event["type"]), str(details.get("cause", ""))
    cause = _message(cause)
    return f"{error}: {cause}" if cause else str(error)


def _moment(event: dict[str, Any]) -> dt.datetime:
    moment = event["timestamp"]
    return dt.datetime.fromisoformat(moment) if isinstance(moment, str) else moment


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")
