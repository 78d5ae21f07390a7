"""Large uploads through the state machine, from upload to published tables: the job as it is deployed, in one file, and
each of its processes under the job's role.
"""

import datetime as dt
import io
import json
import subprocess
import time
from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from energy import lake
from energy.manifest import Manifest
from local import LocalAws
from local.glue_jobs import PYTHON, ROOT
from pack_job import pack

# What no call of ours needs, or none that happens here; tests/e2e/test_least_privilege.py makes the functions meet it.
NOT_MET_HERE = {
    "CrunchJobRole/ReadUploads: s3:GetObject on": "a deletion, of a site that is too large for a function",
    "CrunchJobRole/WriteResults: s3:GetObject on": "a write that is repeated compares itself with what is there",
    "CrunchJobRole/FetchTheScript": "Glue fetches the script",
    "CrunchJobRole/WriteLogs": "Glue writes the logs",
    "PipelineRole/RunTheJob: glue:GetJobRuns": "Step Functions waits for the job",
    "PipelineRole/RunTheJob: glue:BatchStopJobRun": "Step Functions stops the job with its execution",
}
MOST = 2
CRUNCHED = ["Crunch with Spark", "Read what Spark found", "Anything usable?"]
CONFIGURATION = b"timezone: Europe/Berlin\ntariff: {currency: EUR, price: 0.32}\nco2: {country: DE}\n"


def readings(days: int = 40) -> bytes:
    rows = ["timestamp,appliance,kwh"]
    for hour in range(24 * days):
        moment = dt.datetime(2026, 3, 2) + dt.timedelta(hours=hour)
        rows.append(f"{moment:%Y-%m-%d %H:%M:%S},AC,{1 + hour % 24 / 8}")
        if hour % 100 == 0:
            rows.append(f"{moment:%Y-%m-%d %H:%M:%S},AC,n/a")
    return "\n".join(rows).encode()


