"""Text stands on facts: what the checker refuses, and what the rules write."""

import datetime as dt

import pytest
import report_home as home

from energy.documents import YearDecomposition
from energy.report import headlines, rules
from energy.report.narrative import Action, Finding, NotGrounded, checked, problems, without_refused
from energy.report.render import fill
from energy.report.sheet import fact_sheet

SHEET = fact_sheet(home.request(), home.home(), home.anomalies(home.anomaly()), home.forecast())
GOOD = rules.write_text(SHEET)


def with_summary(text):
    return GOOD.model_copy(update={"summary": [text]})


def said(sentences, sheet=SHEET):
    return " ".join(fill(text, sheet) for text in sentences)


def test_the_text_by_rules_is_grounded():
    assert problems(GOOD, SHEET) == []
    assert checked(GOOD, SHEET) is GOOD


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("The home used 320 kWh.", "number"),
        ("The home used \uff13\uff12\uff10 kWh.", "number"),
        ("Level \u2163.", "number"),
        ("A \u00bc of it.", "number"),
        ("Half of it, twice.", "number"),
        ("Thirty percent.", "number"),
        ("It used {{A1.kwh}} %.", "character"),
        ("It used {{A9.kwh}}.", "there is no fact A9.kwh"),
        ("It used {{A1.year_kwh}}.", "fact A1.year_kwh is not known"),
        ("It used {{A1.kwh}.", "brace"),
        ("It used {A1.kwh}.", "brace"),
        ("<b>bold</b>", "markup"),
        ("See https://example.org", "link"),
        ("[text](x)", "markup"),
        ("reversed \u202e text", "invisible"),
    ],
)
def test_refused(text, problem):
    found = problems(with_summary(text), SHEET)
    assert any(problem in str(one) for one in found), found
    with pytest.raises(NotGrounded, match="the text by rules was refused"):
        checked(with_summary(text), SHEET)


def test_only_what_is_refused_is_left_out():
    lie = "The home used 320 kWh."
    refused = GOOD.model_copy(
        update={
            "summary": [*GOOD.summary, lie],
            "findings": [*GOOD.findings, Finding(appliance="A1", text="It used {{A2.kwh}} here.")],
        }
    )
    assert without_refused(refused, SHEET) == GOOD
    assert without_refused(GOOD, SHEET) == GOOD


def test_a_finding_may_only_cite_its_own_appliance():
    finding = Finding(appliance="A1", text="It used {{A2.kwh}} of {{site.total_kwh}}.")
    found = problems(GOOD.model_copy(update={"findings": [finding]}), SHEET)
    assert any("fact A2.kwh is not about A1" in str(one) for one in found)


def test_recommendations_and_appliances_must_exist():
    invented = GOOD.model_copy(
        update={
            "actions": [Action(recommendation="R99", text="Do it.")],
            "findings": [Finding(appliance="A99", text="It is large.")],
        }
    )
    assert [one.detail for one in problems(invented, SHEET)] == [
        "there is no recommendation R99",
        "there is no appliance A99",
    ]


def test_an_upgrade_is_told_at_its_own_appliance():
    upgrade = next(one for one in SHEET.recommendations if one.rule == "heat_pump")
    finding = Finding(appliance="A2", text="x", upgrades=(Action(recommendation=upgrade.id, text="Change it."),))
    found = problems(GOOD.model_copy(update={"findings": [finding]}), SHEET)
    assert f"recommendation {upgrade.id} is not about A2" in [one.detail for one in found]


def test_behaviour_in_words():
    assert said(GOOD.behaviour) == (
        "In the quietest hour of 01:00\u201305:00 the home draws 0.06 kW on average, without heating, cooling and"
        " appliances that run at night by choice. At most this much is always on: 12% of a day's energy."
        " A weekend day takes 15.0 kWh, 50% more than a workday with 10.0 kWh."
        " The last 7 complete days (Mon, 23 Mar 2026 to Sun, 29 Mar 2026) took 80.0 kWh, about as much as the 7"
        " complete days before with 80.0 kWh."
    )


def test_shifting_saves_no_energy_and_needs_a_tariff():
    assert "That saves no energy, and money only on a time-of-use tariff." in said(GOOD.peak)


