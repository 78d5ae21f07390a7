"""Runs of hours that are alike: each kind with a case worked out by hand, and with one that only looks like it."""

import datetime as dt
import random

import polars as pl
import pytest

from energy import anomalies
from tests.unit.unusual_home import HOUR, START, found, hours, wavering


def events(kind, table, **named):
    """The events of a kind, by start."""
    return found(table, **named).events.filter(pl.col("kind") == kind).to_dicts()


def spans(rows):
    """From which hour to which, and of what."""
    return [
        (row["appliance"], (row["start_timestamp"] - START) / HOUR, (row["end_timestamp"] - START) / HOUR)
        for row in rows
    ]


def fridge(days, seed=1):
    return wavering(days, seed, level=0.06, evening=0.06, by=0.3)


def kettle(days, seed=2):
    """Off but for a while after seven and at four."""
    chance = random.Random(seed)
    return [chance.uniform(0.05, 0.15) if hour in {7, 16} else 0.0 for _ in range(days) for hour in range(24)]


def test_a_value_that_hangs_for_a_day_is_a_flatline():
    series = fridge(20)
    series[100:130] = [0.0625] * 30
    (row,) = events("flatline", hours(fridge=series))
    assert spans([row]) == [("fridge", 100, 130)]
    assert (row["hours"], row["method"]) == (30, "runs")
    assert row["kwh"] == pytest.approx(30 * 0.0625)
    assert row["explanation"] == (
        "fridge: one and the same value from 04:00 on 2024-03-05 to 10:00 on 2024-03-06, as from a meter that hangs;"
        " 1.9 kWh in all."
    )


def test_a_value_that_hangs_for_less_than_a_day_is_none():
    series = fridge(20)
    series[100:123] = [0.0625] * 23
    assert events("flatline", hours(fridge=series)) == []


def test_an_hour_that_is_missing_ends_a_run():
    series = fridge(20)
    series[100:130] = [0.0625] * 30
    table = hours(fridge=series).filter(pl.col("timestamp") != START + 115 * HOUR)
    assert events("flatline", table) == []


def test_what_is_alike_by_nature_is_no_flatline():
    # A router on a meter that counts hundredths: alike for days, with a step now and then.
    series = ([0.01] * 60 + [0.02]) * 8
    assert events("flatline", hours(router=series, fridge=fridge(20))) == []


def test_sums_alike_of_readings_that_are_not_are_no_flatline():
    series = fridge(20)
    series[100:130] = [0.0625] * 30
    assert events("flatline", hours(fridge=series), may_be_flat=set()) == []
    assert len(events("flatline", hours(fridge=series), may_be_flat={"fridge"})) == 1


def test_hours_of_a_flatline_are_no_event_of_high_use_as_well():
    series = fridge(20)
    series[100:130] = [0.5] * 30
    rows = found(hours(fridge=series)).events.filter(pl.col("start_timestamp") == START + 100 * HOUR).to_dicts()
    assert [(row["kinds"], row["hours"]) for row in rows] == [("flatline", 30)]
    assert rows[0]["method"] == "mean_2std+robust+runs"


def test_unusual_hours_beside_a_run_are_events_of_their_own():
    series = fridge(20)
    series[99], series[100:130], series[130] = 0.4, [0.3] * 30, 0.005
    rows = found(hours(fridge=series)).events.filter(
        pl.col("start_timestamp").is_between(START + 98 * HOUR, START + 131 * HOUR)
    )
    assert rows.select("kind", "hours").rows() == [("high_use", 1), ("flatline", 30), ("drop", 1)]


def test_a_value_that_hangs_while_something_runs_too_long_is_part_of_that_run():
    series = kettle(20)
    series[250:281] = [0.08, *[0.1] * 29, 0.05]
    (row,) = events("long_run", hours(iron=series, fridge=fridge(20)))
    assert (*spans([row])[0][1:], row["kinds"]) == (250, 281, "long_run+flatline")


