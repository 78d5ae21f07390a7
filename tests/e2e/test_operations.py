"""`energy executions`, `redrive`, `reprocess` and `forget` as their user runs them, on a lake folder and on a stack."""

import json
import os

import pytest
from readings_files import write_csv
from typer.testing import CliRunner

from cli.forget import NOT_DELETED, RECORDS_PREFIX
from cli.main import app
from energy import lake as layout
from energy.manifest import Manifest
from energy.schema import TABLES
from local import LakeFolder, LocalAws


def run(*arguments, code=0):
    """What became of the command; fails with all that it said if it ends with another code."""
    done = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [str(each) for each in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def energy(*arguments, code=0) -> str:
    """What the command says."""
    return run(*arguments, code=code).output


def told(*arguments, code=0):
    """What the command says to a program."""
    return json.loads(run(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake with two sites, of which one failed, and a file that was refused."""
    folder = tmp_path_factory.mktemp("operations")
    with LocalAws(folder / "lake", skip_retry_waits=True) as aws:
        aws.wait(aws.upload(write_csv(folder / "march.csv"), "raw/march.csv"), timeout_seconds=300)
        aws.wait(aws.upload(write_csv(folder / "march.csv", days=3), "raw/cabin/march.csv"), timeout_seconds=300)
        aws.fail_next("aggregate", "KeyError", "'kwh'")
        aws.wait(aws.upload(write_csv(folder / "april.csv", days=4), "raw/cabin/april.csv"))
        aws.wait(aws.put("raw/refused.csv", b"no table of readings\n"))
    return folder / "lake"


def manifest(folder: LakeFolder, site: str) -> Manifest | None:
    try:
        return Manifest.model_validate_json(folder.path_of(layout.manifest_key(site)).read_bytes())
    except KeyError:
        return None


def tables(folder: LakeFolder, site: str) -> dict[str, list[bytes]]:
    """The bytes of every table's files of a site, by table."""
    return {
        table.name: [
            file.read_bytes()
            for values, prefix in table.partitions
            if values[0] == site
            for file in folder.files_below(prefix)
        ]
        for table in folder.tables()
    }


def first_reading(folder: LakeFolder, site: str) -> str:
    (row,) = json.loads(
        energy(
            "query",
            f"SELECT MIN(timestamp) AS first FROM raw_energy_data WHERE site = '{site}'",
            "--lake",
            folder.path,
            "--format",
            "json",
        )
    )
    return row["first"]


def test_the_lake_says_what_became_of_every_upload_and_what_to_do(lake):
    found = {each["key"]: each for each in told("executions", "--lake", lake)}
    assert list(found) == ["raw/refused.csv", "raw/cabin/april.csv", "raw/cabin/march.csv", "raw/march.csv"]
    assert found["raw/march.csv"]["status"] == "SUCCEEDED"
    assert found["raw/march.csv"]["failed_at"] is None
    assert found["raw/march.csv"]["seconds"] > 0
    assert found["raw/cabin/april.csv"]["failed_at"] == "Aggregate readings"
    assert found["raw/cabin/april.csv"]["why"] == "KeyError: 'kwh'"
    assert found["raw/refused.csv"]["failed_at"] == "UploadRejected"

    said = energy("executions", "--lake", lake, "--site", "cabin", "--failed")
    assert said.count("execution ") == 1
    assert "FAILED at Aggregate readings" in said
    name = found["raw/cabin/april.csv"]["name"]
    assert f"energy redrive {name} --lake {lake}" in said
    one = energy("executions", name, "--lake", lake)
    assert "✓ Validate upload" in one
    assert "✗ Aggregate readings" in one
    assert "no execution nowhere" in energy("executions", "nowhere", "--lake", lake, code=1)


def test_what_ran_to_its_end_is_not_redriven_and_says_what_helps(lake):
    refused = told("executions", "--lake", lake, "--failed")[0]["name"]
    assert "correct the file and upload it again" in energy("redrive", refused, "--lake", lake, code=1)
    done = told("executions", "--lake", lake)[-1]["name"]
    assert "it is SUCCEEDED" in energy("redrive", done, "--lake", lake, code=1)
    assert "Name executions" in energy("redrive", "--lake", lake, code=2)
    assert "Name executions" in energy("redrive", done, "--all", "--lake", lake, code=2)


def test_a_redriven_execution_publishes_what_it_was_for(lake):
    assert set(manifest(LakeFolder(lake), "cabin").uploads) == {"raw/cabin/march.csv"}
    (done,) = told("redrive", "--all", "--lake", lake)
    assert (done["status"], done["key"]) == ("SUCCEEDED", "raw/cabin/april.csv")
    assert done["name"].endswith("-redrive-1")
    assert set(manifest(LakeFolder(lake), "cabin").uploads) == {"raw/cabin/march.csv", "raw/cabin/april.csv"}


def test_a_site_is_made_anew_as_its_configuration_says_now(lake):
    folder = LakeFolder(lake)
    before = tables(folder, "home")
    dry = told("reprocess", "home", "--anew", "--lake", lake, "--dry-run")
    assert dry["found"]["shown"]["shown"] == ["raw/march.csv", "raw/refused.csv"]
    assert dry["runs"] == []
    assert "1 published, 1 refused before" in energy("reprocess", "home", "--lake", lake)

    with LocalAws(lake, warm=False) as aws:
        assert aws.put(layout.site_config_key("home"), b"readings: {timestamps_mark: end}\n") is None
    assert first_reading(folder, "home") == "2026-03-02T00:00:00"
    (run,) = told("reprocess", "home", "--lake", lake, code=1)["runs"]
    assert run["uploads"] == {"total": 2, "done": 1, "failed": 1}
    assert [failure["key"] for failure in run["failures"]] == ["raw/refused.csv"]
    assert first_reading(folder, "home") == "2026-03-01T23:00:00"
    assert manifest(folder, "home").uploads["raw/march.csv"].upload.reprocessed == 0

    with LocalAws(lake, warm=False) as aws:
        aws.delete(layout.site_config_key("home"))
    energy("reprocess", "home", "--anew", "--lake", lake, code=1)
    again = tables(folder, "home")
    # Which forecasts were published when is a record of its own; all else is as it was.
    assert {name for name in before if before[name] != again[name]} <= {"forecast_history", "forecast_accuracy"}
    assert manifest(folder, "home").uploads["raw/march.csv"].upload.reprocessed == 1


def test_a_configuration_that_cannot_be_used_is_said_once(lake):
    with LocalAws(lake, warm=False) as aws:
        aws.put(layout.site_config_key("home"), b"readings: {units: Wh}\n")
    before = len(LakeFolder(lake).executions())
    said = energy("reprocess", "home", "--lake", lake, "--dry-run", code=1)
    assert "config/home.yaml: readings.units is no setting" in said
    assert len(LakeFolder(lake).executions()) == before
    with LocalAws(lake, warm=False) as aws:
        aws.delete(layout.site_config_key("home"))
    assert "Nothing under raw/ belongs to the site nowhere" in energy("reprocess", "nowhere", "--lake", lake, code=1)


def test_a_person_is_forgotten_everywhere_and_nobody_else_is(lake):
    folder = LakeFolder(lake)
    others = tables(folder, "home")
    keys = folder.keys()
    assert any("/site=cabin/" in key for key in keys)
    assert "Nothing was deleted" in energy("forget", "cabin", "--lake", lake)
    assert folder.keys() == keys

    done = told("forget", "cabin", "--lake", lake, "--yes", "--reference", "request 17")
    assert sum(done["left"].values()) == 0
    assert done["counts"]["raw/"] == 2
    assert done["counts"]["partitions of raw_energy_data"] >= 1
    assert tuple(done["not_deleted"]) == NOT_DELETED
    left = folder.keys()
    assert not [key for key in left if "cabin" in key]
    assert tables(folder, "home") == others
    assert not any(values[0] == "cabin" for table in folder.tables() for values, _ in table.partitions)
    (record,) = [key for key in left if key.startswith(RECORDS_PREFIX)]
    kept = folder.path_of(record).read_text()
    assert "request 17" in kept
    assert "cabin" not in kept
    assert "march" not in kept
    assert not [one for one in folder.executions() if "cabin" in one.key]
    assert "There is nothing of a site cabin" in energy("forget", "cabin", "--lake", lake, "--yes", code=1)


@pytest.mark.slow
def test_a_deployment_is_tried_from_upload_to_report_and_leaves_nothing(lake):
    folder = LakeFolder(lake)
    before = set(folder.keys())
    done = told("smoke", "--lake", lake)
    assert done["passed"], done["checks"]
    asked = {check["what"].removesuffix(" has rows") for check in done["checks"]}
    assert asked >= set(TABLES)
    assert set(folder.keys()) == before
    assert not [one for one in folder.executions() if done["site"] in one.key]


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """A stack as a person reaches it through boto3, with one site whose upload came in two versions."""
    with LocalAws(skip_retry_waits=True) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
        for days in (2, 3):
            done = aws.wait(aws.upload(write_csv(tmp_path / "march.csv", days=days), "raw/flat/march.csv"))
            assert done.status == "SUCCEEDED", (done.error, done.cause)
        yield aws


def test_the_same_commands_work_on_a_stack(stack, monkeypatch):
    monkeypatch.setattr("cli.forget._EVENT_SECONDS", 0.5)
    monkeypatch.setattr("cli.pipelines._AWS_POLL_SECONDS", 0.2)
    assert [each["status"] for each in told("executions", "--stack", "energy")] == ["SUCCEEDED"] * 2
    stack.fail_next("detect_anomalies", "KeyError", "'kwh'")
    (failed,) = told("reprocess", "flat", "--anew", "--stack", "energy", code=1)["runs"]
    (failure,) = failed["failures"]
    assert (failure["site"], failure["why"]) == ("flat", "KeyError: 'kwh'")
    (one,) = told("executions", "--stack", "energy", "--failed")
    assert (one["name"].startswith(failed["name"]), one["failed_at"]) == (True, "Detect anomalies")

    s3 = stack.client("s3")
    s3.create_multipart_upload(Bucket=stack.bucket, Key="raw/flat/unfinished.csv")
    for site in ("flat", "house"):  # what Spark has answered an execution
        answer = json.dumps({"site": site, "rejection": "EMPTY_FILE: nothing"})
        s3.put_object(Bucket=stack.bucket, Key=layout.crunched_key(f"of-{site}", 1), Body=answer.encode())
    dry = told("forget", "flat", "--stack", "energy")
    assert dry["counts"]["raw/"] == 2
    assert dry["counts"]["unfinished uploads"] == 1
    assert not dry["deleted"]
    assert sum(told("forget", "flat", "--stack", "energy", "--yes")["left"].values()) == 0
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=stack.bucket)
    versions = [each["Key"] for page in pages for kind in ("Versions", "DeleteMarkers") for each in page.get(kind, [])]
    assert versions
    assert not [key for key in versions if "flat" in key]
    assert [key for key in versions if key.startswith("crunched/")] == [layout.crunched_key("of-house", 1)]
    # However late an event of a deletion comes, nothing of the site comes back.
    late = json.loads(stack.client("stepfunctions").describe_execution(executionArn=stack.executions()[-1])["input"])
    assert late["detail-type"] == "Object Deleted"
    done = stack.wait(stack.start(late))
    assert (done.status, done.states[-1]) == ("SUCCEEDED", "Gone already")
    assert "flat" not in json.dumps(s3.list_objects_v2(Bucket=stack.bucket), default=str)


def test_nothing_is_forgotten_while_an_execution_of_the_site_runs(stack, tmp_path, monkeypatch):
    stack._skip_retry_waits = False
    stack.fail_next("aggregate", "TransientError", times=2)
    running = stack.upload(write_csv(tmp_path / "april.csv", days=4), "raw/flat/april.csv")
    said = energy("forget", "flat", "--stack", "energy", "--yes", code=1)
    assert "Executions of the site are running" in said
    assert stack.wait(running).status == "SUCCEEDED"
    assert os.environ["AWS_ENDPOINT_URL"] == stack.endpoint_url
