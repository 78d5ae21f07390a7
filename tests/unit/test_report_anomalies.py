"""What a report says of unusual events: every kind in every language, on facts, and what was left out."""

import datetime as dt

import pytest
import report_home as home

from energy.documents import Muted, NotJudged, PeakHour
from energy.report import anomaly_facts, headlines, rules
from energy.report.language import LANGUAGES
from energy.report.narrative import checked
from energy.report.sheet import fact_sheet
from energy.report.tables import NOT_JUDGED

START = dt.datetime(2026, 3, 20, 10)
KINDS = tuple(anomaly_facts.KIND_NAMES)


def event(kind, hours=6):
    """An event of a kind as it would be found."""
    days = kind == "rising_use"
    limit = 1.5 if kind in {"high_use", "drop"} else None
    return home.anomaly(
        kind=kind,
        kinds=[kind],
        appliance=None if kind == "outage" else "Heater",
        start=START,
        end=START + dt.timedelta(hours=hours),
        hours=hours,
        peak=None if days else PeakHour(timestamp=START, kwh=2.5, expected_kwh=0.5, limit_kwh=limit),
        usual_hours=1.5 if kind == "long_run" else None,
        day_kwh_before=1.2 if days else None,
        day_kwh_after=1.8 if days else None,
    )


def told(*events, code="en", **changes):
    """The checked text of the section about unusual hours, and the sheet."""
    summary = home.anomalies(*(one for one in events), **changes)
    sheet = fact_sheet(home.request(), home.home(), summary, home.forecast(), code)
    narrative = checked(rules.write_text(sheet), sheet)
    return [sheet.filled(sentence) for sentence in narrative.unusual], sheet


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("hours", [1, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_sentence_that_stands_on_facts(kind, hours, code):
    said, sheet = told(event(kind, hours), code=code)
    assert "{{" not in " ".join(said)
    assert sheet.tongue.say("not known") not in " ".join(said)
    what = sheet.tables["unusual"].cells(sheet.tables["unusual"].rows[0], sheet.tongue)[3]
    assert what == sheet.say(anomaly_facts.KIND_NAMES[kind])


def test_the_sentence_of_an_hour_says_what_is_usual_and_the_limit():
    said, _ = told(event("high_use", 1))
    assert said[-1] == (
        "Heater used 2.5 kWh in the hour from Fri, 20 Mar 2026, 10:00; usual for that hour is 0.50 kWh, the limit"
        " 1.5 kWh."
    )


def test_hours_of_one_day_are_told_with_the_day_once_and_those_of_two_with_both():
    said, _ = told(event("high_use", 6))
    assert "from Fri, 20 Mar 2026, 10:00 to 16:00; usual" in said[-1]
    said, _ = told(event("high_use", 16))
    assert "from Fri, 20 Mar 2026, 10:00 to Sat, 21 Mar 2026, 02:00; usual" in said[-1]
    said, _ = told(event("high_use", 6), code="de")
    assert "vom Fr., 20. März 2026, 10:00 bis 16:00; üblich" in said[-1]


def test_a_slow_fault_is_told_with_its_days():
    weeks = {"start": dt.datetime(2026, 3, 2), "end": dt.datetime(2026, 3, 30), "hours": 28 * 24}
    said, sheet = told(event("rising_use").model_copy(update=weeks))
    days = "from Mon, 2 Mar 2026 to Sun, 29 Mar 2026"
    assert said[-1] == f"Heater crept up {days}: from 1.2 kWh a day to 1.8 kWh."
    shown = sheet.tables["unusual"]
    assert f"from {' to '.join(shown.cells(shown.rows[0], sheet.tongue)[:2])}" == days


def test_the_ten_that_matter_are_in_the_table_and_three_in_words():
    events = [event("high_use", 1).model_copy(update={"kwh": 2.0 + n}) for n in range(10)]
    said, sheet = told(*events, events=140)
    assert len(sheet.tables["unusual"].rows) == 10
    assert sheet.facts["AN.events"].value == 140
    notes = [sheet.filled(sheet.say(note)) for note in sheet.tables["unusual"].notes]
    assert notes[0] == "The 10 that matter most, of 140."
    assert sum("usual for that hour" in sentence for sentence in said) == 3


def test_what_a_person_called_normal_is_told_by_its_count():
    muted = [Muted(line="mute Kettle: every kind", hours=5, events=3), Muted(line="mute Oven: drop", hours=0, events=0)]
    said, _ = told(muted=muted)
    assert said[-1] == "Events that the site's configuration mutes or calls normal, and that are left out: 3."
    assert "that are left out" not in " ".join(told()[0])


def test_a_name_in_the_configuration_that_nothing_was_read_of_is_a_warning():
    _, sheet = told(unknown_appliances=["Sauna"])
    assert sheet.warnings == ["What the configuration says of anomalies names Sauna, of which nothing was ever read"]


def test_events_without_an_hour_that_could_be_judged_are_told_all_the_same():
    said, _ = told(event("outage"), hours_judged=0, count=0)
    assert any("No appliance used anything" in sentence for sentence in said)
    assert not any("None of" in sentence or "could be judged" in sentence for sentence in said)


def slow_fault(**changes):
    """A slow fault of the heater, and no hour of it that is unusual by itself."""
    return {"count": 0, "by_appliance": {}, "by_day": {}, "by_rule": {}} | changes


def finding(sheet, appliance="A1"):
    (text,) = [one.text for one in rules.write_text(sheet).findings if one.appliance == appliance]
    return sheet.filled(text)


def test_an_event_without_an_unusual_hour_is_told_alike_everywhere():
    said, sheet = told(event("rising_use"), **slow_fault())
    assert said[0] == "Unusual events: 1."
    assert not any("nusual hours" in sentence for sentence in said)
    assert "Unusual events: 1; see whether it ran as intended." in finding(sheet)
    (card,) = [card for card in headlines.cards(sheet) if card[3] == "unusual"]
    assert card[:2] == ("Unusual events", "1")
    _, sheet = told(event("rising_use"), **slow_fault(skipped={"Heater": "coarse"}))
    assert "Unusual events: 1; its hours were not judged, it is read less often than hourly." in finding(sheet)


def test_where_all_is_muted_nothing_else_is_said_to_have_stood_out():
    muted = [Muted(line="mute Heater: every kind", hours=5, events=2)]
    said, sheet = told(muted=muted, muted_by_appliance={"Heater": 2})
    assert said == [
        "Nothing stood out besides what the site's configuration mutes or calls normal.",
        "Events that the site's configuration mutes or calls normal, and that are left out: 2.",
    ]
    assert "none besides those that the site's configuration mutes or calls normal." in finding(sheet)
    assert "Unusual events: none." in finding(sheet, "A2")


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("hours", [1, 6])
def test_where_the_mean_leads_nothing_is_said_to_be_usual_for_an_hour(code, hours):
    by_mean = event("high_use", hours).model_copy(update={"methods": ["mean_2std"]})
    everywhere = {name: NotJudged(reason="few_runs", number=3) for name in ("Heater", "Dishwasher", "Other")}
    said, _ = told(by_mean, code=code, limited=everywhere, by_rule={"mean_2std": hours})
    text = " ".join(said)
    assert "usual for" not in text
    assert "üblich sind" not in text
    assert ("too seldom" if code == "en" else "zu selten") in text
    assert not any("other rule" in sentence or "anderen Regel" in sentence for sentence in said)
    if code == "en":
        sentences = {
            1: "in the hour from Fri, 20 Mar 2026, 10:00; its mean hour is 0.50 kWh, the limit 1.5 kWh.",
            6: "from Fri, 20 Mar 2026, 10:00 to 16:00; at its mean it would have been 0.50 kWh.",
        }
        assert said[-1].endswith(sentences[hours])


def test_the_hours_of_the_other_rule_are_counted():
    said, _ = told(event("high_use", 1), by_rule={"mean_2std": 7, "robust": 2, "mean_2std+robust": 4})
    assert said[2] == (
        "By the other rule, which does not know the hour of the day, unusual hours are those more than 2 standard"
        " deviations above their appliance's mean: 11."
    )


@pytest.mark.parametrize("reason", NOT_JUDGED)
def test_every_reason_for_judging_less_is_told(reason):
    limited = {"Heater": NotJudged(reason=reason)}
    said, sheet = told(event("high_use", 1), limited=limited, skipped={"Dishwasher": reason})
    rows = {row[0]: row[1:] for row in sheet.tables["skipped"].rows}
    assert rows == {
        "Dishwasher": ["not at all", NOT_JUDGED[reason]],
        "Heater": ["by its mean and deviations alone", NOT_JUDGED[reason]],
    }
    assert any("more than 2 standard deviations above" in sentence for sentence in said)
