"""From a PutObject to published tables: S3, EventBridge, Step Functions and the functions, as template.yaml says."""

import datetime as dt
import io
import json

import polars as pl
import pytest
from readings_files import PEAK_HOUR, totals_kwh, write_csv

from energy import lake
from energy.manifest import Manifest
from energy.schema import TABLES
from local import LakeFolder, LocalAws


@pytest.fixture(scope="module")
def lake_path(tmp_path_factory):
    return tmp_path_factory.mktemp("pipeline") / "lake"


@pytest.fixture(scope="module")
def aws(lake_path):
    with LocalAws(lake=lake_path, skip_retry_waits=True) as aws:
        yield aws


def published(aws, site: str) -> Manifest:
    body = aws.client("s3").get_object(Bucket=aws.bucket, Key=lake.manifest_key(site))["Body"].read()
    return Manifest.model_validate_json(body)


def table_bytes(aws, site: str) -> dict[tuple[str, ...], bytes]:
    """Content of all files of the published tables, by table and partition, through the Glue catalog."""
    found = {}
    for name in TABLES:
        pages = aws.client("glue").get_partitions(DatabaseName="energy_db", TableName=name)
        for partition in pages["Partitions"]:
            if partition["Values"][0] != site:
                continue
            prefix = partition["StorageDescriptor"]["Location"].removeprefix(f"s3://{aws.bucket}/")
            objects = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix=prefix)["Contents"]
            found[name, *partition["Values"]] = b"".join(
                aws.client("s3").get_object(Bucket=aws.bucket, Key=item["Key"])["Body"].read() for item in objects
            )
    return found


def frames(aws, site: str, table: str) -> pl.DataFrame:
    parts = [pl.read_parquet(io.BytesIO(content)) for key, content in table_bytes(aws, site).items() if key[0] == table]
    return pl.concat(parts)


# Every forecast that was ever published is kept, so this one partition grows with each publication.
ISSUED = ("forecast_history", "home", f"{dt.datetime.now(dt.UTC):%Y-%m}")


def run(aws, path, key):
    return aws.wait(aws.upload(path, key), timeout_seconds=300)


@pytest.fixture(scope="module")
def home(aws, tmp_path_factory):
    """The execution that published site "home" from 15 days of readings; its configuration says what energy costs."""
    tariff = b"tariff: {currency: EUR, price: 0.32}\n"
    aws.client("s3").put_object(Bucket=aws.bucket, Key="config/home.yaml", Body=tariff)
    done = run(aws, write_csv(tmp_path_factory.mktemp("readings") / "march.csv"), "raw/march.csv")
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    return done


def test_an_upload_is_published_in_every_table(aws, home):
    assert home.output["site"] == "home"
    assert home.states[:3] == ["Anything to read?", "Large upload?", "Validate upload"]
    assert home.states[-1] == "Published"
    tables = table_bytes(aws, "home")
    assert {key[0] for key in tables} == set(TABLES)
    assert ("raw_energy_data", "home", "2026-03") in tables
    for (name, *_), content in tables.items():
        assert pl.read_parquet(io.BytesIO(content)).columns == TABLES[name].column_names


def test_the_tables_add_up_to_the_file(aws, home):
    appliances = frames(aws, "home", "processed_energy_data")
    expected = totals_kwh()
    got = dict(appliances.select("appliance", "total_kwh").iter_rows())
    assert got.keys() == expected.keys()
    for appliance, kwh in expected.items():
        assert got[appliance] == pytest.approx(kwh, abs=1e-9)
    assert appliances["peak_hour"].to_list() == [PEAK_HOUR] * 2
    assert frames(aws, "home", "raw_energy_data").height == 15 * 24 * 2
    assert frames(aws, "home", "daily_energy_data")["kwh"].sum() == pytest.approx(sum(expected.values()), abs=1e-9)


