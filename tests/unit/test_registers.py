"""What a meter shows, to what was used: nothing lost, nothing made up, nothing counted twice."""

import datetime as dt
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.intake.registers import differences

START = dt.datetime(2024, 3, 1)


def register(values, minutes=60, code=0, at=None):
    times = at or [START + dt.timedelta(minutes=minutes * n) for n in range(len(values))]
    return pl.DataFrame(
        {"line": range(2, 2 + len(values)), "code": [code] * len(values), "utc": times, "kwh": values},
        schema={"line": pl.Int64, "code": pl.UInt32, "utc": pl.Datetime("us"), "kwh": pl.Float64},
    ).with_columns(estimated=pl.lit(False))


def used(values, **given_):
    energy, events = differences(register([float(value) for value in values], **given_))
    return [round(kwh, 9) for kwh in energy["kwh"]], events["event"].to_list()


def rising(count=30, step=1.0, start=100.0):
    return [start + n * step for n in range(count)]


def test_the_use_of_an_interval_is_the_difference_and_belongs_to_its_start():
    energy, events = differences(register([10.0, 10.5, 12.0]))
    assert energy["kwh"].to_list() == [0.5, 1.5]
    assert energy["utc"].to_list() == [START, START + dt.timedelta(hours=1)]
    assert events.is_empty()


def test_a_single_reading_of_a_register_is_no_use():
    assert used([5]) == ([], [])


def test_each_appliance_has_a_register_of_its_own():
    both = pl.concat([register([1.0, 2.0], code=0), register([50.0, 53.0], code=1)])
    energy, _ = differences(both)
    assert energy.select("code", "kwh").rows() == [(0, 1.0), (1, 3.0)]


def test_noise_backwards_is_not_counted_twice():
    kwh, events = used([100, 101, 100.9, 102, 103])
    assert kwh == [1, 0, 1, 1]
    assert events == ["REGISTER_JITTER"]


def test_a_register_that_begins_again_counts_what_it_shows_since():
    kwh, events = used([*rising(20), 0.5, 1.5])
    assert kwh == [1.0] * 19 + [0.5, 1.0]
    assert events == ["REGISTER_RESET"]


def test_a_register_that_passes_its_last_digit_counts_on():
    kwh, events = used([*rising(20, start=99_980.5), 0.5, 1.5])
    assert kwh == [1.0] * 21
    assert events == ["REGISTER_ROLLOVER"]


def test_another_meter_makes_no_use_up():
    kwh, events = used([*rising(20, start=50_000.0), *rising(20, start=4_000.0)])
    assert kwh == [1.0] * 38
    assert events == ["REGISTER_REPLACED"]


@pytest.mark.parametrize("dip", [[0.0], [0.0, 0.0, 0.0]])
def test_a_register_that_was_low_for_a_moment_is_counted_once(dip):
    values = rising(60)
    values[20 : 20 + len(dip)] = dip
    energy, events = differences(register(values))
    assert events["event"].to_list() == ["REGISTER_RESET", "REGISTER_JITTER"]
    assert sum(energy["kwh"]) == pytest.approx(59, abs=1e-9)


def test_a_register_that_was_high_for_a_moment_is_not_counted_then():
    values = rising(60)
    values[20] = 9e6
    energy, events = differences(register(values))
    assert events["event"].to_list() == ["REGISTER_JUMP", "REGISTER_REPLACED"]
    assert energy["kwh"].to_list() == [1.0] * 57


def test_a_rise_beyond_anything_ordinary_is_left_out():
    kwh, events = used([*rising(20), *rising(20, start=900_000.0)])
    assert kwh == [1.0] * 38
    assert events == ["REGISTER_JUMP"]


def test_use_over_a_long_time_is_spread_over_its_hours_and_marked():
    times = [START + dt.timedelta(minutes=m) for m in (*range(0, 120, 10), 110 + 250, 110 + 260)]
    energy, _ = differences(register([n / 10 for n in range(12)] + [5.1, 5.2], at=times))
    spread = energy.filter("estimated")
    assert spread["kwh"].sum() == pytest.approx(4.0, abs=1e-12)
    assert spread["utc"].to_list()[:2] == [START + dt.timedelta(minutes=110), START + dt.timedelta(hours=2)]
    assert spread["kwh"].to_list()[0] == pytest.approx(4.0 * 10 / 250)
    assert spread.height == 5


def test_daily_readings_stay_daily_and_a_missed_day_is_halved():
    times = [START + dt.timedelta(days=d) for d in (0, 1, 2, 3, 5, 6)]
    energy, _ = differences(register([0.0, 10.0, 20.0, 30.0, 50.0, 60.0], at=times))
    assert energy["kwh"].to_list() == [10.0] * 6
    assert energy["estimated"].to_list() == [False, False, False, True, True, False]


STEPS = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 5_000)), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(0, 10**6))
def test_all_use_of_a_rising_register_is_its_last_reading_minus_its_first(steps, first):
    values, times = [Fraction(first, 1000)], [START]
    for minutes, rise in steps:
        times.append(times[-1] + dt.timedelta(minutes=minutes))
        values.append(values[-1] + Fraction(rise, 1000))
    energy, events = differences(register([float(value) for value in values], at=times))
    known = events.filter(pl.col("event") != "REGISTER_JUMP")
    assert known.is_empty()
    if events.is_empty():
        assert sum(energy["kwh"]) == pytest.approx(float(values[-1] - values[0]), abs=1e-9)
    assert (energy["kwh"] >= 0).all()
    assert not energy.select("code", "utc").is_duplicated().any()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_whatever_a_register_shows_use_is_finite_and_never_negative(values, chance):
    rows = register(values)
    energy, events = differences(rows)
    assert energy["kwh"].is_finite().all()
    assert (energy["kwh"] >= 0).all()
    order = list(range(rows.height))
    chance.shuffle(order)
    again, told = differences(rows[order])
    assert again.equals(energy)
    assert told.equals(events)
