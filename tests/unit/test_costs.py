"""What a site's readings cost, held against a plain loop over minutes, and what follows from the tables of it."""

import calendar
import collections
import datetime as dt
import itertools
import random
import zoneinfo
from decimal import Decimal

import polars as pl
import pytest

from energy import monthly_costs
from energy.carbon import FACTORS, Carbon
from energy.costs import bill_table, cost_table, costs_summary
from energy.monthly_costs import Pricing
from energy.tariffs.periods import price_at, priced_periods
from energy.tariffs.plans import Plan
from tests.unit.priced import parts, priced, pricing, readings

BERLIN = "Europe/Berlin"
WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
# From minute to minute of a day, on which days of the week (0: Monday), at which price; the last at all other times.
BANDS = [(22 * 60 + 30, 6 * 60, range(7), 0.1), (17 * 60, 19 * 60 + 15, range(5), 0.5), (0, 1440, range(7), 0.3)]
PLAN = {
    "currency": "EUR",
    "contracts": [
        {
            "valid_to": "2024-03-30",
            "bands": [
                {"name": "night", "hours": "22:30-06:00", "price": 0.1},
                {"name": "peak", "hours": "17:00-19:15", "days": WORKDAYS, "price": 0.5},
                {"name": "day", "price": 0.3},
            ],
            "standing_per_day": 0.4,
            "demand": {"price_per_kw": 7, "minutes": 15, "hours": "16:00-20:00"},
        },
        {"valid_from": "2024-03-31", "price": 0.25, "tiers": [{"up_to_kwh_per_day": 6, "price": 0}, {"price": 0.2}]},
    ],
}
LAST_OF_FIRST = dt.date(2024, 3, 30)


def price(moment: dt.datetime) -> float:
    """What a kWh costs at a local moment, by the plan above, tiers apart."""
    if moment.date() > LAST_OF_FIRST:
        return 0.25
    minute = moment.hour * 60 + moment.minute
    for start, end, days, euros in BANDS:
        within = start <= minute < end if start < end else minute >= start or minute < end
        if within and moment.weekday() in days:
            return euros
    raise AssertionError(moment)


def site(first: str, last: str, seed: int = 1) -> pl.DataFrame:
    chance = random.Random(seed)
    made = {"Kettle": 15, "Fridge": 60, "Meter": 1440}
    return pl.concat(
        readings(first, last, BERLIN, lambda _: round(chance.expovariate(2), 3), minutes, name)
        for name, minutes in made.items()
    )


def by_the_minute(read: pl.DataFrame, minutes: dict[str, int]) -> dict[tuple[str, dt.date], float]:
    """What each appliance's energy costs by its day, minute by minute."""
    zone = zoneinfo.ZoneInfo(BERLIN)
    cost: dict[tuple[str, dt.date], float] = collections.defaultdict(float)
    for appliance, timestamp, utc, kwh in read.iter_rows():
        for minute in range(minutes[appliance]):
            moment = (utc + dt.timedelta(minutes=minute)).replace(tzinfo=dt.UTC).astimezone(zone)
            cost[appliance, timestamp.date()] += kwh / minutes[appliance] * price(moment)
    return cost


def test_energy_costs_what_a_loop_over_minutes_says_through_a_change_of_the_clock_and_of_the_contract():
    read = site("2024-03-25", "2024-04-03")
    # A reading a day: those of the meter lie 24 hours apart, but 23 where the clocks go forward.
    found = priced(read.filter(pl.col("appliance") != "Meter"), pricing(BERLIN, PLAN))
    without_tiers = parts(read.filter(pl.col("appliance") != "Meter"), pricing(BERLIN, PLAN)).days
    expected = by_the_minute(read.filter(pl.col("appliance") != "Meter"), {"Kettle": 15, "Fridge": 60})
    summed = without_tiers.group_by("appliance", "date").agg(pl.col("cost").sum())
    told = {(name, day): cost for name, day, cost in summed.iter_rows()}
    assert told == pytest.approx(expected)
    assert found.days.height == len(expected)


def test_a_reading_counts_evenly_over_its_interval():
    # From 0:00 to 24:00: 7.5 hours of night, 14.25 of day, 2.25 of peak; on Saturday no peak.
    read = readings("2024-03-04", "2024-03-09", BERLIN, lambda _: 24.0, 1440)
    found = priced(read, pricing(BERLIN, PLAN)).days
    monday = 7.5 * 0.1 + 14.25 * 0.3 + 2.25 * 0.5
    assert found["cost"].to_list() == pytest.approx([monday] * 5 + [7.5 * 0.1 + 16.5 * 0.3])


