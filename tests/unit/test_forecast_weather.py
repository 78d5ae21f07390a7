"""Temperatures outside: what they explain of a series, by made-up homes whose answer is known."""

import datetime as dt
import math
import random

import pytest

from energy import forecast_prophet, forecast_statsforecast
from energy.errors import SiteConfigInvalid
from energy.forecast_config import ForecastConfig
from energy.forecast_history import History
from energy.forecast_weather import Outside, TemperatureUnreadable, outside, read, weathered
from energy.forecasting import Band
from energy.site_config import parse

# Prophet's own, in its arithmetic with dates.
pytestmark = pytest.mark.filterwarnings("ignore:The 'generic' unit for NumPy timedelta:DeprecationWarning")

MONDAY = dt.date(2024, 1, 1)
FILE = "home-temperature.csv"
CONFIG = ForecastConfig.model_validate({"temperature": {"file": FILE}})


@pytest.fixture(autouse=True)
def a_functions_environment(monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Energy")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")


def days(count):
    return [MONDAY + dt.timedelta(days=number) for number in range(count)]


def winter(count, cold_from=10**6):
    """Days around 5 °C, and of 5 frost from `cold_from` on."""
    draw = random.Random(2)
    return {day: (-5.0 if number >= cold_from else 5.0) + draw.uniform(-3, 3) for number, day in enumerate(days(count))}


def heated(temperature, count, per_degree=2.0, noise=0.5):
    """10 kWh a day, and for each degree below 15.5 °C so many more."""
    draw = random.Random(3)
    return {
        day: 10 + per_degree * max(15.5 - temperature[day], 0) + draw.gauss(0, noise)
        for day in list(temperature)[:count]
    }


def text(temperature):
    return "date,temperature_c\n" + "".join(f"{day},{degrees}\n" for day, degrees in temperature.items())


def test_what_heating_takes_is_taken_out_and_put_back_for_the_days_ahead():
    temperature = winter(37, cold_from=30)
    found = weathered(heated(temperature, 30), days(30)[-1], temperature)
    # Without the weather only the noise is left, around the mean.
    assert max(found.series.values()) - min(found.series.values()) < 3
    usual = sum(temperature[day] for day in days(30)) / 30
    for day, more in zip(days(37)[30:], found.ahead, strict=True):
        assert more == pytest.approx(2.0 * (usual - temperature[day]), rel=0.1)


def test_cooling_counts_above_22_degrees():
    temperature = {day: 20 + 10 * math.sin(number) for number, day in enumerate(days(40))}
    known = {day: 8 + 1.5 * max(temperature[day] - 22, 0) for day in days(33)}
    found = weathered(known, days(33)[-1], temperature)
    above = [max(temperature[day] - 22, 0) for day in days(40)]
    usual = sum(above[:33]) / 33
    assert found.ahead == pytest.approx([1.5 * (degrees - usual) for degrees in above[33:]], abs=1e-6)


def test_a_series_that_has_nothing_to_do_with_the_weather_stays_as_it_is():
    temperature = winter(37)
    draw = random.Random(5)
    known = {day: draw.uniform(1, 2) for day in days(30)}
    assert weathered(known, days(30)[-1], temperature).series == known


def test_a_home_never_takes_less_the_colder_it_is():
    temperature = winter(37)
    known = {day: 30 + 2 * temperature[day] for day in days(30)}
    found = weathered(known, days(30)[-1], temperature)
    assert (found.series, found.ahead) == (known, [0.0] * 7)


@pytest.mark.parametrize("missing", [days(37)[33:34], days(4), days(24)[:17]])
def test_without_a_day_ahead_or_too_many_behind_the_weather_is_left_out(missing):
    temperature = {day: degrees for day, degrees in winter(37).items() if day not in missing}
    known = heated(winter(37), 30)
    assert weathered(known, days(30)[-1], temperature).series == known


def test_what_the_weather_adds_moves_all_bounds_alike():
    temperature = winter(37)
    found = weathered(heated(temperature, 30), days(30)[-1], temperature)
    band = found.added(Band([1.0] * 7, [0.0] * 7, [2.0] * 7, [-1.0] * 7, [4.0] * 7))
    for moved, kwh in zip(band.bounds(), (0.0, 2.0, -1.0, 4.0), strict=True):
        assert list(moved) == [kwh + more for more in found.ahead]


def test_a_cold_week_is_foreseen_where_its_temperatures_are_known():
    temperature = winter(37, cold_from=30)
    history = History(heated(temperature, 30), {}, [])
    truth = sum(heated(temperature, 37)[day] for day in days(37)[30:])
    with_weather, without = (
        sum(forecast_statsforecast.forecast(history, {}, each).total.band.yhat)
        for each in (Outside(temperature=temperature), Outside())
    )
    assert abs(with_weather - truth) < 0.05 * truth
    assert abs(without - truth) > 0.3 * truth


def test_prophet_goes_by_the_temperatures_too():
    temperature = winter(37, cold_from=30)
    history = History(heated(temperature, 30), {}, [])
    found = forecast_prophet.forecast(history, 1, Outside(temperature=temperature, notes=["noted"]))
    truth = sum(heated(temperature, 37)[day] for day in days(37)[30:])
    assert abs(sum(found.total.models["prophet"]) - truth) < 0.1 * truth
    assert found.notes == ["noted"]


