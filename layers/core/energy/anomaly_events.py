"""Unusual hours to events: neighbours of one kind are one, and so are kinds that overlap. Each has a severity and a
sentence.
"""

import datetime as dt
import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from energy.anomaly_config import AnomalyConfig
from energy.anomaly_days import Rise
from energy.anomaly_hours import MEAN_2STD, ROBUST
from energy.anomaly_muting import mutes
from energy.anomaly_sentences import event_sentence
from energy.documents import AnomalyKind, Severity
from energy.local_days import day_start
from energy.parquet import as_table, polars_schema
from energy.schema import ANOMALY_EVENTS

# Of an event that is of several kinds, the first of these says what it is.
KINDS: tuple[AnomalyKind, ...] = (
    "outage",
    "stuck_meter",
    "stopped",
    "long_run",
    "flatline",
    "rising_use",
    "high_use",
    "drop",
)
# Kinds that hours are marked with: columns of marked hours.
RUN_KINDS: tuple[AnomalyKind, ...] = ("stuck_meter", "stopped", "long_run", "flatline")
HOUR_KINDS: tuple[AnomalyKind, ...] = (*RUN_KINDS, "high_use", "drop")
# What finds the others: runs of hours that are alike, and the totals of days.
RUNS, DAYS = "runs", "days"

# Energy away from the usual, as a share of what the site uses on a mean day.
HIGH_FROM, MEDIUM_FROM = 0.10, 0.02
# What somebody can still do something about goes first among equals.
RECENT_DAYS = 31
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")
# What goes on until somebody sees to it, or spoils food: never of the lowest severity.
_AT_LEAST_MEDIUM = {"stopped", "rising_use"}

_HOUR = dt.timedelta(hours=1)


def numbered(marked: pl.DataFrame) -> pl.DataFrame:
    """The hours that are of a kind, by appliance and time, with the number of their `event` and its `kind`: hours of
    one event follow each other and share a kind. One that a person called `normal` and one that nobody did are never of
    one event.

    What tells of a run says all of its hours: each is unusual by itself as well, and is no event for that.
    """
    in_run = pl.any_horizontal(RUN_KINDS)
    told = marked.with_columns(
        flatline=pl.col("flatline") & ~pl.col("stuck_meter"),
        high_use=pl.col("high_use") & ~in_run,
        drop=pl.col("drop") & ~in_run,
    )
    same = pl.col("appliance") == pl.col("appliance").shift()
    follows = pl.col("timestamp_utc").diff() == pl.duration(hours=1)
    shares = pl.any_horizontal(pl.col(kind) & pl.col(kind).shift() for kind in HOUR_KINDS)
    normal_alike = pl.col("normal").eq_missing(pl.col("normal").shift())
    joins = (same & follows & shares & normal_alike).fill_null(False)
    leading = pl.coalesce(pl.when(pl.col(kind).any().over("event")).then(pl.lit(kind)) for kind in HOUR_KINDS)
    return (
        told.filter(pl.any_horizontal(HOUR_KINDS))
        .sort("appliance", "timestamp_utc")
        .with_columns(event=(~joins).cum_sum())
        .with_columns(kind=leading)
    )


def events_of(hours: pl.DataFrame, day_kwh: float) -> Iterator[dict[str, Any]]:
    """The events of `numbered` hours as rows of anomaly_events. `day_kwh` is what the site uses on a mean day."""
    lists = hours.group_by("event", maintain_order=True).agg(
        pl.col("appliance", "muted_by").first(),
        pl.col("usual_run").max(),
        # In a short history, what is expected of an hour is the mean of those that run and those that do not.
        pl.when(pl.col("high").is_null()).then("running").otherwise("expected").first().alias("running"),
        # A rule's limit: that of the one which leads for the appliance.
        pl.col("timestamp", "timestamp_utc", "kwh", "expected"),
        pl.col("limit").fill_null(pl.col("threshold")),
        pl.col(HOUR_KINDS).any(),
        pl.col("by_mean", "by_robust").any(),
    )
    for one in lists.iter_rows(named=True):
        kwh, expected = one["kwh"], one["expected"]
        # Of a meter that hung, the hour in which it caught up.
        away = kwh if one["stuck_meter"] else [abs(used - usual) for used, usual in zip(kwh, expected, strict=True)]
        peak = max(range(len(kwh)), key=away.__getitem__)
        found = {
            "appliance": one["appliance"],
            **_from_to(one["timestamp"], one["timestamp_utc"]),
            "hours": len(kwh),
            "kwh": math.fsum(kwh),
            # Of a run that is too long, a run as it usually is.
            "expected_kwh": one["usual_run"] * one["running"] if one["long_run"] else math.fsum(expected),
            "peak_timestamp": one["timestamp"][peak],
            "peak_kwh": kwh[peak],
            "peak_expected_kwh": expected[peak],
            "peak_limit_kwh": one["limit"][peak],
            "usual_hours": one["usual_run"] if one["long_run"] else None,
            "muted_by": one["muted_by"],
        }
        kinds = [kind for kind in HOUR_KINDS if one[kind]]
        methods = [name for name, by in ((MEAN_2STD, one["by_mean"]), (ROBUST, one["by_robust"])) if by]
        methods += [RUNS] if any(one[kind] for kind in RUN_KINDS) else []
        yield event(found, kinds, methods, day_kwh)


