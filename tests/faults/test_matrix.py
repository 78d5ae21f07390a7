"""Every Task of the state machine, as its definition has them, times every way to fail.

The real state machine, deployed from template.yaml, with functions that answer at once and fail as told; waits between
attempts are counted and not waited for. tests/statemachine and tests/storm fail the real functions.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from energy import lake
from local import LocalAws
from local.glue_jobs import JobRun
from local.history import failed_state, visits
from local.lambda_runtime import InvokeResult

ROOT = Path(__file__).resolve().parents[2]
MACHINE = json.loads((ROOT / "statemachine" / "energy_pipeline.asl.json").read_text())


def tasks(machine: dict[str, Any] = MACHINE) -> dict[str, str]:
    """What each Task calls, by its name: the function's placeholder, or the service."""
    found = {}
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            found[name] = state["Arguments"].get("FunctionName") or state["Resource"].rpartition(":states:::")[2]
        for branch in state.get("Branches", []):
            found |= tasks(branch)
    return found


TASKS = tasks()
VERBS = {
    "${ValidateFunctionArn}": "validate",
    "${AggregateFunctionArn}": "aggregate",
    "${DetectAnomaliesFunctionArn}": "detect_anomalies",
    "${ForecastProphetFunctionArn}": "forecast_prophet",
    "${ForecastStatsforecastFunctionArn}": "forecast_statsforecast",
    "${GenerateReportFunctionArn}": "generate_report",
    "${RefreshPartitionsFunctionArn}": "refresh_partitions",
}
SNS, GLUE, S3 = "sns:publish", "glue:startJobRun.sync", "aws-sdk:s3:getObject"

PARAMETERS = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
# One byte, and one appliance, more than functions are given.
LARGE = PARAMETERS["LambdaMaxBytes"]["Default"] + 1
MANY = PARAMETERS["LambdaMaxAppliances"]["Default"] + 1
BY_SIZE = {"Crunch with Spark", "Read what Spark found"}
BY_NUMBER = {"Forecast with Spark", "Read what Spark forecast"}

# Attempts and longest waits of the three kinds of retry, as docs/operations.md promises them.
STUMBLED = (7, [2, 4, 8, 16, 32, 60])
TRANSIENT = (5, [2, 4, 8, 16])
CRASHED = (2, [5])
OCCUPIED = (9, [60, 120, 240, 480, 900, 900, 900, 900])
ONCE = (1, [])
LAMBDA_FAULTS = {
    "Lambda.TooManyRequestsException": STUMBLED,
    "Lambda.ServiceException": STUMBLED,
    "Lambda.AWSLambdaException": STUMBLED,
    "Lambda.SdkClientException": STUMBLED,
    "Lambda.ClientExecutionTimeoutException": STUMBLED,
    "TransientError": TRANSIENT,
    "Sandbox.Timedout": CRASHED,
    "Runtime.ExitError": CRASHED,
    "Runtime.OutOfMemory": CRASHED,
    "KeyError": ONCE,
}
SNS_FAULTS = {
    "Throttled": STUMBLED,
    "Throttling": STUMBLED,
    "InternalError": STUMBLED,
    "KMSThrottling": STUMBLED,
    "KmsThrottling": STUMBLED,
    "SdkClient": STUMBLED,
    "NotFound": ONCE,
}
# Of a job's run itself there is but one failure (States.TaskFailed), whatever it failed of; the name takes in all else.
GLUE_FAULTS = {
    "ThrottlingException": STUMBLED,
    "InternalServiceException": STUMBLED,
    "OperationTimeoutException": STUMBLED,
    "ConcurrentRunsExceededException": OCCUPIED,
    "ResourceNumberLimitExceededException": OCCUPIED,
    "EntityNotFoundException": CRASHED,
    "FAILED": CRASHED,
    "TIMEOUT": CRASHED,
}
S3_FAULTS = {"SlowDown": STUMBLED, "InternalError": STUMBLED}
SERVICE_FAULTS = {SNS: SNS_FAULTS, GLUE: GLUE_FAULTS, S3: S3_FAULTS}
DATA_ERRORS = {
    "Validate upload": "InputRejected",
    "Aggregate readings": "TimezoneChanged",
    "Detect anomalies": "ValidationError",
    "Forecast with Prophet": "ForecastFailed",
    "Forecast with statsforecast": "ForecastFailed",
    "Generate report": "ValidationError",
    "Refresh partitions": "CatalogError",
}
# What an execution ends with where a Task fails for good. "its own": at that very state, with the Task's error.
SUCCEEDED, OWN = "SUCCEEDED", "its own"
ENDS = {
    "Validate upload": OWN,
    "Aggregate readings": OWN,
    "Crunch with Spark": OWN,
    "Read what Spark found": OWN,
    "Detect anomalies": OWN,
    "Forecast with Prophet": SUCCEEDED,
    "Forecast with statsforecast": SUCCEEDED,
    "Forecast with Spark": SUCCEEDED,
    "Read what Spark forecast": SUCCEEDED,
    "Generate report": "ReportMissing",
    "Refresh partitions": OWN,
    "Announce": SUCCEEDED,
    "Report rejection": "RejectionNotTold",
}


