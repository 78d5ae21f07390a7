"""Unusual hours by both rules, and the events and the summary that they make."""

import math
import random
import statistics

import polars as pl
import pytest

from energy import anomalies
from energy.documents import NotJudged
from tests.unit.unusual_home import HOUR, START, hours, wavering
from tests.unit.unusual_home import found as find


def detected(table):
    found = find(table)
    return found, anomalies.summary(found)


def by_mean(found):
    """The hours that the specification's rule found."""
    return found.hours.filter(pl.col("method").str.contains("mean_2std", literal=True))


def test_a_spike_is_found_with_the_figures_worked_out_by_hand():
    # 9 hours of 1 kWh and one of 11: mean 2, deviations 9 x 1 and 81, variance 90 / 9 = 10, limit 2 + 2 sqrt(10).
    found, summary = detected(hours(oven=[1, 1, 1, 1, 11, 1, 1, 1, 1, 1]))
    row = found.hours.row(0, named=True)
    assert found.hours.height == 1
    assert row["timestamp"] == START + 4 * HOUR
    assert row["threshold"] == pytest.approx(2 + 2 * math.sqrt(10))
    assert row["z_score"] == pytest.approx(9 / math.sqrt(10))
    assert (row["expected_kwh"], row["excess_kwh"], row["method"]) == (2.0, 9.0, "mean_2std")
    assert row["limit_kwh"] is None
    assert row["explanation"] == "oven: 11 kWh at 04:00; its mean hour is 2, limit 8.3."
    assert (summary.count, summary.hours_judged, summary.by_appliance) == (1, 10, {"oven": 1})
    assert summary.limited == {"oven": NotJudged(reason="short_history", number=1)}


def test_the_specifications_rule_is_a_plain_loop_over_every_appliance():
    chance = random.Random(3)
    series = {name: [chance.gauss(mean, mean / 5) ** 2 for _ in range(400)] for name, mean in (("a", 1), ("b", 5))}
    found, _ = detected(hours(**series))
    expected = {}
    for name, values in series.items():
        mean, deviation = statistics.fmean(values), statistics.stdev(values)
        for n, value in enumerate(values):
            if value > mean + 2 * deviation:
                expected[(name, START + n * HOUR)] = (mean + 2 * deviation, (value - mean) / deviation)
    rows = {(row["appliance"], row["timestamp"]): row for row in by_mean(found).iter_rows(named=True)}
    assert len(expected) > 10
    assert rows.keys() == expected.keys()
    for key, (threshold, z_score) in expected.items():
        assert rows[key]["threshold"] == pytest.approx(threshold)
        assert rows[key]["z_score"] == pytest.approx(z_score)
    assert found.hours["timestamp_utc"].is_sorted()


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_with_fewer_than_six_hours_no_spike_however_large_passes_two_deviations(count):
    values = [0.0] * (count - 1) + [1e9]
    assert max(values) <= statistics.fmean(values) + 2 * statistics.stdev(values)
    six = [0.0] * 5 + [1e9]
    assert max(six) > statistics.fmean(six) + 2 * statistics.stdev(six)
    assert detected(hours(oven=six))[0].hours.height == 1


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        ([1, 1, 1, 1, 50], NotJudged(reason="few_hours", number=5)),
        ([1], NotJudged(reason="few_hours", number=1)),
        ([0.5] * 24, NotJudged(reason="constant")),
        ([0.0] * 24, NotJudged(reason="constant")),
        ([0.1 + 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3], NotJudged(reason="constant")),
    ],
)
def test_an_appliance_that_cannot_be_judged_says_why(series, reason):
    found, summary = detected(hours(oven=series))
    assert found.hours.is_empty()
    assert summary.skipped == {"oven": reason}
    assert summary.hours_judged == 0
    assert summary.limited == {}


def test_a_night_hour_that_stays_far_below_the_mean_limit_is_found_by_the_hour_of_the_day():
    series = wavering(14)
    series[10 * 24 + 3] = 1.4
    found, summary = detected(hours(heater=series))
    night = found.hours.filter(pl.col("timestamp") == START + (10 * 24 + 3) * HOUR).row(0, named=True)
    assert night["kwh"] < night["threshold"]
    assert (night["method"], night["kind"]) == ("robust", "high_use")
    assert night["expected_kwh"] == pytest.approx(0.5, rel=0.1)
    assert 0.5 < night["limit_kwh"] < 1.4
    assert summary.limited == {}