def test_what_appliances_pay_adds_up_to_the_energy_and_the_tiers_of_the_bills():
    read = site("2024-03-01", "2024-04-30")
    found = priced(read, pricing(BERLIN, PLAN))
    billed = sum((bill.charges.energy + bill.charges.tiers for bill in found.bills), Decimal(0))
    assert sum(found.days["cost"]) == pytest.approx(float(billed))
    assert billed > 0
    assert any(bill.charges.tiers for bill in found.bills)
    # Hours are told by what is read at least once an hour.
    fine = found.days.filter(pl.col("appliance") != "Meter")
    assert sum(found.hours["cost"]) == pytest.approx(sum(fine["cost"]))


def test_tiers_are_filled_by_the_energy_of_all_appliances_and_shared_out_by_it():
    plan = {"currency": "EUR", "tiers": [{"up_to_kwh_per_month": 100, "price": 0.1}, {"price": 0.3}]}
    # 720 hours, 0.25 and 0.75 kWh: 180 and 540 kWh. 100 x 0.1 + 620 x 0.3 = 196, a quarter and three quarters of it.
    read = pl.concat(
        readings("2024-06-01", "2024-06-30", BERLIN, lambda _, kwh=kwh: kwh, 60, name)
        for name, kwh in (("Small", 0.25), ("Large", 0.75))
    )
    summary = costs_summary(priced(read, pricing(BERLIN, plan)), pricing(BERLIN, plan))
    assert [(one.appliance, one.energy_cost) for one in summary.appliances] == [
        ("Large", pytest.approx(147.0)),
        ("Small", pytest.approx(49.0)),
    ]
    assert summary.plans[0].total.total_cost == Decimal(196)


def test_the_highest_power_counts_within_its_hours_only_and_of_all_appliances_together():
    def kettle(at: dt.datetime) -> float:
        return {(18, 30): 0.5, (12, 0): 2.0}.get((at.hour, at.minute), 0.0)

    read = pl.concat(
        [
            readings("2024-03-04", "2024-03-10", BERLIN, kettle, 15, "Kettle"),
            readings("2024-03-04", "2024-03-10", BERLIN, lambda _: 0.05, 15, "Fridge"),
        ]
    )
    found = parts(read, pricing(BERLIN, PLAN)).demand
    assert found.select("contract", "kw", "at").rows() == [(0, pytest.approx(2.2), dt.datetime(2024, 3, 4, 18, 30))]
    # Seven of the month's days: 2.2 kW x 7 EUR x 7/31.
    (bill,) = priced(read, pricing(BERLIN, PLAN)).bills
    assert float(bill.charges.demand) == pytest.approx(2.2 * 7 * 7 / 31)


def test_a_meter_read_once_a_day_tells_no_highest_power_and_the_bill_says_so():
    read = site("2024-03-04", "2024-03-10")
    (bill,) = priced(read, pricing(BERLIN, PLAN)).bills
    assert (bill.charges.demand, bill.charges.unknown_demand) == (0, ("Demand",))


def test_hourly_readings_tell_the_highest_hour_where_quarters_are_charged():
    read = readings("2024-03-04", "2024-03-05", BERLIN, lambda at: 3.0 if at.hour == 17 else 1.0)
    assert parts(read, pricing(BERLIN, PLAN)).demand["kw"].to_list() == [3.0]


def test_days_without_readings_are_billed_between_the_first_and_the_last():
    plan = {"currency": "EUR", "price": 0.5, "standing_per_day": 1}
    read = pl.concat(
        [
            readings("2024-01-30", "2024-01-30", BERLIN, lambda _: 1.0),
            readings("2024-04-02", "2024-04-02", BERLIN, lambda _: 1.0),
        ]
    )
    bills = priced(read, pricing(BERLIN, plan)).bills
    assert [(bill.month, bill.days) for bill in bills] == [
        ("2024-01", 2),
        ("2024-02", 29),
        ("2024-03", 31),
        ("2024-04", 2),
    ]
    assert [float(bill.charges.total) for bill in bills] == [14.0, 29.0, 31.0, 14.0]


def test_energy_without_a_price_is_told_and_costs_nothing():
    plan = {"currency": "EUR", "price": 0.5, "valid_from": "2024-01-03"}
    read = readings("2024-01-01", "2024-01-04", BERLIN, lambda _: 1.0)
    by = pricing(BERLIN, plan)
    found = priced(read, by)
    assert costs_summary(found, by).unpriced_kwh == pytest.approx(48)
    table = cost_table(found, by)
    assert table["energy_cost"].to_list() == [None, None, 12.0, 12.0]
    assert table["co2_kg"].to_list() == [None] * 4
    assert [bill.days for bill in found.bills] == [2]


