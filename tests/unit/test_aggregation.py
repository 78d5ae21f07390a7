"""The tables of a site, against figures worked out by hand and by plain loops."""

import datetime as dt
import math
import random
import statistics
import zoneinfo
from collections import defaultdict

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import local_days, parquet
from energy.quality import quality_table
from energy.schema import APPLIANCES, DAILY, HOURLY, PROFILE
from energy.summary import day_totals, readings_summary
from tests.unit.whole_history import history

BERLIN = "Europe/Berlin"


def readings(*rows, timezone="UTC"):
    """Rows of (ISO local time, or an instant with offset; appliance; kwh)."""
    zone = zoneinfo.ZoneInfo(timezone)
    local, utc = [], []
    for text, _, _ in rows:
        moment = dt.datetime.fromisoformat(text)
        aware = moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)
        local.append(aware.replace(tzinfo=None))
        utc.append(aware.astimezone(dt.UTC).replace(tzinfo=None))
    frame = {
        "timestamp": local,
        "timestamp_utc": utc,
        "appliance": [r[1] for r in rows],
        "kwh": [float(r[2]) for r in rows],
        "estimated": [False] * len(rows),
    }
    return pl.DataFrame(frame, schema_overrides={"timestamp": pl.Datetime("us"), "timestamp_utc": pl.Datetime("us")})


def summary_of(frame, uploads=1):
    """The document of these readings, read in UTC."""
    tables = history(frame, "UTC")
    return readings_summary(tables, quality_table(tables.parts, tables, [], {}, "UTC"), "home", "UTC", uploads)


def every(minutes, start, count, appliance="oven", *, kwh=1.0, timezone="UTC"):
    """`count` readings from an instant on, one every so many minutes."""
    first = dt.datetime.fromisoformat(start)
    times = [(first + dt.timedelta(minutes=minutes * n)).isoformat() for n in range(count)]
    return readings(*((time, appliance, kwh) for time in times), timezone=timezone)


def test_statistics_of_an_appliance_by_hand():
    tables = history(
        readings(
            ("2024-03-01 10:00", "oven", 1),
            ("2024-03-01 11:00", "oven", 2),
            ("2024-03-02 10:00", "oven", 6),
            ("2024-03-02 10:00", "fridge", 3),
        ),
        "UTC",
    )
    fridge, oven = parquet.as_table(tables.appliances, APPLIANCES).iter_rows(named=True)
    assert (oven["total_kwh"], oven["avg_kwh"], oven["min_kwh"], oven["max_kwh"], oven["readings"]) == (9, 3, 1, 6, 3)
    assert oven["std_kwh"] == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert (oven["share"], fridge["share"]) == (0.75, 0.25)
    assert fridge["std_kwh"] is None
    assert oven["first_timestamp"] == dt.datetime(2024, 3, 1, 10)
    assert oven["last_timestamp"] == dt.datetime(2024, 3, 2, 10)
    # Hour 10: (1 + 6) over 2 days = 3.5; hour 11: 2 over 1 day.
    assert list(tables.profile.filter(pl.col("appliance") == "oven").iter_rows()) == [
        ("oven", 10, 3.5, 2),
        ("oven", 11, 2.0, 1),
    ]
    assert oven["peak_hour"] == 10


def test_the_earliest_of_equal_hours_is_the_peak_whatever_rounding_says():
    # 0.1 + 0.2 and 0.3 differ in the last digit.
    rows = [
        ("2024-03-01 09:00", "oven", 0.2),
        ("2024-03-01 10:00", "oven", 0.3),
        ("2024-03-01 11:00", "oven", 0.1),
        ("2024-03-01 11:30", "oven", 0.2),
    ]
    assert history(readings(*rows), "UTC").appliances["peak_hour"].to_list() == [10]


def test_a_site_that_used_nothing_has_no_shares():
    tables = history(every(60, "2024-03-01 00:00", 5, kwh=0.0), "UTC")
    assert tables.appliances["share"].to_list() == [None]
    assert tables.appliances["total_kwh"].to_list() == [0.0]


def test_readings_of_an_hour_are_added_up():
    tables = history(
        readings(
            ("2024-07-01 10:00", "oven", 1),
            ("2024-07-01 10:45", "oven", 2),
            ("2024-07-01 11:00", "oven", 4),
            timezone=BERLIN,
        ),
        BERLIN,
    )
    assert list(parquet.as_table(tables.hourly, HOURLY).iter_rows()) == [
        (dt.datetime(2024, 7, 1, 10), dt.datetime(2024, 7, 1, 8), "oven", 3.0, 2),
        (dt.datetime(2024, 7, 1, 11), dt.datetime(2024, 7, 1, 9), "oven", 4.0, 1),
    ]


