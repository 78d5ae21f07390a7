"""Every error branch of the state machine, taken by the real machine with the real functions and injected errors."""

import datetime as dt
import json
from pathlib import Path

import pytest

from energy import lake
from energy.manifest import Manifest
from local import LocalAws

FORECAST_TABLES = {"forecast_data", "appliance_forecast_data"}
TRANSIENT = "Lambda.TooManyRequestsException"


@pytest.fixture(scope="module")
def aws():
    with LocalAws(skip_retry_waits=True) as aws:
        yield aws


@pytest.fixture(autouse=True)
def _no_faults_left(aws):
    aws.clear_faults()
    aws.retry_waits.clear()
    yield
    aws.clear_faults()


def readings(days: int = 21) -> bytes:
    rows = ["timestamp,appliance,kwh"]
    for hour in range(24 * days):
        moment = dt.datetime(2026, 3, 2) + dt.timedelta(hours=hour)
        rows.append(f"{moment:%Y-%m-%d %H:%M:%S},AC,{1 + hour % 24 / 8}")
    return "\n".join(rows).encode()


def run(aws: LocalAws, site: str, content: bytes | None = None):
    """The finished execution of an upload to a site of its own."""
    return aws.wait(aws.put(f"raw/{site}/readings.csv", content or readings()), timeout_seconds=300)


def published(aws: LocalAws, site: str) -> Manifest | None:
    s3 = aws.client("s3")
    key = lake.manifest_key(site)
    if not s3.list_objects_v2(Bucket=aws.bucket, Prefix=key).get("Contents"):
        return None
    return Manifest.model_validate_json(s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read())


def test_a_rejected_upload_is_reported_once_and_fails(aws):
    done = run(aws, "rejected", b"this is no table of readings\n")
    assert (done.status, done.error) == ("FAILED", "UploadRejected")
    assert done.states == [
        "Anything to read?",
        "Large upload?",
        "Validate upload",
        "Report rejection",
        "UploadRejected",
    ]
    assert aws.retry_waits == []
    assert published(aws, "rejected") is None


def test_a_rejection_is_told_to_people_once_and_with_its_reason(aws):
    told = len(aws.notifications())
    done = run(aws, "told", b"this is no table of readings\n")
    (message,) = aws.notifications()[told:]
    assert message[0] == "Energy upload rejected"
    assert done.cause in message[1]


def test_a_file_that_a_tool_left_behind_is_passed_over(aws):
    done = aws.wait(aws.put("raw/passed/.DS_Store", b"x"))
    assert (done.status, done.states) == ("SUCCEEDED", ["Anything to read?", "Nothing to read"])


def test_the_reason_of_a_rejection_is_the_handlers_own_sentence(aws):
    aws.fail_next("validate", "InputRejected", 'NOT_CSV: "x" is\nno table; save it as CSV')
    done = run(aws, "reason")
    assert done.cause == 'NOT_CSV: "x" is\nno table; save it as CSV'


def test_a_rejection_that_cannot_be_told_fails_with_its_reason_and_is_told_by_another_way(aws):
    aws.fail_next("validate", "InputRejected", "EMPTY_FILE: nothing in it")
    aws.fail_next_call("sns.Publish", "NotFound")
    told = len(aws.notifications())
    done = run(aws, "untold")
    assert done.error == "RejectionNotTold"
    assert done.cause == "EMPTY_FILE: nothing in it (Nobody could be told: SNS.NotFoundException)"
    ((subject, message),) = aws.notifications()[told:]
    assert subject == "Energy readings: FAILED raw/untold/readings.csv"
    assert "Why: RejectionNotTold: EMPTY_FILE: nothing in it" in message
    assert "tell whoever uploaded it" in message


@pytest.mark.parametrize(
    "function",
    [
        "validate",
        "aggregate",
        "detect_anomalies",
        "forecast_prophet",
        "forecast_statsforecast",
        "generate_report",
        "refresh_partitions",
    ],
)
def test_what_heals_by_itself_is_outlasted(aws, function):
    aws.fail_next(function, TRANSIENT, times=3)
    aws.fail_next(function, "TransientError", times=2)
    aws.fail_next(function, "Sandbox.Timedout", times=1)
    site = f"heals-{function.replace('_', '-')}"
    done = run(aws, site)
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert len(aws.retry_waits) == 6
    assert all(wait <= 60 for wait in aws.retry_waits)
    manifest = published(aws, site)
    assert manifest.report is not None
    assert set(manifest.tables) >= FORECAST_TABLES


def test_prophets_failure_leaves_the_other_models(aws):
    aws.fail_next("forecast_prophet", "ForecastFailed", "prophet gave no usable forecast: it fell ill")
    done = run(aws, "no-prophet")
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert "Note Prophet's failure" in done.states
    (notes,) = [json.loads(text)["result"] for text in outputs(done, "Forecast with statsforecast")]
    assert "Prophet" not in notes["method"]
    assert any("Prophet could not be used in this run" in note for note in notes["notes"])
    assert set(published(aws, "no-prophet").tables) >= FORECAST_TABLES


