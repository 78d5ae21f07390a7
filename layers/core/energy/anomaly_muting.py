"""What a site's configuration calls normal: kept in the tables with the line that says so, told by its count alone."""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence

import polars as pl

from energy.anomaly_config import AnomalyConfig, Mute, Normal
from energy.documents import Muted
from energy.intake import names


def unknown_appliances(config: AnomalyConfig, known: Collection[str]) -> list[str]:
    """Appliances that the configuration names and nothing was ever read of, by name."""
    identities = {names.identity(name) for name in known}
    named = {line.appliance for line in _lines(config) if line.appliance}
    return sorted(name for name in named if names.identity(name) not in identities)


def muted_by(config: AnomalyConfig, known: Collection[str], kinds: Sequence[str]) -> pl.Expr:
    """The first line that says of an hour (`appliance`, `timestamp`, `by_mean`, marks for each of `kinds`) that it is
    not to be told; null where none does. An hour of several kinds is muted by a line about a kind only where that is
    the only one.
    """
    nothing = pl.lit(None, dtype=pl.String)
    return pl.coalesce(*(pl.when(_covers(one, known, kinds)).then(pl.lit(one.line)) for one in _lines(config)), nothing)


def mutes(config: AnomalyConfig, appliance: str | None, kind: str, start: dt.datetime, end: dt.datetime) -> str | None:
    """The first line that mutes an event of a kind from `start` to `end`, local time: a line about a time does if it
    overlaps. `appliance` is null for all together, which only a line about all mutes.
    """
    for one in _lines(config):
        of_it = one.appliance is None or (
            appliance is not None and names.identity(one.appliance) == names.identity(appliance)
        )
        if of_it and (
            one.kind in (None, kind)
            if isinstance(one, Mute)
            else one.span[0] <= start < one.span[1] or start < one.span[0] < end
        ):
            return one.line
    return None


def told(config: AnomalyConfig, hours: pl.DataFrame, events: pl.DataFrame) -> list[Muted]:
    """Every line with the unusual hours and the events that it mutes, in the order of the configuration."""
    by_hours = dict(hours.group_by("muted_by").len().iter_rows())
    by_events = dict(events.group_by("muted_by").len().iter_rows())
    lines = dict.fromkeys(one.line for one in _lines(config))
    return [Muted(line=line, hours=by_hours.get(line, 0), events=by_events.get(line, 0)) for line in lines]


def _lines(config: AnomalyConfig) -> Iterator[Mute | Normal]:
    yield from config.mute
    yield from config.normal


def _covers(line: Mute | Normal, known: Collection[str], kinds: Sequence[str]) -> pl.Expr:
    covers = pl.lit(True)
    if line.appliance is not None:
        meant = sorted(name for name in known if names.identity(name) == names.identity(line.appliance))
        covers = pl.col("appliance").is_in(meant)
    if isinstance(line, Normal):
        start, end = line.span
        return covers & pl.col("timestamp").is_between(start, end, closed="left")
    if line.kind is None:
        return covers
    if line.kind not in kinds:
        return pl.lit(False)
    # What the specification's rule alone found is of no kind of its own; it is about high use.
    of_it = pl.col(line.kind) | pl.col("by_mean") if line.kind == "high_use" else pl.col(line.kind)
    return covers & of_it & ~pl.any_horizontal([kind for kind in kinds if kind != line.kind])
