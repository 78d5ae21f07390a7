"""The readings of one month to its part of the site's costs: energy by price, and what it stands for in CO2.

A part knows prices, not bills: what is charged by the month, by blocks or for the highest power is added up from parts
(`energy.costs`), once it is known which days of the month the site's readings reach. Like every part it is made of the
readings of its month alone, in one order, and sums are of lists (`energy.monthly`).

A reading counts evenly over its interval: where the price changes within it, it is paid by its shares. Money is in
floats here, and exact again where energy meets the prices of a contract (`energy.tariffs.bill`).
"""

import dataclasses
import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from energy.carbon import Carbon, intensities
from energy.local_days import day_start
from energy.steps import counted, typical
from energy.tariffs.periods import Period, demand_periods, priced_periods
from energy.tariffs.plans import Demand, Plan

# The plan that the site has; the others it is compared with.
CURRENT = 0
# What a shifted run may cost: the mean of a day's cheapest hours. Most night tariffs have at least as many; of prices
# by the hour nobody finds the one cheapest.
CHEAPEST = dt.timedelta(hours=4)

_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000
_INSTANT = pl.Datetime("us")
_MONTH = {"month": pl.String()}
_SECOND = dt.timedelta(seconds=1)
# A month of nine million readings, by two plans of time of use, takes 1.4 GB beside the readings so, and 11 s.
_ROWS_AT_ONCE = 1 << 20
# Beyond any reading, and within what a column of times holds.
_EARLIEST, _LATEST = dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)

_Stretch = tuple[dt.datetime, dt.datetime]


@dataclass(frozen=True)
class Pricing:
    """By what a site's energy is priced: its plan first, then those it is compared with; none where it has no tariff.

    `files` are those that the configuration names.
    """

    timezone: str
    plans: tuple[Plan, ...]
    carbon: Carbon | None
    files: Mapping[str, str]

    def canonical(self) -> str:
        """Equal pricing gives equal text."""
        sections = [*self.plans, *([self.carbon] if self.carbon else [])]
        return "\n".join(
            [self.timezone, *(one.model_dump_json() for one in sections), json.dumps(sorted(self.files.items()))]
        )

    @property
    def exports(self) -> list[str]:
        """The names of what is fed into the grid under any of the plans."""
        contracts = [contract for plan in self.plans for contract in plan.terms]
        return sorted({name for one in contracts if one.export for name in one.export.appliances})


@dataclass(frozen=True)
class CostParts:
    """The parts of one or more months.

    `days`: by appliance, local day and contract of the site's plan (null: no price): energy; what of it has a price
    (`priced_kwh`), at which `cost`; what was used at more than the price of the day's cheapest hours (`dearer_kwh`),
    and how much more that cost (`dearer_cost`); what of it has a known `co2_kg` (`co2_kwh`).
    `hours`: by weekday (1: Monday) and local hour, of appliances that are read at least once an hour.
    `bands`: energy by plan, contract and band, and its cost. `exports`: what was fed in, by plan and contract.
    `demand`: the highest mean power by plan, contract and demand charge, and when (local); null where it is unknown.
    `carbon`: how much time of the readings a file of intensities has nothing for.
    """

    days: pl.DataFrame
    hours: pl.DataFrame
    bands: pl.DataFrame
    exports: pl.DataFrame
    demand: pl.DataFrame
    carbon: pl.DataFrame

    def frames(self) -> dict[str, pl.DataFrame]:
        """By name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


_CONTRACT = {"plan": pl.Int32(), "contract": pl.Int32()}
SCHEMAS: dict[str, dict[str, pl.DataType]] = {
    "days": _MONTH
    | {
        "appliance": pl.String(),
        "date": pl.Date(),
        "contract": pl.Int32(),
        "kwh": pl.Float64(),
        "priced_kwh": pl.Float64(),
        "cost": pl.Float64(),
        "dearer_kwh": pl.Float64(),
        "dearer_cost": pl.Float64(),
        "co2_kwh": pl.Float64(),
        "co2_kg": pl.Float64(),
    },
    "hours": _MONTH
    | {
        "contract": pl.Int32(),
        "weekday": pl.Int32(),
        "hour": pl.Int32(),
        "kwh": pl.Float64(),
        "cost": pl.Float64(),
    },
    "bands": _MONTH | _CONTRACT | {"band": pl.String(), "kwh": pl.Float64(), "cost": pl.Float64()},
    "exports": _MONTH | _CONTRACT | {"kwh": pl.Float64()},
    "demand": _MONTH | _CONTRACT | {"charge": pl.Int32(), "kw": pl.Float64(), "at": _INSTANT},
    "carbon": _MONTH | {"missing_hours": pl.Float64()},
}


def together(parts: Iterable[CostParts]) -> CostParts:
    """The parts of different months as one, sorted by month."""
    found = [part.frames() for part in parts]
    return CostParts(
        **{
            name: pl.concat([pl.DataFrame(schema=schema), *(frames[name] for frames in found)]).sort(
                "month", maintain_order=True
            )
            for name, schema in SCHEMAS.items()
        }
    )


def part(readings: pl.DataFrame, month: str, pricing: Pricing) -> CostParts:
    """The part of a month that has readings: raw_energy_data's columns."""
    timed = _timed(readings)
    used = timed.filter(~pl.col("appliance").is_in(pricing.exports))
    # The last interval may reach into the next day.
    days = (_first(timed["date"].sort()), _first(timed["date"].sort(descending=True)) + dt.timedelta(days=1))
    periods = [priced_periods(plan, *days, pricing.timezone, pricing.files) for plan in pricing.plans]
    slices = list(used.iter_slices(_ROWS_AT_ONCE)) or [used]
    carbon = _Carbon(pricing)
    frames = {
        "days": _days(slices, periods, pricing.timezone, carbon),
        "hours": _hours(slices, periods),
        "bands": _bands(slices, periods),
        "exports": _exports(timed.filter(pl.col("appliance").is_in(pricing.exports)), periods),
        "demand": _demand(used, pricing, *days),
        "carbon": pl.DataFrame({"missing_hours": [carbon.missing_hours(used)]}),
    }
    return CostParts(
        **{
            name: frame.with_columns(month=pl.lit(month)).select(
                pl.col(column).cast(dtype) for column, dtype in SCHEMAS[name].items()
            )
            for name, frame in frames.items()
        }
    )


