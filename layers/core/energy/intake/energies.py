"""Settled readings, whatever the meter counts, as energy used in intervals that begin at their timestamps."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from energy.errors import InputRejected
from energy.intake import conversion, names, registers
from energy.intake.layout import Kind, Layout
from energy.intake.reading import File, put_by_month
from energy.intake.spool import Spool
from energy.intake.steps import Steps
from energy.intake.timestamps import to_local

_COLUMNS = ("line", "code", "utc", "kwh", "estimated")


@dataclass(frozen=True)
class Energies:
    """`readings` by the local month of the interval's start: line, code, utc, kwh, estimated, month. `warnings` say by
    code what happened to registers; `steps` are those of these readings.
    """

    readings: Spool[int]
    warnings: dict[str, str]
    steps: Steps


def of(file: File, settled: Spool[int], shown_names: list[str], steps: Steps) -> Energies:
    """Energy of what the file's layout says that its columns are. `steps` are those of the settled readings.

    UNKNOWN_INTERVAL where mean power, or timestamps of the end, would need the interval's length and nothing proves it.
    """
    kinds = _kinds(file, shown_names)
    if set(kinds.values()) <= {"energy"} and file.layout.marks == "start":
        return Energies(settled, {}, steps)
    converted: Spool[int] = Spool(file.scratch, "energies")
    warnings: dict[str, str] = {}
    if "register" in kinds.values():
        warnings = _differences(file, _Of(settled, kinds, ("register",)), shown_names, converted)
    counted = _Of(settled, kinds, ("power", "energy"))
    if any(kind != "register" for kind in kinds.values()):
        _by_interval(file, counted, kinds, converted)
    found = Steps()
    for month in converted.keys():  # noqa: SIM118
        found.add(converted.whole(month).sort("code", "utc"))
    return Energies(converted, warnings, found)


def are_read_so(layout: Layout) -> bool:
    """Whether all that a file of this layout settles is energy by the start of its interval, and stays as it is."""
    return all(column.kind == "energy" for column in layout.values) and layout.marks == "start"


@dataclass(frozen=True)
class _Of:
    """The settled readings of some kinds, month by month, sorted by code and utc; as often as they are asked for."""

    settled: Spool[int]
    kinds: dict[int, Kind]
    wanted: tuple[Kind, ...]

    def __iter__(self) -> Iterator[pl.DataFrame]:
        codes = [code for code, kind in self.kinds.items() if kind in self.wanted]
        for month in self.settled.keys():  # noqa: SIM118
            piece = self.settled.whole(month).filter(pl.col("code").is_in(codes)).select(_COLUMNS)
            if not piece.is_empty():
                yield piece.sort("code", "utc")


def _kinds(file: File, shown_names: list[str]) -> dict[int, Kind]:
    """The kind of each appliance's readings."""
    columns = file.layout.values
    by_name = {names.identity(column.appliance): column.kind for column in columns if column.appliance is not None}
    return {code: by_name.get(names.identity(name), columns[0].kind) for code, name in enumerate(shown_names)}


def _differences(file: File, pieces: _Of, shown_names: list[str], into: Spool[int]) -> dict[str, str]:
    """Puts what registers counted by; what happened to them, by code."""
    steps, changes, before = [], [], None
    for piece in pieces:
        steps.append(conversion.step_counts(piece, before))
        changes.append(registers.change_counts(piece, before))
        before = conversion.latest(piece, before)
    usual = conversion.usual_minutes(conversion.merged(steps))
    ordinary = registers.ordinary_kw(conversion.merged(changes))
    last, events = None, []
    for piece in pieces:
        found = registers.differences_of_piece(piece, last, usual, ordinary)
        last = found.last
        events.append(found.events)
        _put(file, into, found.energy)
        for part in registers.spread(found.long, usual):
            _put(file, into, part)
    return _told(pl.concat(events), shown_names)


def _by_interval(file: File, pieces: _Of, kinds: dict[int, Kind], into: Spool[int]) -> None:
    """Puts the energy of mean power by, and energy whose timestamps mark the end of its interval."""
    minutes = file.layout.interval_minutes or file.rules.readings.interval_minutes or _proved_minutes(pieces)
    power = [code for code, kind in kinds.items() if kind == "power"]
    for piece in pieces:
        is_power = pl.col("code").is_in(power)
        energy = pl.concat([piece.filter(~is_power), conversion.energy_of_power(piece.filter(is_power), minutes)])
        if file.layout.marks == "end":
            energy = conversion.start_marked(energy, minutes)
        _put(file, into, energy)


def _proved_minutes(pieces: _Of) -> float:
    steps, before = [], None
    for piece in pieces:
        steps.append(conversion.step_counts(piece, before))
        before = conversion.latest(piece, before)
    minutes = conversion.regular_minutes(conversion.merged(steps)) if steps else None
    if minutes is None:
        raise InputRejected(
            "UNKNOWN_INTERVAL",
            "The readings need the length of their interval, and they are too few or too irregular to prove it. Say "
            "interval_minutes under readings in config/<site>.yaml, as interval_minutes: 15.",
        )
    return minutes


def _put(file: File, into: Spool[int], energy: pl.DataFrame) -> None:
    if energy.is_empty():
        return
    local = to_local(pl.col("utc"), file.rules.timezone)
    month = local.dt.year().cast(pl.Int32) * 12 + local.dt.month() - 1
    put_by_month(into, energy.select(*_COLUMNS, month=month.cast(pl.Int32)))


def _told(events: pl.DataFrame, shown_names: list[str]) -> dict[str, str]:
    found = {}
    for (event,), group in events.sort("event", "utc", "code").group_by("event", maintain_order=True):
        code, utc, _ = group.row(0)
        found[str(event)] = (
            f"The register of {shown_names[code]!r} {registers.EVENTS[str(event)]}. This happened {group.height:,} "
            f"time(s) in the file, first at {utc.replace(tzinfo=dt.UTC):%Y-%m-%d %H:%M} UTC."
        )
    return found
