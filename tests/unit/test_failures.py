"""What people are told of an execution that ended red."""

import json

import pytest

from energy import failures
from energy.failures import EndedExecution

ARN = "arn:aws:states:eu-west-1:123456789012:execution:pipeline:run-1"


def ended(**detail):
    event = {
        "region": "eu-west-1",
        "detail": {
            "executionArn": ARN,
            "name": "run-1",
            "status": "FAILED",
            "input": json.dumps({"detail": {"object": {"key": "raw/home/march.csv"}}}),
            **detail,
        },
    }
    return EndedExecution.model_validate(event)


def entered(number, name, previous=0):
    details = {"stateEnteredEventDetails": {"name": name}}
    return {"id": number, "previousEventId": previous, "type": "TaskStateEntered", **details}


# "Detect anomalies" failed while another branch had entered a state later.
PARALLEL = [
    entered(1, "Analyse"),
    entered(2, "Detect anomalies", 1),
    entered(3, "Forecast with Prophet", 1),
    {"id": 4, "previousEventId": 2, "type": "TaskScheduled"},
    {"id": 5, "previousEventId": 4, "type": "TaskFailed"},
    {"id": 6, "previousEventId": 5, "type": "ExecutionFailed"},
]


def where(history):
    """What people are told of the state."""
    return failures.explain(ended(), history, "energy", "home").text.splitlines()[1]


def test_the_state_is_the_one_that_the_end_leads_back_to_not_the_one_entered_last():
    assert where(PARALLEL) == where(PARALLEL[::-1]) == "Where: Detect anomalies"


@pytest.mark.parametrize("history", [[], [{"id": 1, "previousEventId": 0, "type": "ExecutionFailed"}], PARALLEL[3:]])
def test_a_history_that_leads_nowhere_names_no_state(history):
    assert where(history) == "Where: not in any state"


def test_an_execution_that_ran_out_of_time_is_told_with_the_state_that_did_not_end():
    timed_out = [entered(1, "Validate upload"), {"id": 2, "previousEventId": 0, "type": "ExecutionTimedOut"}]
    assert where(timed_out) == where(timed_out[::-1]) == "Where: Validate upload"


def test_a_branch_that_failed_is_told_and_not_the_parallel_state_around_it():
    history = [
        entered(1, "Analyse"),
        entered(2, "Detect anomalies", 1),
        entered(3, "Forecast with Prophet", 1),
        {"id": 4, "previousEventId": 2, "type": "TaskFailed", "taskFailedEventDetails": {"error": "KeyError"}},
        {"id": 5, "previousEventId": 3, "type": "TaskFailed", "taskFailedEventDetails": {"error": "TransientError"}},
        {"id": 6, "previousEventId": 1, "type": "ParallelStateFailed"},
        {
            "id": 7,
            "previousEventId": 6,
            "type": "ExecutionFailed",
            "executionFailedEventDetails": {"error": "KeyError"},
        },
    ]
    assert where(history) == where(history[::-1]) == "Where: Detect anomalies"


def test_a_function_s_error_is_told_in_its_own_words():
    cause = json.dumps({"errorType": "NotDeterministic", "errorMessage": "x holds other bytes", "stackTrace": ["…"]})
    assert failures.why(ended(error="NotDeterministic", cause=cause)) == "NotDeterministic: x holds other bytes"


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"error": "States.Runtime", "cause": "plain words"}, "States.Runtime: plain words"),
        ({"error": "States.Runtime", "cause": '["a list"]'}, 'States.Runtime: ["a list"]'),
        ({"error": "Lambda.Unknown"}, "Lambda.Unknown"),
        ({"status": "TIMED_OUT"}, "it ran for longer than it may"),
        ({"status": "ABORTED"}, "somebody stopped it"),
        ({"status": "ABORTED", "cause": "maintenance"}, "maintenance"),
        ({}, "Step Functions does not say"),
    ],
)
def test_every_end_has_a_reason(detail, expected):
    assert failures.why(ended(**detail)) == expected