def _first(dates: pl.Series) -> dt.date:
    found: dt.date = dates.head(1).to_list()[0]
    return found


def _timed(readings: pl.DataFrame) -> pl.DataFrame:
    """Readings by appliance and instant, with `date`, the `start` and `end` of their interval (UTC), its length `us`,
    and the appliance's usual interval `usual` (null where it cannot be told).

    An interval lasts until the next reading, but no longer than usual. A reading alone is an instant.
    """
    ordered = readings.select("appliance", "timestamp", "kwh", start="timestamp_utc").sort("appliance", "start")
    step = (pl.col("start").shift(-1) - pl.col("start")).dt.total_microseconds()
    stepped = ordered.with_columns(step=pl.when(pl.col("appliance") == pl.col("appliance").shift(-1)).then(step))
    usual = typical(counted(stepped.filter(pl.col("step").is_not_null()), ["appliance"]), ["appliance"])
    return (
        stepped.join(usual.select("appliance", usual="us"), on="appliance", how="left", maintain_order="left")
        .with_columns(us=pl.min_horizontal("step", "usual").fill_null(1).clip(lower_bound=1))
        .with_columns(date=pl.col("timestamp").dt.date(), end=pl.col("start") + pl.duration(microseconds="us"))
        .drop("step")
    )


def _shares(timed: pl.DataFrame, stretches: Sequence[_Stretch]) -> pl.DataFrame:
    """Each reading once for every stretch that its interval meets, as `stretch`, with the `kwh` of its share.

    Stretches are in order, and may have gaps between them: shares that fall into one are left out.
    """
    table = pl.DataFrame(
        {"from": [start for start, _ in stretches], "to": [end for _, end in stretches]},
        schema={"from": _INSTANT, "to": _INSTANT},
    ).with_columns(stretch=pl.int_range(pl.len()))
    first = table["from"].search_sorted(timed["start"], side="right").cast(pl.Int64) - 1
    upto = table["from"].search_sorted(timed["end"] - pl.duration(microseconds=1), side="right").cast(pl.Int64)
    met = pl.min_horizontal("to", "end") - pl.max_horizontal("from", "start")
    return (
        timed.with_columns(stretch=pl.int_ranges(first.clip(lower_bound=0), upto))
        .explode("stretch", empty_as_null=False)
        .join(table, on="stretch", how="left", maintain_order="left")
        .with_columns(share=met.dt.total_microseconds() / pl.col("us"))
        .filter(pl.col("share") > 0)
        .with_columns(kwh=pl.col("kwh") * pl.col("share"))
        .drop("from", "to", "share")
    )


def _priced(timed: pl.DataFrame, periods: list[Period]) -> pl.DataFrame:
    """The shares of the readings that have a price, with `contract`, `band`, `price` and `cost`."""
    told = pl.DataFrame(
        {
            "contract": [period.contract for period in periods],
            "band": [period.band for period in periods],
            "price": [float(period.price) for period in periods],
        },
        schema={"contract": pl.Int32, "band": pl.String, "price": pl.Float64},
    ).with_columns(stretch=pl.int_range(pl.len()))
    return (
        _shares(timed, [(period.start, period.end) for period in periods])
        .join(told, on="stretch", how="left", maintain_order="left")
        .with_columns(cost=pl.col("kwh") * pl.col("price"))
    )


