"""`energy reconcile` and `energy gc` as their user runs them, on a lake folder."""

import datetime as dt
import json
import os
import subprocess
from dataclasses import replace

import pytest
from readings_files import write_csv
from test_command import ENERGY, ROOT, energy

from energy import lake as layout
from energy.manifest import Manifest
from local import LakeFolder, LocalAws


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake in which one file is published, another was never told of, and a third cannot be used."""
    folder = tmp_path_factory.mktemp("daily")
    with LocalAws(folder / "lake", skip_retry_waits=True) as aws:
        done = aws.wait(aws.upload(write_csv(folder / "march.csv"), "raw/march.csv"), timeout_seconds=300)
        assert done.status == "SUCCEEDED", (done.error, done.cause)
        aws.client("s3").put_bucket_notification_configuration(Bucket=aws.bucket, NotificationConfiguration={})
        assert aws.upload(write_csv(folder / "cabin.csv"), "raw/cabin/march.csv") is None
        assert aws.put("raw/cabin/empty.csv", b"") is None
    return folder / "lake"


def reconciled(lake, *options, code=0):
    said = energy("reconcile", "--lake", lake, "--json", *options, code=code)
    return json.loads(said[: said.rindex("}") + 1])


def published(lake, site):
    return Manifest.model_validate_json(LakeFolder(lake).path_of(layout.manifest_key(site)).read_bytes())


def test_files_that_no_event_told_of_are_found_started_and_followed_to_their_end(lake):
    found = reconciled(lake, "--dry-run")
    assert (found["looked_at"], found["started"]["count"], found["ended"]) == (3, 2, {})
    assert {start["key"] for start in found["started"]["shown"]} == {"raw/cabin/march.csv", "raw/cabin/empty.csv"}

    said = energy("reconcile", "--lake", lake, code=1)
    assert "3 uploads looked at: 2 missed." in said
    assert "Validate upload" in said
    assert "EMPTY_FILE" in said
    assert set(published(lake, "cabin").uploads) == {"raw/cabin/march.csv"}

    assert "3 uploads looked at: nothing was missed." in energy("reconcile", "--lake", lake)


def test_nothing_that_is_published_is_garbage(lake):
    before = set(LakeFolder(lake).keys())
    assert "No garbage among" in energy("gc", "--lake", lake)
    assert json.loads(energy("gc", "--lake", lake, "--json", "--dry-run"))["objects"] == 0
    assert set(LakeFolder(lake).keys()) == before


def test_what_nothing_names_is_removed_from_the_folder_after_a_week(lake, tmp_path):
    folder, old = LakeFolder(lake), LakeFolder(tmp_path / "old")
    contents = {stored.key: path.read_bytes() for stored, path in folder.objects()}
    moment = (dt.datetime.now(dt.UTC) - dt.timedelta(days=30)).replace(tzinfo=None).isoformat()
    aged = [replace(stored, last_modified=moment) for stored, _ in folder.objects()]
    forgotten = layout.readings_prefix("home", "2026-03", "forgotten") + "readings.parquet"
    contents[forgotten] = b"readings"
    aged.append(replace(aged[0], key=forgotten, size=8))
    old.save(aged, lambda stored: contents[stored.key], folder.catalog())

    assert "1 of" in energy("gc", "--lake", old.path, "--dry-run")
    assert old.path_of(forgotten).read_bytes() == b"readings"
    said = energy("gc", "--lake", old.path)
    assert layout.readings_prefix("home", "2026-03", "forgotten") in said
    assert "1 of" in said
    assert "8 bytes" in said
    assert set(old.keys()) == set(folder.keys())


def test_the_same_commands_call_the_functions_of_a_deployed_stack(lake):
    with LocalAws(lake, warm=False) as aws:
        environment = os.environ | {
            "AWS_ENDPOINT_URL": aws.endpoint_url,
            "AWS_ACCESS_KEY_ID": "person",
            "AWS_SECRET_ACCESS_KEY": "person",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }

        def on_aws(*arguments):
            return subprocess.run(
                [*ENERGY, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )

        done = on_aws("reconcile", "--stack", "energy", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["looked_at"] == 3
        done = on_aws("gc", "--stack", "energy", "--dry-run")
        assert "No garbage among" in done.stdout, done.stderr
        done = on_aws("gc", "--stack", "nowhere")
        assert done.returncode == 1
        assert "nowhere" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["reconcile", "gc"])
def test_a_folder_without_a_lake_and_two_lakes_at_once_are_refused(tmp_path, command):
    assert "There is no lake in" in energy(command, "--lake", tmp_path, code=2)
    assert "not both" in energy(command, "--lake", tmp_path, "--stack", "energy", code=2)