def test_the_forecast_is_the_next_seven_days(aws, home):
    forecast = frames(aws, "home", "forecast_data").sort("ds")
    first = dt.datetime(2026, 3, 17)
    assert forecast["ds"].to_list() == [first + dt.timedelta(days=day) for day in range(7)]
    assert forecast["prophet"].null_count() == 0
    assert forecast["auto_ets"].null_count() == 0
    ordered = forecast.select((pl.col("yhat_lower") <= pl.col("yhat")) & (pl.col("yhat") <= pl.col("yhat_upper")))
    assert ordered.to_series().all()


def test_the_report_is_there_under_both_names(aws, home):
    s3 = aws.client("s3")
    html = s3.get_object(Bucket=aws.bucket, Key=home.output["report_key"])["Body"].read()
    assert b"<svg" in html
    assert s3.get_object(Bucket=aws.bucket, Key=lake.latest_report_key("home"))["Body"].read() == html
    report = published(aws, "home").report
    assert report.html_key == home.output["report_key"]
    json.loads(s3.get_object(Bucket=aws.bucket, Key=report.json_key)["Body"].read())


def test_state_stays_small(home):
    largest = max(len(event.get("stateExitedEventDetails", {}).get("output", "")) for event in home.history)
    assert 0 < largest <= 32 * 1024
    assert len(home.history) <= 1000


def test_what_is_published_is_in_the_folder(aws, home, lake_path):
    folder = LakeFolder(lake_path)
    assert folder.path_of("raw/march.csv").samefile(lake_path / "raw" / "march.csv")
    by_name = {table.name: table for table in folder.tables()}
    assert by_name.keys() > TABLES.keys()
    for table in (by_name[name] for name in TABLES):
        prefixes = [prefix for values, prefix in table.partitions if values[0] == "home"]
        assert prefixes
        for prefix in prefixes:
            assert folder.files_below(prefix)


def test_the_same_file_again_changes_no_table(aws, home, tmp_path):
    before, manifest = table_bytes(aws, "home"), published(aws, "home")
    done = run(aws, write_csv(tmp_path / "march.csv"), "raw/march.csv")
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert published(aws, "home").uploads["raw/march.csv"].upload.version != (
        manifest.uploads["raw/march.csv"].upload.version
    )
    after = table_bytes(aws, "home")
    assert {changed for changed in before if before[changed] != after[changed]} == {ISSUED}
    history = [pl.read_parquet(io.BytesIO(found[ISSUED])) for found in (before, after)]
    assert history[1].head(history[0].height).equals(history[0])
    assert history[1].height == 2 * history[0].height


def test_the_same_event_again_publishes_nothing(aws, home):
    manifest = published(aws, "home")
    upload = manifest.uploads["raw/march.csv"].upload
    event = {
        "detail": {
            "bucket": {"name": aws.bucket},
            "object": {
                "key": upload.key,
                "size": upload.size,
                "etag": upload.etag,
                "version-id": upload.version_id,
                "sequencer": upload.sequencer,
            },
        }
    }
    done = aws.wait(aws.start(event))
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert done.output["already_published"] is True
    assert "Aggregate readings" not in done.states
    assert "Announce" not in done.states
    assert published(aws, "home") == manifest


def test_a_broken_file_fails_with_its_reason_and_leaves_all_as_it_was(aws, home, tmp_path):
    before, manifest = table_bytes(aws, "home"), published(aws, "home")
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)
    done = run(aws, broken, "raw/broken.csv")
    assert (done.status, done.error) == ("FAILED", "UploadRejected")
    assert done.states == [
        "Anything to read?",
        "Large upload?",
        "Validate upload",
        "Report rejection",
        "UploadRejected",
    ]
    version = aws.client("s3").head_object(Bucket=aws.bucket, Key="raw/broken.csv")["VersionId"]
    (found,) = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix="quarantine/site=home/")["Contents"]
    key = found["Key"]
    assert key.endswith("/problems.json")
    problems = json.loads(aws.client("s3").get_object(Bucket=aws.bucket, Key=key)["Body"].read())
    assert (problems["verdict"], problems["key"], problems["version"]) == ("reject", "raw/broken.csv", version)
    (code,) = problems["codes"]
    assert done.cause.startswith(f"{code}: ")
    assert "Traceback" not in done.cause
    assert table_bytes(aws, "home") == before
    assert published(aws, "home") == manifest