def test_the_repeated_autumn_hour_is_two_hours():
    tables = history(every(30, "2024-10-27T00:00+00:00", 4, timezone=BERLIN), BERLIN)
    two = dt.datetime(2024, 10, 27, 2)
    assert list(tables.hourly.select("timestamp", "timestamp_utc", "kwh").iter_rows()) == [
        (two, dt.datetime(2024, 10, 27, 0), 2.0),
        (two, dt.datetime(2024, 10, 27, 1), 2.0),
    ]
    assert list(tables.profile.iter_rows()) == [("oven", 2, 4.0, 1)]


def test_hours_start_with_the_local_clock_in_zones_half_an_hour_off():
    tables = history(every(30, "2024-03-01 10:00", 4, timezone="Asia/Kolkata"), "Asia/Kolkata")
    assert list(tables.hourly.select("timestamp", "timestamp_utc", "kwh").iter_rows()) == [
        (dt.datetime(2024, 3, 1, 10), dt.datetime(2024, 3, 1, 4, 30), 2.0),
        (dt.datetime(2024, 3, 1, 11), dt.datetime(2024, 3, 1, 5, 30), 2.0),
    ]


@pytest.mark.parametrize(
    ("start", "hours", "date"),
    [
        ("2024-03-29T23:00+00:00", 24, "2024-03-30"),
        ("2024-03-30T23:00+00:00", 23, "2024-03-31"),
        ("2024-10-26T22:00+00:00", 25, "2024-10-27"),
    ],
)
def test_a_day_has_23_24_or_25_hours(start, hours, date):
    full = history(every(15, start, hours * 4, timezone=BERLIN), BERLIN).daily
    assert list(parquet.as_table(full, DAILY).iter_rows()) == [
        (dt.date.fromisoformat(date), "oven", hours * 4, 1.0, True)
    ]
    longer = history(every(15, start, hours * 4 + 1, timezone=BERLIN), BERLIN).daily
    assert longer.height == 2


@pytest.mark.parametrize(("missing", "complete"), [(9, True), (10, False)])
def test_a_day_is_complete_from_nine_tenths_on(missing, complete):
    # 96 quarter hours; 87 of them are 90.6 %, 86 are 89.6 %.
    day = history(every(15, "2024-03-01 00:00", 96 - missing), "UTC").daily
    assert day["complete"].to_list() == [complete]
    assert day["coverage"][0] == pytest.approx((96 - missing) / 96)


def test_two_readings_in_one_interval_cover_it_once():
    hourly = every(60, "2024-03-01 00:00", 24)
    extra = readings(("2024-03-01 05:10", "oven", 1))
    without_six = hourly.filter(pl.col("timestamp").dt.hour() != 6)
    day = history(pl.concat([without_six, extra]), "UTC").daily
    assert day["coverage"][0] == pytest.approx(23 / 24)


def test_a_new_meter_does_not_make_earlier_months_incomplete():
    old, new = every(60, "2024-02-01 00:00", 29 * 24), every(1, "2024-03-01 00:00", 31 * 1440)
    daily = history(pl.concat([old, new]), "UTC").daily
    assert daily.height == 60
    assert daily["complete"].all()


def test_a_single_reading_says_nothing_about_coverage():
    daily = history(readings(("2024-03-01 10:00", "oven", 1)), "UTC").daily
    assert list(daily.iter_rows()) == [(dt.date(2024, 3, 1), "oven", 1.0, None, False)]


def test_a_day_whose_midnight_clocks_skip_starts_when_they_jump():
    # Cairo, 26 April 2024: from 00:00 to 01:00.
    assert local_days.day_start(dt.date(2024, 4, 26), "Africa/Cairo") == dt.datetime(2024, 4, 25, 22)
    assert local_days.day_start(dt.date(2024, 4, 27), "Africa/Cairo") == dt.datetime(2024, 4, 26, 21)


def test_the_interval_is_the_median_step():
    ordered = pl.concat(
        [every(15, "2024-03-01 00:00", 10), every(60, "2024-03-02 00:00", 5), every(5, "2024-03-01 00:00", 1, "x")]
    )
    assert list(history(ordered, "UTC").intervals.iter_rows()) == [("oven", dt.timedelta(minutes=15)), ("x", None)]


def wavering(seconds, amplitude, start, count):
    """A reading every so many seconds, each up to `amplitude` seconds early or late, no two steps alike."""
    chance = random.Random(7)
    first = dt.datetime.fromisoformat(start)
    times = [first + dt.timedelta(seconds=seconds * n + chance.uniform(-amplitude, amplitude)) for n in range(count)]
    return readings(*((time.isoformat(), "oven", 1) for time in times))


def days_of(frame, timezone="UTC"):
    daily = history(frame, timezone).daily
    return {str(date): (coverage, complete) for date, _, _, coverage, complete in daily.iter_rows()}


