"""What a tariff may say in a site's configuration, and what is said of one that cannot be used."""

import datetime as dt
from decimal import Decimal

import pytest

from energy.errors import SiteConfigInvalid
from energy.recipes import ConfigSnapshot
from energy.site_config import parse
from energy.tariffs import series
from energy.tariffs.currency import CURRENCIES, decimals, rounded
from energy.tariffs.plans import Plan, When

FLAT = "tariff: {currency: EUR, price: 0.32}"


def refusal(text):
    with pytest.raises(SiteConfigInvalid) as refused:
        parse(text)
    return str(refused.value).removeprefix("config/<site>.yaml: ")


def band(text):
    return f"tariff: {{currency: EUR, bands: [{{{text}, name: a, price: 1}}, {{name: b, price: 2}}]}}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tariff: {price: 0.32}", "tariff.currency is missing, as EUR."),
        ("tariff: {currency: EURO, price: 1}", "tariff.currency is 'EURO': it is not a currency of ISO 4217"),
        (
            "tariff: {currency: EUR}",
            "tariff: it must say what a kWh costs: either price, or bands, or prices, or tiers.",
        ),
        ("tariff: {currency: EUR, price: 1, prices: {file: a.csv}}", "tariff: it must say what a kWh costs: either"),
        ("tariff: {currency: EUR, price: cheap}", "tariff.price is 'cheap': it must be a valid decimal."),
        ("tariff: {currency: EUR, price: .inf}", "tariff.price is inf: it must be a finite number."),
        ("tariff: {currency: EUR, price: 1, standing: 2}", "tariff.standing is no setting; did you mean"),
        (
            "tariff: {currency: EUR, bands: [{name: a, price: 1, hour: 1}]}",
            "tariff.bands.1.hour is no setting; did you mean hours?",
        ),
        (
            band("hours: 25:00-26:00"),
            "tariff.bands.1.hours.1 is '25:00-26:00': it must be two times of day, as \"17:00",
        ),
        (band("hours: 24:30-06:00"), "tariff.bands.1.hours.1 is '24:30-06:00': it must be two times of day"),
        (band("hours: 07:00-07:00"), "tariff.bands.1.hours.1 is '07:00-07:00': it must begin and end at different"),
        (band("hours: 24:00-07:00"), "tariff.bands.1.hours.1 is '24:00-07:00': it must begin and end at different"),
        (band("days: monday"), "tariff.bands.1.days.1 is 'monday': it may be 'mon', 'tue'"),
        (
            band("season: 02-30 to 03-01"),
            "tariff.bands.1.season.1 is '02-30 to 03-01': it must be two days of the year",
        ),
        (band("season: summer"), "tariff.bands.1.season.1 is 'summer': it must be two days of the year, month first"),
        (
            "tariff: {currency: EUR, bands: [{name: a, price: 1}, {name: b, price: 2}]}",
            "tariff: the band 'a' holds at all times, so those after it never do; move it to the end.",
        ),
        (
            "tariff: {currency: EUR, bands: [{name: a, price: 1, days: mon}]}",
            "tariff: the last band, 'a', must hold at all other times: leave out its hours, days and season.",
        ),
        (
            "tariff: {currency: EUR, bands: [{name: a, price: 1, days: mon}, {name: a, price: 2}]}",
            "tariff: bands has two prices by the name 'a'.",
        ),
        (
            "tariff: {currency: EUR, tiers: [{price: 1}, {price: 2}]}",
            "tariff: every tier but the last needs a limit, up_to_kwh_per_month or up_to_kwh_per_day.",
        ),
        (
            "tariff: {currency: EUR, tiers: [{price: 1, up_to_kwh_per_day: 5}]}",
            "tariff: every tier but the last needs a limit",
        ),
        (
            "tariff: {currency: EUR, tiers: [{price: 1, up_to_kwh_per_day: 5, up_to_kwh_per_month: 5}, {price: 2}]}",
            "tariff.tiers.1: its limit is either up_to_kwh_per_day or up_to_kwh_per_month.",
        ),
        (
            "tariff: {currency: EUR, tiers: [{price: 1, up_to_kwh_per_day: 5}, {price: 1, up_to_kwh_per_month: 9},"
            " {price: 2}]}",
            "tariff: the limits of tiers must rise, and all be by the day or all by the month.",
        ),
        (
            "tariff: {currency: EUR, price: 1, contracts: [{price: 2}]}",
            "tariff: price belongs into each of contracts, where there are contracts.",
        ),
        (
            "tariff: {currency: EUR, contracts: [{price: 2}, {price: 3, valid_from: 2024-05-01}]}",
            "tariff: contracts must follow each other in time",
        ),
        (
            "tariff: {currency: EUR, contracts: [{price: 2, valid_to: 2024-05-01},"
            " {price: 3, valid_from: 2024-05-01}]}",
            "tariff: contracts must follow each other in time",
        ),
        (
            "tariff: {currency: EUR, contracts: [{price: 2, valid_to: 2024-05-01}, {valid_from: 2024-05-02}]}",
            "tariff: contract 2 must say what a kWh costs",
        ),
        (
            "tariff: {currency: EUR, price: 1, valid_from: 2024-05-02, valid_to: 2024-05-01}",
            "tariff: valid_from 2024-05-02 is after valid_to 2024-05-01.",
        ),
        ("tariff: {currency: EUR, price: 1, holidays: [13-45]}", "tariff.holidays.1 is '13-45': it must be a date, as"),
        (
            "tariff: {currency: EUR, price: 1, demand: {price_per_kw: 1, minutes: 7}}",
            "tariff.demand.1.minutes is 7",
        ),
        ("tariff: {currency: EUR, price: 1, export: {price: 1}}", "tariff.export.appliances is missing."),
        ("tariff: {currency: EUR, price: 1, prices: {file: ../a.csv}}", "tariff.prices.file is '../a.csv': it"),
        ("plans: {B: {price: 1}}", "plans are compared with tariff, which is missing."),
        (f"{FLAT}\nplans: {{B: {{currency: USD, price: 1}}}}", "plans.B.currency is not that of tariff, EUR."),
        (f"{FLAT}\nplans: {{B: {{prise: 1}}}}", "plans.B.prise is no setting; did you mean price"),
        ("co2: {country: XX}", "co2.country is 'XX': there is no factor for it; known are AR, AT"),
        ("co2: {country: DE, kg_per_kwh: 0.3}", "co2: set either country or kg_per_kwh, not both."),
        ("co2: {}", "co2: it must have country, or kg_per_kwh, or intensity."),
        ("appliances: {Pump: hot_water}", "appliances.Pump is 'hot_water': it may be 'air_conditioner'"),
    ],
)
def test_a_wrong_tariff_names_the_key_and_what_it_may_be(text, said):
    assert refusal(text).startswith(said)


