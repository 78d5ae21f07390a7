"""What is unusual about a site's readings: hours, events of them, and what a report tells of both."""

import datetime as dt
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from energy import (
    anomaly_days,
    anomaly_events,
    anomaly_hours,
    anomaly_muting,
    anomaly_runs,
    anomaly_seasons,
    lake,
    parquet,
    recipes,
    site_months,
    store,
)
from energy.anomaly_config import AnomalyConfig
from energy.anomaly_events import HOUR_KINDS
from energy.anomaly_hours import BOTH, MEAN_2STD, ROBUST
from energy.anomaly_sentences import hour_sentence
from energy.contracts import AnomalyResult, DetectInput, Publication
from energy.documents import AnomalyEvent, AnomalySummary, NotJudged, PeakHour, ReadingsSummary
from energy.manifest import Manifest
from energy.parquet import as_table
from energy.schema import ANOMALIES, ANOMALY_EVENTS, Table

# So many matter to a reader; all of them are in the tables.
TOP = 10
# Appliances are judged some at a time, with about so many hours together: memory stays flat as a site grows.
_HOURS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Found:
    """Unusual hours (anomaly_data), events (anomaly_events), how far each appliance could be judged (`limits`), and
    when the last hour was read, UTC; null if none was.
    """

    hours: pl.DataFrame
    events: pl.DataFrame
    limits: pl.DataFrame
    last: dt.datetime | None


def detect(request: DetectInput) -> AnomalyResult:
    """The anomalies of a publication as two tables, which may have no row, and as a document for the report."""
    publication = request.publication
    config = recipes.publication_config(publication).config.anomalies
    readings = ReadingsSummary.model_validate_json(store.read(publication.summary_key))
    found = find(
        site_months.read_hours(Manifest.model_validate_json(store.read(publication.draft_key))),
        parquet.from_bytes(store.read(publication.daily_key)),
        publication.timezone,
        config,
        may_be_flat={one.appliance for one in readings.appliances if one.quality.flatlines},
    )
    told = summary(found, config)
    return AnomalyResult(
        table_prefix=_write_table(found.hours, ANOMALIES, publication),
        events_prefix=_write_table(found.events, ANOMALY_EVENTS, publication),
        summary_key=_write_summary(told, publication),
        count=told.count,
    )


def find(
    hourly: pl.DataFrame,
    daily: pl.DataFrame,
    timezone: str,
    config: AnomalyConfig = AnomalyConfig(),  # noqa: B008
    may_be_flat: Collection[str] | None = None,
) -> Found:
    """Everything unusual in the hours and days of a site (hourly_energy_data and daily_energy_data, in any order).

    `may_be_flat` names the appliances that have measured readings which stay alike for a day; null: any may.
    """
    limits = anomaly_hours.hour_limits(hourly)
    context = _Context(limits, anomaly_runs.outage_hours(hourly), _mean_day_kwh(hourly), config, may_be_flat)
    found = [_judge(hours, context) for hours in _some_at_a_time(hourly, limits)]
    events = [row for one in found for row in one.events]
    events += _outages(found, context)
    events += _rises(daily, timezone, context)
    return Found(
        hours=pl.concat([one.hours for one in found]).sort("timestamp_utc", "appliance"),
        events=anomaly_events.event_table(events),
        limits=limits.join(pl.concat([one.limited for one in found]), on="appliance", how="left").sort("appliance"),
        last=hourly.select(pl.col("timestamp_utc").max()).item(),
    )


@dataclass(frozen=True)
class _Context:
    """What is known of the site as a whole."""

    limits: pl.DataFrame
    outage: pl.DataFrame
    day_kwh: float
    config: AnomalyConfig
    may_be_flat: Collection[str] | None

    @property
    def appliances(self) -> list[str]:
        return self.limits["appliance"].to_list()


@dataclass(frozen=True)
class _Judged:
    """Of some of the appliances: rows of both tables, why the robust rule does not know each of them (`limited` and its
    number, else null), and what they usually use in the hours of an outage.
    """

    hours: pl.DataFrame
    events: list[dict[str, Any]]
    limited: pl.DataFrame
    expected_in_outage: pl.DataFrame