def test_a_lone_reading_after_a_gap_is_no_complete_day():
    january = every(60, "2024-01-01 00:00", 19 * 24)
    days = days_of(pl.concat([january, readings(("2024-02-01 00:00", "oven", 1))]))
    assert days.pop("2024-02-01") == (pytest.approx(1 / 24), False)
    assert set(days.values()) == {(1.0, True)}


def test_readings_a_week_apart_make_no_complete_day():
    assert set(days_of(every(7 * 1440, "2024-01-01 00:00", 9)).values()) == {(None, False)}


@pytest.mark.parametrize("timezone", ["UTC", BERLIN])
def test_a_reading_a_day_makes_complete_days_also_when_clocks_change(timezone):
    rows = [(f"2024-{month}-{day} 07:00", "oven", 1) for month in ("03", "10") for day in range(25, 32)]
    assert set(days_of(readings(*rows, timezone=timezone), timezone).values()) == {(1.0, True)}


def test_a_meter_changed_in_mid_month_leaves_both_sides_complete():
    old, new = every(60, "2024-03-01 00:00", 20 * 24), every(1, "2024-03-21 00:00", 2 * 1440)
    days = days_of(pl.concat([old, new]))
    assert len(days) == 22
    assert set(days.values()) == {(1.0, True)}


@pytest.mark.parametrize("amplitude", [0.4, 12])
def test_a_clock_that_wavers_around_the_minute_covers_its_days(amplitude):
    days = days_of(wavering(60, amplitude, "2024-03-01 00:00:15", 4 * 1440))
    assert len(days) == 4
    assert all(complete and coverage > 0.98 for coverage, complete in days.values())
    # Around midnight of the clock itself: the first reading of a day may come late in the day before.
    days = days_of(wavering(60, amplitude, "2024-03-01 00:00", 4 * 1440))
    whole = [days[f"2024-03-{day:02d}"] for day in range(1, 5)]
    assert all(complete and coverage > 0.98 for coverage, complete in whole)


def test_an_outage_lowers_coverage_whatever_the_steps_beside_it():
    month = every(60, "2024-03-01 00:00", 10 * 24)
    morning_only = month.filter((pl.col("timestamp").dt.day() != 5) | (pl.col("timestamp").dt.hour() < 12))
    assert days_of(morning_only)["2024-03-05"] == (0.5, False)
    assert days_of(month.head(12))["2024-03-01"] == (0.5, False)
    twice = month.filter((pl.col("timestamp").dt.day() != 5) | pl.col("timestamp").dt.hour().is_in([0, 12]))
    assert days_of(twice)["2024-03-05"] == (pytest.approx(2 / 24), False)


def test_several_readings_a_second_are_counted_by_seconds():
    days = days_of(readings(*((f"2024-03-01 00:00:{n / 4:06.3f}", "oven", 1) for n in range(200))))
    assert days["2024-03-01"] == (pytest.approx(50 / 86_400, abs=1.2 / 86_400), False)


@pytest.mark.parametrize("kwh", [0.0, 0.3])
def test_hours_all_alike_have_no_peak(kwh):
    frame = every(30, "2024-03-01 00:00", 96, kwh=kwh)
    tables = history(frame, "UTC")
    assert tables.appliances["peak_hour"].to_list() == [None]
    assert tables.profile.height == 24
    assert summary_of(frame).peak_hour is None


def test_a_meter_read_once_a_day_says_nothing_about_hours():
    daily, hourly = every(1440, "2024-03-01 00:00", 14, "meter", kwh=50), every(60, "2024-03-01 00:00", 336)
    hourly = hourly.with_columns(kwh=pl.when(pl.col("timestamp").dt.hour() == 18).then(2.0).otherwise(1.0))
    alone = summary_of(daily)
    assert alone.peak_hour is None
    assert alone.appliances[0].profile_kwh == [None] * 24
    assert alone.weekday_hour_kwh == [[None] * 24] * 7
    tables = history(pl.concat([daily, hourly]), "UTC")
    both = summary_of(pl.concat([daily, hourly]))
    assert {one.appliance: one.peak_hour for one in both.appliances} == {"meter": None, "oven": 18}
    assert (both.peak_hour, both.weekday_hour_kwh[0]) == (18, [1.0] * 18 + [2.0] + [1.0] * 5)
    assert (both.appliances[0].interval_minutes, both.appliances[0].complete_days) == (1440.0, 14)
    assert tables.hourly["kwh"].sum() == both.total_kwh == 14 * 50 + 336 + 14


def random_month(seed):
    chance = random.Random(seed)
    start = dt.datetime(2024, 3, 15)
    rows = [
        ((start + dt.timedelta(minutes=30 * n)).isoformat() + "+00:00", name, chance.random())
        for n in range(48 * 30)
        for name in ("fridge", "oven")
        if chance.random() < 0.97
    ]
    return readings(*rows, timezone=BERLIN)


