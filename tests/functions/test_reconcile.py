"""What no event told of is found by comparing raw/ with the manifests, and started once."""

import datetime as dt
import itertools
import json

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.stepfunctions.models import stepfunctions_backends

from energy import lake, quarantine, recipes, reconciliation, store
from energy.contracts import RowCounts, Upload, ValidateInput
from energy.manifest import Manifest, ManifestUpload
from energy.recipes import recipe_of, site_rules
from energy.reconciliation import ReconcileInput
from energy.site_config import SiteConfig

BUCKET = "lake"
SECONDS = itertools.count()
ROWS = RowCounts(read=1, accepted=1, rejected=0, duplicates=0)


@pytest.fixture
def pipeline(lake_on_moto, monkeypatch):
    """The state machine, of which only the start matters here: moto lets its executions run until told otherwise."""
    sfn, sqs = boto3.client("stepfunctions"), boto3.client("sqs")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    role = "arn:aws:iam::123456789012:role/pipeline"
    arn = sfn.create_state_machine(name="pipeline", definition=definition, roleArn=role)["stateMachineArn"]
    queue = sqs.create_queue(QueueName="undelivered")["QueueUrl"]
    monkeypatch.setenv("STATE_MACHINE_ARN", arn)
    monkeypatch.setenv("UNDELIVERED_QUEUE_URL", queue)
    return Started(sfn, sqs, arn, queue)


class Started:
    """The executions of the pipeline, and the queue of events that did not reach it."""

    def __init__(self, sfn, sqs, arn, queue):
        self.sfn, self.sqs, self.arn, self.queue = sfn, sqs, arn, queue

    def events(self):
        """The input of every execution, by its name."""
        found = self.sfn.list_executions(stateMachineArn=self.arn)["executions"]
        return {
            each["name"]: json.loads(self.sfn.describe_execution(executionArn=each["executionArn"])["input"])
            for each in found
        }

    def end(self, status):
        """Ends every execution."""
        for machine in stepfunctions_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].state_machines:
            for execution in machine.executions:
                execution.status = status

    def keys(self):
        return sorted(event["detail"]["object"]["key"] for event in self.events().values())

    def send(self, body):
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=body if isinstance(body, str) else json.dumps(body))

    def waiting(self):
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=wanted)["Attributes"]
        return sum(int(found[name]) for name in wanted)


@pytest.fixture
def put(lake_on_moto):
    """Puts a file into raw/; returns its version."""

    def write(key, content="timestamp,appliance,kwh\n"):
        return lake_on_moto.put_object(Bucket=BUCKET, Key=key, Body=content)["VersionId"]

    return write


def upload(key, version):
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return Upload(
        bucket=BUCKET,
        key=key,
        version=version,
        version_id=version,
        etag="e",
        sequencer=None,
        size=1,
        last_modified=moment,
        told_at=moment,
        recipe=recipe_of(site_rules(lake.site_of_key(key))),
    )


def publish(versions, site="home"):
    """A manifest of the site that consists of these versions of uploads."""
    uploads = {
        key: ManifestUpload(upload=upload(key, version), rows=ROWS, months=[]) for key, version in versions.items()
    }
    made_by = recipes.publication_recipe("UTC", recipes.ConfigSnapshot(config=SiteConfig(language="en")))
    manifest = Manifest(
        site=site, pub="p", code_version="0", timezone="UTC", made_by=made_by, uploads=uploads, tables={}
    )
    found = store.read_with_etag(lake.manifest_key(site))
    store.swap(lake.manifest_key(site), manifest.to_json(), found[1] if found else None)


def refuse(key, version, verdict="reject"):
    told = upload(key, version)
    store.put_once(
        lake.quarantine_key(told.site, told.run_id, "problems.json"),
        quarantine.problems_json(told, verdict, {"EMPTY_FILE": 1}, ["it is empty"]),
    )


def reconcile(hours=2, **request):
    """Two hours from now nothing that was just written is under way any more; each time is a second later."""
    now = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours, seconds=next(SECONDS))
    return reconciliation.reconcile(ReconcileInput(**request), now)


def test_ten_lost_events_of_a_hundred_are_found_and_started_and_nothing_else_is(put, pipeline):
    versions = {f"raw/{number:03}.csv": put(f"raw/{number:03}.csv") for number in range(100)}
    lost = set(sorted(versions)[5::10])
    assert len(lost) == 10
    publish({key: version for key, version in versions.items() if key not in lost})

    found = reconcile()
    assert (found.looked_at, found.missed, found.started.count, found.need_a_person) == (100, 10, 10, 0)
    assert {start.key: start.version for start in found.started.shown} == {key: versions[key] for key in lost}
    assert pipeline.keys() == sorted(lost)

    again = reconcile()
    assert (again.started.count, again.started_before.count, again.need_a_person) == (0, 10, 0)
    assert {start.status for start in again.started_before.shown} == {"RUNNING"}
    assert len(pipeline.events()) == 10

    publish(versions)
    assert reconcile().missed == 0
    assert len(pipeline.events()) == 10


