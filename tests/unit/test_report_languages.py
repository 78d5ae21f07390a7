"""The report in each of its languages: nothing is left untranslated, and figures are written as readers write them."""

import json
import re
import string

import pytest
import report_home as home
from babel.messages.pofile import read_po

from energy.intake.rules import REASONS
from energy.report import document, render, rules
from energy.report.facts import PLACEHOLDER
from energy.report.language import CATALOGUES, LANGUAGES, LOCALES, language, put_in
from energy.report.sheet import fact_sheet
from energy.report.told import PATTERNS
from translations import extraction

MESSAGES = extraction.messages()
TRANSLATED = [code for code in LANGUAGES if code != "en"]
SLOT = re.compile(r"\{\{[\w.]+\}\}|\{\w+\}")


def catalogue(code):
    with (CATALOGUES / code / "LC_MESSAGES" / "report.po").open("rb") as lines:
        return read_po(lines, locale=code, abort_invalid=True)


def strings(message):
    return [message.string] if isinstance(message.string, str) else list(message.string)


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_has_every_message_and_no_other(code):
    found = {message.id: message for message in catalogue(code) if message.id}
    assert len(found) > 250
    assert set(found) == set(MESSAGES), "`make messages` brings them up to date"
    assert [one for one, message in found.items() if message.fuzzy or not all(strings(message))] == []
    assert not catalogue(code).obsolete


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_cites_what_the_message_cites(code):
    for message in catalogue(code):
        if message.id:
            cited = {
                frozenset(SLOT.findall(one)) for one in ([message.id] if isinstance(message.id, str) else message.id)
            }
            assert {frozenset(SLOT.findall(one)) for one in strings(message)} == cited, message.id


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_carries_no_number_that_the_message_lacks(code):
    for message in catalogue(code):
        if message.id and isinstance(message.id, str):
            numbers = set(re.findall(r"\d+", message.id))
            assert set(re.findall(r"\d+", strings(message)[0].replace("2.690", "2,690"))) <= numbers, message.id


@pytest.mark.parametrize(
    "source",
    ['sheet.say(f"It used {kwh}.")', 'sheet.say("It used " + kwh)', 'message("more" if up else "less")'],
)
def test_a_sentence_that_is_put_together_before_it_is_translated_is_refused(source):
    with pytest.raises(ValueError, match="one literal"):
        list(extraction.in_python(source))


def test_messages_are_found_wherever_they_stand():
    source = """
Table(id="x", title="A table", columns=[Column(title="A column", unit="kwh"), _energy("Energy", values)])
sheet.plural("{{n}} day", "{{n}} days", "n", a="b")
sheet.say("One sentence"
          " in pieces.")
sheet.say(LATER)
"""
    found = set(extraction.in_python(source))
    assert found == {"A table", "A column", "Energy", ("{{n}} day", "{{n}} days"), "One sentence in pieces."}


def test_parts_of_a_sentence():
    assert put_in("{{A.name}} and {{A.kwh}}", {"A": "A3"}) == "{{A3.name}} and {{A3.kwh}}"
    assert put_in("may save {{energy}}", {"energy": "{{a}} to {{b}}"}) == "may save {{a}} to {{b}}"
    assert put_in("Why: {{fact}}, {{site.peak}}", {"fact": "A1.share"}) == "Why: {{A1.share}}, {{site.peak}}"


@pytest.mark.parametrize(
    ("value", "unit", "dp", "english", "german"),
    [
        (1234567.89, "kwh", 1, "1,234,567.9 kWh", "1.234.567,9 kWh"),
        (-2.5, "kw", 2, "-2.50 kW", "-2,50 kW"),
        (0.735, "share", 1, "73.5%", "73,5 %"),
        (12.0, "kg", 0, "12 kg", "12 kg"),
        (71.0, "duration", 0, "3 days", "3 Tage"),
        (1.0, "duration", 0, "1 hour", "1 Stunde"),
        (5.5, "duration", 0, "5.5 hours", "5,5 Stunden"),
        (0.5, "duration", 0, "30 minutes", "30 Minuten"),
        (2880, "count", 0, "2,880", "2.880"),
        (0, "weekday", 0, "Monday", "Montag"),
        ("2026-03-02", "date", 0, "Mon, 2 Mar 2026", "Mo., 2. März 2026"),
        ("2026-03-02T18:00:00", "datetime", 0, "Mon, 2 Mar 2026, 18:00", "Mo., 2. März 2026, 18:00"),
        ("more", "word", 0, "more", "mehr"),
        ("more", "text", 0, "more", "more"),
        (None, "kwh", 1, "not known", "nicht bekannt"),
    ],
)
def test_values_as_readers_write_them(value, unit, dp, english, german):
    assert language("en").value(value, unit, dp) == english
    assert language("de").value(value, unit, dp) == german