def _some_at_a_time(hourly: pl.DataFrame, limits: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The hours of some appliances after those of others, by name."""
    before = (pl.col("hours").cum_sum() - pl.col("hours")) // _HOURS_AT_ONCE
    if limits.is_empty():
        yield hourly
    for _, some in limits.select("appliance", part=before).group_by("part", maintain_order=True):
        yield hourly.join(some.select("appliance"), on="appliance", how="semi")


def _judge(hours: pl.DataFrame, context: _Context) -> _Judged:
    """Hours of an outage are nothing that an appliance did: neither judged, nor part of what is usual."""
    powered = hours.join(context.outage, on="timestamp_utc", how="anti")
    usual = anomaly_hours.usual_hours(powered)
    by_month = anomaly_seasons.usual_by_month(powered, usual)
    judged = anomaly_hours.judged(anomaly_seasons.with_usual(powered, usual, by_month), context.limits)
    marked = anomaly_runs.with_runs(judged, context.may_be_flat).filter(
        pl.any_horizontal("by_mean", "by_robust", *HOUR_KINDS)
    )
    marked = marked.with_columns(normal=anomaly_muting.called_normal(context.config, context.appliances))
    muted_by = anomaly_muting.muted_by(context.config, context.appliances)
    numbered = anomaly_events.numbered(marked).with_columns(muted_by=muted_by)
    events = list(anomaly_events.events_of(numbered, context.day_kwh))
    # What the specification's rule alone found is of no event; it is about high use.
    marked = marked.with_columns(kind=pl.lit("high_use")).with_columns(muted_by=muted_by).drop("kind")
    named = pl.DataFrame(
        [(row["event_id"], row["severity"], row["muted_by"]) for row in events],
        schema={"event_id": pl.String, "severity": pl.String, "muted_by": pl.String},
        orient="row",
    ).with_columns(event=numbered["event"].unique(maintain_order=True))
    out = hours.join(context.outage, on="timestamp_utc", how="semi")
    return _Judged(
        hours=_hour_table(marked, numbered, named),
        events=events,
        limited=usual.select("appliance", "limited", limited_number="number").unique(),
        expected_in_outage=anomaly_seasons.with_usual(out, usual, by_month).select(
            "timestamp", "timestamp_utc", "appliance", "expected"
        ),
    )


def _hour_table(marked: pl.DataFrame, numbered: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """anomaly_data: the hours that either rule found. What only mean_2std found where the robust rule leads belongs to
    no event, unless it is part of one of another kind.
    """
    keys = ["appliance", "timestamp_utc"]
    events = numbered.select(*keys, "event").join(named, on="event").drop("event")
    kwh, expected = pl.col("kwh"), pl.col("expected")
    rows = (
        marked.filter(pl.col("by_mean") | pl.col("by_robust"))
        .join(events, on=keys, how="left", maintain_order="left", suffix="_event")
        .with_columns(
            z_score=(kwh - pl.col("mean")) / pl.col("std"),
            expected_kwh=expected,
            limit_kwh=pl.col("limit"),
            excess_kwh=kwh - expected,
            severity=pl.col("severity").fill_null("low"),
            muted_by=pl.when(pl.col("event_id").is_null()).then("muted_by").otherwise("muted_by_event"),
            kind=pl.when("drop").then(pl.lit("drop")).otherwise(pl.lit("high_use")),
            method=pl.when(pl.col("by_mean") & pl.col("by_robust"))
            .then(pl.lit(BOTH))
            .when("by_mean")
            .then(pl.lit(MEAN_2STD))
            .otherwise(pl.lit(ROBUST)),
        )
    )
    told = [hour_sentence(row) for row in rows.iter_rows(named=True)]
    explained = rows.with_columns(explanation=pl.Series(told, dtype=pl.String))
    return as_table(explained.select(ANOMALIES.column_names), ANOMALIES)


def _outages(found: list[_Judged], context: _Context) -> Iterator[dict[str, Any]]:
    hours = (
        pl.concat([one.expected_in_outage for one in found])
        .sort("timestamp_utc", "appliance")
        .group_by("timestamp_utc", maintain_order=True)
        .agg(pl.col("timestamp").first(), pl.col("expected"))
        .with_columns(pl.col("expected").list.sum())
    )
    muted = [
        anomaly_muting.mutes(context.config, None, "outage", start, start + dt.timedelta(hours=1))
        for start in hours["timestamp"].to_list()
    ]
    muted_by = pl.Series("muted_by", muted, dtype=pl.String)
    return anomaly_events.outages(hours.with_columns(muted_by), context.day_kwh)


def _rises(daily: pl.DataFrame, timezone: str, context: _Context) -> Iterator[dict[str, Any]]:
    for rise in anomaly_days.rises(daily):
        yield anomaly_events.rising(rise, timezone, context.config, context.day_kwh)


def summary(found: Found, config: AnomalyConfig = AnomalyConfig()) -> AnomalySummary:  # noqa: B008
    """What a report shows of the anomalies."""
    limits = found.limits
    judged = limits.filter(pl.col("skipped").is_null())
    led = found.hours.filter(pl.col("event_id").is_not_null(), pl.col("muted_by").is_null())
    events = found.events.filter(pl.col("muted_by").is_null())
    top = anomaly_events.by_importance(events, found.last).head(TOP)
    muted = found.hours.filter(pl.col("event_id").is_not_null())
    return AnomalySummary(
        count=led.height,
        hours_judged=int(judged["hours"].sum()),
        by_rule=_counts(found.hours.filter(pl.col("muted_by").is_null()), pl.col("method")),
        by_kind=_counts(events, pl.col("kind")),
        by_appliance=_counts(led, pl.col("appliance")),
        by_day=_counts(led, pl.col("timestamp").dt.date().dt.to_string()),
        events=events.height,
        events_by_appliance=_counts(_of_one(events), pl.col("appliance")),
        muted_by_appliance=_counts(_of_one(found.events).filter(pl.col("muted_by").is_not_null()), pl.col("appliance")),
        top=[_event(row) for row in top.iter_rows(named=True)],
        skipped=_reasons(limits, "skipped", "number"),
        limited=_reasons(judged, "limited", "limited_number"),
        muted=anomaly_muting.told(config, muted, found.events),
        unknown_appliances=anomaly_muting.unknown_appliances(config, limits["appliance"].to_list()),
    )


def _reasons(limits: pl.DataFrame, reason: str, number: str) -> dict[str, NotJudged]:
    told = limits.filter(pl.col(reason).is_not_null()).select("appliance", reason, number)
    return {name: NotJudged(reason=why, number=number) for name, why, number in told.iter_rows()}


def _of_one(events: pl.DataFrame) -> pl.DataFrame:
    return events.filter(pl.col("appliance").is_not_null())


def _counts(rows: pl.DataFrame, by: pl.Expr) -> dict[Any, int]:
    """How many rows there are of each, by name."""
    return dict(rows.group_by(by.alias("by")).len().sort("by").iter_rows())


def _event(row: dict[str, Any]) -> AnomalyEvent:
    peak = row["peak_timestamp"]
    same = AnomalyEvent.model_fields.keys() & row.keys() - {"kinds"}
    return AnomalyEvent(
        **{name: row[name] for name in same},
        kinds=row["kinds"].split("+"),
        methods=row["method"].split("+"),
        start=row["start_timestamp"],
        end=row["end_timestamp"],
        peak=None
        if peak is None
        else PeakHour(
            timestamp=peak,
            kwh=row["peak_kwh"],
            expected_kwh=row["peak_expected_kwh"],
            limit_kwh=row["peak_limit_kwh"],
        ),
    )


def _mean_day_kwh(hourly: pl.DataFrame) -> float:
    """What the site uses on a mean day that was read, kWh."""
    by_day = (
        hourly.sort("timestamp_utc", "appliance")
        .group_by(pl.col("timestamp").dt.date(), maintain_order=True)
        .agg(pl.col("kwh"))
        .select(pl.col("kwh").list.sum())
    )
    return math.fsum(by_day["kwh"]) / by_day.height if by_day.height else 0.0


def _write_table(frame: pl.DataFrame, table: Table, publication: Publication) -> str:
    prefix = lake.table_prefix(table.area, publication.site, publication.pub)
    store.put_once(prefix + table.file_name, parquet.table_bytes(frame, table))
    return prefix


def _write_summary(document: AnomalySummary, publication: Publication) -> str:
    key = lake.publication_document_key(ANOMALIES.area, publication.site, publication.pub, "summary")
    store.put_once(key, document.model_dump_json(indent=1).encode(), "application/json")
    return key
