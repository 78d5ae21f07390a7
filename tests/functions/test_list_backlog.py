"""What is left to do is found in the lake: uploads to read, sites to publish, and what a run has noted."""

import datetime as dt
import json

import pytest

from energy import backlog, lake, recipes, store
from energy.backlog import BacklogRequest
from energy.contracts import Deletion, RowCounts, Upload, ValidateInput, ValidateOutput
from energy.manifest import Manifest, ManifestUpload, ReportLocation

BUCKET, RUN = "lake", "run-1"
ROWS = RowCounts(read=1, accepted=1, rejected=0, duplicates=0)
REPORT = ReportLocation(html_key="h", markdown_key="m", json_key="j")
MOMENT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def put(lake_on_moto):
    """Puts a file into the lake; returns its version."""

    def write(key, content="timestamp,appliance,kwh\n"):
        return lake_on_moto.put_object(Bucket=BUCKET, Key=key, Body=content)["VersionId"]

    return write


def upload(key, version, recipe=None, **change):
    known = {
        "bucket": BUCKET,
        "key": key,
        "version": version,
        "version_id": version,
        "etag": "e",
        "sequencer": "0A",
        "size": 1,
        "last_modified": MOMENT,
        "told_at": MOMENT,
        "recipe": recipe or recipes.reading_recipe(recipes.config_snapshot(lake.site_of_key(key))),
    }
    return Upload(**known | change)


def publish(*uploads, report=REPORT, made_by=None):
    """A manifest that consists of these uploads of one site."""
    site = uploads[0].site
    manifest = Manifest(
        site=site,
        pub="p",
        code_version="0",
        timezone="UTC",
        made_by=made_by or recipes.publication_recipe("UTC", recipes.config_snapshot(site)),
        uploads={one.key: ManifestUpload(upload=one, rows=ROWS, months=[]) for one in uploads},
        tables={},
        report=report,
    )
    found = store.read_with_etag(lake.manifest_key(site))
    store.swap(lake.manifest_key(site), manifest.to_json(), found[1] if found else None)


def wait(change):
    """Leaves a change in pending/, as validation does."""
    is_upload = isinstance(change, Upload)
    waiting = ValidateOutput(
        key=change.key,
        site=change.site,
        run_id=change.run_id,
        upload=change if is_upload else None,
        deletion=None if is_upload else change,
    )
    store.put_once(lake.pending_key(change.site, change.change_id), waiting.model_dump_json().encode())


def uploads(**asked):
    return backlog.uploads(BacklogRequest(**asked))


def items(key):
    return json.loads(store.read(key)) if key else []


def test_what_is_new_is_listed_in_the_order_of_keys_and_what_is_no_upload_is_not(put, lake_on_moto):
    keys = ["raw/a.csv", "raw/cabin/b.csv", "raw/cabin/empty.csv"]
    versions = {key: put(key, "" if "empty" in key else "x") for key in reversed(keys)}
    put("raw/.hidden")
    put("raw/gone.csv")
    lake_on_moto.delete_object(Bucket=BUCKET, Key="raw/gone.csv")
    found = uploads(run=RUN)
    assert (found.looked_at, found.listed, found.left, found.last_key) == (3, 3, 0, keys[-1])
    listed = items(found.items_key)
    assert [item["event"]["detail"]["object"]["key"] for item in listed] == keys
    assert [item["event"]["detail"]["object"]["version-id"] for item in listed] == [versions[key] for key in keys]
    assert [item["site"] for item in listed] == ["home", "cabin", "cabin"]
    assert len({item["execution"] for item in listed} | {item["note"] for item in listed}) == 6
    assert all(len(item["execution"]) <= 80 for item in listed)
    assert uploads(run=RUN) == found


def test_a_look_without_a_run_writes_nothing(put, lake_on_moto):
    put("raw/a.csv")
    put("raw/cabin/b.csv")
    put("config/cabin.yaml", "nonsense: 1")
    found = uploads()
    assert (found.listed, found.items_key, found.problems.count) == (2, None, 1)
    assert "Contents" not in lake_on_moto.list_objects_v2(Bucket=BUCKET, Prefix=lake.BACKLOG_PREFIX)


def test_what_is_published_refused_or_waits_is_counted_and_not_listed(put):
    published, refused, waiting = (f"raw/{name}.csv" for name in ("published", "refused", "waiting"))
    publish(upload(published, put(published)))
    bad = upload(refused, put(refused))
    store.put_once(lake.quarantine_key("home", bad.run_id, "problems.json"), b'{"verdict": "reject"}')
    put(waiting)
    (item,) = items(uploads(run=RUN).items_key)
    event = ValidateInput.model_validate({**item["event"]["detail"], "time": item["event"]["time"]})
    found = event.object
    wait(
        upload(
            waiting,
            found.version_id,
            etag=found.etag,
            sequencer=None,
            size=found.size,
            told_at=event.time,
            last_modified=event.time,
        )
    )
    found = uploads(run=RUN)
    assert (found.published, found.refused, found.waiting, found.listed) == (1, 1, 1, 0)
    assert found.items_key is None