def readings_of_many(days: int = 40) -> bytes:
    """Three appliances and their total: one appliance has a week alone, and one too little to say how sure it is."""
    rows = ["timestamp,appliance,kwh"]
    for hour in range(24 * days):
        moment = dt.datetime(2026, 3, 2) + dt.timedelta(hours=hour)
        for number, first in enumerate((0, days - 8, days - 2)):
            if hour >= 24 * first:
                kwh = (1 + number + (hour // 24 + number) % 7 / 3 + hour * (7 + number) % 11 / 10) / 10
                rows.append(f"{moment:%Y-%m-%d %H:%M:%S},m{number},{kwh:.3f}")
    return "\n".join(rows).encode()


def with_packed_job(aws: LocalAws, folder) -> None:
    for name, job in aws._jobs.jobs.items():
        pack(ROOT / "jobs" / "crunch.py", folder / "crunch.py")
        aws._jobs.jobs[name] = replace(job, script=folder / "crunch.py", folders=())


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    parameters = {"LambdaMaxBytes": "1000", "LambdaMaxAppliances": str(MOST), "Encryption": "aws:kms"}
    with LocalAws(skip_retry_waits=True, parameters=parameters) as aws:
        with_packed_job(aws, tmp_path_factory.mktemp("packed"))
        aws.put("config/large.yaml", CONFIGURATION)
        yield aws


@pytest.fixture(scope="module")
def published(aws):
    """A large upload: refused once because another was published first, so that it goes round again."""
    aws.fail_next("refresh_partitions", "ManifestConflict", times=1)
    return aws.wait(aws.put("raw/large/readings.csv", readings()), timeout_seconds=600)


@pytest.fixture(scope="module")
def rejected(aws):
    return aws.wait(aws.put("raw/unusable/readings.csv", readings().replace(b"2026-", b"x")), timeout_seconds=600)


@pytest.fixture(scope="module")
def many(aws):
    return aws.wait(aws.put("raw/many/readings.csv", readings_of_many()), timeout_seconds=600)


def table(aws, manifest, name):
    return pl.concat(below(aws, partition.prefix) for partition in manifest.tables[name])


def below(aws, prefix):
    listed = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix=prefix)["Contents"]
    bodies = (aws.client("s3").get_object(Bucket=aws.bucket, Key=found["Key"])["Body"].read() for found in listed)
    return pl.concat(pl.read_parquet(io.BytesIO(body)) for body in bodies)


def test_a_large_upload_is_published_with_all_its_tables(aws, published):
    assert published.status == "SUCCEEDED", (published.error, published.cause)
    content = aws.client("s3").get_object(Bucket=aws.bucket, Key=lake.manifest_key("large"))["Body"].read()
    manifest = Manifest.model_validate_json(content)
    assert {"raw_energy_data", "hourly_energy_data", "anomaly_data", "forecast_data", "cost_data"} <= set(
        manifest.tables
    )
    assert manifest.report is not None
    (upload,) = manifest.uploads.values()
    # 40 days of hours, of which clocks skip one; every hundredth is there a second time, without a number.
    assert (upload.rows.accepted, upload.rows.rejected) == (959, 11)
    found = table(aws, manifest, "raw_energy_data")
    assert found.height == 959
    expected = sum(1 + hour % 24 / 8 for hour in range(960)) - (1 + 2 / 8)
    assert found["kwh"].sum() == pytest.approx(expected, rel=1e-9)


def test_a_conflict_takes_it_round_again_through_spark(published):
    states = published.states
    assert states[2 : 2 + len(CRUNCHED)] == CRUNCHED
    again = states[states.index("Another round?") + 1 :]
    assert again[: len(CRUNCHED)] == CRUNCHED
    assert not {"Validate upload", "Aggregate readings", "Detect anomalies"} & set(states)


def test_a_rejection_by_spark_ends_as_one_by_a_function(aws, rejected):
    assert (rejected.status, rejected.error) == ("FAILED", "UploadRejected")
    assert rejected.states[2:] == [*CRUNCHED, "Report rejection", "UploadRejected"]
    assert rejected.cause.startswith("TOO_MANY_BAD_ROWS: ")
    told = [message for subject, message in aws.notifications() if subject == "Energy upload rejected"]
    assert any(rejected.cause in message and "raw/unusable/readings.csv" in message for message in told)
    small = aws.wait(aws.put("raw/unusable/small.csv", readings(days=1).replace(b"2026-", b"x")[:900]))
    assert small.states[2:] == ["Validate upload", "Report rejection", "UploadRejected"]
    assert small.cause.startswith("TOO_MANY_BAD_ROWS: ")


def test_a_version_that_is_published_or_gone_needs_no_second_run(aws, published):
    event = json.loads(aws.client("stepfunctions").describe_execution(executionArn=published.arn)["input"])
    again = aws.wait(aws.start(event), timeout_seconds=600)
    assert (again.status, again.output["already_published"]) == ("SUCCEEDED", True)
    event["detail"]["object"]["version-id"] = "00000000-0000-0000-0000-000000000000"
    gone = aws.wait(aws.start(event), timeout_seconds=600)
    assert (gone.status, gone.output) == ("SUCCEEDED", {"key": "raw/large/readings.csv", "gone": True})


def test_many_series_are_forecast_by_spark_as_the_function_forecasts_them(aws, many):
    assert many.status == "SUCCEEDED", (many.error, many.cause)
    by_spark = ["Many appliances?", "Forecast with Spark", "Read what Spark forecast"]
    assert [state for state in many.states if state in by_spark] == by_spark
    assert "Forecast with Prophet" not in many.states
    (asked,) = [
        json.loads(event["taskScheduledEventDetails"]["parameters"])["Arguments"]
        for event in many.history
        if "--publication" in event.get("taskScheduledEventDetails", {}).get("parameters", "")
    ]
    key = lake.forecast_by_spark_key(asked["--execution"], int(asked["--round"]))
    result = json.loads(aws.client("s3").get_object(Bucket=aws.bucket, Key=key)["Body"].read())["result"]
    event = {"publication": json.loads(asked["--publication"]), "prophet": None, "prophet_error": "it was not asked"}
    alone = aws.invoke("forecast_statsforecast", event).payload
    for prefix in ("total_prefix", "appliances_prefix", "history_prefix", "backtest_prefix"):
        assert_frame_equal(below(aws, result[prefix]), below(aws, alone[prefix]), rel_tol=1e-9, abs_tol=1e-12)
    assert below(aws, result["appliances_prefix"])["appliance"].n_unique() == 3
    assert result["notes"][0] == "prophet left out: Spark forecasts the 4 series of this site without it"


def test_a_model_that_fails_is_noted_in_the_jobs_own_environment():
    code = "from energy.forecasting import noted_reason; print(noted_reason(ZeroDivisionError('by nothing')))"
    done = subprocess.run(
        [str(PYTHON), "-c", code],
        env={"PYTHONPATH": str(ROOT / "layers" / "core")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "ZeroDivisionError, the log says more", done.stderr


def test_a_site_without_a_complete_day_has_no_forecast_and_needs_no_second_run(aws):
    """The job is asked as the state machine asks it for a site of many appliances."""
    rows = [f"2026-03-02 {hour:02}:00:00,m{number},1" for hour in range(9) for number in range(5)]
    done = aws.wait(aws.put("raw/young/a.csv", "\n".join(["timestamp,appliance,kwh", *rows]).encode()))
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    scheduled = [event.get("taskScheduledEventDetails", {}).get("parameters", "{}") for event in done.history]
    asked = [json.loads(parameters).get("Payload", {}) for parameters in scheduled]
    publication = next(payload["publication"] for payload in asked if "publication" in payload)
    assert publication["current_appliances"] == 0
    glue, name = aws.client("glue"), next(iter(aws._jobs.jobs))
    arguments = {"--publication": json.dumps(publication), "--execution": "young", "--round": "1"}
    run = glue.start_job_run(JobName=name, Arguments=arguments)["JobRunId"]
    while (state := glue.get_job_run(JobName=name, RunId=run)["JobRun"]["JobRunState"]) == "RUNNING":
        time.sleep(0.5)
    assert state == "SUCCEEDED"
    answer = aws.client("s3").get_object(Bucket=aws.bucket, Key=lake.forecast_by_spark_key("young", 1))["Body"].read()
    why = "A forecast needs at least 1 complete day of readings; this site has 0"
    assert json.loads(answer) == {"site": "young", "result": None, "reason": why}


def test_a_large_file_of_a_backlog_goes_through_spark_and_is_published(aws):
    """Nothing told of it; the pipeline is started for it, and the sites' own publication finds nothing left."""
    s3 = aws.client("s3")
    told = s3.get_bucket_notification_configuration(Bucket=aws.bucket)
    s3.put_bucket_notification_configuration(Bucket=aws.bucket, NotificationConfiguration={})
    aws.put("raw/late/readings.csv", readings())
    told.pop("ResponseMetadata")
    s3.put_bucket_notification_configuration(Bucket=aws.bucket, NotificationConfiguration=told)
    before = len(aws.executions())
    states = aws.client("stepfunctions")
    asked = json.dumps({"sites": ["late"], "anew": False})
    arn = states.start_execution(stateMachineArn=aws.outputs["BacklogArn"], name="late", input=asked)["executionArn"]
    done = aws.wait(arn, timeout_seconds=600)
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    (started,) = aws.executions()[before:]
    assert "Crunch with Spark" in aws.wait(started).states
    content = aws.client("s3").get_object(Bucket=aws.bucket, Key=lake.manifest_key("late"))["Body"].read()
    assert table(aws, Manifest.model_validate_json(content), "raw_energy_data").height == 960


def test_the_job_was_refused_nothing_and_needed_every_grant(aws, published, rejected, many):
    judged = aws.permissions.journal.read()
    assert sum(one.role == "CrunchJobRole" for one in judged) > 50
    assert [one for one in judged if not one.allowed] == []
    ours = ("CrunchJobRole/", "PipelineRole/RunTheJob", "PipelineRole/ReadWhatTheJobFound")
    idle = sorted(str(one) for one in aws.permissions.unused(judged) if str(one).startswith(ours))
    assert [one for one in idle if not one.startswith(tuple(NOT_MET_HERE))] == []
