"""Published tariffs, and bills worked out by hand from what they say. Each names who published it.

The sums stand in the comments as a person with pen and paper writes them; none is computed by the code under test.
"""

import datetime as dt
from decimal import Decimal

import pytest

from tests.unit.priced import priced, pricing, readings, total

# "Stromtarife bestehen aus Arbeitspreis und Grundpreis": 32 ct a kWh, 12 EUR a month; 1,600 kWh: 656 EUR, 3,500 kWh:
# 1,264 EUR, 4,000 kWh: 1,424 EUR a year (stromvergleich-24.de, "Arbeitspreis und Grundpreis").
GERMAN = {"currency": "EUR", "price": 0.32, "standing_per_month": 12}
# BC Hydro, residential tiered rate, schedule 1101: 10.97 cents up to 22.1918 kWh a day, 14.08 cents above
# (app.bchydro.com, "Residential tiered rate"); basic charge 22.53 cents a day (justandreasonable.com).
BC_HYDRO = {
    "currency": "CAD",
    "standing_per_day": 0.2253,
    "tiers": [{"up_to_kwh_per_day": 22.1918, "price": 0.1097}, {"price": 0.1408}],
}
# Ontario Energy Board, Regulated Price Plan, winter from 1 November 2022 (wellingtonnorthpower.com, orpowercorp.com):
# weekdays 7 to 11 and 17 to 19 on-peak 15.1, 11 to 17 mid-peak 10.2, else, weekends and holidays off-peak 7.4 cents.
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]
ONTARIO_WINTER_HOURS = [
    {"name": "on-peak", "days": WEEKDAYS, "hours": ["07:00-11:00", "17:00-19:00"]},
    {"name": "mid-peak", "days": WEEKDAYS, "hours": "11:00-17:00"},
    {"name": "off-peak"},
]


def ontario(on_peak: float, mid_peak: float, off_peak: float) -> list[dict]:
    prices = (on_peak, mid_peak, off_peak)
    return [band | {"price": price} for band, price in zip(ONTARIO_WINTER_HOURS, prices, strict=True)]


# Umatilla Electric Cooperative, irrigation rate, three phase (uec.coop): 30 dollars a month, 6.57 dollars a kW of
# demand, April to October 3.846 cents a kWh, November to March 4.725 cents.
UMATILLA = {
    "currency": "USD",
    "standing_per_month": 30,
    "demand": {"price_per_kw": 6.57, "minutes": 15},
    "bands": [
        {"name": "April to October", "season": "04-01 to 10-31", "price": 0.03846},
        {"name": "November to March", "price": 0.04725},
    ],
}
# Economy 7: Scottish Power told a customer that her hours are midnight to 7 GMT, and 1 to 8 BST
# (conversation.which.co.uk, "Do you know your cheapest time-of-use tariff hours?"); 20p by day and 10p at night are the
# example of E.ON Next (eonnext.com, "How does off-peak electricity work?").
ECONOMY_7 = {
    "currency": "GBP",
    "clock": "standard",
    "bands": [{"name": "night", "hours": "00:00-07:00", "price": 0.10}, {"name": "day", "price": 0.20}],
}
# PG&E E-TOU-C, generation, as Peninsula Clean Energy lists it beside its own: peak 16 to 21 every day; summer is June
# to September. The baseline credit of 9.566 cents is what rateatlas.org has for E-TOU-C.
PGE_E_TOU_C = {
    "currency": "USD",
    "bands": [
        {"name": "summer peak", "season": "06-01 to 09-30", "hours": "16:00-21:00", "price": 0.22403},
        {"name": "summer off-peak", "season": "06-01 to 09-30", "price": 0.14103},
        {"name": "winter peak", "hours": "16:00-21:00", "price": 0.16398},
        {"name": "winter off-peak", "price": 0.13730},
    ],
    "tiers": [{"up_to_kwh_per_day": 9.8, "price": -0.09566}, {"price": 0}],
}
# Octopus Energy, "How do you calculate the prices for Shape Shifters: Agile?": 25p from 17:00, 18p from 2:00.
AGILE = {"currency": "GBP", "prices": {"file": "agile.csv"}}
AGILE_PRICES = "start,value\n2024-01-15T02:00Z,0.18\n2024-01-15T02:30Z,0.18\n2024-01-15T17:00Z,0.25\n"


@pytest.mark.parametrize(("year_kwh", "euros"), [(1600, "656.00"), (3500, "1264.00"), (4000, "1424.00")])
def test_a_german_tariff_has_a_price_a_kwh_and_a_price_a_month(year_kwh: int, euros: str):
    year = readings("2023-01-01", "2023-12-31", "Europe/Berlin", lambda _: year_kwh / 8760)
    assert total(year, "Europe/Berlin", GERMAN) == Decimal(euros)