def test_three_to_five_actions_those_with_a_figure_first():
    assert 3 <= len(GOOD.actions) <= 5
    by_id = {one.id: one for one in SHEET.recommendations}
    quantified = [by_id[action.recommendation].quantified for action in GOOD.actions]
    assert quantified == sorted(quantified, reverse=True)
    assert "10.0 kWh to 20.0 kWh" in fill(GOOD.actions[0].text, SHEET)


def test_auditor_goes_by_energy_and_names_upgrades_with_their_condition():
    assert [finding.appliance for finding in GOOD.findings] == ["A1", "A2", "A3"]
    heater = GOOD.findings[0]
    assert "200.0 kWh, 62.5% of the total" in fill(heater.text, SHEET)
    assert fill(heater.text, SHEET).endswith(
        "Unusual events: 1; hours far from what is usual for it then: 1; see whether it ran as intended."
    )
    assert "Applies if it heats with a plain electric element." in fill(heater.upgrades[0].text, SHEET)


@pytest.mark.parametrize(
    "readings",
    [
        home.readings([home.appliance("Heater", 10.0, 1.0, days=1)], [10.0], complete=[False]),
        home.readings([home.appliance("Heater", 0.0, None, max_kwh=0.0)], [0.0] * 28),
        home.readings([home.appliance("Heater", 280.0, 1.0, interval_minutes=1440.0)], [10.0] * 28),
        home.readings([home.appliance("Heater", 1.0, 1.0, days=1, interval_minutes=None)], [1.0]),
        home.readings([home.appliance("A", 1.0, 1.0, days=1, profile=[None] * 23 + [1.0])], [1.0]),
        home.readings([home.appliance(f"Heater {n}", 1.0, 0.02) for n in range(50)], [50 / 28] * 28),
    ],
    ids=["one day", "nothing used", "daily readings", "one reading", "one hour known", "fifty appliances"],
)
@pytest.mark.parametrize(
    "anomalies", [home.anomalies(), home.anomalies(hours_judged=0, skipped={"Heater": "few_hours"})]
)
def test_rules_have_something_grounded_to_say_about_any_home(readings, anomalies):
    sheet = fact_sheet(home.request(with_forecast=False, notes=["too short"]), readings, anomalies, None)
    narrative = checked(rules.write_text(sheet), sheet)
    assert said(narrative.summary, sheet)
    assert "not known" not in said(
        [*narrative.summary, *narrative.behaviour, *narrative.peak, *(one.text for one in narrative.findings)], sheet
    )


def narrated(readings, anomalies=None, forecast=None):
    sheet = fact_sheet(
        home.request(with_forecast=forecast is not None), readings, anomalies or home.anomalies(), forecast
    )
    return sheet, checked(rules.write_text(sheet), sheet)


def test_an_appliance_that_could_not_be_judged_is_not_said_to_be_fine():
    sheet, narrative = narrated(home.home(), home.anomalies(skipped={"Heater": "constant"}))
    assert "Unusual hours: not judged, every hour used the same energy." in fill(narrative.findings[0].text, sheet)
    assert "Unusual events: none." in fill(narrative.findings[1].text, sheet)


def test_a_router_is_not_to_be_switched_off():
    sheet, _ = narrated(home.readings([home.appliance("Router", 28.0, 1.0)], [1.0] * 28))
    assert [one.rule for one in sheet.recommendations if one.appliance == "A1"] == []
    sheet, _ = narrated(home.readings([home.appliance("TV", 28.0, 1.0)], [1.0] * 28))
    assert "standby" in [one.rule for one in sheet.recommendations]


def test_a_capped_saving_is_one_figure_and_says_that_it_is_capped():
    # Two refrigerators: unplugging the second saves all of its 140 of 280 kWh, of which 15%, 42 kWh, are counted.
    fridges = [home.appliance("Fridge", 140.0, 0.5), home.appliance("Old fridge", 140.0, 0.5)]
    sheet, narrative = narrated(home.readings(fridges, [10.0] * 28))
    assert said(narrative.saving, sheet) == (
        "Of what the habits that apply here may save together, at most 42.0 kWh is counted over the days read (15% of"
        " the total): that habits alone save no more is an assumption."
    )
    assert sheet.facts["save.behaviour_low"].value == 0