def test_an_ordinary_evening_is_above_the_mean_rules_limit_and_no_event():
    found, summary = detected(hours(heater=wavering(14, level=0.1)))
    evening = by_mean(found)
    assert evening.height > 20
    assert set(evening["timestamp"].dt.hour()) <= {18, 19, 20}
    assert evening["event_id"].null_count() == evening.height
    assert (summary.count, summary.events) == (0, 0)
    assert summary.by_rule == {"mean_2std": evening.height}


def test_an_hour_far_below_the_usual_is_a_drop_with_a_sentence():
    series = wavering(14)
    series[10 * 24 + 19] = 0.1
    found, summary = detected(hours(heater=series))
    row = found.hours.filter(pl.col("kind") == "drop").row(0, named=True)
    assert row["timestamp"] == START + (10 * 24 + 19) * HOUR
    assert row["excess_kwh"] == pytest.approx(0.1 - row["expected_kwh"])
    assert row["explanation"].startswith("heater: 0.1 kWh at 19:00; usual for that hour is 2, at least ")
    assert summary.by_kind == {"drop": 1}


def test_an_hour_that_was_read_in_part_is_no_drop():
    series = wavering(14)
    series[10 * 24 + 19] = 0.1
    table = hours(heater=series).with_columns(readings=pl.lit(4, dtype=pl.Int64))
    part = pl.when(pl.col("timestamp") == START + (10 * 24 + 19) * HOUR).then(1).otherwise("readings")
    assert find(table).events["kind"].to_list() == ["drop"]
    assert find(table.with_columns(readings=part.cast(pl.Int64))).events.is_empty()


def test_neighbouring_hours_are_one_event_with_its_energy_and_others_are_not():
    series = wavering(14)
    for hour in (5 * 24 + 2, 5 * 24 + 3, 5 * 24 + 4, 5 * 24 + 6):
        series[hour] = 2.0
    found, summary = detected(hours(heater=series))
    first, second = found.events.iter_rows(named=True)
    assert (first["start_timestamp"], first["end_timestamp"]) == (START + 122 * HOUR, START + 125 * HOUR)
    assert (first["hours"], second["hours"]) == (3, 1)
    assert first["kwh"] == pytest.approx(6.0)
    assert first["excess_kwh"] == pytest.approx(first["kwh"] - first["expected_kwh"])
    assert first["explanation"].startswith("heater: 6 kWh from 02:00 to 05:00 on 2024-03-06; usual for these hours is ")
    assert second["explanation"].startswith("heater: 2 kWh at 06:00 on 2024-03-06; usual for that hour is 0.")
    assert (summary.count, summary.events, summary.by_day) == (4, 2, {"2024-03-06": 4})
    ids = found.hours.filter(pl.col("timestamp").is_between(START + 122 * HOUR, START + 124 * HOUR))["event_id"]
    assert ids.to_list() == [first["event_id"]] * 3


@pytest.mark.parametrize(
    ("spikes", "sentence"),
    [
        ([50], "heater: 3 kWh at 02:00 on 2024-03-03; its mean hour is 0.51, limit "),
        ([50, 51], "heater: 6 kWh from 02:00 to 04:00 on 2024-03-03; 2 hours at its mean are "),
    ],
)
def test_where_the_mean_leads_the_sentence_of_an_event_has_its_mean_and_its_limit(spikes, sentence):
    series = wavering(3, evening=0.5)
    for hour in spikes:
        series[hour] = 3.0
    found, _ = detected(hours(heater=series))
    (row,) = found.events.to_dicts()
    mean, deviation = statistics.fmean(series), statistics.stdev(series)
    assert row["peak_limit_kwh"] == pytest.approx(mean + 2 * deviation)
    assert row["explanation"].startswith(sentence.replace("0.51", f"{mean:.2f}"))
    assert "None" not in row["explanation"]


