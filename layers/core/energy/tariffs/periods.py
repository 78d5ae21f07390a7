"""When which price holds: a plan as stretches of time with one price each."""

import bisect
import datetime as dt
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from energy.tariffs import series
from energy.tariffs.plans import Contract, Demand, Plan, When

_DAY = dt.timedelta(days=1)
_MINUTE = dt.timedelta(minutes=1)
FILE_BAND = "by the hour"
FLAT_BAND = "all hours"


@dataclass(frozen=True)
class Period:
    """From `start` until `end` (naive UTC) a kWh costs `price`, tiers apart; by one `contract` of a plan, from 0 on."""

    start: dt.datetime
    end: dt.datetime
    contract: int
    band: str
    price: Decimal


def priced_periods(plan: Plan, first: dt.date, last: dt.date, timezone: str, files: Mapping[str, str]) -> list[Period]:
    """All periods of the local days from `first` to `last` that the plan has a price for, in the order of time.

    SiteConfigInvalid, where a file of prices cannot be used.
    """
    zone = zoneinfo.ZoneInfo(timezone)
    found: list[Period] = []
    for number, contract in enumerate(plan.terms):
        days = (max(first, contract.valid_from or first), min(last, contract.valid_to or last))
        if days[0] > days[1]:
            continue
        if contract.prices:
            text = files[contract.prices.file]
            found += _listed(series.parse(text, contract.prices.file, timezone), number, _bounds(*days, zone))
        else:
            found += _merged(_banded(contract, number, days, zone))
    return found


def demand_periods(
    contract: Contract, charge: Demand, first: dt.date, last: dt.date, timezone: str
) -> list[tuple[dt.datetime, dt.datetime]]:
    """The stretches of time (naive UTC) within the local days in which a demand charge counts."""
    days = (max(first, contract.valid_from or first), min(last, contract.valid_to or last))
    if days[0] > days[1]:
        return []
    found: list[tuple[dt.datetime, dt.datetime]] = []
    for start, end, day, minute in _stretches(contract, (charge,), days, zoneinfo.ZoneInfo(timezone)):
        if charge.holds(day, minute, contract.is_holiday(day)):
            joins = found and found[-1][1] == start
            found[-1:] = [(found[-1][0], end)] if joins else [*found[-1:], (start, end)]
    return found


def price_at(periods: list[Period], start: dt.datetime, end: dt.datetime) -> Decimal | None:
    """The mean price over a stretch of time (naive UTC); None where part of it has none."""
    at = bisect.bisect_right(periods, start, key=lambda period: period.start) - 1
    until, total = start, Decimal(0)
    for period in periods[max(at, 0) :]:
        if period.start > until or until >= end:
            break
        if period.end > until:
            upto = min(period.end, end)
            total += period.price * Decimal((upto - until) // _SECOND)
            until = upto
    return total / Decimal((end - start) // _SECOND) if until >= end else None


_SECOND = dt.timedelta(seconds=1)


def _banded(contract: Contract, number: int, days: tuple[dt.date, dt.date], zone: zoneinfo.ZoneInfo) -> list[Period]:
    if not contract.bands:
        return [Period(*_bounds(*days, zone), number, FLAT_BAND, contract.price or Decimal(0))]
    return [
        Period(start, end, number, band.name, band.price)
        for start, end, day, minute in _stretches(contract, contract.bands, days, zone)
        for band in [next(one for one in contract.bands if one.holds(day, minute, contract.is_holiday(day)))]
    ]


def _listed(values: list[series.Value], number: int, bounds: tuple[dt.datetime, dt.datetime]) -> list[Period]:
    return [
        Period(max(one.start, bounds[0]), min(one.end, bounds[1]), number, FILE_BAND, one.value)
        for one in values
        if one.start < bounds[1] and one.end > bounds[0]
    ]


def _merged(periods: list[Period]) -> list[Period]:
    """The same, with neighbours of one band as one."""
    merged: list[Period] = []
    for period in periods:
        last = merged[-1] if merged else None
        if last and (last.end, last.band, last.price) == (period.start, period.band, period.price):
            merged[-1] = Period(last.start, period.end, period.contract, period.band, period.price)
        else:
            merged.append(period)
    return merged


def _bounds(first: dt.date, last: dt.date, zone: zoneinfo.ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    return _midnight(first, zone), _midnight(last + _DAY, zone)


def _midnight(day: dt.date, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC).replace(tzinfo=None)


def _stretches(
    contract: Contract, parts: tuple[When, ...], days: tuple[dt.date, dt.date], zone: zoneinfo.ZoneInfo
) -> Iterator[tuple[dt.datetime, dt.datetime, dt.date, int]]:
    """Start and end (naive UTC) of every stretch in which no part begins or ends; the clock's day and minute at its
    start.
    """
    edges = sorted({0}.union(*(part.edges() for part in parts)))
    for offset_from, offset_until, offset in _offsets(*_bounds(*days, zone), zone, contract.clock == "standard"):
        clock = offset_from + offset
        day = dt.datetime.combine(clock.date(), dt.time())
        start = offset_from
        while start < offset_until:
            following = [day + edge * _MINUTE - offset for edge in edges] + [day + _DAY - offset]
            end = min(next(cut for cut in following if cut > start), offset_until)
            clock = start + offset
            yield start, end, clock.date(), clock.hour * 60 + clock.minute
            start = end
            if start + offset >= day + _DAY:
                day += _DAY


def _offsets(
    start: dt.datetime, end: dt.datetime, zone: zoneinfo.ZoneInfo, standard: bool
) -> Iterator[tuple[dt.datetime, dt.datetime, dt.timedelta]]:
    """The stretches (naive UTC) in which the clock's offset from UTC stays, with it.

    Standard time is the smaller offset of January and July: also Dublin's, whose zone is written the other way round.
    """
    at = start
    while at < end:
        until, offset = at, _offset(at, zone)
        while until < end and _offset(min(until + _DAY, end - _MINUTE), zone) == offset:
            until += _DAY
        until = min(until, end)
        if until < end:
            until = _change(until, min(until + _DAY, end), zone)
        yield at, until, _standard_offset(at, zone) if standard else offset
        at = until


def _change(after: dt.datetime, before: dt.datetime, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """The first minute within a day that has another offset than its start; its end where there is none."""
    offset, minutes = _offset(after, zone), (before - after) // _MINUTE
    at = bisect.bisect_left(range(minutes), True, key=lambda minute: _offset(after + minute * _MINUTE, zone) != offset)
    return after + at * _MINUTE


def _offset(instant: dt.datetime, zone: zoneinfo.ZoneInfo) -> dt.timedelta:
    return instant.replace(tzinfo=dt.UTC).astimezone(zone).utcoffset() or dt.timedelta()


def _standard_offset(instant: dt.datetime, zone: zoneinfo.ZoneInfo) -> dt.timedelta:
    return min(_offset(dt.datetime(instant.year, month, 1, 12), zone) for month in (1, 7))