def outages(hours: pl.DataFrame, day_kwh: float) -> Iterator[dict[str, Any]]:
    """The events of hours (timestamp, timestamp_utc, expected: of all appliances, muted_by) in which all read zero."""
    follows = pl.col("timestamp_utc").diff() == pl.duration(hours=1)
    alike = pl.col("muted_by").eq_missing(pl.col("muted_by").shift())
    runs = hours.sort("timestamp_utc").with_columns(run=(~(follows & alike).fill_null(False)).cum_sum())
    for run in runs.partition_by("run", maintain_order=True):
        expected = run["expected"].to_list()
        peak = max(range(len(expected)), key=expected.__getitem__)
        found = {
            "appliance": None,
            **_from_to(run["timestamp"].to_list(), run["timestamp_utc"].to_list()),
            "hours": run.height,
            "kwh": 0.0,
            "expected_kwh": math.fsum(expected),
            "peak_timestamp": run["timestamp"][peak],
            "peak_kwh": 0.0,
            "peak_expected_kwh": expected[peak],
            "muted_by": run["muted_by"][0],
        }
        yield event(found, ["outage"], [RUNS], day_kwh)


def rising(rise: Rise, timezone: str, config: AnomalyConfig, day_kwh: float) -> dict[str, Any]:
    """The event of a slow fault: of whole local days. Usual is what its days took before they rose."""
    past = rise.end + dt.timedelta(days=1)
    start, end = (dt.datetime.combine(day, dt.time()) for day in (rise.start, past))
    found = {
        "appliance": rise.appliance,
        "start_timestamp": start,
        "end_timestamp": end,
        "start_timestamp_utc": day_start(rise.start, timezone),
        "end_timestamp_utc": day_start(past, timezone),
        "hours": 24 * rise.days,
        "kwh": rise.kwh,
        "expected_kwh": rise.days * rise.kwh_before,
        "day_kwh_before": rise.kwh_before,
        "day_kwh_after": rise.kwh_after,
        "muted_by": mutes(config, rise.appliance, "rising_use", start, end),
    }
    return event(found, ["rising_use"], [DAYS], day_kwh)


def event(
    found: Mapping[str, Any], kinds: Sequence[AnomalyKind], methods: Sequence[str], day_kwh: float
) -> dict[str, Any]:
    """A row of anomaly_events from what was found of it, with its name, severity and sentence."""
    ranked = sorted(kinds, key=KINDS.index)
    excess = found["kwh"] - found["expected_kwh"]
    row: dict[str, Any] = dict.fromkeys(ANOMALY_EVENTS.column_names)
    row |= found
    row |= {"kind": ranked[0], "kinds": "+".join(ranked), "method": "+".join(methods), "excess_kwh": excess}
    row |= {"severity": severity(ranked[0], excess, day_kwh), "event_id": _event_id(row)}
    return row | {"explanation": event_sentence(row)}


def severity(kind: str, excess_kwh: float, day_kwh: float) -> Severity:
    """By the energy away from the usual: high from a tenth of the site's mean day on, medium from a fiftieth."""
    share = abs(excess_kwh) / day_kwh if day_kwh > 0 else 0.0
    if share >= HIGH_FROM:
        return "high"
    return "medium" if share >= MEDIUM_FROM or kind in _AT_LEAST_MEDIUM else "low"


def event_table(events: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """anomaly_events, by start, then by appliance; what is about all together comes first."""
    frame = pl.DataFrame(list(events), schema=polars_schema(ANOMALY_EVENTS), orient="row")
    order = ["start_timestamp_utc", "appliance", "kind", "event_id"]
    return as_table(frame.sort(order, nulls_last=False), ANOMALY_EVENTS)


def by_importance(events: pl.DataFrame, last: dt.datetime | None) -> pl.DataFrame:
    """The most severe first; of equals those that ended in the RECENT_DAYS before `last`, UTC; then those with more
    energy away from the usual.
    """
    rank = pl.col("severity").replace_strict({name: place for place, name in enumerate(SEVERITIES)})
    return events.sort(
        rank,
        pl.col("end_timestamp_utc") >= pl.lit(last, pl.Datetime) - dt.timedelta(days=RECENT_DAYS),
        pl.col("excess_kwh").abs(),
        "start_timestamp_utc",
        pl.col("appliance").fill_null(""),
        "kind",
        descending=[False, True, True, True, False, False],
    )


def _from_to(local: Sequence[dt.datetime], utc: Sequence[dt.datetime]) -> dict[str, dt.datetime]:
    """From the start of the first hour to the end of the last."""
    return {
        "start_timestamp": local[0],
        "end_timestamp": local[-1] + _HOUR,
        "start_timestamp_utc": utc[0],
        "end_timestamp_utc": utc[-1] + _HOUR,
    }


def _event_id(row: Mapping[str, Any]) -> str:
    name = f"{row['appliance'] or ''}\n{row['start_timestamp_utc'].isoformat()}\n{row['kind']}"
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