def test_what_ran_too_seldom_to_know_what_is_usual_has_its_mean_as_usual():
    series = [0.0] * 720
    for hour in (100, 300, 500):
        series[hour] = 1.5
    found, summary = detected(hours(iron=series))
    assert summary.limited == {"iron": NotJudged(reason="few_runs", number=3)}
    assert found.events["expected_kwh"].to_list() == pytest.approx([4.5 / 720] * 3)
    assert found.events["excess_kwh"].to_list() == pytest.approx([1.5 - 4.5 / 720] * 3)
    assert found.events["explanation"][0].startswith(
        "iron: 1.5 kWh at 04:00 on 2024-03-05; its mean hour is 0.006, limit "
    )


def test_the_report_gets_the_ten_most_severe_first():
    series = wavering(60)
    for day in range(20):
        series[day * 48 + day] = 4.0 + day / 10
    found, summary = detected(hours(heater=series))
    assert summary.events == found.events.height >= 20
    assert len(summary.top) == 10
    severities = [("high", "medium", "low").index(event.severity) for event in summary.top]
    assert severities == sorted(severities)


def test_a_week_later_the_same_hours_are_unusual_a_week_later():
    series = wavering(21)
    series[100], series[210], series[300] = 3.0, 0.0, 4.0
    table = hours(heater=series)
    week = pl.duration(weeks=1)
    later = find(table.with_columns(pl.col("timestamp", "timestamp_utc") + week))
    told = ["event_id", "explanation"]
    shifted = find(table).hours.with_columns(pl.col("timestamp", "timestamp_utc") + week)
    assert shifted.height > 2
    assert later.hours.drop(told).equals(shifted.drop(told))


def test_four_times_the_energy_has_four_times_the_limits_and_the_same_hours():
    series = wavering(21)
    series[100], series[210], series[300] = 3.0, 0.0, 4.0
    table = hours(heater=series)
    small, large = find(table).hours, find(table.with_columns(pl.col("kwh") * 4)).hours
    energies = ["kwh", "threshold", "expected_kwh", "limit_kwh", "excess_kwh"]
    assert large["timestamp"].to_list() == small["timestamp"].to_list()
    # Four is a power of two: not a digit changes.
    assert large.select(energies).equals(small.select(pl.col(energies) * 4))
    assert large.select("z_score", "method", "severity").equals(small.select("z_score", "method", "severity"))


def test_the_order_of_rows_does_not_matter():
    table = hours(heater=wavering(21), oven=wavering(21, seed=2, level=0.0))
    one, other = find(table), find(table.sample(fraction=1.0, shuffle=True, seed=5))
    assert other.hours.equals(one.hours)
    assert other.events.equals(one.events)


def test_of_no_hours_nothing_is_unusual():
    found, summary = detected(hours(oven=[1.0]).clear())
    assert (found.hours.height, found.events.height, summary.count, summary.hours_judged) == (0, 0, 0, 0)


def test_no_value_of_a_row_is_nan():
    series = wavering(21)
    series[100], series[210] = 3.0, 0.0
    found, _ = detected(hours(heater=series, oven=[0.0] * 500 + [1.0] * 4, lamp=[0.0] * 504))
    for frame in (found.hours, found.events):
        assert frame.height > 0
        floats = frame.select(pl.selectors.float())
        assert floats.fill_null(0.0).select(pl.all().is_finite().all()).row(0) == (True,) * floats.width


def test_a_meter_read_less_than_hourly_is_not_judged_by_the_hour():
    far = hours(meter=[1.0] * 20 + [50.0]).with_columns(
        (START + (pl.col(name) - START) * 24).alias(name) for name in ("timestamp", "timestamp_utc")
    )
    found, summary = detected(pl.concat([far, hours(oven=[1, 1, 1, 1, 11, 1, 1, 1, 1, 1])]))
    assert found.hours["appliance"].to_list() == ["oven"]
    assert summary.skipped == {"meter": NotJudged(reason="coarse", number=24)}
    assert summary.hours_judged == 10


def test_hours_far_apart_are_judged_where_each_was_read_often():
    far = hours(pump=[1.0] * 20 + [50.0]).with_columns(
        *((START + (pl.col(name) - START) * 24).alias(name) for name in ("timestamp", "timestamp_utc")),
        readings=pl.lit(60, dtype=pl.Int64),
    )
    assert detected(far)[0].hours["kwh"].to_list() == [50.0]