def test_the_other_models_failure_leaves_prophets_forecast(aws):
    aws.fail_next("forecast_statsforecast", "ForecastFailed", "the others fell ill")
    done = run(aws, "only-prophet")
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert "Keep Prophet's forecast" in done.states
    (outcome,) = [json.loads(text) for text in outputs(done, "Keep Prophet's forecast")]
    assert outcome["notes"] == ["The other models gave no forecast: the others fell ill"]
    locations = published(aws, "only-prophet").tables["forecast_data"]
    assert [partition.prefix.endswith("by=prophet/") for partition in locations] == [True]


def test_without_any_forecast_the_numbers_are_published(aws):
    aws.fail_next("forecast_prophet", "ForecastFailed", "one")
    aws.fail_next("forecast_statsforecast", "ValueError", "two")
    done = run(aws, "no-forecast")
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert "No forecast" in done.states
    (outcome,) = [json.loads(text) for text in outputs(done, "No forecast")]
    assert outcome == {
        "result": None,
        "notes": ["Prophet gave no forecast: one", "The other models gave no forecast: two"],
    }
    tables = published(aws, "no-forecast").tables
    assert {"raw_energy_data", "processed_energy_data", "anomaly_data"} <= set(tables)
    assert not FORECAST_TABLES & set(tables)


def test_without_a_report_the_numbers_are_published_and_the_run_is_red(aws):
    aws.fail_next("generate_report", "RuntimeError", "no ink")
    done = run(aws, "no-report")
    assert (done.status, done.error) == ("FAILED", "ReportMissing")
    assert "no ink" in done.cause
    assert "Remember missing report" in done.states
    assert "Announce" in done.states
    manifest = published(aws, "no-report")
    assert manifest.report is None
    assert "processed_energy_data" in manifest.tables


def test_a_lost_race_is_run_again_on_top_of_the_winner(aws):
    aws.fail_next("refresh_partitions", "ManifestConflict", times=2)
    done = run(aws, "conflict")
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert done.states.count("Aggregate readings") == 3
    assert done.states.count("Refresh partitions") == 3
    assert aws.retry_waits == []
    assert published(aws, "conflict") is not None


def test_lost_races_end_after_five(aws):
    aws.fail_next("refresh_partitions", "ManifestConflict", times=100)
    done = run(aws, "storm")
    assert (done.status, done.error) == ("FAILED", "PublicationConflicted")
    assert done.states.count("Refresh partitions") == 5
    assert "storm" in done.cause
    assert published(aws, "storm") is None


def test_what_another_run_took_along_needs_no_publication_of_its_own(aws):
    """Two uploads of a site are ready; the run that publishes first takes the other one's along."""
    ready = aws.put("raw/together/a.csv", readings(3))
    aws.wait(ready)
    aws.fail_next("aggregate", "KeyError", "'kwh'")
    left_behind = aws.wait(aws.put("raw/together/b.csv", readings(9)))
    assert left_behind.status == "FAILED"
    assert set(published(aws, "together").uploads) == {"raw/together/a.csv"}
    done = aws.wait(aws.put("raw/together/c.csv", readings(10)))
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert len(published(aws, "together").uploads) == 3
    message = aws.notifications()[-1][1]
    assert "raw/together/b.csv: 216 rows accepted, 0 rejected, 0 duplicates" in message
    assert "raw/together/c.csv: 240 rows accepted" in message
    s3 = aws.client("s3")
    assert "Contents" not in s3.list_objects_v2(Bucket=aws.bucket, Prefix=lake.pending_prefix("together"))


def test_a_deletion_takes_the_upload_back_and_a_restored_version_brings_it_again(aws):
    aws.wait(aws.put("raw/delete/a.csv", readings(3)))
    aws.wait(aws.put("raw/delete/b.csv", readings(9)))
    done = aws.wait(aws.delete("raw/delete/b.csv"))
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    manifest = published(aws, "delete")
    assert (set(manifest.uploads), set(manifest.deleted)) == ({"raw/delete/a.csv"}, {"raw/delete/b.csv"})
    assert "raw/delete/b.csv: deleted" in aws.notifications()[-1][1]
    marker = manifest.deleted["raw/delete/b.csv"].version
    done = aws.wait(aws.delete("raw/delete/b.csv", marker))
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    manifest = published(aws, "delete")
    assert (len(manifest.uploads), manifest.deleted) == (2, {})


def test_a_site_without_readings_has_neither_tables_nor_a_report(aws):
    run(aws, "empty")
    s3 = aws.client("s3")
    assert s3.list_objects_v2(Bucket=aws.bucket, Prefix=lake.latest_report_key("empty"))["Contents"]
    done = aws.wait(aws.delete("raw/empty/readings.csv"))
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert "Nothing is left" in done.states
    assert "Analyse" not in done.states
    assert done.states[-1] == "Published"
    manifest = published(aws, "empty")
    assert (manifest.uploads, manifest.report) == ({}, None)
    assert {name for name, partitions in manifest.tables.items() if partitions} == {"forecast_history"}
    assert "Contents" not in s3.list_objects_v2(Bucket=aws.bucket, Prefix=lake.latest_report_key("empty"))
    assert "no reading is left" in aws.notifications()[-1][1]
    again = run(aws, "empty")
    assert again.status == "SUCCEEDED", (again.error, again.cause)


