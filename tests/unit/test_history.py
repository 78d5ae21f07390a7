"""What histories of executions tell: small ones, written by hand as Step Functions writes them."""

import datetime as dt

from local.history import ExecutionRecord, failed_state, record, visits, words_of

BEGAN = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


def history(*events: tuple) -> list[dict]:
    """Events one second apart: type, id of the one before, and details."""
    return [
        {
            "id": number,
            "previousEventId": before,
            "type": kind,
            "timestamp": BEGAN + dt.timedelta(seconds=number),
            **more,
        }
        for number, (kind, before, more) in enumerate(events, start=1)
    ]


def entered(name: str) -> dict:
    return {"stateEnteredEventDetails": {"name": name}}


def exited(name: str) -> dict:
    return {"stateExitedEventDetails": {"name": name}}


def failed(error: str, cause: str = "") -> dict:
    return {"taskFailedEventDetails": {"error": error, "cause": cause}}


def ended(error: str) -> dict:
    return {"executionFailedEventDetails": {"error": error}}


RETRIED = history(
    ("ExecutionStarted", 0, {}),
    ("TaskStateEntered", 1, entered("Work")),
    ("TaskScheduled", 2, {}),
    ("TaskFailed", 3, failed("TransientError", '{"errorMessage": "S3 hung up"}')),
    ("TaskScheduled", 4, {}),
    ("TaskSucceeded", 5, {}),
    ("TaskStateExited", 6, exited("Work")),
    ("ExecutionSucceeded", 7, {}),
)
# The branch that failed is not the last that said something; what comes after the end does not count.
PARALLEL = history(
    ("ExecutionStarted", 0, {}),
    ("ParallelStateEntered", 1, entered("Analyse")),
    ("TaskStateEntered", 2, entered("Detect")),
    ("TaskStateEntered", 2, entered("Forecast")),
    ("TaskFailed", 3, failed("KeyError", "'kwh'")),
    ("TaskFailed", 4, failed("TransientError", "again soon")),
    ("ParallelStateFailed", 6, {}),
    ("ExecutionFailed", 7, ended("KeyError")),
    ("TaskFailed", 4, failed("States.Runtime", "stopped")),
)


def test_a_state_that_was_retried_tells_its_failed_attempts_and_all_its_time():
    (visit,) = visits(RETRIED)
    assert (visit.state, visit.status, visit.seconds) == ("Work", "succeeded", 5.0)
    assert visit.failures == ["TransientError: S3 hung up"]
    assert failed_state(RETRIED) is None


def test_the_branch_that_failed_is_named_whichever_spoke_last():
    assert failed_state(PARALLEL) == "Detect"
    assert [visit.failures for visit in visits(PARALLEL)] == [[], ["KeyError: 'kwh'"], ["TransientError: again soon"]]


def test_a_fail_state_is_where_an_execution_failed():
    told = history(
        ("ExecutionStarted", 0, {}), ("FailStateEntered", 1, entered("Rejected")), ("ExecutionFailed", 2, ended("No"))
    )
    assert failed_state(told) == "Rejected"


def test_where_an_execution_ran_out_of_time_the_open_state_is_named():
    told = history(("ExecutionStarted", 0, {}), ("TaskStateEntered", 1, entered("Work")), ("ExecutionTimedOut", 0, {}))
    assert failed_state(told) == "Work"


def test_an_execution_that_goes_on_after_a_redrive_has_not_failed():
    redriven = [*PARALLEL[:8], {"id": 9, "previousEventId": 8, "type": "ExecutionRedriven"}]
    assert failed_state(redriven) is None


def test_the_record_holds_what_a_person_asks_for():
    described = {
        "name": "one",
        "status": "FAILED",
        "startDate": BEGAN,
        "stopDate": BEGAN + dt.timedelta(seconds=9),
        "input": '{"detail": {"object": {"key": "raw/a.csv"}}}',
        "error": "KeyError",
        "cause": '{"errorMessage": "\'kwh\'"}',
    }
    found = record(described, PARALLEL)
    assert (found.key, found.seconds, found.failed_at) == ("raw/a.csv", 9.0, "Detect")
    assert found.why == "KeyError: 'kwh'"
    assert found.started == "2026-03-02T00:00:00.000+00:00"
    running = ExecutionRecord("two", "RUNNING", found.started, None, {})
    assert (running.key, running.seconds, running.why) == ("", None, None)


def test_a_rejections_words_are_its_reason_alone():
    assert words_of("UploadRejected", "NOT_CSV: no table") == "NOT_CSV: no table"
    assert words_of("TIMED_OUT", None) == "TIMED_OUT"
