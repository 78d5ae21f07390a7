"""What no manifest has named for a week goes; what a reader may still hold stays."""

import datetime as dt
import json

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from energy import garbage, lake, quarantine, store
from energy.contracts import RowCounts, Upload
from energy.garbage import CollectGarbageInput
from energy.manifest import Manifest, ManifestUpload, Partition, ReportLocation
from energy.schema import READINGS, TABLES

BUCKET = "lake"
ROWS = RowCounts(read=1, accepted=1, rejected=0, duplicates=0)
NOW = dt.datetime(2026, 6, 30, 12, tzinfo=dt.UTC)
DOCUMENTS = ("processed", "anomalies", "forecast")
SITE_WIDE = [table for table in TABLES.values() if len(table.partition_keys) == 1]


def days_ago(days):
    return NOW - dt.timedelta(days=days)


@pytest.fixture
def sites(lake_on_moto):
    """Publishes sites as the pipeline does, at moments of one's choice."""
    return Sites(lake_on_moto)


class Sites:
    """The lake, written in its own names; every object is as old as it is said to be."""

    def __init__(self, s3):
        self.s3 = s3

    def put(self, key, when, content=b"x"):
        """Writes an object at that moment; its version."""
        version = self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)["VersionId"]
        self.age(key, version, when)
        return version

    def age(self, key, version, when):
        for held in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[BUCKET].keys.getlist(key):
            if held.version_id == version:
                held.last_modified = when.replace(tzinfo=None)

    def upload(self, key, version, when):
        """A version of an upload as validation leaves it; what the manifest says of it."""
        upload = Upload(
            bucket=BUCKET,
            key=key,
            version=version,
            version_id=version,
            etag="e",
            sequencer=None,
            size=1,
            last_modified=when,
            told_at=when,
            recipe="recipe",
        )
        self.put(lake.upload_readings_key(upload.site, upload.upload_id, upload.run_id, "2024-01"), when)
        self.put(lake.upload_quality_key(upload.site, upload.upload_id, upload.run_id), when)
        self.put(lake.quarantine_key(upload.site, upload.run_id, "rejected.csv"), when)
        partly = quarantine.problems_json(upload, "partial", {}, [])
        self.put(lake.quarantine_key(upload.site, upload.run_id, "problems.json"), when, partly)
        return ManifestUpload(upload=upload, rows=ROWS, months=["2024-01"])

    def publish(self, version, when, base=None, site="home", commit=True):
        """One publication: a new version of one upload, one month anew, the other months as they were."""
        key = f"raw/{site}/a.csv"
        uploads = {**(base.uploads if base else {}), key: self.upload(key, version, when)}
        pub = f"p{version}"
        tables = {READINGS.name: [p for p in (base.tables[READINGS.name] if base else []) if p.values[1] != "2024-01"]}
        months = ["2024-01"] if base else ["2024-01", "2024-02"]
        for month in months:
            prefix = lake.readings_prefix(site, month, pub)
            self.put(f"{prefix}readings.parquet", when)
            tables[READINGS.name].append(Partition(values=[site, month], prefix=prefix))
        for table in SITE_WIDE:
            prefix = f"{lake.table_prefix(table.area, site, pub)}by=median/"
            self.put(f"{prefix}x.parquet", when)
            tables[table.name] = [Partition(values=[site], prefix=prefix)]
        for area in DOCUMENTS:
            self.put(lake.publication_document_key(area, site, pub, "summary"), when)
        report = {name: f"reports/site={site}/pub={pub}/report.{name}" for name in ("html", "md", "json")}
        for name in report.values():
            self.put(name, when)
        self.put(lake.latest_report_key(site), when)
        manifest = Manifest(
            site=site,
            pub=pub,
            code_version="0",
            timezone="UTC",
            uploads=uploads,
            tables=tables,
            report=ReportLocation(html_key=report["html"], markdown_key=report["md"], json_key=report["json"]),
        )
        if commit:
            self.put(lake.manifest_key(site), when, manifest.to_json())
        return manifest

    def present(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {found["Key"] for page in pages for found in page.get("Contents", [])}

    def of(self, manifest):
        """Every object that belongs to a publication, spelt out here again."""
        site, pub = manifest.site, manifest.pub
        named = {lake.publication_document_key(area, site, pub, "summary") for area in DOCUMENTS}
        named |= {manifest.report.html_key, manifest.report.markdown_key, manifest.report.json_key}
        named |= {
            f"{p.prefix}{'readings' if name == READINGS.name else 'x'}.parquet"
            for name, partitions in manifest.tables.items()
            for p in partitions
        }
        for held in manifest.uploads.values():
            upload = held.upload
            named.add(lake.upload_readings_key(site, upload.upload_id, upload.run_id, "2024-01"))
            named.add(lake.upload_quality_key(site, upload.upload_id, upload.run_id))
            named |= {lake.quarantine_key(site, upload.run_id, name) for name in ("rejected.csv", "problems.json")}
        return named


def collect(now=NOW, dry_run=False):
    return garbage.collect(CollectGarbageInput(dry_run=dry_run), now)


ALWAYS = {lake.manifest_key("home"), lake.latest_report_key("home")}


def test_of_a_hundred_publications_exactly_what_the_manifest_names_is_left_after_a_week(sites):
    manifest = None
    for number in range(100):
        manifest = sites.publish(f"v{number}", NOW + dt.timedelta(seconds=number), manifest)
    before = sites.present()
    assert collect(NOW + dt.timedelta(days=6)).objects == 0
    assert sites.present() == before

    found = collect(NOW + dt.timedelta(days=8))
    assert sites.present() == sites.of(manifest) | ALWAYS
    # The months that later publications left as they were are still those of the first.
    assert any("pub=pv0/" in key for key in sites.present())
    assert found.objects == len(before) - len(sites.present()) > 1500
    assert found.bytes > found.objects
    assert (found.problems.count, found.waiting_sites) == (0, 0)
    assert collect(NOW + dt.timedelta(days=8)).objects == 0


def test_a_reader_of_the_manifest_of_six_days_ago_finds_all_its_files(sites):
    first = sites.publish("v1", days_ago(30))
    second = sites.publish("v2", days_ago(20), first)
    third = sites.publish("v3", days_ago(6), second)
    assert collect().objects > 0
    assert sites.present() == sites.of(second) | sites.of(third) | ALWAYS
    assert collect(NOW + dt.timedelta(days=2)).objects > 0
    assert sites.present() == sites.of(third) | ALWAYS


def test_what_a_run_writes_that_nobody_names_yet_stays_for_a_week(sites):
    first = sites.publish("v1", days_ago(30))
    failed = sites.publish("v2", days_ago(9), first, commit=False)
    assert lake.readings_prefix("home", "2024-01", "pv2") in {p.prefix for p in failed.tables[READINGS.name]}
    # It was redriven since, and wrote one more document: all that it has written stays.
    sites.put(lake.publication_document_key("forecast", "home", "pv2", "again"), days_ago(3))
    collect()
    assert sites.of(failed) - sites.present() == {
        key for key in sites.of(failed) if "run=" in key and "pv2" not in key and key not in sites.of(first)
    }
    collect(NOW + dt.timedelta(days=5))
    assert sites.present() == sites.of(first) | ALWAYS


def test_what_waits_to_be_published_stays_however_old(sites):
    first = sites.publish("v1", days_ago(30))
    waiting = [sites.upload(f"raw/home/{name}.csv", "v1", days_ago(20)).upload for name in "bc"]
    pending = [f"{lake.pending_prefix('home')}{waiting[0].run_id}.json"]
    pending.append(f"{lake.pending_prefix('home')}{waiting[1].run_id}-0123abcd.json")
    for key in pending:
        sites.put(key, days_ago(20))
    before = sites.present()
    assert collect().objects == 0
    assert sites.present() == before
    for key in pending:
        sites.s3.delete_object(Bucket=BUCKET, Key=key)
    assert collect().objects == 8
    assert sites.present() == sites.of(first) | ALWAYS


def test_a_change_that_is_published_between_two_looks_stays(sites):
    """Pending changes are read before the manifests: one that leaves the former is in the latter by then."""
    first = sites.publish("v1", days_ago(30))
    taken = sites.upload("raw/home/b.csv", "v1", days_ago(20))
    pending = f"{lake.pending_prefix('home')}{taken.upload.run_id}-0123abcd.json"
    sites.put(pending, days_ago(20))

    def publish_it(parsed, **_):
        looked_at = parsed.get("Prefix", "").startswith(("pending/", "manifests/"))
        if looked_at and pending in sites.present():
            grown = first.model_copy(update={"uploads": {**first.uploads, "raw/home/b.csv": taken}})
            sites.put(lake.manifest_key("home"), NOW, grown.to_json())
            sites.s3.delete_object(Bucket=BUCKET, Key=pending)

    for look in ("ListObjectsV2", "ListObjectVersions"):
        store.client().meta.events.register(f"after-call.s3.{look}", publish_it)
    before = sites.present() - {pending}
    assert collect().objects == 0
    assert sites.present() == before


def test_the_explanation_of_a_refusal_stays_while_that_version_is_the_current_one(sites):
    sites.publish("v1", days_ago(30))
    version = sites.put("raw/home/bad.csv", days_ago(20))
    upload = sites.upload("raw/home/bad.csv", version, days_ago(20)).upload
    explanation = lake.quarantine_key("home", upload.run_id, "problems.json")
    sites.put(explanation, days_ago(20), quarantine.problems_json(upload, "reject", {"EMPTY_FILE": 1}, ["empty"]))
    sites.put("raw/home/bad.csv.gz", days_ago(20))
    collect()
    assert explanation in sites.present()
    assert lake.upload_quality_key("home", upload.upload_id, upload.run_id) not in sites.present()

    sites.put("raw/home/bad.csv", days_ago(1), b"corrected")
    collect()
    assert explanation not in sites.present()


@pytest.mark.parametrize("gone", ["deleted", "never there"])
def test_the_explanation_of_a_refusal_goes_with_its_file(sites, gone):
    sites.publish("v1", days_ago(30))
    upload = sites.upload("raw/home/bad", "v1", days_ago(20)).upload
    sites.put("raw/home/bad.csv", days_ago(20))
    if gone == "deleted":
        sites.put("raw/home/bad", days_ago(20))
        sites.s3.delete_object(Bucket=BUCKET, Key="raw/home/bad")
    explanation = lake.quarantine_key("home", upload.run_id, "problems.json")
    sites.put(explanation, days_ago(20), quarantine.problems_json(upload, "reject", {}, []))
    collect()
    assert explanation not in sites.present()


def test_nothing_of_a_site_goes_whose_manifest_cannot_be_read_and_the_others_go_on(sites):
    home = sites.publish("v2", days_ago(20), sites.publish("v1", days_ago(30)))
    sites.publish("v2", days_ago(20), sites.publish("v1", days_ago(30), site="cabin"), site="cabin")
    sites.put(lake.manifest_key("cabin"), days_ago(6), b"{}")
    cabin = {key for key in sites.present() if "cabin" in key}
    found = collect()
    assert {key for key in sites.present() if "cabin" in key} == cabin
    assert sites.present() - cabin == sites.of(home) | ALWAYS
    (problem,) = found.problems.shown
    assert "manifests/cabin.json cannot be read" in problem


@pytest.mark.parametrize("never", [True, False])
def test_a_site_without_a_manifest_keeps_all_and_is_told_of(sites, never):
    sites.publish("v2", days_ago(20), sites.publish("v1", days_ago(30), commit=not never), commit=not never)
    sites.s3.delete_object(Bucket=BUCKET, Key=lake.manifest_key("home"))
    before = sites.present()
    found = collect()
    assert sites.present() == before
    assert "there is no manifests/home.json" in found.problems.shown[0]


def test_what_may_have_been_named_by_a_manifest_that_left_no_trace_stays(sites):
    """As in a lake folder, which keeps the current manifest only."""
    first = sites.publish("v1", days_ago(30))
    second = sites.publish("v2", days_ago(6), first)
    (lost,) = [v for v in store.versions(lake.manifest_key("home")) if not v.is_latest]
    sites.s3.delete_object(Bucket=BUCKET, Key=lost.key, VersionId=lost.version_id)
    sites.upload("raw/home/forgotten.csv", "v1", days_ago(40))
    before = sites.present()
    found = collect()
    assert (found.objects, found.waiting_sites, found.problems.count) == (0, 1, 0)
    assert sites.present() == before
    assert collect(NOW + dt.timedelta(days=2)).objects > 0
    assert sites.present() == sites.of(second) | ALWAYS


def test_versions_that_replaced_each_other_without_a_trace_are_not_relied_upon(sites):
    """A bucket whose versioning was suspended: what has no version id is overwritten for good."""
    first = sites.publish("v1", days_ago(30))
    sites.upload("raw/home/forgotten.csv", "v1", days_ago(40))
    sites.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    key = lake.manifest_key("home")
    sites.s3.put_object(Bucket=BUCKET, Key=key, Body=first.to_json())
    for held in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[BUCKET].keys.getlist(key):
        if held.version_id in (None, "null"):
            held.last_modified = days_ago(3).replace(tzinfo=None)
    assert None in {version.version_id for version in store.versions(key)}
    assert (collect().objects, collect().waiting_sites) == (0, 1)
    assert collect(NOW + dt.timedelta(days=5)).objects == 4


def test_only_what_runs_and_publications_wrote_is_ever_touched(sites):
    sites.publish("v1", days_ago(30))
    others = {
        "raw/site=home/pub=x/a.csv",
        "config/home.yaml",
        "manifests/other.txt",
        f"{lake.pending_prefix('gone')}x.json",
        "athena-results/site=home/pub=x/a.csv",
        "processed/notes.txt",
        "reports/site=home/notes/pub.html",
    }
    for key in others:
        sites.put(key, days_ago(300))
    before = sites.present()
    collect()
    assert sites.present() == before


def test_a_dry_run_deletes_nothing_and_says_how_much_it_would(sites):
    sites.publish("v2", days_ago(20), sites.publish("v1", days_ago(30)))
    before = sites.present()
    found = collect(dry_run=True)
    assert sites.present() == before
    done = collect()
    assert found.model_copy(update={"dry_run": False}) == done
    assert done.objects == len(before) - len(sites.present()) > 0
    assert {removed.prefix: (removed.objects, removed.bytes) for removed in done.removed.shown}[
        "processed/readings/site=home/month=2024-01/pub=pv1/"
    ] == (1, 1)


def test_what_was_removed_is_still_there_as_an_earlier_version(sites):
    """Until the lifecycle rule of the bucket removes it for good."""
    sites.publish("v2", days_ago(20), sites.publish("v1", days_ago(30)))
    before = sites.present()
    collect()
    gone = before - sites.present()
    assert gone
    assert gone <= {version.key for version in store.versions("") if not version.is_latest and not version.is_deletion}


def test_the_documents_of_a_publication_go_before_its_tables_and_keep_them_where_they_cannot(sites):
    """So that no execution, however late it is redriven, finds a draft whose tables are gone."""
    sites.publish("v2", days_ago(20), sites.publish("v1", days_ago(30)))
    draft = lake.publication_document_key("processed", "home", "pv1", "summary")
    calls = []

    def refuse(parsed, context, **_):
        calls.append({each["Key"] for each in context["deleted"]})
        if draft in calls[-1]:
            parsed["Errors"] = [{"Key": draft, "Code": "AccessDenied", "Message": "no"}]

    events = store.client().meta.events
    events.register(
        "provide-client-params.s3.DeleteObjects",
        lambda params, context, **_: context.update(deleted=params["Delete"]["Objects"]),
    )
    events.register("after-call.s3.DeleteObjects", refuse)
    found = collect()
    assert all("/documents/" in key for key in calls[0])
    assert found.problems.shown == [f"{draft} could not be deleted: AccessDenied no"]
    assert lake.readings_prefix("home", "2024-01", "pv1") + "readings.parquet" in sites.present()


def test_more_than_a_thousand_objects_go_in_several_calls(sites):
    first = sites.publish("v1", days_ago(30))
    for number in range(2100):
        sites.s3.put_object(Bucket=BUCKET, Key=f"processed/daily/site=home/pub=x{number}/a", Body=b"x")
    assert collect(dt.datetime.now(dt.UTC) + dt.timedelta(days=8)).objects == 2100
    assert sites.present() == sites.of(first) | ALWAYS


def test_the_function_answers_small_to_a_schedule(sites, load_handler, context):
    manifest = None
    for number in range(40):
        manifest = sites.publish(f"v{number}", dt.datetime(2020, 1, 1, 0, number, tzinfo=dt.UTC), manifest)
    answer = load_handler("collect_garbage")({"detail-type": "Scheduled Event", "detail": {}}, context)
    assert answer["removed"]["count"] > len(answer["removed"]["shown"]) > 10
    assert len(json.dumps(answer)) < 32 * 1024
    assert sites.present() == sites.of(manifest) | ALWAYS
