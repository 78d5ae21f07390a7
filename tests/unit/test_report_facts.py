"""What the fact sheet says about a home whose figures can be checked by head."""

import datetime as dt

import pytest
import report_home as home

from energy.report.appliances import classify, display_name
from energy.report.language import language
from energy.report.sheet import fact_sheet


def sheet_of(readings, anomalies=None, forecast=None, **request):
    return fact_sheet(
        home.request(with_forecast=forecast is not None, **request), readings, anomalies or home.anomalies(), forecast
    )


def texts(sheet, *ids):
    return [sheet.text(fact) for fact in ids]


def test_site_and_appliances():
    sheet = sheet_of(home.home(), home.anomalies(home.anomaly()))
    assert texts(sheet, "site.total_kwh", "site.days", "site.peak_hour") == ["320.0 kWh", "28", "19:00\u201320:00"]
    assert texts(sheet, "A1.name", "A1.kwh", "A1.share", "A1.kind") == ["Heater", "200.0 kWh", "62.5%", "heater"]
    assert texts(sheet, "A1.anomalies", "A2.anomalies", "AN1.kwh") == ["1", "0", "2.5 kWh"]


def test_weekends_against_workdays_and_this_week_against_the_last():
    sheet = sheet_of(home.home())
    assert texts(sheet, "week.workday_kwh", "week.weekend_kwh", "week.change") == ["10.0 kWh", "15.0 kWh", "50%"]
    assert sheet.facts["week.change_direction"].value == "more"
    assert texts(sheet, "trend.recent_kwh", "trend.before_kwh") == ["80.0 kWh", "80.0 kWh"]
    assert sheet.facts["trend.change_direction"].value == "about as much"
    assert texts(sheet, "trend.first", "trend.last") == ["Mon, 23 Mar 2026", "Sun, 29 Mar 2026"]


def test_trend_leaves_days_read_in_part_out():
    sheet = sheet_of(
        home.readings(
            [home.appliance("A", 30.0, 1.0)], [1.0] * 7 + [9.0] + [2.0] * 7, complete=[True] * 7 + [False] + [True] * 7
        )
    )
    assert texts(sheet, "trend.recent_kwh", "trend.before_kwh", "trend.change") == ["14.0 kWh", "7.0 kWh", "100%"]


def test_always_on_is_the_quietest_night_hour_without_heating_and_what_runs_at_night_by_choice():
    # The other things alone: 40 / 28 / 24 = 0.0595 kW, 1.43 kWh a day of 320 / 28 = 11.43 kWh.
    sheet = sheet_of(home.home())
    assert sheet.text("site.base_kw") == "0.06 kW"
    assert sheet.facts["site.base_share"].value == pytest.approx(0.125)


def test_always_on_is_not_known_from_a_few_nights():
    sheet = sheet_of(home.readings([home.appliance("Router", 6.0, 1.0, days=6)], [1.0] * 6))
    assert sheet.facts["site.base_kw"].value is None


def test_evening_share():
    # Three evening hours: 3 x 0.357 kWh of heater and other, and all 80 / 28 kWh of the dishwasher; of 11.43 kWh.
    sheet = sheet_of(home.home())
    assert sheet.facts["site.peak_share"].value == pytest.approx(0.34375)
    assert sheet.facts["A2.peak_share"].value == pytest.approx(1.0)


def test_daily_readings_tell_nothing_about_hours():
    sheet = sheet_of(home.readings([home.appliance("Heater", 280.0, 1.0, interval_minutes=1440.0)], [10.0] * 28))
    unknown = ["site.peak_hour", "site.peak_share", "site.base_kw", "A1.peak_hour", "A1.peak_share", "A1.peak_power_kw"]
    assert [fact for fact in unknown if sheet.facts[fact].value is not None] == []
    assert "week" not in sheet.tables
    assert "profiles" not in sheet.tables


def test_heating_is_not_scaled_to_a_year_before_a_season_was_read():
    short = sheet_of(home.readings([home.appliance("Heater", 890.0, 1.0, days=89)], [10.0] * 89))
    assert short.facts["A1.year_kwh"].value is None
    season = sheet_of(home.readings([home.appliance("Heater", 900.0, 1.0, days=90)], [10.0] * 90))
    assert season.text("A1.year_kwh") == "3,650 kWh"
    fridge = sheet_of(home.readings([home.appliance("Fridge", 14.0, 1.0, days=7)], [2.0] * 7))
    assert fridge.text("A1.year_kwh") == "730 kWh"


def test_forecast_facts():
    sheet = sheet_of(home.home(), forecast=home.forecast())
    assert texts(sheet, "F.total_kwh", "F.level", "F.first", "F.last") == [
        "98.0 kWh",
        "80%",
        "Mon, 30 Mar 2026",
        "Sun, 5 Apr 2026",
    ]
    assert texts(sheet, "F.highest_day", "F.highest_kwh", "F.highest_lower", "F.highest_upper") == [
        "Sun, 5 Apr 2026",
        "17.0 kWh",
        "14.0 kWh",
        "20.0 kWh",
    ]
    # 98 kWh against 80 kWh in the last week.
    assert [sheet.facts["F.change"].value, sheet.facts["F.change_direction"].value] == [pytest.approx(0.225), "more"]