def test_bc_hydros_second_tier_begins_above_so_many_kwh_for_each_day():
    # 30 days, 900 kWh. First tier 30 x 22.1918 = 665.754 kWh x 0.1097 = 73.0332; second 234.246 x 0.1408 = 32.9818;
    # 30 x 0.2253 = 6.7590. Together 112.7741.
    june = readings("2024-06-01", "2024-06-30", "America/Vancouver", lambda _: 900 / 720)
    assert total(june, "America/Vancouver", BC_HYDRO) == Decimal("112.77")


def test_bc_hydros_customer_who_stays_below_pays_the_first_tier_only():
    # 30 days, 600 kWh x 0.1097 = 65.82, and 6.759.
    june = readings("2024-06-01", "2024-06-30", "America/Vancouver", lambda _: 600 / 720)
    assert total(june, "America/Vancouver", BC_HYDRO) == Decimal("72.58")


def test_ontarios_tiers_are_by_the_month():
    # 1,000 x 0.087 = 87.00; 200 x 0.103 = 20.60. November 2022 has 721 hours in Toronto.
    plan = {"currency": "CAD", "tiers": [{"up_to_kwh_per_month": 1000, "price": 0.087}, {"price": 0.103}]}
    november = readings("2022-11-01", "2022-11-30", "America/Toronto", lambda _: 1200 / 721)
    assert total(november, "America/Toronto", plan) == Decimal("107.60")


def test_ontarios_weekday_holidays_are_off_peak():
    # The week of Christmas 2022, 1 kWh an hour. A weekday: 6 x 0.151 + 6 x 0.102 + 12 x 0.074 = 2.406; a day off
    # 24 x 0.074 = 1.776. Monday 26 and Tuesday 27 December are holidays (OEB), then three weekdays and a weekend:
    # 4 x 1.776 + 3 x 2.406 = 14.322.
    week = readings("2022-12-26", "2023-01-01", "America/Toronto", lambda _: 1.0)
    plan = {"currency": "CAD", "bands": ontario(0.151, 0.102, 0.074), "holidays": ["2022-12-26", "2022-12-27"]}
    assert total(week, "America/Toronto", plan) == Decimal("14.32")
    # Without the holidays: 2 x 1.776 + 5 x 2.406 = 15.582.
    assert total(week, "America/Toronto", plan | {"holidays": []}) == Decimal("15.58")


def test_ontarios_tariff_changed_in_mid_month():
    # IESO: 8.5 cents at all times since January 2021; from 23 February 2021 on 8.5, 11.9 and 17.6 cents. 1 kWh an hour.
    # 22 days x 24 x 0.085 = 44.88; four weekdays at 6 x 0.176 + 6 x 0.119 + 12 x 0.085 = 2.79: 11.16; a weekend of
    # 48 x 0.085 = 4.08. Together 60.12.
    plan = {
        "currency": "CAD",
        "contracts": [
            {"valid_from": "2021-01-01", "valid_to": "2021-02-22", "price": 0.085},
            {"valid_from": "2021-02-23", "bands": ontario(0.176, 0.119, 0.085)},
        ],
    }
    february = readings("2021-02-01", "2021-02-28", "America/Toronto", lambda _: 1.0)
    assert total(february, "America/Toronto", plan) == Decimal("60.12")


def test_what_is_charged_by_the_month_counts_by_its_days_when_the_tariff_changes_in_mid_month():
    # The German tariff until 10 April 2024, then 30 ct and 15 EUR. 720 kWh in 30 days of 24 kWh:
    # 240 x 0.32 + 12 x 10/30 = 76.80 + 4.00; 480 x 0.30 + 15 x 20/30 = 144.00 + 10.00. Together 234.80.
    plan = {
        "currency": "EUR",
        "contracts": [
            {"valid_to": "2024-04-10", "price": 0.32, "standing_per_month": 12},
            {"valid_from": "2024-04-11", "price": 0.30, "standing_per_month": 15},
        ],
    }
    april = readings("2024-04-01", "2024-04-30", "Europe/Berlin", lambda _: 1.0)
    assert total(april, "Europe/Berlin", plan) == Decimal("234.80")


