"""The commit, on moto: one manifest, compare-and-swap, and a catalog that follows it."""

import datetime as dt

import pytest
from botocore.stub import Stubber

from energy import catalog, lake, publishing, store
from energy.contracts import (
    AnomalyResult,
    ForecastOutcome,
    ForecastResult,
    Publication,
    RefreshInput,
    ReportResult,
    RowCounts,
    Upload,
    ValidateOutput,
)
from energy.errors import CatalogError, ManifestConflict, TransientError
from energy.manifest import Manifest, ManifestUpload, Partition

ROWS = RowCounts(read=1, accepted=1, rejected=0, duplicates=0)


def request(
    base: Manifest | None = None, base_etag=None, key="raw/a.csv", version="v1", months=("2024-01",), **changes
):
    """A publication of one upload on top of `base`, with its draft and its report in the lake."""
    upload = Upload(
        bucket="lake",
        key=key,
        version=version,
        version_id=version,
        etag="e",
        sequencer=None,
        size=1,
        last_modified=dt.datetime(2024, 2, 1, int(version[1:]), tzinfo=dt.UTC),
        told_at=dt.datetime(2024, 2, 1, int(version[1:]), tzinfo=dt.UTC),
        recipe="recipe",
    )
    pub = lake.publication_id([upload.run_id], base_etag, "recipe")
    draft = Manifest(
        site="home",
        pub=pub,
        code_version="0",
        timezone="UTC",
        uploads={**(base.uploads if base else {}), key: ManifestUpload(upload=upload, rows=ROWS, months=list(months))},
        tables={
            "raw_energy_data": [
                Partition(values=["home", month], prefix=lake.readings_prefix("home", month, pub)) for month in months
            ]
        },
    )
    keys = {name: lake.publication_document_key("processed", "home", pub, name) for name in ("draft", "summary")}
    store.put_once(keys["draft"], draft.to_json())
    report = ReportResult(
        html_key=lake.report_key("home", pub, "d", "html"), markdown_key="m", json_key="j", provider="rules"
    )
    store.put_once(report.html_key, f"<p>{pub}</p>".encode())
    fields = {
        "validated": ValidateOutput(
            key=key, upload=upload, site="home", run_id=upload.run_id, rows=ROWS, months=list(months)
        ),
        "publication": Publication(
            site="home",
            pub=pub,
            run_id=upload.run_id,
            base_etag=base_etag,
            draft_key=keys["draft"],
            daily_key="d",
            summary_key=keys["summary"],
            readings=1,
            appliances=1,
            timezone="UTC",
        ),
        "anomalies": AnomalyResult(
            table_prefix=f"anomalies/site=home/pub={pub}/",
            events_prefix=f"anomalies/events/site=home/pub={pub}/",
            summary_key="s",
            count=0,
        ),
        "forecast": ForecastOutcome(
            result=ForecastResult(
                method="m",
                total_prefix="t/",
                appliances_prefix="p/",
                history_prefix="h/",
                backtest_prefix="b/",
                summary_key="s",
            )
        ),
        "report": report,
    }
    return RefreshInput(**{**fields, **changes})


def current():
    content, etag = store.read_with_etag(lake.manifest_key("home"))
    return Manifest.model_validate_json(content), etag


def locations(glue, table):
    found = glue.get_partitions(DatabaseName="energy_db", TableName=table)["Partitions"]
    return {tuple(p["Values"]): p["StorageDescriptor"]["Location"] for p in found}


def test_the_first_publication_is_committed_and_every_table_is_where_the_manifest_says(
    glue_on_moto, load_handler, context
):
    wanted = request()
    output = load_handler("refresh_partitions")(wanted.model_dump(mode="json"), context)

    manifest, etag = current()
    assert output["manifest_etag"] == etag
    assert manifest.pub == wanted.publication.pub
    assert locations(glue_on_moto, "raw_energy_data") == {
        ("home", "2024-01"): f"s3://lake/processed/readings/site=home/month=2024-01/pub={manifest.pub}/"
    }
    assert locations(glue_on_moto, "forecast_data") == {("home",): "s3://lake/t/"}
    assert output["partitions_changed"] == 6
    assert store.read("reports/site=home/latest.html") == f"<p>{manifest.pub}</p>".encode()


def test_months_that_are_gone_from_the_manifest_are_gone_from_the_catalog(glue_on_moto):
    publishing.publish(request(months=("2024-01", "2024-02")))
    base, etag = current()
    publishing.publish(request(base, etag, version="v2", months=("2024-02", "2024-03")))
    assert {values[1] for values in locations(glue_on_moto, "raw_energy_data")} == {"2024-02", "2024-03"}
    assert all(base.pub not in place for place in locations(glue_on_moto, "raw_energy_data").values())


