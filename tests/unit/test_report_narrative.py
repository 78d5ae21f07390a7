"""Text stands on facts: what the checker refuses, and what the rules write."""

import pytest
import report_home as home

from energy.report import rules
from energy.report.narrative import Action, Finding, NotGrounded, checked, problems
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
        ("The home used 320 kWh.", "a number"),
        ("The home used \uff13\uff12\uff10 kWh.", "a number"),
        ("Level \u2163.", "a number"),
        ("A \u00bc of it.", "a number"),
        ("Half of it, twice.", "a number"),
        ("Thirty percent.", "a number"),
        ("It used {{A1.kwh}} %.", "percent sign"),
        ("It used {{A9.kwh}}.", "there is no fact A9.kwh"),
        ("It used {{A1.year_kwh}}.", "fact A1.year_kwh is not known"),
        ("It used {{A1.kwh}.", "a brace"),
        ("It used {A1.kwh}.", "a brace"),
        ("<b>bold</b>", "markup"),
        ("See https://example.org", "markup"),
        ("[text](x)", "markup"),
        ("reversed \u202e text", "invisible"),
    ],
)
def test_refused(text, problem):
    found = problems(with_summary(text), SHEET)
    assert any(problem in one for one in found), found
    with pytest.raises(NotGrounded, match="the text by rules was refused"):
        checked(with_summary(text), SHEET)


def test_a_finding_may_only_cite_its_own_appliance():
    finding = Finding(appliance="A1", text="It used {{A2.kwh}} of {{site.total_kwh}}.")
    assert problems(GOOD.model_copy(update={"findings": [finding]}), SHEET) == ["fact A2.kwh is not about A1"]


def test_recommendations_and_appliances_must_exist():
    invented = GOOD.model_copy(
        update={
            "actions": [Action(recommendation="R99", text="Do it.")],
            "findings": [Finding(appliance="A99", text="It is large.")],
        }
    )
    assert problems(invented, SHEET) == ["there is no appliance A99", "there is no recommendation R99"]


def test_an_upgrade_is_told_at_its_own_appliance():
    upgrade = next(one for one in SHEET.recommendations if one.rule == "heat_pump")
    finding = Finding(appliance="A2", text="x", upgrades=(Action(recommendation=upgrade.id, text="Change it."),))
    found = problems(GOOD.model_copy(update={"findings": [finding]}), SHEET)
    assert found == [f"recommendation {upgrade.id} is not about A2"]


def test_behaviour_in_words():
    assert said(GOOD.behaviour) == (
        "In the quietest hour of 01:00\u201305:00 the home draws 0.06 kW on average, without heating, cooling and"
        " appliances that run at night by choice. At most this much is always on: 12 % of a day's energy."
        " A weekend day takes 15.0 kWh, 50 % more than a workday with 10.0 kWh."
        " The last 7 complete days (Mon 23 Mar 2026 to Sun 29 Mar 2026) took 80.0 kWh, about as much as the 7 complete"
        " days before with 80.0 kWh."
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
    assert "200.0 kWh, 62.5 % of the total" in fill(heater.text, SHEET)
    assert "1 hour far above" in fill(heater.text, SHEET)
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
@pytest.mark.parametrize("anomalies", [home.anomalies(), home.anomalies(hours_judged=0, skipped={"Heater": "too few"})])
def test_rules_have_something_grounded_to_say_about_any_home(readings, anomalies):
    sheet = fact_sheet(home.request(with_forecast=False, notes=["too short"]), readings, anomalies, None)
    narrative = checked(rules.write_text(sheet), sheet)
    assert said(narrative.summary, sheet)
    assert "not known" not in said(
        [*narrative.summary, *narrative.behaviour, *narrative.peak, *(one.text for one in narrative.findings)], sheet
    )