def test_an_always_on_appliance_that_reads_zero_for_hours_has_stopped():
    series = fridge(20)
    series[200:212] = [0.0] * 12
    (row,) = events("stopped", hours(fridge=series, oven=wavering(20)))
    assert spans([row]) == [("fridge", 200, 212)]
    assert row["severity"] in {"medium", "high"}
    assert row["excess_kwh"] == pytest.approx(-12 * 0.06, rel=0.2)
    assert row["explanation"].startswith("fridge: nothing from 08:00 to 20:00 on 2024-03-09, and it never stands still")


def test_what_was_used_before_it_stopped_is_no_part_of_the_stop():
    series = fridge(20)
    series[199], series[200:212] = 0.01, [0.0] * 12
    table = hours(fridge=series, oven=wavering(20))
    (row,) = events("stopped", table)
    assert (*spans([row])[0][1:], row["kwh"]) == (200, 212, 0.0)
    assert spans(events("drop", table)) == [("fridge", 199, 200)]


def test_an_appliance_that_is_off_at_times_has_not_stopped():
    heater = [0.0 if hour < 6 else 1.0 + hour / 24 for _ in range(20) for hour in range(24)]
    assert events("stopped", hours(heater=heater, kettle=kettle(20), fridge=fridge(20))) == []


def test_a_heat_pump_whose_days_differ_is_switched_off_in_summer_and_has_not_stopped():
    pump = [kwh * (1 + (day * 7) % 5) for day in range(40) for kwh in wavering(1, seed=day)] + [0.0] * 24 * 10
    assert events("stopped", hours(pump=pump, fridge=fridge(50))) == []


def test_two_zeros_are_a_pause():
    series = fridge(20)
    series[200:202] = [0.0] * 2
    assert events("stopped", hours(fridge=series, oven=wavering(20))) == []


def test_zeros_that_an_hour_makes_up_for_are_a_stuck_meter():
    series = wavering(20)
    series[200:205], series[205] = [0.0] * 5, 0.5 * 6
    (row,) = events("stuck_meter", hours(house=series))
    assert spans([row]) == [("house", 200, 206)]
    assert row["excess_kwh"] == pytest.approx(0.0, abs=0.3)
    assert row["explanation"].startswith(
        "house: nothing from 08:00 to 13:00 on 2024-03-09, then 3 kWh in one hour, as from a meter that hung"
    )


def test_zeros_before_an_ordinary_hour_or_one_far_larger_are_no_stuck_meter():
    for after in (0.5, 9.0):
        series = wavering(20)
        series[200:205], series[205] = [0.0] * 5, after
        assert events("stuck_meter", hours(house=series)) == []


def test_zeros_of_all_appliances_at_once_are_one_outage_and_nothing_else():
    home = {"fridge": fridge(20), "oven": wavering(20), "kettle": kettle(20)}
    for series in home.values():
        series[300:312] = [0.0] * 12
    everything = found(hours(**home)).events
    inside = everything.filter(pl.col("start_timestamp").is_between(START + 300 * HOUR, START + 311 * HOUR))
    assert spans(inside.to_dicts()) == [(None, 300, 312)]
    row = inside.to_dicts()[0]
    assert (row["kind"], row["kwh"], row["hours"]) == ("outage", 0.0, 12)
    # Twelve hours of half a kilowatt-hour and the fridge's, of which three are an evening's two.
    assert row["expected_kwh"] == pytest.approx(9 * 0.5 + 3 * 2.0 + 12 * 0.06, rel=0.1)


def test_a_fridge_that_fails_while_others_are_used_has_stopped_and_is_no_power_cut():
    dead = range(50 * 24 + 14, 50 * 24 + 44)
    home = {"fridge": fridge(200), "kettle": kettle(200), "tv": [0.1 * (n % 24 in {19, 20, 21}) for n in range(4800)]}
    for n in dead:
        home["fridge"][n] = 0.0
    table = hours(**home)
    assert events("outage", table) == []
    assert spans(events("stopped", table)) == [("fridge", dead.start, dead.stop)]


def test_a_power_cut_after_which_one_of_two_stays_off_is_told_as_long_as_it_lasted():
    home = {"fridge": fridge(200), "router": wavering(200, seed=5, level=0.01, evening=0.01), "kettle": kettle(200)}
    for series in home.values():
        series[1205:1212] = [0.0] * 7
    home["fridge"][1205:1230] = [0.0] * 25
    assert spans(events("outage", hours(**home))) == [(None, 1205, 1212)]
    assert spans(events("stopped", hours(**home))) == [("fridge", 1212, 1230)]