def test_other_sites_are_left_alone(glue_on_moto):
    other = {"Values": ["cabin", "2020-01"], "StorageDescriptor": {"Location": "s3://lake/cabin/"}}
    glue_on_moto.create_partition(DatabaseName="energy_db", TableName="raw_energy_data", PartitionInput=other)
    publishing.publish(request())
    assert locations(glue_on_moto, "raw_energy_data")[("cabin", "2020-01")] == "s3://lake/cabin/"


def test_a_forecast_that_failed_is_not_published_and_an_old_one_does_not_pose_as_new(glue_on_moto):
    publishing.publish(request())
    base, etag = current()
    publishing.publish(request(base, etag, version="v2", forecast=ForecastOutcome(notes=["both failed"])))
    assert locations(glue_on_moto, "forecast_data") == {}


def test_a_run_that_started_before_another_published_conflicts_and_changes_nothing(glue_on_moto):
    slow = request(key="raw/slow.csv")
    publishing.publish(request(key="raw/fast.csv"))
    before = current()
    with pytest.raises(ManifestConflict, match="published by another run"):
        publishing.publish(slow)
    assert current() == before


def test_a_commit_repeated_after_a_crash_is_done_not_a_conflict(glue_on_moto):
    again = request()
    first = publishing.publish(again)
    for table in ("raw_energy_data", "forecast_data"):
        values = next(iter(locations(glue_on_moto, table)))
        glue_on_moto.delete_partition(DatabaseName="energy_db", TableName=table, PartitionValues=list(values))
    second = publishing.publish(again)
    assert second.manifest_etag == first.manifest_etag
    assert second.partitions_changed == 2
    assert locations(glue_on_moto, "forecast_data")


def test_an_older_version_that_arrives_late_is_done_because_a_newer_one_is_out(glue_on_moto):
    old = request(version="v1")
    publishing.publish(request(version="v2"))
    before = current()
    publishing.publish(old)
    assert current() == before


def test_without_a_report_the_numbers_are_published_and_the_latest_report_stays(glue_on_moto):
    publishing.publish(request())
    latest = store.read("reports/site=home/latest.html")
    base, etag = current()
    output = publishing.publish(request(base, etag, version="v2", report=None, report_error="it broke"))
    assert output.report_key is None
    assert current()[0].report is None
    assert store.read("reports/site=home/latest.html") == latest


@pytest.mark.parametrize("code", ["ConcurrentModificationException", "InternalServiceException"])
def test_partitions_that_glue_could_not_take_just_now_are_tried_again(glue_on_moto, code):
    wanted = request()
    failed = {"PartitionValues": ["home"], "ErrorDetail": {"ErrorCode": code, "ErrorMessage": "busy"}}
    with Stubber(catalog.client()) as stubbed:
        stubbed.add_response("get_partitions", {"Partitions": []})
        stubbed.add_response("get_table", {"Table": {"Name": "raw_energy_data", "StorageDescriptor": {}}})
        stubbed.add_response("batch_create_partition", {"Errors": [failed]})
        with pytest.raises(TransientError, match="busy"):
            publishing.publish(wanted)
    assert publishing.publish(wanted).partitions_changed == 6


def test_partitions_that_glue_refuses_are_named(glue_on_moto):
    wanted = request()
    failed = {"PartitionValues": ["home", "2024-01"], "ErrorDetail": {"ErrorCode": "InvalidInputException"}}
    with Stubber(catalog.client()) as stubbed:
        stubbed.add_response("get_partitions", {"Partitions": []})
        stubbed.add_response("get_table", {"Table": {"Name": "raw_energy_data", "StorageDescriptor": {}}})
        stubbed.add_response("batch_create_partition", {"Errors": [failed]})
        with pytest.raises(CatalogError, match="home/2024-01: InvalidInputException"):
            publishing.publish(wanted)


def test_who_follows_a_manifest_that_was_replaced_deletes_nothing(glue_on_moto):
    """One run has read its manifest; another publishes one more month and is done; then the first goes on."""
    publishing.publish(request())
    base, etag = current()
    stale = {"raw_energy_data": {("home", "2024-01"): "s3://lake/old/"}}
    publishing.publish(request(base, etag, version="v2", months=("2024-01", "2024-02")))
    before = locations(glue_on_moto, "raw_energy_data")
    catalog.follow("home", stale, is_current=lambda: False)
    assert locations(glue_on_moto, "raw_energy_data") == before


def test_the_latest_report_is_that_of_the_manifest_whoever_copies_last(glue_on_moto, monkeypatch):
    """While one run copies its report another one publishes whole."""
    slow, copy, meanwhile = request(), store.copy, []

    def copy_late(source, key):
        if not meanwhile:
            meanwhile.append(True)
            base, etag = current()
            publishing.publish(request(base, etag, version="v2"))
        copy(source, key)

    monkeypatch.setattr(store, "copy", copy_late)
    publishing.publish(slow)
    manifest, _ = current()
    assert manifest.pub != slow.publication.pub
    assert store.read("reports/site=home/latest.html") == f"<p>{manifest.pub}</p>".encode()
