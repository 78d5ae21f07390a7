"""What the checker lets through and what it does not: true texts pass, every lie is refused for its reason."""

import random

import pytest
import report_home as home
from grounded_texts import LIES_DE, LIES_EN, TRUE_DE, TRUE_EN

from energy.report import rules
from energy.report.facts import PLACEHOLDER
from energy.report.narrative import SECTIONS, Action, Finding, problems
from energy.report.sheet import fact_sheet

ENGLISH = fact_sheet(home.request(), home.home(), home.anomalies(home.anomaly()), home.forecast())
SHEETS = {"en": ENGLISH, "de": ENGLISH.model_copy(update={"language": "de"})}
TRUE = [("en", *one) for one in TRUE_EN] + [("de", *one) for one in TRUE_DE]
LIES = [("en", *one) for one in LIES_EN] + [("de", *one) for one in LIES_DE]

# Which facts the sections must cite, so that a text in question need not.
NEEDED = {
    "en": {
        "summary": "The home used {{site.total_kwh}}.",
        "quality": "{{Q.coverage}} of the time has readings.",
        "unusual": "{{site.anomalies}} hours were unusual.",
        "forecast": "The home will use {{F.total_kwh}}.",
    },
    "de": {
        "summary": "Verbraucht wurden {{site.total_kwh}}.",
        "quality": "Für {{Q.coverage}} der Zeit gibt es Werte.",
        "unusual": "{{site.anomalies}} Stunden waren auffällig.",
        "forecast": "Erwartet werden {{F.total_kwh}}.",
    },
}


def answer(language, where, text, alone=False):
    """A good answer with this text in it; `alone` in its section, otherwise after what the section has to say."""
    sections = {name: [NEEDED[language][name]] if name in NEEDED[language] else [] for name in SECTIONS}
    actions, findings = [], []
    if where in sections:
        sections[where] = [text] if alone else [*sections[where], text]
    elif where.startswith("R"):
        actions = [Action(recommendation=where, text=text)]
    else:
        findings = [Finding(appliance=where, text=text)]
    written = rules.write_text(ENGLISH).model_copy(update=sections)
    return written.model_copy(update={"actions": actions, "findings": findings})


def found(language, where, text, alone=False):
    return problems(answer(language, where, text, alone), SHEETS[language])


def test_the_frame_of_these_tests_is_itself_in_order():
    for language, sections in NEEDED.items():
        for where, text in sections.items():
            assert found(language, where, text, alone=True) == []


@pytest.mark.parametrize(("language", "where", "text"), TRUE)
def test_a_true_text_passes(language, where, text):
    assert found(language, where, text) == []


@pytest.mark.parametrize(("language", "where", "text", "kind"), LIES)
def test_a_lie_is_refused_for_its_reason(language, where, text, kind):
    why = found(language, where, text, alone=kind == "missing")
    assert kind in {one.kind for one in why}, [str(one) for one in why]
    assert {one.where for one in why} <= {where, "actions", "findings"}


def test_there_are_enough_of_both():
    assert len({text for _, _, text in TRUE}) >= 40
    assert len({(language, where, text) for language, where, text, _ in LIES}) >= 200


INSERTED = (" 7 ", " seven ", " sieben ", " \u202e", "\u200b ", " <b> ", " \u20ac ", " \u0663 ", " XIV ", " \u0430 ")


def mutations(language, text):
    """Each a true text made false, or made to carry what no text may carry."""
    sheet, rng = SHEETS[language], random.Random(text)
    for match in PLACEHOLDER.finditer(text):
        before, after, fact = text[: match.start()], text[match.end() :], match[1]
        shown = sheet.text(fact)
        if any(char.isdigit() for char in shown):
            yield f"{before}{shown}{after}"
            yield f"{before}{''.join(chr(ord(char) + 0xFEE0) if char.isdigit() else char for char in shown)}{after}"
        yield f"{before}{rng.randrange(1, 10)}{match[0]}{after}"
        yield f"{before}{match[0]}\N{SUPERSCRIPT TWO}{after}"
        yield f"{before}{match[0][:-1]}{after}"
        yield f"{before}{{{{{fact}x}}}}{after}"
        yield f"{before}{match[0]} %{after}"
        if fact[:2] in {"A1", "A2", "A3"} and not fact.endswith(".name"):
            yield f"{before}{{{{A{1 + int(fact[1]) % 3}{fact[2:]}}}}}{after}"
    places = [place for place, char in enumerate(text) if char == " "]
    for bad in INSERTED:
        place = rng.choice(places)
        yield f"{text[:place]}{bad}{text[place + 1 :]}"


def test_no_true_text_stays_true_when_it_is_changed():
    tried, passed = 0, []
    for language, where, text in TRUE:
        for changed in mutations(language, text):
            tried += 1
            if not found(language, where, changed):
                passed.append((language, where, changed))
    assert passed == []
    assert tried >= 1000


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"summary": []}, "missing"),
        ({"summary": ["The home used {{site.total_kwh}}."] * 2}, "repetition"),
        ({"summary": [f"The home used {{{{site.total_kwh}}}}, {'so ' * n}it is." for n in range(9)]}, "length"),
        ({"actions": [Action(recommendation="R99", text="Do it.")]}, "unknown recommendation"),
        ({"actions": [Action(recommendation="R3", text="Only {{R3.condition}}.")]}, "foreign recommendation"),
        ({"actions": [Action(recommendation="R1", text=f"Do it {how}.") for how in ("now", "soon")]}, "repetition"),
        ({"findings": [Finding(appliance="A9", text="It is large.")]}, "unknown appliance"),
        ({"findings": [Finding(appliance="A1", text=f"It runs {how}.") for how in ("well", "on")]}, "repetition"),
        (
            {
                "findings": [
                    Finding(
                        appliance="A2",
                        text="It runs.",
                        upgrades=(Action(recommendation="R3", text="Only {{R3.condition}}."),),
                    )
                ]
            },
            "foreign recommendation",
        ),
        (
            {
                "findings": [
                    Finding(appliance="A1", text="It runs.", upgrades=(Action(recommendation="R1", text="Lower it."),))
                ]
            },
            "foreign recommendation",
        ),
    ],
)
def test_an_answer_is_refused_as_a_whole(changes, kind):
    why = problems(answer("en", "summary", "It is what it is.").model_copy(update=changes), ENGLISH)
    assert kind in {one.kind for one in why}, why


def test_what_is_known_to_be_none_need_not_be_cited():
    quiet = fact_sheet(home.request(with_forecast=False), home.home(), home.anomalies(), None)
    calm = answer("en", "summary", "All is calm.").model_copy(
        update={"unusual": ["Nothing stood out."], "forecast": ["There is no forecast."]}
    )
    assert problems(calm, quiet) == []
    assert {one.kind for one in problems(calm, ENGLISH)} == {"missing"}
