"""What is usual for an hour at its time of the year, of appliances that have seasons, and of those that have none."""

import datetime as dt
import math
import os
import random
import statistics
import subprocess
import sys

import polars as pl
import pytest

from energy import anomaly_hours, anomaly_seasons
from tests.unit.unusual_home import HOUR, found, hours

FIRST = dt.datetime(2022, 1, 1)
DAYS = 730


def in_days(series):
    """An hourly table like `hours`, from the first of a year on."""
    later = FIRST - hours(any=[1.0])["timestamp"][0]
    return hours(**series).with_columns(pl.col("timestamp", "timestamp_utc") + later)


def heating(days=DAYS, seed=1):
    """Little in summer; in winter ten times as much, more in the morning and on colder days."""
    chance = random.Random(seed)
    series = []
    for day in range(days):
        level = 0.2 + 1.8 * max(0.0, math.cos(2 * math.pi * day / 365)) * chance.uniform(0.7, 1.3)
        series += [level * (1.5 if hour in {6, 7} else 1.0) * chance.uniform(0.9, 1.1) for hour in range(24)]
    return series


def fridge(days=DAYS, seed=2):
    """A tenth more in summer."""
    chance = random.Random(seed)
    return [
        0.06 * (1 - 0.1 * math.cos(2 * math.pi * day / 365)) * chance.uniform(0.7, 1.3)
        for day in range(days)
        for _ in range(24)
    ]


def at(day, hour):
    return 24 * day + hour


def by_month(table):
    return anomaly_seasons.usual_by_month(table, anomaly_hours.usual_hours(table))


def usual(table):
    return anomaly_seasons.with_usual(table, anomaly_hours.usual_hours(table), by_month(table))


def test_the_winters_of_a_heated_home_are_usual_and_a_spike_on_a_summer_night_is_not():
    series = heating()
    spike = at(190, 3)
    # Less than any winter's hour, and three times a summer's.
    series[spike] = 0.6
    assert min(series[at(365 - 10, 0) : at(365 + 10, 0)]) > 0.6
    events = found(in_days({"heating": series})).events
    night = events.filter(pl.col("start_timestamp") == FIRST + spike * HOUR)
    assert night["kind"].to_list() == ["high_use"]
    assert night["expected_kwh"].item() == pytest.approx(0.2, rel=0.2)
    in_winter = events.filter(pl.col("start_timestamp").dt.month().is_in([12, 1, 2]))
    assert in_winter["hours"].sum() < 0.01 * 6 * 30 * 24


def test_every_month_is_judged_by_a_plain_loop_over_the_three_months_around_it():
    table = in_days({"heating": heating()})
    told = {(row["month"], row["hour"]): row["expected"] for row in by_month(table).iter_rows(named=True)}
    by_hour = {}
    for time, kwh in table.select("timestamp", "kwh").iter_rows():
        by_hour.setdefault((time.year * 12 + time.month - 1, time.hour), []).append(kwh)
    # The first and the last month have one neighbour.
    assert len(by_hour) == 24 * 24
    for month, hour in by_hour:
        expected = told[month, hour]
        around = [kwh for near in (month - 1, month, month + 1) for kwh in by_hour.get((near, hour), [])]
        assert expected == pytest.approx(statistics.median(around))


def test_a_month_with_too_few_days_around_it_is_judged_by_the_whole_history():
    table = in_days({"heating": heating()})
    # Six days of May in a gap from April to June, and eight days of November in one from October to December.
    day = (pl.col("timestamp") - FIRST).dt.total_days()
    lost = day.is_between(90, 180) & ~day.is_between(130, 135) | day.is_between(273, 364) & ~day.is_between(310, 317)
    table = table.filter(~lost)
    whole = {row["hour"]: row for row in anomaly_hours.usual_hours(table).iter_rows(named=True)}
    told = usual(table).select("expected", "high", "low", "hour", day=day)
    few = told.filter(pl.col("day").is_between(130, 135))
    assert few.height == 6 * 24
    for row in few.iter_rows(named=True):
        assert [row[name] for name in ("expected", "high", "low")] == [
            whole[row["hour"]][name] for name in ("expected", "high", "low")
        ]
    own = table.filter(day.is_between(310, 317), pl.col("timestamp").dt.hour() == 3)["kwh"].to_list()
    enough = told.filter(pl.col("day").is_between(310, 317), pl.col("hour") == 3)["expected"].unique().to_list()
    assert enough == [pytest.approx(statistics.median(own))]


