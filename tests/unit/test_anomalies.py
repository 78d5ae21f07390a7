"""mean + 2 standard deviations over the hours of an appliance."""

import datetime as dt
import math
import random
import statistics

import polars as pl
import pytest

from energy import anomalies, parquet
from energy.schema import ANOMALIES

START = dt.datetime(2024, 3, 1)


def hours(**kwh_by_appliance):
    """An hourly table: consecutive hours for each appliance."""
    rows = [
        (START + dt.timedelta(hours=n), START + dt.timedelta(hours=n), appliance, float(kwh), 1)
        for appliance, series in kwh_by_appliance.items()
        for n, kwh in enumerate(series)
    ]
    schema = ["timestamp", "timestamp_utc", "appliance", "kwh", "readings"]
    return pl.DataFrame(rows, schema=schema, orient="row").sort("timestamp_utc", "appliance")


def detected(table):
    limits = anomalies.hour_limits(table)
    found = anomalies.unusual_hours(table, limits)
    return found, anomalies.summary(found, limits)


def test_a_spike_is_found_with_the_figures_worked_out_by_hand():
    # 9 hours of 1 kWh and one of 11: mean 2, deviations 9 x 1 and 81, variance 90 / 9 = 10, limit 2 + 2 sqrt(10).
    found, summary = detected(hours(oven=[1, 1, 1, 1, 11, 1, 1, 1, 1, 1]))
    row = found.row(0, named=True)
    assert found.height == 1
    assert row["timestamp"] == START + dt.timedelta(hours=4)
    assert row["threshold"] == pytest.approx(2 + 2 * math.sqrt(10))
    assert row["z_score"] == pytest.approx(9 / math.sqrt(10))
    assert (row["expected_kwh"], row["excess_kwh"], row["method"]) == (2.0, 9.0, "mean_2std")
    assert row["explanation"] == "oven used 11.0 kWh in this hour; its mean hour is 2.0 kWh and its limit 8.325 kWh."
    assert (summary.count, summary.hours_judged, summary.by_appliance) == (1, 10, {"oven": 1})


def test_every_appliance_has_its_own_limit_as_in_a_plain_loop():
    chance = random.Random(3)
    series = {name: [chance.gauss(mean, mean / 5) ** 2 for _ in range(400)] for name, mean in (("a", 1), ("b", 5))}
    found, summary = detected(hours(**series))
    expected = set()
    for name, values in series.items():
        limit = statistics.fmean(values) + 2 * statistics.stdev(values)
        expected |= {(name, START + dt.timedelta(hours=n)) for n, value in enumerate(values) if value > limit}
    assert len(expected) > 10
    assert set(found.select("appliance", "timestamp").iter_rows()) == expected
    assert summary.count == len(expected)
    assert found["timestamp_utc"].is_sorted()


def test_hours_below_the_mean_are_never_unusual():
    assert detected(hours(oven=[10] * 20 + [0]))[0].is_empty()


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        ([1, 1, 1, 1, 50], "only 5 hours of readings; at least 6 are needed"),
        ([1], "only 1 hours of readings; at least 6 are needed"),
        ([0.5] * 24, "every hour used the same energy"),
        ([0.0] * 24, "every hour used the same energy"),
        ([0.1 + 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3], "every hour used the same energy"),
    ],
)
def test_an_appliance_that_cannot_be_judged_says_why(series, reason):
    found, summary = detected(hours(oven=series))
    assert found.is_empty()
    assert summary.skipped == {"oven": reason}
    assert summary.hours_judged == 0
    assert parquet.as_table(found, ANOMALIES).height == 0


def test_a_constant_series_with_one_spike_is_judged():
    assert detected(hours(oven=[0.5] * 23 + [2.0]))[0].height == 1


def test_the_report_gets_the_largest_excess_first_and_at_most_fifty():
    series = [1.0] * 2000 + [20.0 + n / 10 for n in range(60)]
    found, summary = detected(hours(oven=series))
    assert found.height == summary.count == 60
    assert len(summary.top) == 50
    assert [row.kwh for row in summary.top] == sorted(series, reverse=True)[:50]


def test_a_week_later_the_same_hours_are_unusual_a_week_later():
    table = hours(oven=[1, 2, 1, 2, 1, 2, 30, 1, 2, 1, 2])
    week = pl.duration(weeks=1)
    later = table.with_columns(pl.col("timestamp") + week, pl.col("timestamp_utc") + week)
    shifted = detected(table)[0].with_columns(pl.col("timestamp") + week, pl.col("timestamp_utc") + week)
    assert detected(later)[0].equals(shifted)


def test_a_meter_read_less_than_hourly_is_not_judged_by_the_hour():
    far = hours(meter=[1.0] * 20 + [50.0]).with_columns(
        (START + (pl.col(name) - START) * 24).alias(name) for name in ("timestamp", "timestamp_utc")
    )
    found, summary = detected(pl.concat([far, hours(oven=[1, 1, 1, 1, 11, 1, 1, 1, 1, 1])]))
    assert found["appliance"].to_list() == ["oven"]
    assert summary.skipped == {"meter": "read once in 24 hours; unusual hours need hourly readings or finer"}
    assert summary.hours_judged == 10


def test_hours_far_apart_are_judged_where_each_was_read_often():
    far = hours(pump=[1.0] * 20 + [50.0]).with_columns(
        *((START + (pl.col(name) - START) * 24).alias(name) for name in ("timestamp", "timestamp_utc")),
        readings=pl.lit(60, dtype=pl.Int64),
    )
    assert detected(far)[0]["kwh"].to_list() == [50.0]
