"""What months' parts tell together, against plain loops over the whole history: nothing is lost where months meet."""

import datetime as dt
import itertools
import math
import random
import statistics

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy import monthly
from energy.monthly import FLATLINE_READINGS
from energy.quality import quality_table
from tests.unit.whole_history import history

HOUR = dt.timedelta(hours=1)
START = dt.datetime(2024, 1, 20)
DAYS = 60
NAMES = ("oven", "fan")


def random_history(seed: int) -> pl.DataFrame:
    """Hourly readings of 60 days in three months; stretches without readings, and of one value, anywhere."""
    chance = random.Random(seed)
    rows = []
    for name in NAMES:
        kwh = {hour: chance.randint(1, 10_000) / 1e4 + hour / 1e3 for hour in range(24 * DAYS)}
        for _ in range(chance.randint(0, 4)):
            first, length = _stretch(chance)
            kwh |= dict.fromkeys(range(first, first + length), chance.choice([0.0, 1.5]))
        for _ in range(chance.randint(0, 4)):
            first, length = _stretch(chance)
            for hour in range(max(first, 1), min(first + length, 24 * DAYS - 1)):
                kwh.pop(hour, None)
        rows += [(START + hour * HOUR, START + hour * HOUR, name, value, False) for hour, value in kwh.items()]
    schema = {"timestamp": pl.Datetime("us"), "timestamp_utc": pl.Datetime("us"), "appliance": pl.String}
    return pl.DataFrame(rows, schema=schema | {"kwh": pl.Float64, "estimated": pl.Boolean}, orient="row")


def _stretch(chance: random.Random) -> tuple[int, int]:
    """First hour and length; every other one lies where two months meet."""
    length = chance.randint(1, 60)
    border = chance.choice([12, 41]) * 24
    return min(chance.choice([chance.randint(1, 23 * DAYS), border - chance.randint(0, length)]), 23 * DAYS), length


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_statistics_gaps_and_flatlines_are_those_of_the_whole_history(seed: int) -> None:
    frame = random_history(seed)
    tables = history(frame, "UTC")
    quality = quality_table(tables.parts, tables, (), {}, "UTC")
    for name in NAMES:
        series = dict(frame.filter(appliance=name).select("timestamp", "kwh").iter_rows())
        (stats,) = tables.appliances.filter(appliance=name).iter_rows(named=True)
        (found,) = quality.filter(appliance=name).iter_rows(named=True)
        assert stats["readings"] == len(series)
        assert stats["total_kwh"] == pytest.approx(math.fsum(series.values()), rel=1e-12)
        assert stats["std_kwh"] == pytest.approx(statistics.stdev(series.values()))
        assert (stats["min_kwh"], stats["max_kwh"]) == (min(series.values()), max(series.values()))
        assert (stats["first_timestamp"], stats["last_timestamp"]) == (min(series), max(series))
        gaps = _gaps(sorted(series))
        assert (found["gaps"], found["missing_hours"]) == (len(gaps), sum(length for _, length in gaps))
        if gaps:
            start, length = max(gaps, key=lambda gap: gap[1])
            assert (found["longest_gap_start"], found["longest_gap_hours"]) == (start, length)
        flat = _flatlines(series)
        assert (found["flatlines"], found["flatline_hours"]) == (len(flat), sum(flat))


def _gaps(times: list[dt.datetime]) -> list[tuple[dt.datetime, float]]:
    """Where each begins, and its hours."""
    return [
        (before + HOUR, (after - before) / HOUR - 1)
        for before, after in itertools.pairwise(times)
        if after > before + HOUR
    ]


def _flatlines(series: dict[dt.datetime, float]) -> list[float]:
    """Hours of each run of one value above zero, without a gap, that is long enough."""
    runs: list[list[dt.datetime]] = []
    for time, kwh in sorted(series.items()):
        goes_on = runs and runs[-1][-1] == time - HOUR and series[runs[-1][-1]] == kwh
        runs[-1].append(time) if goes_on else runs.append([time])
    return [float(len(run)) for run in runs if series[run[0]] > 0 and len(run) >= FLATLINE_READINGS]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_which_months_parts_were_made_first_never_shows(seed: int, chance: random.Random) -> None:
    whole = history(random_history(seed), "UTC")
    months = whole.parts.appliances["month"].unique().to_list()
    chance.shuffle(months)
    apart = [whole.parts.without([other for other in months if other != month]) for month in months]
    for name, frame in monthly.together(apart).frames().items():
        assert_frame_equal(frame, whole.parts.frames()[name], check_exact=True)
