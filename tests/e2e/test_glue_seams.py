"""Where moto is bent for jobs: a run is waited for, its failure has its name, and what it left in S3 is read as text.

Without Spark: the run that stands for the job's is told here how it ends.
"""

import json
import time
from pathlib import Path

import pytest

from local import LocalAws
from local.glue_jobs import JobRun

SMALL = Path(__file__).parent / "small_stack" / "template.yaml"
ROLE = "arn:aws:iam::123456789012:role/nobody-asks"


@pytest.fixture(scope="module")
def aws():
    with LocalAws(template=SMALL, skip_retry_waits=True, warm=False, under_roles=False) as aws:
        aws.client("glue").create_job(
            Name="small",
            Role=ROLE,
            Command={"Name": "glueetl", "ScriptLocation": "s3://scripts/small.py"},
            DefaultArguments={"--known": "by default"},
            ExecutionProperty={"MaxConcurrentRuns": 1},
        )
        yield aws


class Runs:
    """Runs that end when they are told to."""

    def __init__(self, aws: LocalAws, end: JobRun | None) -> None:
        self.aws, self.end = aws, end
        self.arguments: list[dict[str, str]] = []
        self.started: list[JobRun] = []

    def start(self, name: str, run_id: str, arguments: dict[str, str]) -> JobRun:
        self.arguments.append(arguments)
        self.aws.put("answers/one.json", json.dumps({"said": 'a "quoted"\nword', "é": None}).encode())
        self.started.append(self.end or JobRun())
        return self.started[-1]


def machine(aws: LocalAws, name: str, key: str = "answers/one.json") -> str:
    """Starts an execution that runs the job and reads its answer."""
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "Run",
        "States": {
            "Run": {
                "Type": "Task",
                "Resource": "arn:aws:states:::glue:startJobRun.sync",
                "Arguments": {"JobName": "small", "Arguments": {"--asked": "{% $states.input.asked %}"}},
                "Assign": {"run": "{% $states.result.JobRunState %}"},
                "Next": "Read",
            },
            "Read": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
                "Arguments": {"Bucket": aws.bucket, "Key": key},
                "Output": {"run": "{% $run %}", "answer": "{% $parse($states.result.Body) %}"},
                "End": True,
            },
        },
    }
    states = aws.client("stepfunctions")
    made = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    started = states.start_execution(stateMachineArn=made, name=name, input=json.dumps({"asked": "now"}))
    return started["executionArn"]


def test_a_job_is_waited_for_and_its_answer_is_text(aws, monkeypatch):
    runs = Runs(aws, JobRun("SUCCEEDED"))
    monkeypatch.setattr(aws, "_jobs", runs)
    done = aws.wait(machine(aws, "succeeds"), timeout_seconds=60)
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert done.output == {"run": "SUCCEEDED", "answer": {"said": 'a "quoted"\nword', "é": None}}
    assert runs.arguments == [{"--known": "by default", "--asked": "now"}]


def test_a_failed_job_fails_its_task_and_says_why(aws, monkeypatch):
    monkeypatch.setattr(aws, "_jobs", Runs(aws, JobRun("FAILED", "SiteTooLarge: too many")))
    done = aws.wait(machine(aws, "fails"), timeout_seconds=60)
    assert (done.status, done.error) == ("FAILED", "States.TaskFailed")
    assert json.loads(done.cause)["ErrorMessage"] == "SiteTooLarge: too many"


def test_more_runs_than_the_job_allows_are_refused_until_one_has_ended(aws, monkeypatch):
    runs = Runs(aws, None)
    monkeypatch.setattr(aws, "_jobs", runs)
    first = machine(aws, "first")
    while not runs.started:
        time.sleep(0.01)
    second = aws.wait(machine(aws, "second"), timeout_seconds=60)
    assert (second.status, second.error) == ("FAILED", "Glue.ConcurrentRunsExceededException")
    runs.started[0].state = "SUCCEEDED"
    assert aws.wait(first, timeout_seconds=60).status == "SUCCEEDED"


def test_an_object_that_is_not_there_has_the_name_that_aws_gives_it(aws, monkeypatch):
    monkeypatch.setattr(aws, "_jobs", Runs(aws, JobRun("SUCCEEDED")))
    done = aws.wait(machine(aws, "missing", key="answers/none.json"), timeout_seconds=60)
    assert (done.status, done.error) == ("FAILED", "S3.NoSuchKeyException")
