"""Years taken apart, made of parts that are known."""

import datetime as dt
import math

import pytest

from energy.forecast_year import decomposition

FIRST = dt.date(2021, 1, 1)
WEEK = [-2.0, -1.0, 0.0, 0.0, 0.0, 1.0, 2.0]  # Monday to Sunday, together nothing


def winter(day):
    """3 kWh more on New Year's Day than on the mean day, 3 less half a year later."""
    return 3 * math.cos(2 * math.pi * (day - FIRST).days / 365)


def days(count):
    return [FIRST + dt.timedelta(days=number) for number in range(count)]


def home(count, rise=0.0):
    return {day: 20 + WEEK[day.weekday()] + winter(day) + rise * number for number, day in enumerate(days(count))}


@pytest.mark.parametrize("count", [1, 14, 364])
def test_less_than_a_year_is_not_taken_apart(count):
    assert decomposition(home(count)) is None


def test_one_year_shows_the_week_and_leaves_the_seasons_in_the_trend():
    found = decomposition(home(365))
    assert found.days == 365
    assert found.weekday_kwh == pytest.approx(WEEK, abs=0.05)
    assert found.month_kwh is None
    assert list(found.trend_kwh) == [f"2021-{month:02}" for month in range(1, 13)]
    assert found.trend_kwh["2021-01"] == pytest.approx(22.9, abs=0.3)
    assert found.trend_kwh["2021-07"] == pytest.approx(17.1, abs=0.3)


def test_more_than_two_years_show_the_seasons_apart_from_the_trend():
    found = decomposition(home(3 * 365, rise=0.002))
    by_month = {month: [] for month in range(1, 13)}
    for day in days(365):
        by_month[day.month].append(winter(day))
    assert found.month_kwh == pytest.approx([sum(kwh) / len(kwh) for kwh in by_month.values()], abs=0.3)
    assert found.weekday_kwh == pytest.approx(WEEK, abs=0.05)
    assert found.trend_kwh["2023-12"] - found.trend_kwh["2021-01"] == pytest.approx(0.002 * 1064, rel=0.15)


def test_a_missing_day_here_and_there_changes_little():
    whole = home(3 * 365)
    gappy = {day: kwh for number, (day, kwh) in enumerate(whole.items()) if number % 12}
    assert decomposition(gappy).month_kwh == pytest.approx(decomposition(whole).month_kwh, abs=0.1)


def test_a_year_of_which_too_much_is_missing_is_not_taken_apart():
    assert decomposition({day: kwh for number, (day, kwh) in enumerate(home(365).items()) if number % 7}) is None


def test_a_year_without_use_has_no_pattern():
    found = decomposition(dict.fromkeys(days(800), 0.0))
    assert set(found.weekday_kwh) == set(found.month_kwh) == set(found.trend_kwh.values()) == {0.0}
    assert "-0.0" not in found.model_dump_json()
