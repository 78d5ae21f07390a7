"""The text of a report: sentences that cite facts as {{fact_id}} and carry no number of their own.

Whoever writes it, rules or a model, has its text checked here before anybody reads it: which facts a section may and
must cite, whether the advice is that of the fact sheet, and, sentence by sentence, what grounding.py asks.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from energy.errors import EnergyError
from energy.report.facts import PLACEHOLDER, FactSheet, Part
from energy.report.grounding import About, problems_of

MAX_SENTENCES = 8
MAX_TEXT_LENGTH = 900
MAX_SECTION_LENGTH = 1600


class Action(Part):
    """What the Insights Assistant says about one recommendation of the fact sheet."""

    recommendation: str
    text: str


class Finding(Part):
    """What the Virtual Auditor says about one appliance; `upgrades` are recommendations for it."""

    appliance: str
    text: str
    upgrades: tuple[Action, ...] = ()


class Attempt(Part):
    """One question to a model and what became of it; `reasons` say why its answer, or it, was of no use.

    Tokens and cost are null where the provider did not tell them, or its price is not known.
    """

    provider: str
    model: str
    outcome: Literal["accepted", "refused", "failed"]
    reasons: tuple[str, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None

    def told(self) -> str:
        """In a line for a log."""
        why = f": {', '.join(self.reasons)}" if self.reasons else ""
        return f"{self.provider} {self.model} {self.outcome}{why}"


class Origin(Part):
    """How a text came about: by which model, null if by rules, and who was asked before. Refused answers cost, too."""

    model: str | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def tokens(self) -> int | None:
        """All tokens that were counted; null if none were."""
        counted = [
            count for one in self.attempts for count in (one.input_tokens, one.output_tokens) if count is not None
        ]
        return sum(counted) if counted else None

    @property
    def cost_usd(self) -> float | None:
        """What all attempts cost that counted tokens; null if the price of any of them is not known."""
        costs = [one.cost_usd for one in self.attempts if one.output_tokens is not None]
        known = [cost for cost in costs if cost is not None]
        return round(sum(known), 6) if costs and len(known) == len(costs) else None


class Narrative(Part):
    """The whole text. Every list may be empty: then there is nothing to say."""

    provider: str
    origin: Origin = Origin()
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


@dataclass(frozen=True)
class Problem:
    """Why a text is refused. `where` and `kind` are words of this package; `detail` may quote the text."""

    where: str
    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}: {self.detail}"


class NotGrounded(EnergyError):
    """A text says something that the facts do not."""

    def __init__(self, provider: str, problems: list[Problem]) -> None:
        super().__init__(f"the text by {provider} was refused: {'; '.join(str(one) for one in problems[:5])}")
        self.provider = provider
        self.problems = problems


@dataclass(frozen=True)
class Section:
    """What a section may not cite, because it is about something else; and what it has to, where that is known."""

    foreign: re.Pattern[str]
    needed: re.Pattern[str] | None = None
    is_advice: bool = False


_NOWHERE = r"run\.|rows\."
SECTIONS = {
    "summary": Section(re.compile(_NOWHERE), re.compile(r"site\.total_kwh$")),
    "quality": Section(re.compile(rf"{_NOWHERE}|F\.|AN|save\.|week\.|trend\."), re.compile(r"Q\.coverage$")),
    "behaviour": Section(re.compile(rf"{_NOWHERE}|F\.|AN|Q\.|save\.")),
    "peak": Section(re.compile(rf"{_NOWHERE}|F\.|AN|Q\.|save\.|week\.|trend\.")),
    "unusual": Section(re.compile(rf"{_NOWHERE}|F\.|Q\.|save\.|week\.|trend\."), re.compile(r"site\.anomalies$")),
    "forecast": Section(re.compile(rf"{_NOWHERE}|AN|Q\.|save\."), re.compile(r"F\.total_kwh$")),
    "saving": Section(re.compile(rf"{_NOWHERE}|F\.|AN|Q\.|week\.|trend\."), is_advice=True),
    "potential": Section(re.compile(rf"{_NOWHERE}|F\.|AN|Q\.|week\.|trend\."), is_advice=True),
}
_ADVICE = re.compile(rf"{_NOWHERE}|F\.|Q\.|save\.|week\.|trend\.")


def checked(narrative: Narrative, sheet: FactSheet) -> Narrative:
    """The narrative itself; NotGrounded unless every sentence stands on the fact sheet."""
    found = problems(narrative, sheet)
    if found:
        raise NotGrounded(narrative.provider, found)
    return narrative


def without_refused(narrative: Narrative, sheet: FactSheet) -> Narrative:
    """The narrative without the sentences, actions and findings that do not stand on the fact sheet each for itself.

    For the rules' own text, so that a sentence of ours which is refused costs itself, and never the report.
    """
    kept = {
        name: [
            text
            for text in getattr(narrative, name)
            if not any(_problems(name, text, sheet, About(foreign=section.foreign, is_advice=section.is_advice)))
        ]
        for name, section in SECTIONS.items()
    }
    findings = [
        one.model_copy(
            update={"upgrades": tuple(up for up in one.upgrades if not any(_action("", up, sheet, one.appliance)))}
        )
        for one in narrative.findings
        if not any(_problems("findings", one.text, sheet, About(appliance=one.appliance, foreign=_ADVICE)))
    ]
    actions = [one for one in narrative.actions if not any(_action("actions", one, sheet, None))]
    return narrative.model_copy(update={**kept, "findings": findings, "actions": actions})


def problems(narrative: Narrative, sheet: FactSheet) -> list[Problem]:
    """Everything in the text that the fact sheet does not carry."""
    return [*_sections(narrative, sheet), *_advice(narrative, sheet), *_repetitions(narrative)]


def _sections(narrative: Narrative, sheet: FactSheet) -> Iterator[Problem]:
    for name, section in SECTIONS.items():
        texts: list[str] = getattr(narrative, name)
        for text in texts:
            yield from _problems(name, text, sheet, About(foreign=section.foreign, is_advice=section.is_advice))
        if len(texts) > MAX_SENTENCES or sum(map(len, texts)) > MAX_SECTION_LENGTH:
            yield Problem(name, "length", f"more than {MAX_SENTENCES} sentences or {MAX_SECTION_LENGTH} characters")
        cited = {fact for text in texts for fact in PLACEHOLDER.findall(text)}
        for fact in sheet.facts if section.needed else ():
            if section.needed and section.needed.match(fact) and sheet.facts[fact].value and fact not in cited:
                yield Problem(name, "missing", f"it has to cite {fact}")
    if not narrative.summary:
        yield Problem("summary", "missing", "it says nothing")


def _advice(narrative: Narrative, sheet: FactSheet) -> Iterator[Problem]:
    refs = {appliance.ref for appliance in sheet.appliances}
    for action in narrative.actions:
        yield from _action("actions", action, sheet, None)
    for finding in narrative.findings:
        if finding.appliance not in refs:
            yield Problem("findings", "unknown appliance", f"there is no appliance {finding.appliance}")
            continue
        yield from _problems("findings", finding.text, sheet, About(appliance=finding.appliance, foreign=_ADVICE))
        for action in finding.upgrades:
            yield from _action("findings", action, sheet, finding.appliance)


def _action(where: str, action: Action, sheet: FactSheet, owner: str | None) -> Iterator[Problem]:
    about = next((one for one in sheet.recommendations if one.id == action.recommendation), None)
    if about is None:
        yield Problem(where, "unknown recommendation", f"there is no recommendation {action.recommendation}")
        return
    if owner and about.appliance != owner:
        yield Problem(where, "foreign recommendation", f"recommendation {about.id} is not about {owner}")
    if (about.kind == "upgrade") != (owner is not None):
        place = "the findings on its appliance" if about.kind == "upgrade" else "the actions"
        yield Problem(where, "foreign recommendation", f"recommendation {about.id} belongs into {place}")
    yield from _problems(where, action.text, sheet, About(about.appliance, about.id, _ADVICE, is_advice=True))
    condition = f"{about.id}.condition"
    if about.conditional and sheet.known(condition) and f"{{{{{condition}}}}}" not in action.text:
        yield Problem(where, "missing", f"recommendation {about.id} applies only if {{{{{condition}}}}}")


def _problems(where: str, text: str, sheet: FactSheet, about: About) -> Iterator[Problem]:
    if len(text) > MAX_TEXT_LENGTH:
        yield Problem(where, "length", f"a text is longer than {MAX_TEXT_LENGTH} characters")
        return
    for kind, detail in problems_of(text, sheet, about):
        yield Problem(where, kind, f"{detail} in {text!r}")


def _repetitions(narrative: Narrative) -> Iterator[Problem]:
    upgrades = [action for finding in narrative.findings for action in finding.upgrades]
    for name, said in (
        ("sentence", [text for section in SECTIONS for text in getattr(narrative, section)]),
        ("recommendation", [action.recommendation for action in (*narrative.actions, *upgrades)]),
        ("appliance", [finding.appliance for finding in narrative.findings]),
        ("text", [one.text for one in narrative.findings] + [one.text for one in (*narrative.actions, *upgrades)]),
    ):
        for twice in (one for one, times in Counter(said).items() if times > 1):
            yield Problem("text", "repetition", f"the same {name} more than once: {twice!r}")