def test_a_range_whose_ends_read_the_same_is_one_figure():
    # A quarter of the dryer's 28 kWh, less or more: 7 kWh of 280, 2.5%.
    appliances = [home.appliance("Other", 252.0, 0.9), home.appliance("Dryer", 28.0, 0.1)]
    sheet, narrative = narrated(home.readings(appliances, [10.0] * 28))
    assert "may together save 7.0 kWh over the days read, 2.5% of the total." in said(narrative.saving, sheet)


def test_how_such_forecasts_fared_is_told_with_what_repeating_the_week_before_would_have():
    # Off by 12 %, a skill of 0.1 against the week before: that was off by 0.12 / 0.9 = 13 %.
    assert (
        "Made in the same way, forecasts of the 14 days before were right within 20% of a mean day on 80% of the days."
        " On average they were off by 12%; to repeat the week before would have been off by 13%. Of these days 82% lay"
        " within the 80% band, and 96% within the 95% band." in said(GOOD.forecast)
    )


def test_without_earlier_forecasts_the_text_says_so():
    young = home.forecast()
    first = young.series[0].model_copy(update={"backtest": None})
    sheet, narrative = narrated(home.home(), forecast=young.model_copy(update={"series": [first, *young.series[1:]]}))
    text = said(narrative.forecast, sheet)
    assert "There are too few days yet to tell how right such forecasts were." in text
    assert "Made in the same way" not in text


def test_a_year_is_told_by_its_seasons_or_else_by_its_week():
    year = YearDecomposition(
        days=800,
        weekday_kwh=[-1.0, 0.0, 0.0, 0.0, 0.0, 2.5, -1.5],
        month_kwh=[3.0, *[0.0] * 5, -4.0, *[0.0] * 5],
        trend_kwh={"2026-01": 11.0},
    )
    sheet, narrative = narrated(home.home(), forecast=home.forecast().model_copy(update={"year": year}))
    text = said(narrative.forecast, sheet)
    assert "January lies 3.0 kWh a day above the level of all months, and July 4.0 kWh below." in text
    assert sheet.tables["year"].rows == [["2026-01", 11.0, 3.0]]
    one = year.model_copy(update={"month_kwh": None})
    sheet, narrative = narrated(home.home(), forecast=home.forecast().model_copy(update={"year": one}))
    text = said(narrative.forecast, sheet)
    assert "Over 800 days, Saturday lies 2.5 kWh above the days around it, and Sunday 1.5 kWh below." in text
    assert "January" not in text
    assert sheet.tables["year"].rows == [["2026-01", 11.0]]
    for nothing in ({"month_kwh": [0.0] * 12}, {"month_kwh": None, "weekday_kwh": [0.0] * 7}):
        level = year.model_copy(update=nothing)
        sheet, narrative = narrated(home.home(), forecast=home.forecast().model_copy(update={"year": level}))
        assert "January" not in said(narrative.forecast, sheet)
        assert "Monday" not in said(narrative.forecast, sheet)


def test_no_chance_is_claimed_where_nothing_tells_how_sure_a_forecast_is():
    unsure = home.forecast().model_copy(update={"has_spread": False})
    sheet, narrative = narrated(home.home(), forecast=unsure)
    text = said(narrative.forecast, sheet)
    assert "The highest day is Sun, 5 Apr 2026 with 17.0 kWh. How sure this is cannot be told yet." in text
    assert "chance" not in text
    assert [*sheet.tables["forecast"].notes] == [
        "Too few days to tell how sure this is: the bands reach from nothing to the double."
    ]
    alike = unsure.model_copy(update={"days": [unsure.days[0]] * 2})
    sheet, narrative = narrated(home.home(), forecast=alike)
    assert "chance" not in said(narrative.forecast, sheet)
    assert "chance of 80%" in said(GOOD.forecast)


def test_an_appliance_that_the_total_leaves_out_is_named_wherever_the_total_is_told():
    without = home.forecast().model_copy(update={"members": ["Dishwasher", "Other"], "coherent": True})
    sheet, narrative = narrated(home.home(), forecast=without)
    assert "the home is expected to use 98.0 kWh, without Heater." in said(narrative.forecast, sheet)
    (card,) = [one for one in headlines.cards(sheet) if one[0] == "Days ahead"]
    assert card[1:3] == ("98.0 kWh", "over 7 days, not of all appliances")
    (card,) = [one for one in headlines.cards(SHEET) if one[0] == "Days ahead"]
    assert card[2] == "over 7 days"