def test_a_language_that_the_report_does_not_speak_is_refused():
    with pytest.raises(ValueError, match="does not speak 'xx', but en, de"):
        language("xx")
    assert set(LOCALES) == set(LANGUAGES)


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            "What the configuration says of anomalies names Sauna, of which nothing was ever read",
            "Die Konfiguration nennt unter „anomalies“ Sauna, wovon nie etwas gemessen wurde",
        ),
        (
            "prophet left out: it has 5 complete days, 14 are needed",
            "Prophet ausgelassen: es hat 5 vollständige Tage, 14 sind nötig",
        ),
        (
            "AC is not in the total until it has 1,014 complete days in common with the other appliances",
            "AC gehört erst zur Summe, wenn es 1.014 vollständige Tage mit den anderen Geräten gemeinsam hat",
        ),
        (
            "AC is not forecast: its last complete day was 2026-03-02",
            "AC wird nicht vorhergesagt: der letzte vollständige Tag war Mo., 2. März 2026",
        ),
        (
            "GAP: 5 appliance(s) have days without readings. The longest gap is that of 'Oven': 17 days from 2026-03-02"
            " 08:00. Nothing is made up for it: missing readings are not zeros.",
            "GAP: Bei 5 Gerät(en) fehlen Tage. Die längste Lücke hat 'Oven': 17 Tage ab Mo., 2. März 2026, 08:00 Uhr."
            " Sie wird nicht aufgefüllt: Fehlende Messwerte sind keine Nullen.",
        ),
        ("nobody wrote a pattern for this", "nobody wrote a pattern for this"),
    ],
)
def test_sentences_of_other_states_are_told_in_the_language(english, german):
    assert language("de").told(english) == german
    assert language("en").told("prophet left out: 3") == "prophet left out: 3"


@pytest.mark.parametrize("code", list(REASONS))
def test_why_rows_were_set_apart_is_told_in_the_language(code):
    told = language("de").told(f"{code}: 1,234 rows, the first in line 5: {REASONS[code]}")
    assert told.startswith(f"{code}: 1.234 Zeilen, die erste in Zeile 5: ")
    assert REASONS[code] not in told


def test_every_pattern_of_other_states_can_be_matched():
    for pattern in PATTERNS:
        filled = re.sub(r"\{\w+\}", "something", pattern)
        assert language("de").told(filled) != filled


def homes():
    rich = home.readings(
        [
            *(
                home.appliance(name, 40.0, 0.0625)
                for name in ("Heater", "AC", "Fridge", "Old fridge", "Dryer", "Washer")
            ),
            *(home.appliance(name, 40.0, 0.0625) for name in ("Dishwasher", "Boiler", "EV charger", "Lights", "Oven")),
            *(home.appliance(name, 40.0, 0.0625) for name in ("TV", "Router", "Other", "Heat pump", "Kettle")),
        ],
        ([10.0] * 5 + [50.0] * 2) * 4,
        quality=home.quality(
            2016,
            coverage=0.9,
            gaps=3,
            missing_hours=73.0,
            longest_gap_hours=71.0,
            longest_gap_start=home.dt.datetime(2026, 3, 14, 13),
            flatlines=1,
            flatline_hours=60.0,
            rejected=5,
            estimated_share=0.12,
            estimated_kwh_share=0.2,
        ),
    )
    poor = home.readings([home.appliance("Heater", 10.0, 1.0, days=1)], [10.0], complete=[False], peak_hour=None)
    unused = home.readings([home.appliance("Heater", 0.0, None, max_kwh=0.0)], [0.0] * 28, peak_hour=None)
    daily = home.readings([home.appliance("Heater", 280.0, 1.0, interval_minutes=1440.0)], [10.0] * 28)
    return {
        "rich": (
            rich,
            home.anomalies(home.anomaly(), skipped={"AC": "constant"}),
            home.forecast(),
        ),
        "plain": (home.home(), home.anomalies(), home.forecast()),
        "poor": (poor, home.anomalies(hours_judged=0), None),
        "unused": (unused, home.anomalies(), None),
        "daily": (daily, home.anomalies(), None),
    }


@pytest.mark.parametrize("code", TRANSLATED)
@pytest.mark.parametrize("name", list(homes()))
def test_no_english_sentence_is_left(name, code):
    readings, anomalies, forecast = homes()[name]
    sheet = fact_sheet(home.request(with_forecast=forecast is not None), readings, anomalies, forecast, code)
    narrative = rules.write_text(sheet)
    pages = [render.html(sheet, narrative).decode(), render.markdown(sheet, narrative).decode()]
    # What stands between a message's facts, where it is long enough to be told from a name or a number.
    words = string.ascii_letters + " "
    translated = {message.id: strings(message) for message in catalogue(code) if message.id}
    said = {text for texts in translated.values() for text in texts}
    checked = 0
    for one in translated:
        for english in [one] if isinstance(one, str) else one:
            for piece in (part.strip(" .,;:()…") for part in SLOT.split(english)):
                if len(piece) > 8 and set(piece) <= set(words + "',;:.-") and not any(piece in text for text in said):
                    checked += 1
                    assert [piece for page in pages if re.search(rf"(?<![\w.-]){re.escape(piece)}(?!\w)", page)] == []
    assert checked > 200


def test_the_document_tells_its_language_and_keeps_values_apart_from_it():
    documents = {}
    for code in LANGUAGES:
        sheet = fact_sheet(home.request(), home.home(), home.anomalies(home.anomaly()), home.forecast(), code)
        documents[code] = json.loads(document.json_document(sheet, rules.write_text(sheet)))
    assert [documents[code]["language"] for code in LANGUAGES] == list(LANGUAGES)
    without_text = [
        {name: {key: value for key, value in fact.items() if key != "text"} for name, fact in one["facts"].items()}
        for one in documents.values()
    ]
    assert without_text[0] == without_text[1]
    assert documents["de"]["facts"]["site.total_kwh"]["text"] == "320,0 kWh"
    assert documents["de"]["facts"]["trend.change_direction"]["text"] == "etwa so viel"
    cited = [PLACEHOLDER.findall(" ".join(one["written"]["summary"])) for one in documents.values()]
    assert sorted(cited[0]) == sorted(cited[1])
