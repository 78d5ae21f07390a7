"""Slow faults in the totals of days: what creeps up is told, seasons and a home that uses more are not."""

import datetime as dt
import itertools
import math
import random
import statistics

import polars as pl
import pytest

from energy import anomaly_days
from tests.unit.unusual_home import START, days, found, hours, wavering


def steady(count, level=1.2, by=0.05, seed=1):
    chance = random.Random(seed)
    return [level * chance.uniform(1 - by, 1 + by) for _ in range(count)]


def creeping(count, since, per_day, level=1.2, by=0.05, seed=1):
    """As steady, but from a day on each takes a share more than the one before did at first."""
    return [kwh * (1 + per_day * max(0, n - since)) for n, kwh in enumerate(steady(count, level, by, seed))]


def heating(count, seed=2):
    """A heater through a year: nothing in summer, most in January, and every day as cold as it is."""
    chance = random.Random(seed)
    return [max(0.1, 8 * math.cos(n / 365 * 2 * math.pi) + chance.gauss(0, 2)) for n in range(count)]


def home(count, **changes):
    return {"fridge": steady(count), "rest": steady(count, 9.0, 0.3, seed=3), "heater": heating(count)} | changes


def test_a_fridge_whose_day_creeps_up_is_told_with_what_it_took_before_and_now():
    (rise,) = anomaly_days.rises(days(**home(90, fridge=creeping(90, 50, 0.012))))
    assert rise.appliance == "fridge"
    assert rise.end == START.date() + dt.timedelta(days=89)
    assert rise.kwh_before == pytest.approx(1.2, rel=0.1)
    assert rise.kwh_after == pytest.approx(1.2 * 1.47, rel=0.1)


def test_the_event_of_a_rise_has_its_energy_above_what_its_days_took_before():
    daily = days(**home(90, fridge=creeping(90, 50, 0.012)))
    events = found(hours(fridge=wavering(3)), daily).events.filter(pl.col("kind") == "rising_use").to_dicts()
    (row,) = events
    own = daily.filter(appliance="fridge").sort("date")["kwh"].to_list()
    assert row["end_timestamp"] == START + dt.timedelta(days=90)
    assert row["excess_kwh"] == pytest.approx(sum(kwh - 1.2 for kwh in own[50:]), rel=0.15)
    length = (row["end_timestamp"] - row["start_timestamp"]).days
    assert row["kwh"] == pytest.approx(sum(own[-length:]))
    assert row["hours"] == length * 24
    assert row["severity"] in {"medium", "high"}
    assert row["explanation"].startswith("fridge: a day's energy crept up from 1.2 to 1.")
    assert row["explanation"].endswith(f" kWh from {row['start_timestamp']:%Y-%m-%d} to 2024-05-29.")


def stepping(count, since, by=0.5, seed=1):
    return [kwh * (1 + by * (n >= since)) for n, kwh in enumerate(steady(count, seed=seed))]


@pytest.mark.parametrize("seed", [1, 3, 4, 5])
@pytest.mark.parametrize(
    ("series", "since", "late"),
    [
        (lambda seed: creeping(75, 40, 0.018, seed=seed), 40, 8),
        (lambda seed: creeping(90, 50, 0.012, seed=seed), 50, 8),
        (lambda seed: creeping(90, 60, 0.03, seed=seed), 60, 8),
        (lambda seed: stepping(120, 60, seed=seed), 60, 0),
    ],
)
def test_a_rise_has_its_true_start_level_and_energy(series, since, late, seed):
    own = series(seed)
    (rise,) = anomaly_days.rises(days(**home(len(own), fridge=own)))
    start, end = ((day - START.date()).days for day in (rise.start, rise.end))
    assert since - 2 <= start <= since + late
    assert rise.kwh_before == pytest.approx(1.2, rel=0.04)
    assert rise.kwh_after == pytest.approx(statistics.median(own[end - 6 : end + 1]))
    more = sum(kwh - 1.2 for kwh in own[since : end + 1])
    assert rise.kwh - rise.days * rise.kwh_before == pytest.approx(more, rel=0.12)
    assert rise.days == end - start + 1


def test_steady_days_and_a_year_of_heating_are_no_rise():
    assert anomaly_days.rises(days(**home(365))) == []


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_is_no_rise(seed):
    noisy = {f"a{n}": steady(120, 1.0, 0.2, seed=100 * seed + n) for n in range(10)}
    assert anomaly_days.rises(days(**noisy)) == []


def test_a_step_to_more_is_a_rise_once():
    assert len(anomaly_days.rises(days(**home(120, fridge=stepping(120, 60))))) == 1


def test_what_rises_with_everything_else_is_the_seasons():
    rest = creeping(90, 50, 0.012, level=9.0, by=0.2, seed=3)
    assert anomaly_days.rises(days(fridge=creeping(90, 50, 0.012), rest=rest)) == []


def test_what_rose_alike_a_year_before_is_the_seasons():
    chance = random.Random(5)
    summer = [
        1.2 * (1 + 0.45 * math.exp(-((((n % 365) - 180) / 40) ** 2))) * chance.uniform(0.97, 1.03) for n in range(700)
    ]
    rises = anomaly_days.rises(days(**home(700, fridge=summer)))
    first_year = [rise for rise in rises if rise.start < START.date() + dt.timedelta(days=365)]
    assert len(rises) == len(first_year)


def test_a_site_of_one_appliance_is_not_judged():
    assert anomaly_days.rises(days(house=creeping(90, 50, 0.012))) == []


def test_the_largest_part_of_a_site_is_not_judged():
    assert anomaly_days.rises(days(house=creeping(90, 50, 0.012, level=12.0), lamp=steady(90))) == []


def test_days_that_are_not_complete_do_not_count():
    series = creeping(90, 50, 0.012)
    gappy = [kwh if n % 3 else None for n, kwh in enumerate(series)]
    assert anomaly_days.rises(days(**home(90, fridge=gappy))) == []
    low = [None if n in {70, 75, 80} else kwh for n, kwh in enumerate(series)]
    assert len(anomaly_days.rises(days(**home(90, fridge=low)))) == 1


def test_fewer_than_four_weeks_are_not_judged():
    assert anomaly_days.rises(days(**home(27, fridge=creeping(27, 0, 0.03)))) == []
    assert len(anomaly_days.rises(days(**home(28, fridge=creeping(28, 0, 0.03))))) == 1


def test_the_order_of_rows_does_not_matter():
    daily = days(**home(90, fridge=creeping(90, 50, 0.012)))
    assert anomaly_days.rises(daily.sample(fraction=1.0, shuffle=True, seed=1)) == anomaly_days.rises(daily)


def test_the_slope_is_the_median_of_all_and_its_sign_that_of_kendall():
    chance = random.Random(7)
    points = [(n, 0.3 * n + chance.gauss(0, 2)) for n in range(25) if n % 4]
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(points, 2)]
    slope, sign = anomaly_days.theil_sen(points)
    assert slope == pytest.approx(statistics.median(slopes))
    concordant = sum(y2 > y1 for (_, y1), (_, y2) in itertools.combinations(points, 2))
    discordant = len(slopes) - concordant
    # Kendall (1938): without ties the sum of signs has a variance of n (n - 1) (2 n + 5) / 18.
    count = len(points)
    assert sign == pytest.approx((concordant - discordant) / (count * (count - 1) * (2 * count + 5) / 18) ** 0.5)