def test_a_site_whose_run_died_after_its_commit_is_seen_to_again(put, pipeline):
    versions = {key: put(key) for key in ("raw/a.csv", "raw/b.csv", "raw/cabin/a.csv")}
    publish({key: versions[key] for key in ("raw/a.csv", "raw/b.csv")})
    publish({"raw/cabin/a.csv": versions["raw/cabin/a.csv"]}, site="cabin")
    assert reconcile().missed == 0
    left = lake.pending_key("home", "run-change")
    store.put_once(left, b"{}")
    assert reconcile(hours=0.5).missed == 0

    (start,) = reconcile().started.shown
    assert (start.key, start.version) == ("raw/a.csv", versions["raw/a.csv"])
    assert start.why == "it is published, and its site's catalog may lag behind"
    event = pipeline.events()[start.execution]
    read = ValidateInput.model_validate(event["detail"])
    assert (event["detail-type"], read.object.version_id) == ("Object Created", versions["raw/a.csv"])
    assert reconcile().started.count == 0

    store.delete(left)
    assert reconcile().missed == 0


def test_the_execution_gets_an_event_as_eventbridge_would_have_sent_it(put, pipeline):
    version = put("raw/cabin/a b+c.csv", "abc")
    (start,) = reconcile().started.shown
    event = pipeline.events()[start.execution]
    assert event["detail-type"] == "Object Created"
    assert event["detail"]["object"] == {
        "key": "raw/cabin/a b+c.csv",
        "size": 3,
        "etag": "900150983cd24fb0d6963f7d28e17f72",
        "version-id": version,
    }
    assert dt.datetime.fromisoformat(event["time"]).tzinfo == dt.UTC
    read = ValidateInput.model_validate(event["detail"])
    assert (read.bucket.name, read.object.version_id, read.object.sequencer) == (BUCKET, version, None)
    assert len(start.execution) <= 80


def test_where_objects_have_no_versions_the_etag_tells_them_apart(lake_on_moto, put, pipeline):
    lake_on_moto.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    lake_on_moto.put_object(Bucket=BUCKET, Key="raw/a.csv", Body=b"abc")
    lake_on_moto.put_object(Bucket=BUCKET, Key="raw/b.csv", Body=b"abc")
    publish({"raw/b.csv": "900150983cd24fb0d6963f7d28e17f72"})
    (start,) = reconcile().started.shown
    assert (start.key, start.version) == ("raw/a.csv", "900150983cd24fb0d6963f7d28e17f72")
    assert "version-id" not in pipeline.events()[start.execution]["detail"]["object"]


def test_a_newer_version_than_the_published_one_is_missed(put, pipeline):
    publish({"raw/a.csv": put("raw/a.csv")})
    newer = put("raw/a.csv", "corrected")
    (start,) = reconcile().started.shown
    assert (start.version, start.why) == (newer, "another version of it is published")


def test_what_arrived_within_the_hour_is_under_way(put, pipeline):
    put("raw/a.csv")
    found = reconcile(hours=0.9)
    assert (found.looked_at, found.under_way, found.missed) == (1, 1, 0)
    assert reconcile(hours=0.1, grace_minutes=5).started.count == 1


def test_a_refused_file_is_not_started_again_until_the_configuration_changes(lake_on_moto, put, pipeline):
    refuse("raw/a.csv", put("raw/a.csv"))
    refuse("raw/b.csv", put("raw/b.csv"), verdict="partial")
    assert [start.key for start in reconcile().started.shown] == ["raw/b.csv"]

    lake_on_moto.put_object(Bucket=BUCKET, Key="config/home.yaml", Body=b"timezone: Europe/Berlin\n")
    assert "raw/a.csv" in [start.key for start in reconcile().started.shown]


def test_empty_files_are_told_of_and_names_that_are_passed_over_are_not(put, pipeline):
    for name in ("empty.csv", "", "folder/", ".hidden", "_SUCCESS", "x.csv.part", "X.TMP"):
        put(f"raw/{name}", "")
    found = reconcile()
    assert (found.looked_at, [start.key for start in found.started.shown]) == (1, ["raw/empty.csv"])