def test_the_message_says_what_where_why_and_what_to_do():
    told = failures.explain(ended(error="TransientError", cause="S3 is slow"), PARALLEL, "energy", "home")
    assert told.subject == "Energy readings: FAILED raw/home/march.csv"
    assert told.text.splitlines() == [
        "What: raw/home/march.csv ended FAILED (execution run-1)",
        "Where: Detect anomalies",
        "Why: TransientError: S3 is slow",
        "What to do: remove the cause, then within 7 days",
        "  energy redrive run-1 --stack energy",
        f"or aws stepfunctions redrive-execution --execution-arn {ARN}",
        f"Its history: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/{ARN}",
    ]


@pytest.mark.parametrize("error", ["ReportMissing", "PublicationConflicted"])
def test_what_a_redrive_would_only_end_again_is_not_to_be_redriven(error):
    told = failures.explain(ended(error=error, cause="because"), [], "energy", "home")
    assert "energy reprocess home --stack energy" in told.text
    assert "redrive" not in told.text


def test_a_rejection_that_nobody_was_told_of_is_told_with_its_reason():
    event = ended(error="RejectionNotTold", cause="EMPTY_FILE: it is empty (Nobody could be told: SNS.NotFound)")
    assert event.told_nobody
    told = failures.explain(event, [], "energy", "home")
    assert "Why: RejectionNotTold: EMPTY_FILE: it is empty" in told.text
    assert "What to do: tell whoever uploaded it, to correct the file" in told.text
    assert "redrive" not in told.text


def test_a_publication_that_nobody_was_told_of_is_no_failure_and_told():
    event = ended(status="SUCCEEDED", output=json.dumps({"site": "home", "not_announced": "SNS.NotFound"}))
    assert event.told_nobody
    told = failures.explain(event, [], "energy", "home")
    assert told.text.splitlines()[1:4] == [
        "Where: Announce",
        "Why: it is published, and nobody could be told of it: SNS.NotFound",
        "What to do: nothing for the readings; look at the topic, its key and the pipeline's role",
    ]


@pytest.mark.parametrize("detail", [{"output": '{"site": "home"}'}, {"error": "UploadRejected"}, {"output": None}])
def test_where_people_were_told_nothing_is_counted(detail):
    assert not ended(**detail).told_nobody


def test_the_subject_is_one_line_of_ascii_that_sns_takes():
    key = "raw/häuser/" + "x" * 200 + ".csv"
    state_input = json.dumps({"detail": {"object": {"key": key}}}, ensure_ascii=False)
    told = failures.explain(ended(input=state_input), [], "energy", "häuser")
    assert told.subject.isascii()
    assert len(told.subject) == 100
    assert key in told.text


@pytest.mark.parametrize("state_input", [None, "", "no json", "[]", "{}", '{"detail": {"object": {"key": 7}}}'])
def test_an_execution_that_somebody_started_with_something_else_is_told_of_by_its_name(state_input):
    told = failures.explain(ended(input=state_input), [], "energy", None)
    assert told.subject == "Energy readings: FAILED run-1"
    assert told.text.startswith("What: an execution ended FAILED (execution run-1)")


def test_a_long_cause_is_cut():
    told = failures.explain(ended(error="E", cause="x" * 100_000), [], "energy", None)
    assert len(told.text) < 5_000


@pytest.mark.parametrize(
    ("asked", "arguments"), [({"sites": []}, "--all"), ({"sites": ["cabin", "home"], "anew": False}, "cabin home")]
)
def test_a_run_through_the_backlog_that_died_goes_on_by_the_same_command(asked, arguments):
    died = ended(status="TIMED_OUT", input=json.dumps(asked))
    history = [entered(1, "List uploads"), {"id": 2, "previousEventId": 0, "type": "ExecutionTimedOut"}]
    told = failures.explain(died, history, "energy", None)
    assert told.text.startswith(
        "What: a run through the backlog ended TIMED_OUT (execution run-1)\nWhere: List uploads\n"
    )
    assert f"  energy reprocess {arguments} --stack energy\n" in told.text


def test_a_run_that_makes_all_anew_is_redriven_since_by_its_command_it_would_begin_again():
    died = ended(status="ABORTED", input=json.dumps({"sites": ["cabin"], "anew": True}))
    told = failures.explain(died, [], "energy", None).text
    redrive, again = told.index(f"redrive-execution --execution-arn {ARN}"), told.index("reprocess cabin --anew")
    assert redrive < told.index("or, from the beginning,") < again