def test_bad_rows_are_set_apart_and_the_rest_is_published(aws, tmp_path):
    file = write_csv(tmp_path / "partly.csv", days=9)
    lines = file.read_text().splitlines()
    lines[5] = "2026-03-02 02:00:00,AC,-7"
    lines[8] = "not a time,AC,1"
    file.write_text("\n".join(lines))
    done = run(aws, file, "raw/partly/partly.csv")
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    rows = published(aws, "partly").uploads["raw/partly/partly.csv"].rows
    assert (rows.read, rows.accepted, rows.rejected, rows.duplicates) == (9 * 48, 9 * 48 - 2, 2, 0)
    upload = published(aws, "partly").uploads["raw/partly/partly.csv"].upload
    key = lake.quarantine_key("partly", upload.run_id, "rejected.csv")
    rejected = pl.read_csv(aws.client("s3").get_object(Bucket=aws.bucket, Key=key)["Body"].read())
    assert rejected["line"].to_list() == [6, 9]


def test_two_sites_do_not_touch_each_other(aws, home, tmp_path):
    before = table_bytes(aws, "home")
    done = run(aws, write_csv(tmp_path / "may.csv", days=8, factor=3.0), "raw/cottage/may.csv")
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert done.output["site"] == "cottage"
    cottage = dict(frames(aws, "cottage", "processed_energy_data").select("appliance", "total_kwh").iter_rows())
    for appliance, kwh in totals_kwh(days=8, factor=3.0).items():
        assert cottage[appliance] == pytest.approx(kwh, abs=1e-9)
    assert table_bytes(aws, "home") == before


def test_a_second_upload_of_a_site_builds_on_the_first(aws, tmp_path):
    first = run(aws, write_csv(tmp_path / "one.csv", days=8), "raw/flat/one.csv")
    second = run(
        aws, write_csv(tmp_path / "two.csv", days=2, first_day=dt.date(2026, 4, 1), factor=2.0), "raw/flat/two.csv"
    )
    assert (first.status, second.status) == ("SUCCEEDED", "SUCCEEDED"), (first.cause, second.cause)
    flat = dict(frames(aws, "flat", "processed_energy_data").select("appliance", "total_kwh").iter_rows())
    later = totals_kwh(days=2, factor=2.0)
    for appliance, kwh in totals_kwh(days=8).items():
        assert flat[appliance] == pytest.approx(kwh + later[appliance], abs=1e-9)
    months = {key[2] for key in table_bytes(aws, "flat") if key[0] == "raw_energy_data"}
    assert months == {"2026-03", "2026-04"}


@pytest.mark.parametrize("key", ["config/home.yaml", "processed/x.csv", "rawx/x.csv"])
def test_what_is_no_upload_starts_nothing(aws, key):
    assert aws.put(key, b"x") is None


@pytest.mark.parametrize("key", ["raw/home/.DS_Store", "raw/home/", "raw/_SUCCESS", "raw/home/x.csv.tmp"])
def test_what_tools_leave_among_uploads_is_passed_over(aws, key):
    done = aws.wait(aws.put(key, b"x"))
    assert (done.status, done.states) == ("SUCCEEDED", ["Anything to read?", "Nothing to read"])


def test_nothing_that_a_run_writes_starts_another(aws, home):
    uploads = {key for key in lake_keys(aws) if key.startswith("raw/")}
    inputs = [
        json.loads(aws.client("stepfunctions").describe_execution(executionArn=arn)["input"])
        for arn in aws.executions()
    ]
    assert {event["detail"]["object"]["key"] for event in inputs} <= uploads


def lake_keys(aws) -> list[str]:
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=aws.bucket)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]