def test_prices_are_what_the_file_says_to_the_last_digit():
    config = parse("tariff: {currency: EUR, price: 0.1, standing_per_day: '0.3333'}")
    assert (config.tariff.price, config.tariff.standing_per_day) == (Decimal("0.1"), Decimal("0.3333"))


def test_a_configuration_that_a_publication_keeps_is_read_again_as_it_was():
    text = """
tariff:
  currency: GBP
  contracts:
    - {valid_to: 2024-04-14, price: 0.1}
    - valid_from: 2024-04-15
      bands:
        - {name: a, hours: "17:00-20:00", days: [Mon, holiday], season: 11-01 to 02-29, price: 0.3}
        - {name: b, price: 1}
      demand: [{price_per_kw: 1.1}, {name: second, price_per_kw: 2, days: sun}]
      holidays: [2024-12-26, "12-25"]
plans: {other: {prices: {file: a.csv}}}
co2: {country: de, intensity: {file: b.csv}}
appliances: {Pump: water_heater}
"""
    snapshot = ConfigSnapshot(config=parse(text), files={"a.csv": "1", "b.csv": "2"})
    assert ConfigSnapshot.model_validate_json(snapshot.model_dump_json()) == snapshot
    assert snapshot.config.co2.country == "DE"


def test_a_season_and_a_band_may_reach_over_new_year_and_midnight():
    winter = When(season="11-01 to 02-29", hours="22:00-06:00")
    assert winter.holds(dt.date(2024, 12, 31), 23 * 60, False)
    assert winter.holds(dt.date(2025, 1, 1), 0, False)
    assert winter.holds(dt.date(2025, 2, 28), 5 * 60 + 59, False)
    assert not winter.holds(dt.date(2025, 3, 1), 0, False)
    assert not winter.holds(dt.date(2025, 1, 1), 6 * 60, False)