def test_a_deletion_that_was_missed_is_started_with_its_marker(lake_on_moto, put, pipeline):
    versions = {key: put(key) for key in ("raw/a.csv", "raw/b.csv", "raw/c.csv")}
    publish(versions)
    marker = lake_on_moto.delete_object(Bucket=BUCKET, Key="raw/a.csv")["VersionId"]
    lake_on_moto.delete_object(Bucket=BUCKET, Key="raw/b.csv", VersionId=versions["raw/b.csv"])

    assert [start.key for start in reconcile(hours=0).started.shown] == ["raw/b.csv"]
    (start,) = reconcile().started.shown
    assert (start.key, start.version) == ("raw/a.csv", marker)
    details = {event["detail"]["object"]["key"]: event["detail"] for event in pipeline.events().values()}
    assert details["raw/a.csv"]["object"] == {"key": "raw/a.csv", "version-id": marker}
    assert details["raw/a.csv"]["deletion-type"] == "Delete Marker Created"
    assert details["raw/b.csv"]["object"] == {"key": "raw/b.csv"}
    assert details["raw/b.csv"]["deletion-type"] == "Permanently Deleted"
    assert {event["detail-type"] for event in pipeline.events().values()} == {"Object Deleted"}

    publish({"raw/c.csv": versions["raw/c.csv"]})
    assert reconcile().missed == 0


def test_an_upload_that_was_deleted_before_it_was_published_is_not_missed(lake_on_moto, put, pipeline):
    put("raw/a.csv")
    lake_on_moto.delete_object(Bucket=BUCKET, Key="raw/a.csv")
    found = reconcile()
    assert (found.looked_at, found.missed) == (0, 0)


def test_a_version_that_is_missed_again_after_another_was_published_gets_an_execution_of_its_own(
    lake_on_moto, put, pipeline
):
    first = put("raw/a.csv")
    reconcile()
    publish({"raw/a.csv": first})
    second = put("raw/a.csv", "other")
    publish({"raw/a.csv": second})
    lake_on_moto.delete_object(Bucket=BUCKET, Key="raw/a.csv", VersionId=second)
    (start,) = reconcile().started.shown
    assert start.version == first
    assert len(pipeline.events()) == 2


def test_an_execution_that_came_to_nothing_is_not_repeated_but_told_to_a_person(put, pipeline):
    put("raw/a.csv")
    assert reconcile().started.count == 1
    pipeline.end("FAILED")
    found = reconcile()
    (before,) = found.started_before.shown
    assert (found.started.count, found.need_a_person, before.status) == (0, 1, "FAILED")
    assert f"within 7 days: energy redrive {before.execution} --stack " in before.advice
    assert len(pipeline.events()) == 1


def test_an_execution_that_ended_well_and_published_nothing_is_told_to_a_person(put, pipeline):
    put("raw/a.csv")
    reconcile()
    pipeline.end("SUCCEEDED")
    found = reconcile()
    assert (found.need_a_person, found.started_before.shown[0].status) == (1, "SUCCEEDED")
    assert "upload the file again" in found.started_before.shown[0].advice


def test_a_site_that_cannot_be_read_is_reported_and_the_others_go_on(lake_on_moto, put, pipeline):
    for site in ("broken", "damaged", "good"):
        put(f"raw/{site}/a.csv")
        put(f"raw/{site}/b.csv")
    lake_on_moto.put_object(Bucket=BUCKET, Key="config/broken.yaml", Body=b"timezone: Nowhere/At_all\n")
    lake_on_moto.put_object(Bucket=BUCKET, Key="manifests/damaged.json", Body=b"{}")
    found = reconcile()
    assert pipeline.keys() == ["raw/good/a.csv", "raw/good/b.csv"]
    assert found.problems.count == found.need_a_person == 2
    assert "manifests/damaged.json cannot be read" in found.problems.shown[0]
    assert "Nowhere/At_all" in found.problems.shown[1]


def test_no_more_is_started_than_asked_and_the_rest_next_time(put, pipeline):
    for number in range(5):
        put(f"raw/{number}.csv")
    found = reconcile(most_starts=2)
    assert (found.missed, found.started.count, found.left_for_next_time) == (5, 2, 3)
    found = reconcile(most_starts=2)
    assert (found.started.count, found.started_before.count, found.left_for_next_time) == (2, 2, 1)


def test_a_dry_run_starts_nothing_and_says_what_it_would(put, pipeline):
    put("raw/a.csv")
    pipeline.send(event("raw/b.csv", "v"))
    found = reconcile(dry_run=True)
    assert (found.undelivered, [start.key for start in found.started.shown]) == (1, ["raw/a.csv"])
    assert (pipeline.events(), pipeline.waiting()) == ({}, 1)


def test_the_answer_stays_small_and_its_counts_whole(put, pipeline):
    for number in range(120):
        put(f"raw/{'ü' * 400}{number:03}.csv")
    for _ in range(2):
        found = reconcile()
        assert len(json.dumps(found.model_dump(mode="json"))) < 32 * 1024
        assert found.started.count + found.started_before.count == found.missed == 120
        assert len(found.started.shown) + len(found.started_before.shown) < 120