def _summed(frames: Iterable[pl.DataFrame], keys: list[str], **columns: str) -> pl.DataFrame:
    """Sums by group over all frames, sorted; of lists, so that neither cores nor chunks show."""
    sums = [
        frame.group_by(keys, maintain_order=True)
        .agg(pl.col(column).alias(name) for name, column in columns.items())
        .with_columns(pl.col(name).list.sum() for name in columns)
        for frame in frames
    ]
    return _summed([pl.concat(sums)], keys, **{name: name for name in columns}) if len(sums) > 1 else sums[0].sort(keys)


def _days(slices: list[pl.DataFrame], periods: list[list[Period]], timezone: str, carbon: "_Carbon") -> pl.DataFrame:
    keys = ["appliance", "date"]
    kwh = _summed(slices, keys, kwh="kwh")
    co2 = _summed((carbon.known(rows) for rows in slices), keys, co2_kwh="kwh", co2_kg="kg")
    cheapest = _cheapest_hours(periods[CURRENT], timezone) if periods else {}
    priced = _summed(
        (_against_cheapest(_priced(rows, periods[CURRENT] if periods else []), cheapest) for rows in slices),
        [*keys, "contract"],
        priced_kwh="kwh",
        cost="cost",
        dearer_kwh="dearer_kwh",
        dearer_cost="dearer_cost",
    )
    # A reading over midnight, into another contract, makes two rows of its day: energy and CO2 go to the first.
    first = pl.int_range(pl.len()).over(keys) == 0
    own, others = ("kwh", "co2_kwh", "co2_kg"), ("priced_kwh", "cost", "dearer_kwh", "dearer_cost")
    return (
        kwh.join(priced, on=keys, how="left", maintain_order="left")
        .join(co2, on=keys, how="left", maintain_order="left")
        .with_columns(pl.when(first).then(pl.col(name)).otherwise(0.0) for name in own)
        .with_columns(pl.col(*own, *others).fill_null(0.0))
    )


def _against_cheapest(priced: pl.DataFrame, cheapest: Mapping[dt.date, float]) -> pl.DataFrame:
    """The same, with what was used at more than the mean price of the day's `cheapest` hours, and how much more."""
    table = pl.DataFrame(
        {"date": list(cheapest), "cheapest": list(cheapest.values())},
        schema={"date": pl.Date, "cheapest": pl.Float64},
    )
    more = (pl.col("price") - pl.col("cheapest")).clip(lower_bound=0.0).fill_null(0.0)
    return priced.join(table, on="date", how="left", maintain_order="left").with_columns(
        dearer_kwh=pl.when(more > 0).then(pl.col("kwh")).otherwise(0.0), dearer_cost=pl.col("kwh") * more
    )


def _cheapest_hours(periods: list[Period], timezone: str) -> dict[dt.date, float]:
    """The mean price of each local day's cheapest hours; of all that have a price, where these are fewer."""
    by_day: dict[dt.date, list[tuple[Decimal, dt.timedelta]]] = {}
    day = periods[0].start.date() - dt.timedelta(days=2) if periods else dt.date.min
    midnight = dt.datetime.min
    for period in periods:
        at = period.start
        while at < period.end:
            while at >= midnight:
                day += dt.timedelta(days=1)
                midnight = day_start(day + dt.timedelta(days=1), timezone)
            upto = min(period.end, midnight)
            by_day.setdefault(day, []).append((period.price, upto - at))
            at = upto
    return {day: _mean_of_cheapest(prices) for day, prices in by_day.items()}