@dataclass(frozen=True)
class Cell:
    """A Task that fails so many times in one way; `attempts` are the most that it is called."""

    task: str
    error: str
    times: int
    attempts: int
    waits: tuple[int, ...]

    @property
    def heals(self) -> bool:
        return self.times < self.attempts


def cells() -> list[Cell]:
    """Each way to fail for good, and each that may heal also twice or once, and then no more."""
    found = []
    for task, calls in TASKS.items():
        faults = dict(SERVICE_FAULTS.get(calls, LAMBDA_FAULTS))
        if task in DATA_ERRORS:
            faults[DATA_ERRORS[task]] = ONCE
        for error, (attempts, waits) in faults.items():
            heals = [min(2, attempts - 1)] if attempts > 1 else []
            found += [Cell(task, error, times, attempts, tuple(waits)) for times in [*heals, 100]]
    return found


CELLS = cells()


class Functions:
    """Answers as the functions would, and counts what was called."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def answer(self, function: Any, event: dict[str, Any]) -> InvokeResult:
        site = event["object"]["key"].split("/")[1] if "object" in event else event["publication"]["site"]
        return InvokeResult(self.payloads(site)[function.logical_id], None, "")

    def payloads(self, site: str) -> dict[str, dict[str, Any]]:
        return {
            "ValidateFunction": {"key": f"raw/{site}/a.csv", "site": site, "run_id": "run", "already_published": False},
            "AggregateFunction": {
                "site": site,
                "already_published": False,
                "pub": "p",
                "readings": 24,
                "current_appliances": MANY if site.startswith("many-") else 1,
                "changes": ["raw: 24 rows accepted"],
            },
            "DetectAnomaliesFunction": {"count": 3, "table_prefix": "anomalies/", "summary_key": "summary"},
            "ForecastProphetFunction": {"method": "Prophet", "notes": []},
            "ForecastStatsforecastFunction": {"method": "median", "notes": []},
            "GenerateReportFunction": {"html_key": "reports/report.html", "provider": "rules"},
            "RefreshPartitionsFunction": {"site": site, "pub": "pub", "report_key": "reports/report.html"},
        }


class Jobs:
    """Answers as the job would, but for as many runs as are to end in another way."""

    def __init__(self, aws: LocalAws, functions: Functions) -> None:
        self.aws, self.functions = aws, functions
        self.failing: list[str] = []
        self.told: str | None = "as told"
        self.reason: str | None = None

    def start(self, name: str, run_id: str, arguments: dict[str, str]) -> JobRun:
        if self.failing:
            return JobRun(self.failing.pop(), self.told)
        site, round_number = arguments["--execution"], int(arguments["--round"])
        found = self.functions.payloads(site)
        if "--publication" in arguments:
            result = None if self.reason else found["ForecastStatsforecastFunction"]
            forecast = {"site": site, "result": result, "reason": self.reason}
            self.aws.put(lake.forecast_by_spark_key(site, round_number), json.dumps(forecast).encode())
            return JobRun("SUCCEEDED")
        crunched = {
            "site": site,
            "validated": found["ValidateFunction"],
            "publication": found["AggregateFunction"],
            "anomalies": found["DetectAnomaliesFunction"],
            "rejection": None,
            "gone": False,
        }
        self.aws.put(lake.crunched_key(site, round_number), json.dumps(crunched).encode())
        return JobRun("SUCCEEDED")


@pytest.fixture(scope="module")
def aws():
    functions = Functions()
    with LocalAws(skip_retry_waits=True, warm=False) as aws:
        really = aws._runtime.invoke

        def invoke(function, event):
            if function.logical_id == "ExplainFailureFunction":
                return really(function, event)
            # Aggregation is asked for a site that only validation's answer names.
            known = event if "object" in event or "publication" in event else {"publication": event["validated"]}
            return functions.answer(function, known)

        aws._runtime.invoke = invoke
        aws._jobs = Jobs(aws, functions)
        yield aws


@pytest.fixture(autouse=True)
def _no_faults_left(aws):
    aws.clear_faults()
    aws.retry_waits.clear()
    yield
    aws.clear_faults()
    aws._jobs.failing.clear()


def run(aws: LocalAws, site: str, size: int = 1):
    """The finished execution of an upload to that site; no object is needed where no function reads one."""
    event = {
        "detail-type": "Object Created",
        "time": "2026-03-02T00:00:00Z",
        "detail": {"bucket": {"name": aws.bucket}, "object": {"key": f"raw/{site}/a.csv", "size": size, "etag": "e"}},
    }
    return aws.wait(aws.start(event, name=site), timeout_seconds=60)


def fail(aws: LocalAws, cell: Cell) -> str:
    """Lets the Task fail as the cell says; the error's name as the state machine sees it."""
    if cell.task == "Report rejection":
        aws.fail_next("validate", "InputRejected", "NOT_CSV: this is no table")
    if TASKS[cell.task] == SNS:
        aws.fail_next_call("sns.Publish", cell.error, times=cell.times)
        return f"SNS.{cell.error}Exception"
    if cell.error in {"FAILED", "TIMEOUT"}:
        aws._jobs.failing += [cell.error] * min(cell.times, cell.attempts)
        return "States.TaskFailed"
    if TASKS[cell.task] in SERVICE_FAULTS:
        service, action = {GLUE: ("glue", "StartJobRun"), S3: ("s3", "GetObject")}[TASKS[cell.task]]
        aws.fail_next_call(f"{service}.{action}", cell.error, times=cell.times)
        return f"Glue.{cell.error}" if service == "glue" else "S3.S3Exception"
    aws.fail_next(VERBS[TASKS[cell.task]], cell.error, "as told", times=cell.times)
    return cell.error


