"""Where an execution failed, by its history: the whole of it, or its last events, in any order.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

Event = dict[str, Any]

FAILED_ATTEMPTS = (
    "TaskFailed",
    "TaskTimedOut",
    "LambdaFunctionFailed",
    "LambdaFunctionTimedOut",
    "EvaluationFailed",
    "TaskSubmitFailed",
)
WENT_WRONG = ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")


def failed_state(history: Sequence[Event]) -> str | None:
    """The state in which an execution failed; None where it did not, or runs, or these events do not say.

    It is the one that the failure came from; where the history does not say, as of a timeout of the whole execution,
    the last that did not end.
    """
    told = until_its_end(sorted(history, key=lambda event: event["id"]))
    if not told or told[-1]["type"] not in WENT_WRONG:
        return None
    by_id = {event["id"]: event for event in told}
    source = by_id.get(told[-1].get("previousEventId"))
    if source is not None and source["type"] == "ParallelStateFailed":
        # Several branches may have come to something by then: the one that failed says what the execution ended with.
        failed = (event for event in reversed(told) if event["type"] in FAILED_ATTEMPTS)
        source = next((event for event in failed if _error(event) == _error(told[-1])), None)
    entered = entering(source, by_id) if source is not None else None
    return state_of(entered) if entered is not None else _left_open(told)


def until_its_end(history: Sequence[Event]) -> Sequence[Event]:
    """Without what a branch that was stopped still had to say. `history` is in the order of its events."""
    for place in range(len(history) - 1, -1, -1):
        if history[place]["type"] == "ExecutionRedriven":
            break
        if history[place]["type"] in {"ExecutionSucceeded", *WENT_WRONG}:
            return history[: place + 1]
    return history


def entering(event: Event, by_id: Mapping[int, Event]) -> Event | None:
    """The event with which the state of `event` was entered; None where it is not among these."""
    if event["type"].endswith("StateExited"):
        name = event["stateExitedEventDetails"]["name"]
        entered = [other for other in by_id.values() if other["id"] < event["id"] and state_of(other) == name]
        return entered[-1] if entered else None
    found: Event | None = event
    while found is not None and state_of(found) is None:
        found = by_id.get(found.get("previousEventId", 0))
    return found


def state_of(event: Event) -> str | None:
    """The state that is entered with this event; None where none is."""
    return str(event["stateEnteredEventDetails"]["name"]) if event["type"].endswith("StateEntered") else None


def details(event: Event) -> dict[str, Any]:
    """What there is to an event of its type."""
    return next((value for name, value in event.items() if name.endswith("EventDetails")), {})


def _left_open(told: Sequence[Event]) -> str | None:
    """The last state that was entered and not left."""
    by_id = {event["id"]: event for event in told}
    left = [entering(event, by_id) for event in told if event["type"].endswith("StateExited")]
    ended = {event["id"] for event in left if event is not None}
    return next((state_of(event) for event in reversed(told) if state_of(event) and event["id"] not in ended), None)


def _error(event: Event) -> str | None:
    return details(event).get("error")
