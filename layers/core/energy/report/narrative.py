"""The text of a report: sentences that cite facts as {{fact_id}} and carry no number of their own.

Whoever writes it, rules or a model, has its text checked here before anybody reads it.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

from energy.errors import EnergyError
from energy.report.facts import PLACEHOLDER, FactSheet, Part

_APPLIANCE_FACT = re.compile(r"(A\d+)\.")
_NUMBER_WORDS = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy"
    r"|eighty|ninety|hundred|thousand|million|dozen|half|twice|thrice|double|triple|quarter|percent|per cent)\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[<>`\[\]|\\]|https?:|www\.", re.IGNORECASE)


class Action(Part):
    """What the Insights Assistant says about one recommendation of the fact sheet."""

    recommendation: str
    text: str


class Finding(Part):
    """What the Virtual Auditor says about one appliance; `upgrades` are recommendations for it."""

    appliance: str
    text: str
    upgrades: tuple[Action, ...] = ()


class Narrative(Part):
    """The whole text. Every list may be empty: then there is nothing to say."""

    provider: str
    summary: list[str]
    quality: list[str]
    behaviour: list[str]
    peak: list[str]
    unusual: list[str]
    forecast: list[str]
    actions: list[Action]
    saving: list[str]
    findings: list[Finding]
    potential: list[str]


Narrator = Callable[[FactSheet], Narrative]


class NotGrounded(EnergyError):
    """A text says something that the facts do not."""

    def __init__(self, provider: str, problems: list[str]) -> None:
        super().__init__(f"the text by {provider} was refused: {'; '.join(problems[:5])}")
        self.provider = provider
        self.problems = problems


def checked(narrative: Narrative, sheet: FactSheet) -> Narrative:
    """The narrative itself; NotGrounded unless every sentence stands on the fact sheet."""
    found = problems(narrative, sheet)
    if found:
        raise NotGrounded(narrative.provider, found)
    return narrative


def problems(narrative: Narrative, sheet: FactSheet) -> list[str]:
    """Everything in the text that the fact sheet does not carry, one sentence each."""
    found: list[str] = []
    recommendations = {one.id: one for one in sheet.recommendations}
    refs = {appliance.ref for appliance in sheet.appliances}
    for text, appliance in _texts(narrative):
        found += _problems_of(text, sheet, appliance)
    for finding in narrative.findings:
        if finding.appliance not in refs:
            found.append(f"there is no appliance {finding.appliance}")
    for action, owner in _actions(narrative):
        about = recommendations.get(action.recommendation)
        if about is None:
            found.append(f"there is no recommendation {action.recommendation}")
        elif owner and about.appliance != owner:
            found.append(f"recommendation {about.id} is not about {owner}")
    return found


def _actions(narrative: Narrative) -> Iterator[tuple[Action, str | None]]:
    yield from ((action, None) for action in narrative.actions)
    for finding in narrative.findings:
        yield from ((action, finding.appliance) for action in finding.upgrades)


def _texts(narrative: Narrative) -> Iterator[tuple[str, str | None]]:
    """Every text with the only appliance that it may cite, if it is about one."""
    sections = (narrative.summary, narrative.quality, narrative.behaviour, narrative.peak, narrative.unusual)
    for sentences in (*sections, narrative.forecast, narrative.saving, narrative.potential):
        yield from ((sentence, None) for sentence in sentences)
    for finding in narrative.findings:
        yield finding.text, finding.appliance
    yield from ((action.text, owner) for action, owner in _actions(narrative))


def _problems_of(text: str, sheet: FactSheet, appliance: str | None) -> Iterator[str]:
    for fact in PLACEHOLDER.findall(text):
        owner = _APPLIANCE_FACT.match(fact)
        if fact not in sheet.facts:
            yield f"there is no fact {fact}"
        elif sheet.facts[fact].value is None:
            yield f"fact {fact} is not known"
        elif appliance and owner and owner[1] != appliance:
            yield f"fact {fact} is not about {appliance}"
    outside = PLACEHOLDER.sub("", text)
    # As written and as read: a Roman numeral is a number before, a full-width digit or a fraction after.
    rest = f"{outside} {unicodedata.normalize('NFKC', outside)}"
    if any(unicodedata.category(char)[0] == "N" for char in rest) or _NUMBER_WORDS.search(rest):
        yield f"a number outside a placeholder in {text!r}"
    if "{" in rest or "}" in rest or "%" in rest:
        yield f"a brace or percent sign outside a placeholder in {text!r}"
    if _MARKUP.search(rest):
        yield f"markup or a link in {text!r}"
    if any(unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs"} for char in rest):
        yield f"an invisible character in {text!r}"