def expected(cell: Cell, error: str) -> tuple[str, str | None, str | None]:
    """Status, error and the state that failed."""
    if error == "InputRejected" or (cell.task == "Report rejection" and cell.heals):
        return "FAILED", "UploadRejected", "UploadRejected"
    if cell.heals or ENDS[cell.task] == SUCCEEDED:
        return "SUCCEEDED", None, None
    if ENDS[cell.task] == OWN:
        return "FAILED", error, cell.task
    return "FAILED", ENDS[cell.task], ENDS[cell.task]


def test_no_task_and_no_way_to_fail_was_left_out():
    assert set(TASKS) == set(ENDS)
    assert len(TASKS) >= 13
    assert set(DATA_ERRORS) == {task for task, calls in TASKS.items() if calls not in SERVICE_FAULTS}
    assert len(CELLS) >= 204, len(CELLS)


@pytest.mark.parametrize("number", range(len(CELLS)), ids=[f"{c.task}-{c.error}-{c.times}" for c in CELLS])
def test_every_failure_ends_where_it_should_and_is_told(aws, number):
    cell = CELLS[number]
    told = len(aws.notifications())
    error = fail(aws, cell)
    site = f"many-{number}" if cell.task in BY_NUMBER else f"cell-{number}"
    done = run(aws, site, LARGE if cell.task in BY_SIZE else 1)

    status, ends_with, failed_at = expected(cell, error)
    states = visits(done.history)
    assert (done.status, done.error, failed_state(done.history)) == (status, ends_with, failed_at)

    (visit,) = [each for each in states if each.state == cell.task]
    assert len(visit.failures) == min(cell.times, cell.attempts)
    assert all(error in failure for failure in visit.failures)
    # Each wait within what backoff and MaxDelaySeconds allow, and none after the last attempt.
    assert len(aws.retry_waits) == min(cell.times, cell.attempts - 1)
    assert all(wait <= most for wait, most in zip(aws.retry_waits, cell.waits, strict=False))

    messages = [f"{subject} {message}" for subject, message in aws.notifications()[told:]]
    if status == "SUCCEEDED":
        announced = [message for message in messages if "Energy readings published" in message]
        untold = cell.task == "Announce" and not cell.heals
        assert len(announced) == (0 if untold else 1)
        assert done.output.get("not_announced") == (error if untold else None)
        assert [done.name in message and error in message for message in messages] == ([True] if untold else [False])
    elif ends_with == "UploadRejected":
        (told_of,) = messages
        assert "Energy upload rejected" in told_of
        assert done.cause in told_of
    else:
        assert any(done.name in message and "FAILED" in message for message in messages), messages