def test_a_holiday_is_no_longer_its_weekday():
    plan = Plan.model_validate({"currency": "EUR", "price": 1, "holidays": [dt.date(2024, 12, 26), "12-25"]})
    assert [plan.is_holiday(dt.date(2024, 12, day)) for day in (24, 25, 26)] == [False, True, True]
    assert [plan.is_holiday(dt.date(2025, 12, day)) for day in (24, 25, 26)] == [False, True, False]
    workday = When(days=["mon", "tue", "wed", "thu", "fri"])
    assert workday.holds(dt.date(2024, 12, 26), 0, False)
    assert not workday.holds(dt.date(2024, 12, 26), 0, True)
    assert When(days=["sun", "holiday"]).holds(dt.date(2024, 12, 26), 0, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,value\n2024-01-01,1\n", "a.csv: its first line must name the columns start and value."),
        ("start,value\n", "a.csv: it has no rows."),
        ("start,value\nyesterday,1\n", "a.csv: line 2: 'yesterday' is no time such as 2026-01-31T17:30+01:00."),
        ("start,value\n2024-01-01,dear\n", "a.csv: line 2: 'dear' is no number such as 0.2875."),
        ("start,value\n2024-01-01,nan\n", "a.csv: line 2: 'nan' is no number such as 0.2875."),
        (
            "start,value\n2024-01-02,1\n2024-01-01,1\n",
            "a.csv: line 3: 2024-01-01 is not after the line before; sort it",
        ),
    ],
)
def test_a_file_of_prices_that_cannot_be_used_names_the_line(text, said):
    with pytest.raises(SiteConfigInvalid) as refused:
        series.parse(text, "a.csv", "UTC")
    assert str(refused.value).startswith(said)


def test_the_repeated_hour_of_a_file_without_offsets_comes_in_order():
    text = "start,value\n" + "".join(
        f"2024-10-27T0{hour}:00,{price}\n" for hour, price in ((1, 1), (2, 2), (2, 3), (3, 4))
    )
    found = series.parse(text, "a.csv", "Europe/Berlin")
    assert [(one.start.hour, one.end.hour, one.value) for one in found] == [(23, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4)]


def test_a_value_holds_no_longer_than_the_usual_step():
    text = "start,value\n2024-01-01T00:00Z,1\n2024-01-01T01:00Z,2\n2024-01-01T05:00Z,3\n2024-01-01T06:00Z,4\n"
    found = series.parse(text, "a.csv", "UTC")
    assert [(one.start.hour, one.end.hour) for one in found] == [(0, 1), (1, 2), (5, 6), (6, 7)]


@pytest.mark.parametrize(
    ("charged", "by_time"),
    [
        ({"price": 1}, False),
        ({"tiers": [{"price": 1, "up_to_kwh_per_day": 5}, {"price": 2}]}, False),
        ({"bands": [{"name": "s", "season": "06-01 to 09-30", "price": 1}, {"name": "w", "price": 2}]}, False),
        ({"bands": [{"name": "n", "hours": "22:00-06:00", "price": 1}, {"name": "d", "price": 1}]}, False),
        ({"bands": [{"name": "n", "hours": "22:00-06:00", "price": 1}, {"name": "d", "price": 2}]}, True),
        ({"prices": {"file": "a.csv"}}, True),
    ],
)
def test_a_price_depends_on_the_hour_only_where_hours_of_one_day_differ(charged, by_time):
    assert Plan.model_validate(charged | {"currency": "EUR"}).depends_on_time is by_time


def test_amounts_have_as_many_decimals_as_their_currency():
    assert {code: decimals(code) for code in ("EUR", "JPY", "KWD")} == {"EUR": 2, "JPY": 0, "KWD": 3}
    assert str(rounded(Decimal("2.345"), "EUR")) == "2.35"
    assert str(rounded(Decimal("2.5"), "JPY")) == "3"
    assert len(CURRENCIES) == 156