# -------------------------------------------------------------------------------------- events that were not delivered


def event(key, version, sequencer="0A", kind="Object Created"):
    return {
        "version": "0",
        "id": f"{key} {sequencer}",
        "detail-type": kind,
        "source": "aws.s3",
        "time": "2024-04-01T10:00:00Z",
        "detail": {
            "bucket": {"name": BUCKET},
            "object": {"key": key, "size": 1, "etag": "e", "version-id": version, "sequencer": sequencer},
        },
    }


def test_fifty_undelivered_events_delivered_twice_give_fifty_executions(pipeline):
    events = [event(f"raw/{number:02}.csv", "v") for number in range(50)]
    for told in events:
        pipeline.send(told)
    found = reconcile()
    assert (found.undelivered, found.started.count, found.need_a_person) == (50, 50, 0)
    assert pipeline.waiting() == 0
    for told in events:
        pipeline.send({**told, "id": "another"})
        pipeline.send(told)
    reconcile()
    assert pipeline.waiting() == 0
    started = pipeline.events()
    assert sorted(started.values(), key=lambda each: each["id"]) == events


def test_an_undelivered_event_that_was_started_before_leaves_the_queue(pipeline):
    pipeline.send(event("raw/a.csv", "v"))
    reconcile()
    pipeline.end("SUCCEEDED")
    pipeline.send(event("raw/a.csv", "v"))
    found = reconcile()
    assert (found.started.count, found.started_before.count, found.need_a_person) == (0, 1, 0)
    assert (pipeline.waiting(), len(pipeline.events())) == (0, 1)


def test_two_events_of_one_version_are_two(pipeline):
    """A version that was deleted and restored is told of again, with another sequencer."""
    for sequencer, kind in (("0A", "Object Created"), ("0B", "Object Deleted"), ("0C", "Object Created")):
        pipeline.send(event("raw/a.csv", "v", sequencer, kind))
    assert reconcile().started.count == 3


def test_what_an_undelivered_event_tells_of_is_not_started_a_second_time(put, pipeline):
    version = put("raw/a b.csv")
    pipeline.send(event("raw/a+b.csv", version))
    found = reconcile()
    assert (found.missed, found.started.shown[0].why) == (1, "its event could not be delivered")
    assert len(pipeline.events()) == 1


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "{}", json.dumps({"detail-type": "Object Created"})])
def test_a_message_that_cannot_be_read_stays_and_is_reported(pipeline, body):
    pipeline.send(body or " ")
    pipeline.send(event("raw/a.csv", "v"))
    found = reconcile()
    assert (found.undelivered, found.started.count, found.need_a_person) == (2, 1, 1)
    assert "stays" in found.problems.shown[0]
    assert pipeline.waiting() == 1


def test_messages_beyond_the_most_stay_for_the_next_time(pipeline):
    for number in range(5):
        pipeline.send(event(f"raw/{number}.csv", "v"))
    found = reconcile(most_starts=2)
    assert (found.started.count, found.left_for_next_time, pipeline.waiting()) == (2, 3, 3)


def test_the_function_answers_to_a_schedule_and_counts_what_was_missed(put, pipeline, load_handler, context, capsys):
    put("raw/a.csv")
    scheduled = {"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
    answer = load_handler("reconcile")(scheduled, context)
    assert (answer["missed"], answer["under_way"]) == (0, 1)
    answer = load_handler("reconcile")({"grace_minutes": 0}, context)
    assert answer["started"]["count"] == 1
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [line["MissedUploads"] for line in metrics] == [[0.0], [1.0]]


def test_a_site_whose_configuration_changed_is_published_anew_by_one_run(put, pipeline):
    versions = {f"raw/{number}.csv": put(f"raw/{number}.csv") for number in range(3)}
    publish(versions)
    assert reconcile().missed == 0
    put("config/home.yaml", "limits: {appliances: 20}")
    found = reconcile()
    assert [start.key for start in found.started.shown] == ["raw/0.csv"]
    assert "configuration" in found.started.shown[0].why
    again = reconcile()
    assert (again.started.count, again.started_before.count) == (0, 1)
    put("config/home.yaml", "limits: {appliances: 30}")
    assert reconcile().started.count == 1, "another change, another run"


def test_a_site_whose_configuration_cannot_be_used_is_told_of_and_left(put, pipeline):
    publish({"raw/a.csv": put("raw/a.csv")})
    put("config/home.yaml", "colour: red")
    found = reconcile()
    assert (found.missed, found.need_a_person) == (0, 1)
    assert "colour is no setting" in found.problems.shown[0]