def test_days_ahead_that_are_all_alike_have_no_highest():
    day = home.forecast().days[0]
    alike = home.forecast().model_copy(
        update={"days": [day.model_copy(update={"yhat": 11.0 + n / 100}) for n in (1, 2)]}
    )
    sheet, narrative = narrated(home.home(), forecast=alike)
    assert (
        "Every day takes about the same: 11.0 kWh. With a chance of 80% a day lies within 8.0 kWh to 14.0 kWh."
        in said(narrative.forecast, sheet)
    )
    assert "highest" not in said(narrative.forecast, sheet)
    assert "The highest day is Sun, 5 Apr 2026 with 17.0 kWh; with a chance of 80% it takes" in said(GOOD.forecast)


def test_no_hour_is_busiest_where_all_are_alike():
    fridge = home.appliance("Fridge", 28.0, 1.0).model_copy(update={"peak_hour": None})
    sheet, narrative = narrated(home.readings([fridge], [1.0] * 28, peak_hour=None))
    assert said(narrative.peak, sheet) == "No hour of the day stands out: every hour takes about the same."
    everything = said([*narrative.summary, *(one.text for one in narrative.findings)], sheet)
    assert "busiest" not in everything
    assert "most at" not in everything


def test_nothing_used_says_so_and_no_more():
    nothing = home.readings([home.appliance("Heater", 0.0, None, max_kwh=0.0)], [0.0] * 28, peak_hour=None)
    sheet, narrative = narrated(nothing)
    assert said(narrative.behaviour, sheet).startswith("No energy was used in this time, so nothing is always on.")
    assert said(narrative.peak, sheet) == "No energy was used in this time, so no hour is busier than another."
    assert [narrative.actions, narrative.saving, narrative.findings, narrative.potential] == [[], [], [], []]


def test_the_quality_of_complete_readings_is_said_plainly():
    sheet = fact_sheet(home.request(), home.home(), home.anomalies(), None)
    assert said(rules.write_text(sheet).quality, sheet) == (
        "Of the time from the first day to the last, 100.0% has readings, as a mean of all appliances. There are no"
        " gaps between them. No reading is marked as estimated."
    )


def test_gaps_estimates_flatlines_and_rejected_rows_are_said():
    gap = {"longest_gap_hours": 71.0, "longest_gap_start": dt.datetime(2026, 3, 14, 13)}
    changes = gap | {
        "coverage": 0.99996,
        "gaps": 3,
        "missing_hours": 73.0,
        "flatlines": 1,
        "flatline_hours": 60.0,
        "rejected": 5,
        "estimated_share": 0.12,
        "estimated_kwh_share": 0.2,
    }
    readings = home.home()
    appliances = [
        one if one.appliance != "Dishwasher" else one.model_copy(update={"quality": one.quality.model_copy(update=gap)})
        for one in readings.appliances
    ]
    readings = readings.model_copy(update={"appliances": appliances, "quality": home.quality(2016, **changes)})
    sheet = fact_sheet(home.request(), readings, home.anomalies(), None)
    assert said(rules.write_text(sheet).quality, sheet) == (
        "Of the time from the first day to the last, 99.9% has readings, as a mean of all appliances. Gaps: 3. The"
        " longest begins on Sat, 14 Mar 2026, 13:00 and lasts 3 days (Dishwasher). Estimated, not measured: 12% of the"
        " readings, 20% of the energy. They count like any other, also where unusual hours and the days ahead are"
        " computed. Stretches of the same value for a day or longer, as from a meter that hangs: 1, 60 h in"
        " all. Rows set apart because they could not be used, over all uploads: 5."
    )
    assert sheet.tables["quality"].rows[-1] == [
        None,
        60.0,
        2016,
        0.999,
        3,
        73.0,
        71.0,
        "2026-03-14T13:00:00",
        60.0,
        0.12,
        5,
        0,
    ]


def test_quality_that_cannot_be_told_is_not():
    readings = home.home().model_copy(update={"quality": home.quality(1, gaps=None, missing_hours=None, coverage=0.0)})
    sheet = fact_sheet(home.request(), readings, home.anomalies(), None)
    assert "gaps" not in said(rules.write_text(sheet).quality, sheet)
