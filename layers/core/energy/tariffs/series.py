"""A series of dated values as CSV: prices or carbon intensities that change by the hour or the half hour."""

import collections
import csv
import datetime as dt
import io
import itertools
import zoneinfo
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from energy.errors import SiteConfigInvalid

_MAX_STEP = dt.timedelta(days=1)


@dataclass(frozen=True)
class Value:
    """What holds from `start` until `end`, both naive UTC."""

    start: dt.datetime
    end: dt.datetime
    value: Decimal


def parse(text: str, source: str, timezone: str) -> list[Value]:
    """The values of a CSV in the order of time; what no value holds for is missing between them.

    The first line names two columns, `start` and `value`; others are ignored. A start is ISO 8601: without an offset it
    is local time, and the autumn's repeated hour comes in order. A value holds until the next one, but no longer than
    the usual step of the series. SiteConfigInvalid, with the line.
    """
    rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    names = [(name or "").strip().lower() for name in rows.fieldnames or []]
    if "start" not in names or "value" not in names:
        raise SiteConfigInvalid(source, "its first line must name the columns start and value.")
    rows.fieldnames = names
    zone = zoneinfo.ZoneInfo(timezone)
    starts: list[dt.datetime] = []
    values: list[Decimal] = []
    for row in rows:
        starts.append(_start(row["start"], source, rows.line_num, zone, starts[-1] if starts else None))
        values.append(_value(row["value"], source, rows.line_num))
    if not starts:
        raise SiteConfigInvalid(source, "it has no rows.")
    step = _usual_step(starts)
    ends = [min(later, start + step) for start, later in zip(starts, [*starts[1:], dt.datetime.max], strict=True)]
    return [Value(*one) for one in zip(starts, ends, values, strict=True)]


def _usual_step(starts: list[dt.datetime]) -> dt.timedelta:
    steps = collections.Counter(later - start for start, later in itertools.pairwise(starts))
    usual = min(steps, key=lambda step: (-steps[step], step), default=dt.timedelta(hours=1))
    return min(usual, _MAX_STEP)


def _start(
    text: str | None, source: str, line: int, zone: zoneinfo.ZoneInfo, before: dt.datetime | None
) -> dt.datetime:
    try:
        told = dt.datetime.fromisoformat((text or "").strip())
    except ValueError:
        raise SiteConfigInvalid(source, f"line {line}: {text!r} is no time such as 2026-01-31T17:30+01:00.") from None
    folds = [told.replace(tzinfo=zone, fold=fold) for fold in (0, 1)] if told.tzinfo is None else [told]
    instants = [moment.astimezone(dt.UTC).replace(tzinfo=None) for moment in folds]
    later = [instant for instant in instants if before is None or instant > before]
    if not later:
        raise SiteConfigInvalid(source, f"line {line}: {text} is not after the line before; sort it by start.")
    return min(later)


def _value(text: str | None, source: str, line: int) -> Decimal:
    try:
        value = Decimal((text or "").strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise SiteConfigInvalid(source, f"line {line}: {text!r} is no number such as 0.2875.")
    return value
