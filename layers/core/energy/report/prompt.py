"""What a model is told, and the shape of its answer.

It is told of facts that can be no instruction: numbers, dates, and words of the product's own. Names of appliances,
notes and file names are somebody's text; the model knows only which fact to cite for them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from energy.report.advice import MAX_ACTIONS
from energy.report.auditor import MAX_AUDITED
from energy.report.facts import Fact, FactSheet, Recommendation
from energy.report.narrative import MAX_SENTENCES, Problem

MAX_RECOMMENDATIONS = 12
MAX_APPLIANCES = 8
MAX_PROBLEMS = 12
LANGUAGE_NAMES = {"en": "English", "de": "German"}

# Whose values are somebody's text; but the hours of a band are the product's own.
_FOREIGN_UNITS = {"text", "told"}
_OWN_TEXT = re.compile(r"site\.\w+_band$")
# What explains a computation or a run, and what only the code asks.
_WITHHELD = re.compile(
    r"(?:run|rows|Q|quality|others|save)\.|site\.(?:name|timezone|tells_hours|mean_of|base_unknown|uploads|readings)$"
    r"|.*\.(?:smallest_of_class|interval_minutes|own_share_\w+|source|method|explanation|skipped)$"
)
_BELONGS = re.compile(r"([A-Z]+)(\d+)\.")


class _Shape(BaseModel):
    """Nothing but what is asked for."""

    model_config = ConfigDict(extra="forbid")


class AnswerAction(_Shape):
    """What to say about one recommendation."""

    recommendation: str = Field(description="The id of a recommendation, as R1.")
    text: str = Field(description="Sentences about it.")


class AnswerFinding(_Shape):
    """What to say about one appliance."""

    appliance: str = Field(description="The id of an appliance, as A1.")
    text: str = Field(description="Sentences about it.")
    upgrades: list[AnswerAction] = Field(description="Recommendations of kind upgrade for it; may be empty.")


class Answer(_Shape):
    """The text of an energy report, in sections. Every sentence cites facts as {{id}} and carries no number itself."""

    # The same for every report: Bedrock compiles a schema once and keeps it.
    summary: list[str] = Field(description="What a reader should know who reads nothing else.")
    behaviour: list[str] = Field(description="How the home uses energy: always on, workdays and weekends, last week.")
    peak: list[str] = Field(description="When most is used, and by what.")
    unusual: list[str] = Field(description="Unusual hours.")
    forecast: list[str] = Field(description="The days ahead.")
    actions: list[AnswerAction] = Field(description="What to do, the most useful first; no upgrades.")
    findings: list[AnswerFinding] = Field(description="The largest consumers, one by one.")


@dataclass(frozen=True)
class Prompt:
    """One question to a model."""

    system: str
    user: str


_SYSTEM = """\
You write the text of a household's energy report from facts that were computed before. You choose what matters, put it
in order, and phrase it plainly for a reader who is no expert. You compute nothing and you know nothing but these facts.

Write in {language}. Plain prose: full sentences, no lists, no markup, no links.

Figures
- Cite a fact as {{{{id}}}}, for example {{{{site.total_kwh}}}}. The reader sees its value and unit in its place.
- Write no number yourself, in no form: no digit, no number word ("one", "half", "twice", "first of two"), no unit, no
  percent or currency sign.
- Cite a fact for what it is. Do not say more, less, almost, over or up to a figure, unless it is a limit (ids that end
  with _low, _high, _lower, _upper).
- A figure that is not about money is no cost. A figure over the time read is not per day, week, month or year.

Names
- Appliances are A1, A2 and so on; A1 used most. You know their kind, not their names: write {{{{A1.name}}}}.
- Say {{{{A1.name}}}} before a figure of A1, in the same sentence, and no other name between. In a finding or a
  recommendation about A1 its name may be left out, and other appliances may not appear.
- After an appliance's name, a figure of the whole home only as "of {{{{site.total_kwh}}}}".

Comparisons
- "Most", "largest" and the like only in a sentence that cites the figure that is the largest: {{{{A1.kwh}}}} or
  {{{{A1.share}}}} where A1.rank is 1, {{{{F.highest_kwh}}}}, AN1 among the unusual hours, a peak_hour.
- "Rising", "higher", "less than" and the like only in a sentence that cites the _direction fact that says so.

Sections (each at most {sentences} sentences, each sentence short)
- summary has to cite site.total_kwh, unusual site.anomalies, forecast F.total_kwh, where those are given.
  Facts F. belong into summary and forecast, AN into unusual; week. and trend. into summary, behaviour, forecast.
- actions: at most {actions} recommendations that are no upgrade; findings: at most {findings} appliances, each with its
  upgrades if it has any. Each recommendation once. Its facts (R1.…) only in its own text, both ends of a range, and a
  saving only as possible ("may", "could"). If it has a condition, cite it: "only {{{{R1.condition}}}}".
- Leave a section empty where its facts are missing. Say no sentence twice."""


def first(sheet: FactSheet) -> Prompt:
    """The question for the text of a report."""
    system = _SYSTEM.format(
        language=LANGUAGE_NAMES[sheet.language], sentences=MAX_SENTENCES, actions=MAX_ACTIONS, findings=MAX_AUDITED
    )
    return Prompt(system, "\n\n".join(_parts(sheet)))


def again(before: Prompt, answer: Answer | None, problems: Sequence[Problem]) -> Prompt:
    """The same question once more, with what was wrong with the answer."""
    said = answer.model_dump_json() if answer else "none that could be read"
    listed = "\n".join(f"- {problem}" for problem in problems[:MAX_PROBLEMS])
    return Prompt(
        before.system,
        f"{before.user}\n\nYour answer was:\n{said}\n\nIt was refused:\n{listed}\n\nGive the whole answer again without"
        " these faults. Leave out what you cannot say by the rules.",
    )


def _parts(sheet: FactSheet) -> Iterable[str]:
    refs = [one.ref for one in sheet.appliances[:MAX_APPLIANCES]]
    recommended = sheet.recommendations[:MAX_RECOMMENDATIONS]
    owners = {*refs, *(one.id for one in recommended)}
    offered = [fact for fact in sheet.facts.values() if fact.value is not None and not _WITHHELD.match(fact.id)]
    home = [fact for fact in offered if (owner := _BELONGS.match(fact.id)) is None or owner[1] not in {"A", "R"}]
    yield "Facts about the home:\n" + "\n".join(_line(fact, sheet) for fact in home)
    for ref in refs:
        own = [fact for fact in offered if fact.id.startswith(f"{ref}.")]
        yield f"Appliance {ref}:\n" + "\n".join(_line(fact, sheet) for fact in own)
    for one in recommended:
        if one.appliance is None or one.appliance in owners:
            own = [fact for fact in offered if fact.id.startswith(f"{one.id}.")]
            yield "\n".join([_headline(one), *(_line(fact, sheet) for fact in own)])


def _headline(one: Recommendation) -> str:
    about = f"about {one.appliance}" if one.appliance else "about the home"
    reasons = f", because of {', '.join(one.because)}" if one.because else ""
    return f"Recommendation {one.id}, kind {one.kind}, {about}{reasons}:"


def _line(fact: Fact, sheet: FactSheet) -> str:
    foreign = fact.unit in _FOREIGN_UNITS and not _OWN_TEXT.match(fact.id)
    return f"{fact.id}: {'(a name or a text)' if foreign else sheet.text(fact.id)}"
