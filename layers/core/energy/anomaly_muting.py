"""What a site's configuration calls normal: kept in the tables with the line that says so, told by its count alone."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator

import polars as pl

from energy.anomaly_config import AnomalyConfig, Mute, Normal
from energy.documents import Muted
from energy.intake import names


def unknown_appliances(config: AnomalyConfig, known: Collection[str]) -> list[str]:
    """Appliances that the configuration names and nothing was ever read of, by name."""
    identities = {names.identity(name) for name in known}
    named = {line.appliance for line in _lines(config) if line.appliance}
    return sorted(name for name in named if names.identity(name) not in identities)


def called_normal(config: AnomalyConfig, known: Collection[str]) -> pl.Expr:
    """The first line that calls an hour (`appliance`, `timestamp`) normal; null where none does."""
    return _first(
        (line, _is_of(line, known) & pl.col("timestamp").is_between(*line.span, closed="left"))
        for line in config.normal
    )


def muted_by(config: AnomalyConfig, known: Collection[str]) -> pl.Expr:
    """The first line that says of an hour that it is not to be told, by the `kind` that its event is told as, by its
    appliance, or because it is called `normal`; null where none does.
    """
    muted = _first(
        (line, _is_of(line, known) & (pl.lit(True) if line.kind is None else pl.col("kind") == line.kind))
        for line in config.mute
    )
    return pl.coalesce(muted, "normal")


def mutes(config: AnomalyConfig, appliance: str | None, kind: str, start: dt.datetime, end: dt.datetime) -> str | None:
    """The first line that mutes an event of a kind from `start` to `end`, local time; `appliance` is null for all
    together, which only a line about all mutes.

    A line about a time does if it is about just that, the appliance or all together, and covers most of the event: an
    evening with guests does not explain weeks in which a fridge takes more and more.
    """
    for one in _lines(config):
        if isinstance(one, Mute):
            if (one.appliance is None or _same(one.appliance, appliance)) and one.kind in (None, kind):
                return one.line
        elif _same(one.appliance, appliance) and _overlap(one.span, (start, end)) > (end - start) / 2:
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


def _first(lines: Iterable[tuple[Mute | Normal, pl.Expr]]) -> pl.Expr:
    nothing = pl.lit(None, dtype=pl.String)
    return pl.coalesce(*(pl.when(covers).then(pl.lit(line.line)) for line, covers in lines), nothing)


def _is_of(line: Mute | Normal, known: Collection[str]) -> pl.Expr:
    if line.appliance is None:
        return pl.lit(True)
    return pl.col("appliance").is_in(sorted(name for name in known if _same(name, line.appliance)))


def _same(one: str | None, other: str | None) -> bool:
    """Whether both are one appliance, however it is spelled, or both all together."""
    if one is None or other is None:
        return one is other
    return names.identity(one) == names.identity(other)


def _overlap(one: tuple[dt.datetime, dt.datetime], other: tuple[dt.datetime, dt.datetime]) -> dt.timedelta:
    return min(one[1], other[1]) - max(one[0], other[0])