def test_another_version_and_another_reading_are_listed_again(put):
    replaced, reread = "raw/replaced.csv", "raw/reread.csv"
    publish(upload(replaced, put(replaced)), upload(reread, put(reread), recipe="another"))
    version = put(replaced, "other")
    found = {item["key"]: item["event"]["detail"]["object"] for item in items(uploads(run=RUN).items_key)}
    assert found.keys() == {replaced, reread}
    assert found[replaced]["version-id"] == version
    # Of a version that is known neither its time nor its place changes.
    assert "sequencer" not in found[replaced]
    assert found[reread]["sequencer"] == "0A"


@pytest.mark.parametrize("change", [{"report": None}, {"made_by": "another"}])
def test_of_a_publication_that_is_out_of_date_one_upload_is_told_again(put, change):
    keys = [f"raw/{number}.csv" for number in range(3)]
    publish(*(upload(key, put(key)) for key in keys), **change)
    found = uploads(run=RUN)
    assert (found.published, found.listed) == (2, 1)
    assert items(found.items_key)[0]["event"]["detail"]["reprocess"] == 1


def test_anew_means_everything_and_once_more_than_before(put):
    old, new = "raw/old.csv", "raw/new.csv"
    publish(upload(old, put(old), reprocessed=2))
    put(new)
    found = {item["key"]: item["event"]["detail"]["reprocess"] for item in items(uploads(run=RUN, anew=True).items_key)}
    assert found == {old: 3, new: 0}


def test_rounds_go_through_all_of_it_once(put):
    keys = [f"raw/{number}.csv" for number in range(5)]
    for key in keys:
        put(key)
    seen, after, left = [], "", 1
    while left:
        found = uploads(run=RUN, most_uploads=2, after=after, anew=True)
        seen.append([item["key"] for item in items(found.items_key)])
        after, left = found.last_key, found.left
    assert seen == [keys[:2], keys[2:4], keys[4:]]


def test_only_the_sites_that_were_named(put):
    for key in ("raw/a.csv", "raw/cabin/b.csv"):
        put(key)
    assert [item["site"] for item in items(uploads(run=RUN, sites=("cabin",)).items_key)] == ["cabin"]


def test_of_a_site_whose_configuration_cannot_be_used_one_upload_says_so_and_the_other_sites_go_on(put):
    for key in ("raw/a.csv", "raw/cabin/b.csv", "raw/cabin/c.csv"):
        put(key)
    put("config/cabin.yaml", "nonsense: 1")
    found = uploads(run=RUN)
    assert (found.looked_at, found.listed) == (3, 2)
    assert "config/cabin.yaml" in found.problems.shown[0]
    assert [item["key"] for item in items(found.items_key)] == ["raw/a.csv", "raw/cabin/b.csv"]


def test_each_site_with_something_waiting_is_told_of_one_change_that_is_still_so(put):
    gone, current = upload("raw/0.csv", "v0"), upload("raw/1.csv", put("raw/1.csv"))
    wait(gone)
    wait(current)
    wait(Deletion(bucket=BUCKET, key="raw/cabin/a.csv", version="v", sequencer="0B", told_at=MOMENT))
    found = backlog.sites(BacklogRequest(run=RUN))
    cabin, home = items(found.items_key)
    assert found.listed == 2
    assert home["key"] == "raw/1.csv"
    assert cabin["event"]["detail-type"] == "Object Deleted"
    for item in (cabin, home):
        # What validation makes of it is the change that waits already.
        told = ValidateInput.model_validate({**item["event"]["detail"], "time": item["event"]["time"]})
        assert told.time == MOMENT
        assert item["execution"] == f"{RUN}-{item['note'].rpartition('/')[2]}"
    assert items(backlog.sites(BacklogRequest(run=RUN, sites=("cabin",))).items_key) == [cabin]


def test_failures_are_counted_by_their_notes(lake_on_moto):
    prefix = lake.backlog_notes_prefix(RUN)
    for name in ("a.refused.json", "b.failed.json", "c.failed.json"):
        store.put_once(prefix + name, b"{}")
    store.put_once(lake.backlog_notes_prefix("run-2") + "a.failed.json", b"{}")
    assert backlog.failures(BacklogRequest(run=RUN)) == backlog.FailuresFound(refused=1, failed=2)


def test_the_function_answers_what_it_was_asked(put, load_handler, context):
    put("raw/a.csv")
    handler = load_handler("list_backlog")
    assert handler({"find": "uploads", "run": RUN}, context)["listed"] == 1
    assert handler({"find": "sites", "run": RUN}, context)["listed"] == 0
    assert handler({"find": "failures", "run": RUN}, context) == {"refused": 0, "failed": 0}
