"""The facts of one report: every number that it may state, computed once, with its unit and where it comes from.

Text cites facts by id, tables are drawn cell by cell with the same formats, charts are drawn from the tables. So JSON,
Markdown and HTML cannot disagree.
"""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict

Unit = Literal["kwh", "kw", "share", "count", "hour", "hours", "sigma", "date", "datetime", "weekday", "text"]
Value = float | int | str | None

UNKNOWN = "not known"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Part(BaseModel):
    """A piece of the report; the same input gives the same bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(Part):
    """One statement. Shares are 0 to 1, hours 0 to 23, dates ISO 8601; null = cannot be known from these readings.

    `dp` is the number of decimals shown (of the percentage, for a share). `source` names the document or setting.
    """

    id: str
    value: Value
    unit: Unit
    dp: int = 0
    source: str

    @property
    def text(self) -> str:
        """The fact as a reader sees it."""
        return format_value(self.value, self.unit, self.dp)


class Column(Part):
    """One column of a table; numbers are formatted like facts, without the unit where the title carries it."""

    title: str
    unit: Unit
    dp: int = 0


class Table(Part):
    """Rows of facts; sorted as shown. `notes` are sentences for below it, as on what was left out."""

    id: str
    title: str
    columns: list[Column]
    rows: list[list[Value]]
    source: str
    notes: list[str] = []

    def cells(self, row: list[Value]) -> list[str]:
        """A row as a reader sees it; empty where there is no value."""
        return [
            "" if value is None else format_value(value, column.unit, column.dp, bare=True)
            for value, column in zip(row, self.columns, strict=True)
        ]


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
    """All that a report may say. `forecast_notes` and `warnings` are sentences from earlier steps."""

    facts: dict[str, Fact]
    tables: dict[str, Table]
    appliances: list[Appliance]
    recommendations: list[Recommendation]
    forecast_notes: list[str]
    warnings: list[str]

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


def format_value(value: Value, unit: Unit, dp: int = 0, bare: bool = False) -> str:
    """A value for people, in English; `bare` leaves the unit kWh or kW to a column's title."""
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return _format_text(value, unit)
    return _format_number(float(value), unit, dp, bare)


def _format_text(value: str, unit: Unit) -> str:
    if unit == "date":
        day = dt.date.fromisoformat(value)
        return f"{day:%a} {day.day} {day:%b %Y}"
    if unit == "datetime":
        moment = dt.datetime.fromisoformat(value)
        return f"{moment:%a} {moment.day} {moment:%b %Y} {moment:%H:%M}"
    return value


def _format_number(number: float, unit: Unit, dp: int, bare: bool) -> str:
    match unit:
        case "kwh" | "kw":
            name = "" if bare else {"kwh": " kWh", "kw": " kW"}[unit]
            text = f"{number:,.{dp}f}{name}"
        case "share":
            text = f"{number * 100:,.{dp}f} %"
        case "hour":
            text = f"{int(number):02d}:00\u2013{(int(number) + 1) % 24:02d}:00"
        case "weekday":
            text = WEEKDAYS[int(number)]
        case "sigma":
            text = f"{number:.1f}"
        case "hours":
            text = f"{number:,.0f} h"
        case _:
            text = f"{number:,.{dp}f}"
    return text.removeprefix("-") if float(number) == 0 or _is_negative_zero(text) else text


def _is_negative_zero(text: str) -> bool:
    return text.startswith("-") and not any(char in "123456789" for char in text)