def test_every_table_agrees_with_a_plain_loop():
    frame = random_month(5)
    tables = history(frame, BERLIN)
    hours, days, profile = defaultdict(float), defaultdict(float), defaultdict(lambda: defaultdict(float))
    by_appliance = defaultdict(list)
    for local, utc, name, kwh in frame.drop("estimated").iter_rows():
        hours[utc.replace(minute=0), name] += kwh
        days[local.date(), name] += kwh
        profile[name, local.hour][local.date()] += kwh
        by_appliance[name].append(kwh)
    found = {
        (utc, name): kwh for utc, name, kwh in tables.hourly.select("timestamp_utc", "appliance", "kwh").iter_rows()
    }
    assert found == pytest.approx(hours)
    assert {(day, name): kwh for day, name, kwh, *_ in tables.daily.iter_rows()} == pytest.approx(days)
    means = {key: sum(energy.values()) / len(energy) for key, energy in profile.items()}
    assert {(name, hour): mean for name, hour, mean, _ in tables.profile.iter_rows()} == pytest.approx(means)
    for row in tables.appliances.iter_rows(named=True):
        series = by_appliance[row["appliance"]]
        assert row["total_kwh"] == pytest.approx(math.fsum(series), abs=1e-9)
        assert row["std_kwh"] == pytest.approx(statistics.stdev(series))
        best = max(range(24), key=lambda hour: means[row["appliance"], hour])
        assert row["peak_hour"] == best


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_energy_is_conserved_and_the_order_of_rows_does_not_change_a_byte(seed, chance):
    frame = random_month(seed).head(400)
    order = list(range(frame.height))
    chance.shuffle(order)
    first, second = (history(rows, BERLIN) for rows in (frame, frame[order]))
    total = math.fsum(frame["kwh"])
    for table, schema in (
        (first.appliances, APPLIANCES),
        (first.hourly, HOURLY),
        (first.daily, DAILY),
        (first.profile, PROFILE),
    ):
        energy = (
            table["kwh" if "kwh" in table.columns else "total_kwh"]
            if schema is not PROFILE
            else (table["mean_kwh"] * table["days"])
        )
        assert math.fsum(energy) == pytest.approx(total, abs=1e-9)
        assert table.null_count().sum_horizontal()[0] == 0
    for name, schema in (("appliances", APPLIANCES), ("hourly", HOURLY), ("daily", DAILY), ("profile", PROFILE)):
        assert parquet.table_bytes(getattr(first, name), schema) == parquet.table_bytes(getattr(second, name), schema)


def test_a_day_without_one_of_the_appliances_is_not_complete():
    oven, fridge = every(60, "2024-03-01 00:00", 48), every(60, "2024-03-01 00:00", 24, "fridge")
    tables = history(pl.concat([oven, fridge]), "UTC")
    first, second = day_totals(tables.daily, 2)
    assert (first.kwh, first.coverage, first.complete) == (48.0, 1.0, True)
    assert (second.kwh, second.coverage, second.complete) == (24.0, 0.5, False)


def test_the_summary_says_what_a_report_needs():
    # Friday 1 March and Sunday 3 March, in full; nothing on the Saturday between.
    oven = pl.concat([every(60, "2024-03-01 00:00", 24), every(60, "2024-03-03 00:00", 24, kwh=3.0)])
    fridge = readings(("2024-03-01 10:00", "fridge", 5))
    summary = summary_of(pl.concat([oven, fridge]), uploads=2)
    assert (summary.total_kwh, summary.readings, summary.uploads) == (24 + 72 + 5, 49, 2)
    assert (summary.first_timestamp, summary.last_timestamp) == (dt.datetime(2024, 3, 1), dt.datetime(2024, 3, 3, 23))
    # Oven 1 and fridge 0 (interval unknown) on two of three days.
    assert summary.coverage == pytest.approx((0.5 + 0.5) / 3)
    assert [a.appliance for a in summary.appliances] == ["oven", "fridge"]
    largest, smallest = summary.appliances
    assert (largest.complete_days, largest.interval_minutes, largest.profile_kwh) == (2, 60.0, [2.0] * 24)
    assert (smallest.complete_days, smallest.interval_minutes, smallest.std_kwh) == (0, None, None)
    assert smallest.profile_kwh == [None] * 10 + [5.0] + [None] * 13
    # 10:00 is 1 + 5 on Friday and 3 on Sunday: a mean of 4.5; every other hour 2.
    assert summary.peak_hour == 10
    assert summary.weekday_hour_kwh[4] == [1.0] * 10 + [6.0] + [1.0] * 13
    assert summary.weekday_hour_kwh[6] == [3.0] * 24
    assert summary.weekday_hour_kwh[5] == [None] * 24