def test_plans_are_compared_on_the_same_readings():
    flat = {"currency": "EUR", "price": 0.3, "name": "flat"}
    night = {
        "currency": "EUR",
        "name": "night",
        "bands": [{"name": "night", "hours": "00:00-06:00", "price": 0.1}, {"name": "day", "price": 0.4}],
    }
    read = readings("2024-01-01", "2024-01-31", BERLIN, lambda at: 1.0 if at.hour < 6 else 0.1)
    by = pricing(BERLIN, flat, night)
    table = bill_table(priced(read, by), by)
    # 31 days of 6 and 1.8 kWh: 241.8 kWh x 0.3; 186 x 0.1 + 55.8 x 0.4.
    assert table.select("plan", "is_current", "total_cost").rows() == [("flat", True, 72.54), ("night", False, 40.92)]


def test_on_a_flat_tariff_nothing_is_dearer_than_the_cheapest_hours():
    read = site("2024-04-01", "2024-04-07")
    days = priced(read, pricing(BERLIN, {"currency": "EUR", "price": 0.25})).days
    assert days["cost"].sum() > 0
    assert set(days["dearer_kwh"]) == set(days["dearer_cost"]) == {0.0}


def test_what_is_used_outside_the_cheapest_hours_costs_so_much_more():
    # A night of 7.5 hours holds the four cheapest: 2 kWh at 0.3 cost 0.4 more than at 0.1, 1 kWh at 0.5 another 0.4.
    used = {3: 5.0, 12: 2.0, 18: 1.0}
    read = readings("2024-03-04", "2024-03-04", BERLIN, lambda at: used.get(at.hour, 0.0))
    days = priced(read, pricing(BERLIN, PLAN)).days
    assert days.select("dearer_kwh", "dearer_cost").row(0) == pytest.approx((3.0, 0.8))


def test_the_cheapest_hours_of_prices_by_the_hour_are_four():
    values = [0.05, 0.10, 0.15, 0.30, *[0.40] * 20]
    text = "start,value\n" + "".join(f"2024-01-15T{hour:02d}:00Z,{value}\n" for hour, value in enumerate(values))
    plan = {"currency": "EUR", "prices": {"file": "a.csv"}}
    read = readings("2024-01-15", "2024-01-15", "UTC", lambda at: 1.0 if at.hour == 20 else 0.0)
    days = priced(read, pricing("UTC", plan, files={"a.csv": text})).days
    # The mean of the four is 0.15.
    assert days.select("cost", "dearer_kwh", "dearer_cost").row(0) == pytest.approx((0.4, 1.0, 0.25))


def test_how_many_rows_are_priced_at_once_never_shows(monkeypatch):
    read = site("2024-03-28", "2024-04-02")
    by = Pricing(BERLIN, (Plan.model_validate(PLAN),), Carbon(country="DE"), {})
    whole = parts(read, by).frames()
    monkeypatch.setattr(monthly_costs, "_ROWS_AT_ONCE", 7)
    for name, frame in parts(read.sample(fraction=1.0, shuffle=True, seed=3), by).frames().items():
        floats = [column for column, dtype in frame.schema.items() if dtype == pl.Float64]
        assert frame.drop(floats).equals(whole[name].drop(floats)), name
        for column in floats:
            assert frame[column].to_list() == pytest.approx(whole[name][column].to_list()), (name, column)


def test_the_order_of_rows_never_shows_in_a_byte():
    read = site("2024-03-28", "2024-04-02")
    by = Pricing(BERLIN, (Plan.model_validate(PLAN),), Carbon(country="DE"), {})
    shuffled = parts(read.sample(fraction=1.0, shuffle=True, seed=3), by).frames()
    assert all(frame.equals(parts(read, by).frames()[name]) for name, frame in shuffled.items())


def test_co2_is_energy_times_the_factor_of_the_country():
    read = readings("2024-01-01", "2024-01-02", BERLIN, lambda _: 1.0)
    by = Pricing(BERLIN, (), Carbon(country="FR"), {})
    found = priced(read, by)
    carbon = costs_summary(found, by).carbon
    assert (carbon.kg, carbon.kwh, carbon.unknown_kwh) == (pytest.approx(48 * 0.041), 48.0, 0.0)
    assert carbon.factor_source.endswith("2025")
    assert cost_table(found, by).select("energy_cost", "currency").rows() == [(None, None)] * 2
    assert found.bills == []