def test_nothing_used_has_no_shares():
    sheet = sheet_of(home.readings([home.appliance("Heater", 0.0, None, max_kwh=0.0)], [0.0] * 28))
    unknown = ["A1.share", "site.peak_hour", "site.peak_share", "site.top_share", "week.change", "save.behaviour_high"]
    assert [fact for fact in unknown if sheet.facts[fact].value is not None] == []
    assert sheet.recommendations == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("AC", "air_conditioner"),
        ("Air Conditioner 2", "air_conditioner"),
        ("Vacuum", "unknown"),
        ("Refrigerator", "refrigerator"),
        ("fridge-freezer", "refrigerator"),
        ("Heater", "heater"),
        ("Water Heater", "water_heater"),
        ("Washing Machine", "washing_machine"),
        ("WashingMachine", "washing_machine"),
        ("washing_machine_1", "washing_machine"),
        ("Washer Dryer", "washer_dryer"),
        ("Tumble Dryer", "dryer"),
        ("Hair dryer", "unknown"),
        ("Dishwasher", "dishwasher"),
        ("Other", "remainder"),
        ("Bathroom heater", "heater"),
        ("Steve", "unknown"),
        ("EV charger", "ev_charger"),
        ("Space ship", "unknown"),
        ("Heat pump", "heat_pump"),
        ("Heat pump water heater", "water_heater"),
        ("Router", "network"),
        ("Home server", "network"),
        ("NAS", "network"),
        ("TV", "electronics"),
        ("Nasal spray", "unknown"),
        ("", "unknown"),
    ],
)
def test_kind_by_name(name, kind):
    assert classify(name) == kind


def test_a_shown_name_is_one_short_visible_line():
    assert display_name("AC\u202eevil\nline\u200b two") == "AC evil line two"
    assert display_name("x" * 200) == "x" * 47 + "…"
    assert display_name("\u0000 \u2028") == "(no name)"


@pytest.mark.parametrize(
    ("value", "unit", "dp", "text"),
    [
        (1234567.89, "kwh", 1, "1,234,567.9 kWh"),
        (0.0, "kwh", 1, "0.0 kWh"),
        (-0.001, "kwh", 1, "0.0 kWh"),
        (-2.5, "kwh", 1, "-2.5 kWh"),
        (0.735, "share", 1, "73.5%"),
        (23, "hour", 0, "23:00\u201300:00"),
        (0, "weekday", 0, "Monday"),
        (2.04, "sigma", 0, "2.0"),
        ("2026-03-02", "date", 0, "Mon, 2 Mar 2026"),
        ("2026-03-02T18:00:00", "datetime", 0, "Mon, 2 Mar 2026, 18:00"),
        (None, "kwh", 1, "not known"),
    ],
)
def test_formats(value, unit, dp, text):
    assert language("en").value(value, unit, dp) == text


def test_last_day_shown_is_the_last_day_read():
    sheet = sheet_of(home.readings([home.appliance("A", 100.0, 1.0, days=100)], [1.0] * 100))
    rows = sheet.tables["days"].rows
    assert len(rows) == 56
    assert rows[-1][0] == (home.FIRST + dt.timedelta(days=99)).isoformat()
    assert sheet.tables["days"].notes == ["The last {{days.shown}} of {{site.read_days}} days read."]
    assert texts(sheet, "days.shown", "site.read_days") == ["56", "100"]


def test_every_unusual_hour_counts_on_its_day_not_only_the_largest():
    found = home.anomalies(home.anomaly()).model_copy(update={"by_day": {"2026-03-02": 60, "2026-03-28": 1}})
    rows = {row[0]: row[4] for row in sheet_of(home.home(), found).tables["days"].rows}
    assert [rows["2026-03-02"], rows["2026-03-03"], rows["2026-03-28"]] == [60, 0, 1]


@pytest.mark.parametrize(("std_kwh", "off"), [(0.5, "yes"), (0.3, "no"), (None, "no")])
def test_mostly_off_is_a_deviation_of_more_than_twice_the_mean(std_kwh, off):
    # 134.4 kWh in 28 x 24 hours: 0.2 kWh an hour.
    kettle = home.appliance("Kettle", 134.4, 1.0).model_copy(update={"std_kwh": std_kwh})
    assert texts(sheet_of(home.readings([kettle], [4.8] * 28)), "A1.mostly_off") == [off]


@pytest.mark.parametrize(
    ("days", "complete", "mean_of"), [(28, 2, "all days"), (28, 3, "complete days"), (2, 1, "complete days")]
)
def test_the_mean_of_a_few_complete_days_gives_way_to_that_of_all(days, complete, mean_of):
    days_complete = [number < complete for number in range(days)]
    sheet = sheet_of(home.readings([home.appliance("A", 1.0, 1.0)], [1.0] * days, complete=days_complete))
    assert texts(sheet, "site.mean_of") == [mean_of]