def test_hours_of_an_outage_do_not_change_what_is_usual():
    home = {"fridge": fridge(20), "oven": wavering(20), "kettle": kettle(20)}
    for series in home.values():
        series[10 * 24 :] = [0.0] * 24 * 10
    home["oven"][5 * 24 + 3] = 1.5
    rows = found(hours(**home)).hours.filter(pl.col("method").str.contains("robust"), appliance="oven")
    assert rows.select("timestamp", "kind").rows() == [(START + (5 * 24 + 3) * HOUR, "high_use")]
    assert rows["expected_kwh"][0] == pytest.approx(0.5, rel=0.1)


def test_a_home_where_everything_may_be_off_has_no_outages():
    assert events("outage", hours(kettle=kettle(20), toaster=kettle(20, seed=3))) == []


def test_a_single_appliance_has_no_outages():
    series = fridge(20)
    series[300:312] = [0.0] * 12
    assert events("outage", hours(fridge=series)) == []


def test_an_appliance_that_is_left_on_is_a_long_run_though_no_hour_of_it_is_large():
    series = kettle(20)
    series[10 * 24 + 10 : 10 * 24 + 20] = [0.1] * 10
    (row,) = events("long_run", hours(iron=series, fridge=fridge(20)))
    assert spans([row]) == [("iron", 250, 260)]
    assert row["usual_hours"] == 1.0
    assert (
        row["explanation"]
        == "iron: ran 10 hours from 10:00 to 20:00 on 2024-03-11, 1 kWh; a run of it usually takes 1."
    )


def test_how_much_a_long_run_is_above_the_usual_goes_by_its_length():
    chance = random.Random(3)
    series = [1.2 * chance.uniform(0.9, 1.1) if hour == 18 else 0.0 for _ in range(60) for hour in range(24)]
    series[50 * 24 + 18 : 50 * 24 + 31] = [1.2] * 13
    (row,) = events("long_run", hours(iron=series, rest=wavering(60)))
    assert row["expected_kwh"] == pytest.approx(1.2, rel=0.05)
    assert row["excess_kwh"] == pytest.approx(12 * 1.2, rel=0.05)
    assert row["severity"] == "high"


def test_a_long_run_in_a_short_history_is_above_a_run_and_not_above_mean_hours():
    series = [1.2 if hour in {7, 12, 18} else 0.0 for _ in range(6) for hour in range(24)]
    series[4 * 24 + 18 : 4 * 24 + 26] = [1.2] * 8
    (row,) = events("long_run", hours(iron=series, rest=wavering(6)))
    assert row["excess_kwh"] == pytest.approx(7 * 1.2)


def test_runs_of_many_lengths_have_none_that_is_long():
    chance = random.Random(4)
    series = []
    for _ in range(40):
        series += [0.1] * chance.randint(1, 6) + [0.0] * 40
    assert events("long_run", hours(dryer=series, fridge=fridge(40))) == []


def test_each_kind_counts_once_in_the_summary():
    home = {"fridge": fridge(20), "oven": wavering(20), "iron": kettle(20)}
    home["iron"][250:260] = [0.1] * 10
    home["fridge"][200:212] = [0.0] * 12
    table = hours(**home)
    summary = anomalies.summary(found(table))
    assert summary.by_kind["long_run"] == summary.by_kind["stopped"] == 1
    assert sum(summary.by_kind.values()) == summary.events
    assert {event.kind for event in summary.top} >= {"long_run", "stopped"}
    assert all(isinstance(event.start, dt.datetime) for event in summary.top)


def test_a_kettle_that_is_used_late_one_morning_is_no_stuck_meter():
    chance = random.Random(6)
    series = [chance.choice([0.1, 0.1, 0.0]) if hour in {6, 7, 8, 9} else 0.0 for _ in range(30) for hour in range(24)]
    for day in range(2, 30, 4):
        series[day * 24 + 6 : day * 24 + 10] = [0.0, 0.0, 0.0, 0.3]
    assert events("stuck_meter", hours(kettle=series, fridge=fridge(30))) == []