def _mean_of_cheapest(prices: list[tuple[Decimal, dt.timedelta]]) -> float:
    total, taken = Decimal(0), dt.timedelta()
    for price, length in sorted(prices):
        part = min(length, CHEAPEST - taken)
        total += price * (part // _SECOND)
        taken += part
    return float(total / (taken // _SECOND))


def _hours(slices: list[pl.DataFrame], periods: list[list[Period]]) -> pl.DataFrame:
    time = pl.col("timestamp").dt
    fine = [
        rows.filter((pl.col("usual") <= _HOUR_US).fill_null(True)).with_columns(
            weekday=time.weekday().cast(pl.Int32), hour=time.hour().cast(pl.Int32)
        )
        for rows in slices
    ]
    found = (_priced(rows, periods[CURRENT] if periods else []) for rows in fine)
    return _summed(found, ["contract", "weekday", "hour"], kwh="kwh", cost="cost")


def _bands(slices: list[pl.DataFrame], periods: list[list[Period]]) -> pl.DataFrame:
    found = [
        _summed((_priced(rows, told) for rows in slices), ["contract", "band"], kwh="kwh", cost="cost").with_columns(
            plan=pl.lit(plan, dtype=pl.Int32)
        )
        for plan, told in enumerate(periods)
    ]
    return _without_month("bands", found)


def _exports(fed_in: pl.DataFrame, periods: list[list[Period]]) -> pl.DataFrame:
    found = [
        _summed([_priced(fed_in, told)], ["contract"], kwh="kwh").with_columns(plan=pl.lit(plan, dtype=pl.Int32))
        for plan, told in enumerate(periods)
    ]
    return _without_month("exports", found)


def _without_month(name: str, frames: list[pl.DataFrame]) -> pl.DataFrame:
    schema = {column: dtype for column, dtype in SCHEMAS[name].items() if column != "month"}
    return pl.concat([pl.DataFrame(schema=schema), *(frame.select(*schema) for frame in frames)])


def _demand(used: pl.DataFrame, pricing: Pricing, first: dt.date, last: dt.date) -> pl.DataFrame:
    rows = [
        {"plan": plan, "contract": number, "charge": index, **_highest(used, charge, within)}
        for plan, offered in enumerate(pricing.plans)
        for number, contract in enumerate(offered.terms)
        for index, charge in enumerate(contract.demand)
        if (within := demand_periods(contract, charge, first, last, pricing.timezone))
    ]
    return pl.DataFrame(rows, schema={name: kind for name, kind in SCHEMAS["demand"].items() if name != "month"})


def _highest(used: pl.DataFrame, charge: Demand, within: list[_Stretch]) -> dict[str, float | dt.datetime | None]:
    """The highest mean power of the site, kW, and the local time of its interval; the earliest of equals.

    Intervals are the charge's, or those of the readings where these are longer; unknown where an appliance is read less
    than once an hour. Zero where nothing was read at those times.
    """
    longest = used.select(pl.col("usual").fill_null(_HOUR_US + 1).max().fill_null(0)).item()
    if longest > _HOUR_US:
        return {"kw": None, "at": None}
    us = max(charge.minutes * _MINUTE_US, longest)
    since = pl.col("timestamp") - pl.col("timestamp").dt.truncate(f"{us}us")
    power = _summed(
        (
            rows.with_columns(start=pl.col("start") - since, timestamp=pl.col("timestamp") - since)
            for rows in [used.clear(), *used.iter_slices(_ROWS_AT_ONCE)]
        ),
        ["start", "timestamp"],
        kwh="kwh",
    )
    instants = power.with_columns(
        kw=pl.col("kwh") * (_HOUR_US / us), us=1, end=pl.col("start") + dt.timedelta.resolution
    )
    highest = _shares(instants, within).sort(["kw", "start"], descending=[True, False]).head(1)
    return highest.select("kw", at="timestamp").row(0, named=True) if highest.height else {"kw": 0.0, "at": None}


class _Carbon:
    """What a kWh stands for in CO2, at every moment that is known."""

    def __init__(self, pricing: Pricing) -> None:
        carbon = pricing.carbon
        self.factor = float(carbon.factor) if carbon and carbon.factor is not None else None
        self.listed = intensities(carbon, pricing.timezone, pricing.files) if carbon else []
        self.told = [(one.start, one.end) for one in self.listed]
        self.untold = _gaps(self.told)

    def known(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The shares of the readings for which it is known, with `kg`."""
        intensity = pl.DataFrame(
            {"kg_per_kwh": [float(one.value) for one in self.listed]}, schema={"kg_per_kwh": pl.Float64}
        ).with_columns(stretch=pl.int_range(pl.len()))
        by_hour = _shares(rows, self.told).join(intensity, on="stretch", how="left", maintain_order="left")
        others = _shares(rows, self.untold).with_columns(kg_per_kwh=pl.lit(self.factor, dtype=pl.Float64))
        both = pl.concat([by_hour, others]).filter(pl.col("kg_per_kwh").is_not_null())
        return both.select("appliance", "date", "kwh", kg=pl.col("kwh") * pl.col("kg_per_kwh"))

    def missing_hours(self, used: pl.DataFrame) -> float:
        """How much time, from the first reading to the end of the last, a file of intensities has nothing for."""
        if not self.listed or not used.height:
            return 0.0
        first, last = used.select(pl.col("start").min(), pl.col("end").max()).row(0)
        missing = [min(end, last) - max(start, first) for start, end in self.untold]
        return sum((one for one in missing if one > dt.timedelta()), dt.timedelta()) / dt.timedelta(hours=1)


def _gaps(stretches: list[_Stretch]) -> list[_Stretch]:
    """What lies between stretches in order, before the first and after the last."""
    starts, ends = [start for start, _ in stretches], [end for _, end in stretches]
    between = zip([_EARLIEST, *ends], [*starts, _LATEST], strict=True)
    return [(end, start) for end, start in between if end < start]
