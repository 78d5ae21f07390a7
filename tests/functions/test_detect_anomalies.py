"""State "Detect anomalies" against S3: a table, also an empty one, and a document for the report."""

import datetime as dt

import polars as pl
import pytest

from energy import lake, parquet, recipes, site_config, store
from energy.documents import AnomalySummary, NotJudged
from energy.manifest import Manifest, Partition
from energy.schema import ANOMALIES, ANOMALY_EVENTS, DAILY, HOURLY
from tests.unit import report_home

START = dt.datetime(2024, 3, 1)


@pytest.fixture
def detect(lake_on_moto, load_handler, context):
    """Detects in an hourly table of consecutive hours of one appliance."""
    handler = load_handler("detect_anomalies")

    def run(*kwh, config=None):
        times = [START + dt.timedelta(hours=n) for n in range(len(kwh))]
        hourly = pl.DataFrame(
            {"timestamp": times, "timestamp_utc": times, "appliance": "oven", "kwh": kwh, "readings": 1}
        )
        prefix = lake.hourly_prefix("home", "2024-03", "p")
        store.put_once(prefix + "hourly.parquet", parquet.table_bytes(hourly, HOURLY))
        draft = Manifest(
            site="home",
            pub="p",
            code_version="0",
            timezone="UTC",
            uploads={},
            tables={HOURLY.name: [Partition(values=["home", "2024-03"], prefix=prefix)]},
        )
        store.put_once("draft", draft.to_json())
        store.put_once("d", parquet.table_bytes(pl.DataFrame(schema=parquet.polars_schema(DAILY)), DAILY))
        oven = report_home.appliance("oven", sum(kwh), 1.0)
        store.put_once("s", report_home.readings([oven], [sum(kwh)]).model_dump_json().encode())
        if config:
            snapshot = recipes.ConfigSnapshot(config=site_config.parse(config))
            store.put_once("config", snapshot.model_dump_json().encode())
        publication = {
            "site": "home",
            "pub": "p",
            "run_id": "r",
            "base_etag": None,
            "draft_key": "draft",
            "daily_key": "d",
            "summary_key": "s",
            "readings": len(kwh),
            "appliances": 1,
            "timezone": "UTC",
            "config_key": "config" if config else "",
        }
        return handler({"publication": publication}, context)

    return run


def test_an_unusual_hour_is_in_the_table_and_in_the_summary(detect):
    answer = detect(*[1.0] * 9, 11.0)
    assert answer == {
        "table_prefix": "anomalies/site=home/pub=p/",
        "events_prefix": "anomalies/events/site=home/pub=p/",
        "summary_key": "anomalies/documents/site=home/pub=p/summary.json",
        "count": 1,
    }
    table = parquet.from_bytes(store.read("anomalies/site=home/pub=p/anomalies.parquet"))
    assert dict(table.schema) == dict(parquet.polars_schema(ANOMALIES))
    assert table.select("timestamp", "kwh", "method").row(0) == (START + dt.timedelta(hours=9), 11.0, "mean_2std")
    summary = AnomalySummary.model_validate_json(store.read(answer["summary_key"]))
    assert (summary.count, summary.hours_judged, summary.by_appliance) == (1, 10, {"oven": 1})
    assert summary.top[0].kwh == 11.0
    events = parquet.from_bytes(store.read("anomalies/events/site=home/pub=p/events.parquet"))
    assert dict(events.schema) == dict(parquet.polars_schema(ANOMALY_EVENTS))
    assert events.select("start_timestamp", "kwh", "kind").row(0) == (START + dt.timedelta(hours=9), 11.0, "high_use")


def test_nothing_unusual_is_an_empty_table(detect):
    answer = detect(*[0.5] * 24)
    table = parquet.from_bytes(store.read("anomalies/site=home/pub=p/anomalies.parquet"))
    assert (answer["count"], table.height) == (0, 0)
    assert dict(table.schema) == dict(parquet.polars_schema(ANOMALIES))
    summary = AnomalySummary.model_validate_json(store.read(answer["summary_key"]))
    assert summary.skipped == {"oven": NotJudged(reason="constant")}


def test_detecting_twice_writes_once(lake_on_moto, detect):
    assert detect(*[1.0] * 9, 11.0) == detect(*[1.0] * 9, 11.0)
    assert len(lake_on_moto.list_object_versions(Bucket="lake")["Versions"]) == 7


def test_what_the_site_calls_normal_is_kept_with_its_line_and_not_told(detect):
    answer = detect(*[1.0] * 9, 11.0, config="anomalies: {normal: [{appliance: OVEN, at: 2024-03-01 09:00}]}")
    assert answer["count"] == 0
    table = parquet.from_bytes(store.read("anomalies/site=home/pub=p/anomalies.parquet"))
    line = "normal OVEN: 2024-03-01 09:00 to 2024-03-01 10:00"
    assert table["muted_by"].to_list() == [line]
    summary = AnomalySummary.model_validate_json(store.read(answer["summary_key"]))
    assert (summary.events, summary.top, summary.by_day) == (0, [], {})
    assert [one.model_dump() for one in summary.muted] == [{"line": line, "hours": 1, "events": 1}]