def test_prophet_knows_the_holidays_of_a_country():
    """A home that takes nothing on Christmas Day, Boxing Day and New Year's Day, in two years of which one is known."""
    start = dt.date(2022, 11, 1)
    known = {start + dt.timedelta(days=number): 10.0 for number in range(415)}
    holidays = {(12, 25), (12, 26), (1, 1)}
    known = {day: 0.0 if (day.month, day.day) in holidays else kwh for day, kwh in known.items()}
    last = max(known)
    assert last == dt.date(2023, 12, 20)
    with_holidays = forecast_prophet.fit_and_predict(known, last, Outside("GB"))
    without = forecast_prophet.fit_and_predict(known, last)
    # December 25th and 26th are five and six days after the last.
    assert max(with_holidays.yhat[4:6]) < 3
    assert min(without.yhat[4:6]) > 9


def test_a_country_of_which_prophet_knows_no_holidays_is_noted():
    history = History(dict.fromkeys(days(14), 1.0), {}, [])
    assert forecast_prophet.forecast(history, 1, Outside("XX")).notes == ["Prophet knows no holidays of XX"]


def test_holidays_without_any_in_the_days_read_change_nothing_much():
    known = dict.fromkeys(days(30), 10.0)
    del known[MONDAY]
    found = forecast_prophet.fit_and_predict(known, days(30)[-1], Outside("DE"))
    assert found.yhat == pytest.approx([10.0] * 7, abs=0.1)


def history(temperature, count):
    return History(total=heated(temperature, count), appliances={}, notes=[])


def test_the_configuration_names_the_file_and_it_counts_where_it_holds_the_days_ahead():
    temperature = winter(39)
    found = outside(CONFIG, {FILE: text(temperature)}, history(temperature, 30))
    assert found.temperature == pytest.approx(temperature)
    assert found.notes == [f"the forecast goes by the temperatures of {FILE}"]
    late = outside(CONFIG, {FILE: text(temperature)}, history(temperature, 33))
    assert (late.temperature, late.notes) == ({}, [f"temperatures left out: {FILE} has none for 2024-02-09"])
    assert outside(ForecastConfig(), {}, history(temperature, 30)) == Outside()


def test_temperatures_that_no_series_goes_by_are_not_said_to_count():
    temperature = winter(67)
    few = {day: degrees for day, degrees in temperature.items() if day >= days(60)[-12]}
    found = outside(CONFIG, {FILE: text(few)}, history(temperature, 60))
    assert found == Outside(notes=[f"temperatures left out: {FILE} has too few of the days that were read"])
    draw = random.Random(5)
    unheated = History({day: 10 + draw.gauss(0, 1) for day in days(60)}, {}, [])
    found = outside(CONFIG, {FILE: text(temperature)}, unheated)
    assert found == Outside(notes=[f"the temperatures of {FILE} explain nothing of these readings"])
    # An appliance that heats is enough, whatever all together do.
    heats = History(unheated.total, {"heater": heated(temperature, 60)}, [])
    assert outside(CONFIG, {FILE: text(temperature)}, heats).notes == [
        f"the forecast goes by the temperatures of {FILE}"
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "must have the columns date and temperature_c"),
        ("day,temperature_c\n2024-01-01,3\n", "must have the columns"),
        ("date,temperature_c\n2024-01-01,3\n01/02/2024,3\n", "line 3 of t.csv is no date with a temperature"),
        ("date,temperature_c\n2024-01-01,mild\n", "line 2 of t.csv is no date"),
        ("date,temperature_c\n2024-01-01\n", "line 2 of t.csv is no date"),
        ("date,temperature_c\n2024-01-01,nan\n", "line 2 of t.csv has no temperature that can be"),
        ("date,temperature_c\n2024-01-01,284.5\n", "line 2 of t.csv has no temperature that can be, in °C"),
    ],
)
def test_a_file_that_holds_no_temperatures_is_told_and_left_out(content, told):
    with pytest.raises(TemperatureUnreadable, match=told):
        read(content, "t.csv")
    config = ForecastConfig.model_validate({"temperature": {"file": "t.csv"}})
    (note,) = outside(config, {"t.csv": content}, History({MONDAY: 1.0}, {}, [])).notes
    assert note.startswith("temperatures left out: ")


def test_the_settings_are_read_from_the_sites_configuration():
    config = parse("forecast:\n  holidays: DE\n  temperature: {file: home-temperature.csv}\n")
    assert (config.forecast.holidays, config.named_files()) == ("DE", [FILE])


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("holidays: Germany", "a country by its two letters, as DE"),
        ("temperature: {file: t.xlsx}", "the name of a file beside it that ends in .csv"),
        ("temperature: {file: ../t.csv}", "the name of a file beside it that ends in .csv"),
    ],
)
def test_a_setting_that_cannot_be_is_told_with_what_it_may_be(setting, told):
    with pytest.raises(SiteConfigInvalid, match=told):
        parse(f"forecast:\n  {setting}\n")


def test_a_country_may_be_written_in_small_letters():
    assert parse("forecast: {holidays: de}\n").forecast.holidays == "DE"
