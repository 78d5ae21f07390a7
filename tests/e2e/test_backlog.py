"""A backlog worked off and killed midway, as `make backlog` does at length; and what `energy reprocess` says of it."""

import json
import random

import pytest
from typer.testing import CliRunner

from cli import reprocess
from cli.main import app
from energy import lake as layout
from energy.manifest import Manifest
from local import LakeFolder, LocalAws
from tests.backlog.__main__ import READINGS_A_FILE, content, drive, fill, is_idle, key, published

SITES = 3


def energy(*arguments, code=0):
    done = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [str(each) for each in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done


@pytest.mark.slow
def test_killed_while_it_reads_and_while_it_publishes_nothing_is_lost_and_nothing_is_there_twice(tmp_path):
    folder = tmp_path / "lake"
    files, sites = 18, 6
    fill(folder, files, sites)
    read = drive(folder, r"Read uploads: 1\d of", kill_after_seconds=1)
    assert read.code is None
    # The least that a kill may cost is what came since the lake was saved: here it may be all.
    publishing = drive(folder, "Publish sites: [1-9] of", kills=2, chance=random.Random(1))
    assert publishing.code is None
    last = drive(folder)
    assert last.code == 0, last.said
    found = published(folder, files, sites)
    assert (found.lost, found.twice) == ([], [])
    assert found.readings == files * READINGS_A_FILE
    executions = len(LakeFolder(folder).executions())
    assert is_idle(drive(folder), files)
    assert len(LakeFolder(folder).executions()) == executions


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake with files of three sites that no event told of; one cannot be used, and one site's configuration."""
    folder = tmp_path_factory.mktemp("backlog") / "lake"
    with LocalAws(folder, warm=False) as aws:
        aws.client("s3").put_bucket_notification_configuration(Bucket=aws.bucket, NotificationConfiguration={})
        for number in range(9):
            aws.put(key(number, SITES), content(number, SITES))
        aws.put("raw/site-001/photo.csv", b"\x89PNG\r\n\x1a\n")
        aws.put("config/site-002.yaml", b"nonsense: 1\n")
    return folder


def manifest(folder, site):
    return Manifest.model_validate_json(LakeFolder(folder).path_of(layout.manifest_key(site)).read_bytes())


def test_what_would_be_read_is_said_and_nothing_is_started(lake):
    said = energy("reprocess", "site-000", "--lake", lake, "--dry-run").output
    assert "3 uploads: 3 to be read." in said
    assert said.count("would be read") == 3
    assert LakeFolder(lake).executions() == []


def test_bad_files_and_bad_configurations_do_not_stop_the_others(lake):
    done = energy("reprocess", "--all", "--lake", lake, "--json", code=1)
    told = json.loads(done.stdout)
    (run,) = told["runs"]
    assert run["uploads"] == {"total": 8, "done": 6, "failed": 2}
    assert run["sites"] == {"total": 2, "done": 2, "failed": 0}
    photo, configuration = run["failures"]
    assert (photo["key"], photo["why"][:8]) == ("raw/site-001/photo.csv", "NOT_CSV:")
    assert "config/site-002.yaml: nonsense is no setting" in configuration["why"]
    assert "8 uploads" not in done.stdout
    assert len(manifest(lake, "site-000").uploads) == len(manifest(lake, "site-001").uploads) == 3
    # One publication of each site, whatever the number of its files.
    assert len(LakeFolder(lake).executions()) == 2


def test_what_is_done_is_not_done_again_unless_a_person_wants_it(lake):
    assert "4 uploads: 3 published, 1 refused before" in energy("reprocess", "site-001", "--lake", lake).output
    assert "3 uploads: 3 published." in energy("reprocess", "site-000", "--lake", lake).output
    assert len(LakeFolder(lake).executions()) == 2
    energy("reprocess", "site-000", "--anew", "--lake", lake)
    assert [held.upload.reprocessed for held in manifest(lake, "site-000").uploads.values()] == [1, 1, 1]
    assert len(LakeFolder(lake).executions()) == 3


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(lake, monkeypatch):
    with LocalAws(lake, warm=False) as aws:
        aws.delete("config/site-002.yaml")
    counts = reprocess._counts

    def interrupted(states, arn, label):
        found = counts(states, arn, label)
        if label == "ReadUploads" and found.done == 3:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(reprocess, "_counts", interrupted)
    said = energy("reprocess", "site-002", "--lake", lake, code=130).output
    assert "Interrupted: what is done is kept" in said
    monkeypatch.undo()
    said = energy("reprocess", "site-002", "--lake", lake).output
    assert "3 uploads: 3 read, and waiting to be published." in said
    assert "0 uploads read, 0 not; 1 sites published." in said
    assert len(manifest(lake, "site-002").uploads) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name sites, or give --all"),
        (["home", "--all"], "Name sites, or give --all"),
        (["home", "--no-wait"], "--no-wait needs --stack"),
    ],
)
def test_what_cannot_be_meant_is_said(lake, arguments, said):
    assert said in energy("reprocess", *arguments, "--lake", lake, code=2).output


def test_on_a_stack_it_goes_on_by_itself_and_is_shown_again(tmp_path, monkeypatch):
    monkeypatch.setattr("cli.pipelines._AWS_POLL_SECONDS", 0.2)
    with LocalAws(skip_retry_waits=True, parameters={"BacklogConcurrency": "2"}) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
        aws.client("s3").put_bucket_notification_configuration(Bucket=aws.bucket, NotificationConfiguration={})
        for number in range(6):
            aws.put(key(number, 2), content(number, 2))
        aws.fail_next("detect_anomalies", "KeyError", "'kwh'")
        (name,) = json.loads(energy("reprocess", "--all", "--stack", "energy", "--no-wait", "--json").stdout)["started"]
        done = energy("reprocess", "--all", "--stack", "energy", "--json", code=1)
        told = json.loads(done.stdout)
        assert told["started"] == [name]
        (run,) = told["runs"]
        assert (run["status"], run["sites"]["done"]) == ("FAILED", 1)
        (failure,) = run["failures"]
        assert (failure["what"], failure["why"]) == ("site", "KeyError: 'kwh'")
        assert any("not all of the backlog" in str(subject) for subject, _ in aws.notifications())
        again = energy("reprocess", "--all", "--stack", "energy").output
        assert "3 published, 3 read, and waiting to be published." in again
        assert "nothing" not in again
        assert "6 uploads: 6 published." in energy("reprocess", "--all", "--stack", "energy").output

        aws.fail_next("list_backlog", "KeyError", "'last_key'")
        machine, asked = aws.outputs["BacklogArn"], json.dumps({"sites": [], "anew": False})
        died = aws.client("stepfunctions").start_execution(stateMachineArn=machine, name="dies", input=asked)
        assert aws.wait(died["executionArn"]).status == "FAILED"
        told = [message for _, message in aws.notifications() if "a run through the backlog ended FAILED" in message]
        assert len(told) == 1
        assert "Where: List uploads\nWhy: KeyError: 'last_key'\n" in told[0]
        assert "energy reprocess --all --stack energy" in told[0]
        assert [one for one in aws.permissions.journal.read() if not one.allowed] == []
