"""The facts of one report: every number that it may state, computed once, with its unit and where it comes from.

Text cites facts by id, tables are drawn cell by cell with the same formats, charts are drawn from the tables. So JSON,
Markdown and HTML cannot disagree.
"""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

from energy.languages import LanguageCode
from energy.report.language import Language, Unit, Value, language

PLACEHOLDER = re.compile(r"\{\{([A-Za-z][A-Za-z0-9_.]*)\}\}")


class Part(BaseModel):
    """A piece of the report; the same input gives the same bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(Part):
    """One statement, in no language. Shares are 0 to 1, and changes beside it; hours of the day are 0 to 23, lengths of
    time in hours, dates ISO 8601; null = cannot be known from these readings. A "datetime" without time is a whole day.

    A "word" is an English message of the product's own, a "told" is a sentence that another state wrote, "text" is
    shown as it is. `dp` is the number of decimals shown (of the percentage, for a share). `source` names the document
    or setting.
    """

    id: str
    value: Value
    unit: Unit
    dp: int = 0
    source: str


class Column(Part):
    """One column of a table; numbers are formatted like facts, without the unit where the title carries it.

    The title is an English message, or a name that is shown as it is.
    """

    title: str
    unit: Unit
    dp: int = 0
    is_name: bool = False

    @property
    def is_words(self) -> bool:
        """Whether it is set flush left, as words are."""
        return self.unit in {"text", "word", "told", "date", "datetime", "month"}

    def heading(self, tongue: Language) -> str:
        """The title in this language."""
        return self.title if self.is_name else tongue.say(self.title)


class Table(Part):
    """Rows of facts; sorted as shown. The title and the `notes` below it are English messages, which may cite facts.

    `all_together`: the last row is for all of them, and its first cell is empty.
    """

    id: str
    title: str
    columns: list[Column]
    rows: list[list[Value]]
    source: str
    notes: list[str] = []
    all_together: bool = False

    def cells(self, row: list[Value], tongue: Language) -> list[str]:
        """A row as a reader of this language sees it; empty where there is no value."""
        shown = [
            "" if value is None else tongue.value(value, column.unit, column.dp, bare=True)
            for value, column in zip(row, self.columns, strict=True)
        ]
        return [tongue.say("All together"), *shown[1:]] if self.all_together and row is self.rows[-1] else shown


class Appliance(Part):
    """One appliance by its reference A1, A2 …: in order of energy. Text names it by citing the fact `A1.name`."""

    ref: str
    kind: str


class Recommendation(Part):
    """One action that may be advised. Its figures are facts below its id: save_low, save_high, title, source, …

    `quantified` is false where the source gives no figure that was verified; `conditional` where it only helps if
    something holds that readings cannot show. `because` are the facts that made the rule apply.
    """

    id: str
    rule: str
    appliance: str | None
    kind: Literal["behaviour", "maintenance", "upgrade", "check", "shift"]
    quantified: bool
    conditional: bool
    because: list[str]
    url: str


class FactSheet(Part):
    """All that a report may say, and the language in which it says it.

    `forecast_notes` and `warnings` are sentences of earlier steps. How sentences are written: language.py.
    """

    language: LanguageCode = "en"
    facts: dict[str, Fact]
    tables: dict[str, Table]
    appliances: list[Appliance]
    recommendations: list[Recommendation]
    forecast_notes: list[str]
    warnings: list[str]

    @property
    def tongue(self) -> Language:
        """The report's language."""
        return language(self.language)

    def text(self, fact: str) -> str:
        """A fact as a reader sees it."""
        stated = self.facts[fact]
        return self.tongue.value(stated.value, stated.unit, stated.dp)

    def say(self, sentence: str, **parts: str) -> str:
        """An English sentence in the report's language, its facts still to be put in."""
        return self.tongue.say(sentence, **parts)

    def plural(self, one: str, many: str, fact: str, **parts: str) -> str:
        """Whichever of two English sentences goes with the number that a fact has, in the report's language."""
        return self.tongue.plural(one, many, self.number(fact), **parts)

    def filled(self, text: str) -> str:
        """A text with the facts in place of their placeholders."""
        return PLACEHOLDER.sub(lambda match: self.text(match[1]), text)

    def known(self, *ids: str) -> bool:
        """Whether all these facts exist and have a value."""
        return all(fact in self.facts and self.facts[fact].value is not None for fact in ids)

    def number(self, fact: str) -> float:
        """The value of a fact that is known to be a number."""
        value = self.facts[fact].value
        if not isinstance(value, int | float):
            raise TypeError(f"fact {fact} is {value!r}, not a number")
        return float(value)


class Collector:
    """Gathers facts while a sheet is built; an id is given once."""

    def __init__(self) -> None:
        self.facts: dict[str, Fact] = {}

    def add(self, fact: str, value: Value, unit: Unit, source: str, dp: int = 0) -> None:
        """Adds one fact."""
        if fact in self.facts:
            raise ValueError(f"fact {fact} is stated twice")
        self.facts[fact] = Fact(id=fact, value=value, unit=unit, dp=dp, source=source)

    def kwh(self, fact: str, value: float | None, source: str) -> None:
        """Adds an energy, kWh."""
        self.add(fact, None if value is None else round(value, 6), "kwh", source, kwh_decimals(value))

    def share(self, fact: str, value: float | None, source: str, dp: int = 0) -> None:
        """Adds a share, 0 to 1; small ones get a decimal."""
        decimals = 1 if value is not None and 0 < abs(value) < 0.0995 else dp
        self.add(fact, None if value is None else round(value, 6), "share", source, decimals)


def kwh_decimals(value: float | None) -> int:
    """One decimal, and more only where it would leave nothing."""
    size = abs(value or 0)
    if size == 0 or size >= 0.95:
        return 1
    return 2 if size >= 0.095 else 3