def test_demand_is_charged_for_the_highest_quarter_of_an_hour():
    # July, 2 kW all the time but for a quarter of an hour at 12 kW: 31 x 96 x 0.5 + 2.5 = 1,490.5 kWh.
    # 1,490.5 x 0.03846 = 57.32463; 12 x 6.57 = 78.84; 30.00. Together 166.16463.
    def kwh(at: dt.datetime) -> float:
        return 3.0 if (at.day, at.hour, at.minute) == (18, 9, 30) else 0.5

    july = readings("2024-07-01", "2024-07-31", "America/Los_Angeles", kwh, minutes=15)
    assert total(july, "America/Los_Angeles", UMATILLA) == Decimal("166.16")
    # January: 31 x 96 x 0.5 + 2.5 = 1,490.5 x 0.04725 = 70.426125.
    january = readings("2024-01-01", "2024-01-31", "America/Los_Angeles", kwh, minutes=15)
    assert total(january, "America/Los_Angeles", UMATILLA) == Decimal("179.27")


def test_a_meter_without_summer_time_keeps_its_night_on_the_day_of_25_hours():
    # 27 October 2024 in London, 1 kWh an hour: 7 hours of night, 18 of day: 0.70 + 3.60.
    day = readings("2024-10-27", "2024-10-27", "Europe/London", lambda _: 1.0)
    assert day.height == 25
    assert total(day, "Europe/London", ECONOMY_7) == Decimal("4.30")
    # By the clock on the wall 00:00 to 07:00 lasts eight hours then: 0.80 + 17 x 0.20.
    assert total(day, "Europe/London", ECONOMY_7 | {"clock": "local"}) == Decimal("4.20")


def test_a_meter_without_summer_time_keeps_its_night_on_the_day_of_23_hours():
    # 31 March 2024 in London: 7 hours of night, 16 of day: 0.70 + 3.20; by the clock on the wall 6 and 17.
    day = readings("2024-03-31", "2024-03-31", "Europe/London", lambda _: 1.0)
    assert day.height == 23
    assert total(day, "Europe/London", ECONOMY_7) == Decimal("3.90")
    assert total(day, "Europe/London", ECONOMY_7 | {"clock": "local"}) == Decimal("4.00")


def test_in_summer_the_same_meters_night_is_from_one_to_eight():
    def between(first: int, last: int):
        return lambda at: 1.0 if first <= at.hour < last else 0.0

    night = readings("2024-07-01", "2024-07-01", "Europe/London", between(1, 8))
    assert total(night, "Europe/London", ECONOMY_7) == Decimal("0.70")
    midnight = readings("2024-07-01", "2024-07-01", "Europe/London", between(0, 1))
    assert total(midnight, "Europe/London", ECONOMY_7) == Decimal("0.20")


def test_a_baseline_credit_is_a_tier_on_top_of_the_prices_by_time():
    # July, 30 days would be too easy: 31 days, 0.5 kWh an hour, 12 kWh a day. 31 x 5 x 0.5 = 77.5 kWh of peak x 0.22403
    # = 17.362325; 294.5 kWh x 0.14103 = 41.533335; credit 31 x 9.8 = 303.8 kWh x 0.09566 = 29.061508. Together
    # 29.834152.
    july = readings("2024-07-01", "2024-07-31", "America/Los_Angeles", lambda _: 0.5)
    assert total(july, "America/Los_Angeles", PGE_E_TOU_C) == Decimal("29.83")


def test_prices_by_the_half_hour_come_from_a_file():
    # 2 kWh from 2:00, 3 kWh from 2:30, 1 kWh from 17:00: 5 x 0.18 + 0.25.
    used = {(2, 0): 2.0, (2, 30): 3.0, (17, 0): 1.0}
    day = readings("2024-01-15", "2024-01-15", "Europe/London", lambda at: used.get((at.hour, at.minute), 0.0), 30)
    assert total(day, "Europe/London", AGILE, {"agile.csv": AGILE_PRICES}) == Decimal("1.15")


def test_energy_fed_in_is_paid_for_and_costs_nothing():
    # Octopus "Outgoing Fixed": 15.0p a kWh (dreamgreenhouse.com). A day of 24 kWh at the day and night prices in
    # winter, 7 x 0.10 + 17 x 0.20 = 4.10; 10 kWh fed in at noon: 1.50 off.
    home = readings("2024-01-15", "2024-01-15", "Europe/London", lambda _: 1.0)
    roof = readings(
        "2024-01-15", "2024-01-15", "Europe/London", lambda at: 10.0 if at.hour == 12 else 0.0, appliance="Roof"
    )
    plan = ECONOMY_7 | {"export": {"appliances": "Roof", "price": 0.15}}
    assert total(home.vstack(roof), "Europe/London", plan) == Decimal("2.60")
    found = priced(home.vstack(roof), pricing("Europe/London", plan))
    assert set(found.days["appliance"]) == {"Home"}