def test_a_history_of_five_months_has_no_seasons_and_one_of_six_has():
    assert by_month(in_days({"heating": heating(31 + 28 + 31 + 30 + 31)})).is_empty()
    assert not by_month(in_days({"heating": heating(31 + 28 + 31 + 30 + 31 + 1)})).is_empty()


def test_a_fridge_has_no_season_and_three_weeks_of_twice_as_much_are_told():
    series = fridge()
    series[at(400, 0) : at(421, 0)] = [2 * kwh for kwh in series[at(400, 0) : at(421, 0)]]
    table = in_days({"fridge": series, "heating": heating()})
    assert by_month(table)["appliance"].unique().to_list() == ["heating"]
    told = found(table).hours.filter(pl.col("appliance") == "fridge", pl.col("event_id").is_not_null())
    within = told.filter(((pl.col("timestamp") - FIRST).dt.total_days()).is_between(400, 420))
    assert within.height > 0.7 * 21 * 24
    assert told.height - within.height < 10


def test_a_freezer_that_stood_still_for_a_season_still_stopped():
    series = fridge(365)
    series[at(150, 0) : at(250, 0)] = [0.0] * 100 * 24
    table = in_days({"freezer": series})
    assert not by_month(table).is_empty()
    (event,) = found(table).events.filter(pl.col("kind") == "stopped").iter_rows(named=True)
    assert event["hours"] == 100 * 24
    assert event["expected_kwh"] == pytest.approx(100 * 24 * 0.06, rel=0.15)


def test_an_outage_in_winter_misses_what_is_usual_in_winter():
    winter, summer = at(375, 0), at(190, 0)
    series, other = heating(), fridge()
    for start in (winter, summer):
        for one in (series, other):
            one[start : start + 5] = [0.0] * 5
    outages = found(in_days({"heating": series, "fridge": other})).events.filter(pl.col("kind") == "outage")
    assert outages["start_timestamp"].to_list() == [FIRST + summer * HOUR, FIRST + winter * HOUR]
    in_summer, in_winter = outages["expected_kwh"].to_list()
    assert in_summer == pytest.approx(5 * (0.2 + 0.06), rel=0.2)
    assert in_winter > 5 * 1.2


def test_an_appliance_that_the_rule_has_too_little_to_go_by_is_not_judged_by_month_either():
    # Three o'clock was read in one week of two years.
    early = (pl.col("timestamp").dt.hour() == 3) & (pl.col("timestamp") > FIRST + dt.timedelta(days=5))
    table = in_days({"heating": heating()}).filter(~early)
    assert anomaly_hours.usual_hours(table)["limited"].unique().to_list() == ["short_history"]
    assert by_month(table).is_empty()


def test_what_is_mostly_off_is_judged_by_its_own_winter_and_its_runs_by_the_whole_history():
    chance = random.Random(3)
    # Off from April to October, as gas is.
    series = [
        kwh * chance.uniform(0.5, 1.5) if day % 365 < 90 or day % 365 > 304 else 0.0
        for day in range(DAYS)
        for kwh in (1.0 if hour in {6, 7, 18, 19, 20} else 0.4 for hour in range(24))
    ]
    table = in_days({"gas": series})
    assert anomaly_hours.usual_hours(table)["running"].null_count() == 0
    told = usual(table)
    january = told.filter(pl.col("timestamp").dt.month() == 1)
    assert january.filter(pl.col("hour") == 19)["expected"].mean() == pytest.approx(1.0, rel=0.1)
    assert january.filter(pl.col("hour") == 3)["expected"].mean() == pytest.approx(0.4, rel=0.1)
    assert told["running"].null_count() == 0
    assert told["running"].n_unique() == 1


def test_the_order_of_rows_does_not_matter():
    series = heating()
    series[at(190, 3)] = 0.6
    table = in_days({"heating": series, "fridge": fridge()})
    one, other = found(table), found(table.sample(fraction=1.0, shuffle=True, seed=5))
    assert one.events.height > 0
    assert other.hours.equals(one.hours)
    assert other.events.equals(one.events)


@pytest.mark.slow
def test_the_number_of_cores_does_not_matter():
    program = (
        "import hashlib\n"
        "from tests.unit import test_anomaly_seasons as seasons\n"
        "table = seasons.in_days({'heating': seasons.heating()})\n"
        "print(hashlib.sha256(seasons.usual(table).write_csv().encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"POLARS_MAX_THREADS": str(cores)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for cores in (1, 5)
    }
    assert len(digests) == 1