def test_an_upload_that_is_gone_when_its_event_comes_ends_green(aws):
    done = run(aws, "gone")
    event = execution_input(aws, done)
    event["detail"]["object"] |= {"key": "raw/gone/never.csv", "version-id": "no-such-version"}
    late = aws.wait(aws.start(event))
    assert (late.status, late.states[-1]) == ("SUCCEEDED", "Gone already")
    assert late.output == {"key": "raw/gone/never.csv", "gone": True}


def test_a_catalog_that_was_left_behind_follows_when_the_run_is_repeated(aws):
    """The run died after its commit; whoever repeats it finds it published, and the tables where they belong."""
    done = run(aws, "behind")
    glue = aws.client("glue")
    table = {"DatabaseName": "energy_db", "TableName": "daily_energy_data"}
    glue.delete_partition(**table, PartitionValues=["behind"])
    again = aws.wait(aws.start(execution_input(aws, done)))
    assert (again.status, again.output["already_published"]) == ("SUCCEEDED", True)
    (partition,) = published(aws, "behind").tables["daily_energy_data"]
    location = glue.get_partition(**table, PartitionValues=["behind"])["Partition"]["StorageDescriptor"]["Location"]
    assert location == f"s3://{aws.bucket}/{partition.prefix}"


@pytest.mark.parametrize("code", ["NotFound", "InternalError"])
def test_nobody_told_is_still_published(aws, code):
    aws.fail_next_call("sns.Publish", code, times=100)
    site = f"quiet-{code.lower()}"
    done = run(aws, site)
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert published(aws, site) is not None


def test_what_is_published_already_is_not_aggregated_again(aws):
    first = run(aws, "again")
    again = aws.wait(aws.start(execution_input(aws, first)))
    assert again.status == "SUCCEEDED"
    assert again.states == [
        "Anything to read?",
        "Large upload?",
        "Validate upload",
        "Anything new?",
        "Nothing is new",
        "Refresh partitions",
        "Anything to announce?",
        "Already published",
    ]
    assert again.output == {"site": "again", "run_id": again.output["run_id"], "already_published": True}


@pytest.mark.parametrize(
    ("function", "state"),
    [
        ("validate", "Validate upload"),
        ("aggregate", "Aggregate readings"),
        ("detect_anomalies", "Detect anomalies"),
        ("refresh_partitions", "Refresh partitions"),
    ],
)
def test_an_unexpected_error_fails_the_run_at_its_state(aws, function, state):
    aws.fail_next(function, "KeyError", "'kwh'")
    site = f"bug-{function.replace('_', '-')}"
    done = run(aws, site)
    assert (done.status, done.error) == ("FAILED", "KeyError")
    assert state in done.states
    failed = [change for change in aws.follow(done.arn) if change.status == "failed"]
    assert [change.state for change in failed][:1] == [state]
    assert aws.retry_waits == []
    assert published(aws, site) is None


def test_a_run_that_failed_publishes_when_it_is_run_again(aws):
    aws.fail_next("aggregate", "KeyError", "'kwh'")
    failed = run(aws, "healed")
    assert failed.status == "FAILED"
    again = aws.wait(aws.start(execution_input(aws, failed)))
    assert again.status == "SUCCEEDED", (again.error, again.cause)
    assert published(aws, "healed") is not None


def test_every_state_of_the_machine_was_entered_by_these_tests(aws):
    definition = json.loads((Path(__file__).parents[2] / "statemachine" / "energy_pipeline.asl.json").read_text())
    entered = {name for arn in aws.executions() for name in aws.wait(arn).states}
    assert len(state_names(definition)) >= 20
    if len(aws.executions()) < 25:
        pytest.skip("only with all tests of this file")
    # Those of large uploads and sites are entered by tests/faults, and by tests/spark.
    crunched = {"Crunch with Spark", "Read what Spark found", "Anything usable?", "Keep those found"}
    forecast = {"Forecast with Spark", "Read what Spark forecast", "No forecast by Spark"}
    assert state_names(definition) - entered == crunched | forecast


def state_names(machine: dict) -> set[str]:
    names = set()
    for name, state in machine["States"].items():
        names.add(name)
        for branch in state.get("Branches", []):
            names |= state_names(branch)
    return names


def outputs(done, state: str) -> list[str]:
    exits = [event["stateExitedEventDetails"] for event in done.history if event["type"].endswith("StateExited")]
    return [details["output"] for details in exits if details["name"] == state]


def execution_input(aws: LocalAws, done) -> dict:
    return json.loads(aws.client("stepfunctions").describe_execution(executionArn=done.arn)["input"])