INTENSITIES = "start,value\n2024-01-01T00:00+01:00,100\n2024-01-01T01:00+01:00,300\n2024-01-01T03:00+01:00,500\n"


def test_co2_by_the_hour_says_which_hours_are_missing():
    read = readings("2024-01-01", "2024-01-01", BERLIN, lambda _: 2.0)
    carbon = Carbon.model_validate({"intensity": {"file": "grid.csv"}})
    by = Pricing(BERLIN, (), carbon, {"grid.csv": INTENSITIES})
    found = costs_summary(priced(read, by), by).carbon
    # Three hours are told: 2 kWh x (0.1 + 0.3 + 0.5) kg; 21 are not.
    assert (found.kg, found.kwh, found.unknown_kwh, found.missing_hours) == (pytest.approx(1.8), 6.0, 42.0, 21.0)
    assert cost_table(priced(read, by), by)["co2_kg"].to_list() == [None]


def test_where_the_hour_is_missing_the_factor_counts():
    read = readings("2024-01-01", "2024-01-01", BERLIN, lambda _: 2.0)
    carbon = Carbon.model_validate({"kg_per_kwh": 0.2, "intensity": {"file": "grid.csv"}})
    by = Pricing(BERLIN, (), carbon, {"grid.csv": INTENSITIES})
    found = costs_summary(priced(read, by), by).carbon
    assert (found.kg, found.unknown_kwh, found.missing_hours) == (pytest.approx(1.8 + 42 * 0.2), 0.0, 21.0)


def test_every_factor_is_of_this_decade_and_has_a_source():
    assert len(FACTORS) >= 25
    for country, factor in FACTORS.items():
        assert 0 < factor.kg_per_kwh < 1, country
        assert factor.year >= 2020, country
        assert factor.source, country


@pytest.mark.parametrize("clock", ["local", "standard"])
@pytest.mark.parametrize(
    "timezone", ["Europe/Dublin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
)
def test_periods_are_those_of_the_clock_in_every_zone(timezone, clock):
    plan = Plan.model_validate(
        {"currency": "EUR", "clock": clock, "bands": PLAN["contracts"][0]["bands"], "holidays": ["05-01"]}
    )
    first, last = dt.date(2024, 3, 1), dt.date(2024, 5, 5)
    periods = priced_periods(plan, first, last, timezone, {})
    assert all(one.end == other.start for one, other in itertools.pairwise(periods))
    zone = zoneinfo.ZoneInfo(timezone)
    at = 0
    moment = periods[0].start
    while moment < periods[-1].end:
        while periods[at].end <= moment:
            at += 1
        local = moment.replace(tzinfo=dt.UTC).astimezone(zone)
        if clock == "standard":
            offset = min(dt.datetime(2024, month, 1, tzinfo=zone).utcoffset() for month in (1, 7))
            local = (moment + offset).replace(tzinfo=zone)
        minute, holiday = local.hour * 60 + local.minute, (local.month, local.day) == (5, 1)
        night = minute >= 1350 or minute < 360
        peak = 1020 <= minute < 1155 and local.weekday() < 5 and not holiday
        assert periods[at].band == ("night" if night else "peak" if peak else "day"), (moment, local)
        moment += dt.timedelta(minutes=15)


def test_the_price_of_a_stretch_of_time_is_its_mean():
    plan = Plan.model_validate({"currency": "EUR", "bands": PLAN["contracts"][0]["bands"]})
    periods = priced_periods(plan, dt.date(2024, 3, 4), dt.date(2024, 3, 4), "UTC", {})
    day = dt.datetime(2024, 3, 4)
    assert price_at(periods, day + dt.timedelta(hours=18), day + dt.timedelta(hours=19)) == Decimal("0.5")
    # A quarter of an hour of peak, and three of day.
    assert price_at(periods, day + dt.timedelta(hours=19), day + dt.timedelta(hours=20)) == Decimal("0.35")
    assert price_at(periods, day + dt.timedelta(hours=23), day + dt.timedelta(hours=25)) is None
    assert price_at(periods, day - dt.timedelta(hours=1), day + dt.timedelta(hours=1)) is None


def test_months_have_as_many_days_as_the_calendar_says():
    plan = {"currency": "EUR", "price": 0.0, "standing_per_month": 30}
    read = readings("2024-02-01", "2024-03-15", BERLIN, lambda _: 1.0)
    charged = [float(bill.charges.standing) for bill in priced(read, pricing(BERLIN, plan)).bills]
    assert charged == [30.0, pytest.approx(30 * 15 / calendar.monthrange(2024, 3)[1])]