def test_where_nobody_can_be_told_the_execution_and_a_queue_still_know(aws, monkeypatch):
    """SNS is down for the rule that tells of failures, too: its event waits in the rule's dead-letter queue."""

    def down(*_: Any, **__: Any) -> None:
        raise RuntimeError("SNS is down")

    monkeypatch.setattr("moto.sns.models.SNSBackend.publish", down)
    aws.fail_next("aggregate", "KeyError", "'kwh'")
    done = run(aws, "nobody-told")
    assert (done.status, done.error) == ("FAILED", "KeyError")
    described = aws.client("stepfunctions").describe_execution(executionArn=done.arn)
    assert described["status"] == "FAILED"
    waiting = []
    for url in aws.client("sqs").list_queues()["QueueUrls"]:
        answer = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        waiting += [json.loads(each["Body"]) for each in answer.get("Messages", [])]
    assert done.arn in [event["detail"]["executionArn"] for event in waiting]


def test_a_site_that_is_too_large_for_a_function_is_crunched_by_spark(aws):
    aws.fail_next("aggregate", "SiteTooLarge", "site 'large' would have up to 10,000,001 hours")
    done = run(aws, "large-site")
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    crunched = ["Aggregate readings", "Crunch with Spark", "Read what Spark found", "Anything usable?"]
    assert done.states[4 : 4 + len(crunched)] == crunched
    assert "Detect anomalies" not in done.states


def test_a_large_upload_is_crunched_again_where_another_was_published_first(aws):
    aws.fail_next("refresh_partitions", "ManifestConflict", times=2)
    done = run(aws, "large-conflict", LARGE)
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert done.states.count("Crunch with Spark") == 3
    assert not {"Validate upload", "Aggregate readings", "Detect anomalies"} & set(done.states)


def test_both_forecasts_may_fail_and_the_numbers_are_published(aws):
    aws.fail_next("forecast_prophet", "Sandbox.Timedout", times=100)
    aws.fail_next("forecast_statsforecast", "Runtime.OutOfMemory", times=100)
    done = run(aws, "no-forecast")
    assert done.status == "SUCCEEDED"
    assert "No forecast" in done.states


def no_forecast(aws, site):
    """Why a site of many appliances has no forecast, as its report is told."""
    done = run(aws, site)
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert "Forecast with Prophet" not in done.states
    entered = [event["stateEnteredEventDetails"] for event in done.history if "stateEnteredEventDetails" in event]
    (branches,) = [json.loads(one["input"]) for one in entered if one["name"] == "Generate report"]
    assert branches[1]["result"] is None
    (note,) = branches[1]["notes"]
    return note


def test_where_the_job_fails_the_report_is_told_what_it_met(aws, monkeypatch):
    aws._jobs.failing += ["FAILED", "FAILED"]
    assert no_forecast(aws, "many-failed") == "Spark gave no forecast: as told"
    monkeypatch.setattr(aws._jobs, "told", None)
    aws._jobs.failing += ["TIMEOUT", "TIMEOUT"]
    assert no_forecast(aws, "many-late") == "Spark gave no forecast: its run ended as TIMEOUT"
    aws.fail_next_call("glue.StartJobRun", "EntityNotFoundException", "no such job", times=2)
    assert no_forecast(aws, "many-missing").startswith("Spark gave no forecast: Glue.EntityNotFoundException ")


def test_where_the_models_have_none_their_reason_is_told_and_the_job_is_not_run_again(aws, monkeypatch):
    monkeypatch.setattr(aws._jobs, "reason", "A forecast needs at least 1 complete day of readings; this site has 0")
    told = "Spark gave no forecast: A forecast needs at least 1 complete day of readings; this site has 0"
    assert no_forecast(aws, "many-young") == told
    assert aws.retry_waits == []


def test_the_matrix_tells_its_size(aws, capsys):
    ways = Counter(cell.task for cell in CELLS)
    with capsys.disabled():
        print(f"\nfault matrix: {len(CELLS)} cells, {len(TASKS)} tasks: {dict(ways)}")
    assert sum(ways.values()) == len(CELLS)
