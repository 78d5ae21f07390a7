"""Green Button's "Download my data" as XML: an Atom feed of ESPI (NAESB REQ.21), transcribed to lines of text.

A MeterReading links a ReadingType, which says what is measured, with IntervalBlocks, which hold the values; each link
is by the href of the entry. Taken is electric energy delivered: unit of measure 72 (Wh), flow direction 1. Of several
readings of one usage point, as by the hour and by the day, the finest is taken, as they are the same energy. Nothing
but times, values, qualities and the number of the meter is transcribed: names and addresses are never looked at.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from xml.parsers import expat

from energy.errors import InputRejected
from energy.intake.formats.header import WHOLE_HOUSE, names
from energy.intake.layout import Head, Layout, ValueColumn
from energy.intake.source import Source
from energy.site_config import Rules

_COLUMNS = {"energy": "line,epoch,meter,espi wh,estimated", "register": "line,epoch,meter,espi register wh,estimated"}
_WATT_HOURS = "72"
_DELIVERED = "1"
# Accumulation behaviours: 4 is deltaData, use in the interval; 1 and 3 are what a register shows.
_DELTA, _REGISTERS = "4", frozenset({"1", "3"})
# Qualities of a reading: estimated by a reference day or by interpolation, derived, projected.
_ESTIMATED = frozenset({"8", "9", "11", "12"})
_METER_READING = re.compile(r"/(?:IntervalBlock|ReadingType)(?:/[^/]*)?/*$")
_BLOCK_LINES = 20_000


@dataclass
class _Entry:
    """What an entry of the feed says of itself."""

    itself: str = ""
    related: list[str] = field(default_factory=list)
    kind: str = ""
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Types:
    """`by_meter_reading`: the ReadingType's values by the MeterReading's href; `every`: by the type's own href."""

    by_meter_reading: dict[str, dict[str, str]]
    every: dict[str, dict[str, str]]

    def of(self, meter_reading: str) -> dict[str, str] | None:
        """The type of a MeterReading; the only one there is, where it is not linked."""
        found = self.by_meter_reading.get(meter_reading)
        return found or (next(iter(self.every.values())) if len(self.every) == 1 else None)


def transcribed_from(source: Source) -> Iterator[bytes]:
    """The readings of a feed as lines of CSV text with a header; NOT_CSV where the XML is damaged or declares types."""
    types = _types(source.blocks)
    chosen, kind = _chosen(types, source.blocks)
    yield f"{_COLUMNS[kind]}\n".encode()
    lines: list[str] = []
    for line, meter_reading, reading in _readings(source.blocks):
        if meter_reading in chosen:
            lines.append(_line(line, chosen[meter_reading], types.of(meter_reading) or {}, reading))
        if len(lines) >= _BLOCK_LINES:
            yield "".join(lines).encode()
            lines = []
    yield "".join(lines).encode()


def layout(head: Head, rules: Rules) -> Layout | None:
    """The layout of such lines; null if they are none."""
    kind = next((kind for kind, columns in _COLUMNS.items() if head.lines[:1] == (columns,)), None)
    if kind is None:
        return None
    found = names(head.lines[0], ",")
    meters = {line.split(",")[2] for line in head.lines[1:] if line.count(",") >= 2}
    single = meters <= {WHOLE_HOUSE}
    return Layout(
        family="Green Button XML",
        delimiter=",",
        header_line=1,
        columns=len(found),
        timestamp=(1,),
        appliance=2,
        values=(
            ValueColumn(
                3,
                "Wh",
                "register" if kind == "register" else "energy",
                appliance=rules.readings.appliance if single else None,
            ),
        ),
        estimated=(4, frozenset({"yes"})),
        line_column=0,
        decimal=".",
        private=True,
    )


def _line(line: int, meter: str, kind: dict[str, str], reading: dict[str, str]) -> str:
    value = reading.get("value", "")
    try:
        shown = format(Decimal(value).scaleb(int(kind.get("powerOfTenMultiplier") or 0)), "f")
    except (InvalidOperation, ValueError):
        # Judged as any text that is no number.
        shown = re.sub(r"[^\w.+-]", " ", value)
    start = re.sub(r"[^0-9]", " ", reading.get("start", ""))
    estimated = "yes" if reading.get("quality") in _ESTIMATED else "no"
    return f"{line},{start},{meter},{shown},{estimated}\n"


def _types(blocks: Callable[[], Iterator[bytes]]) -> _Types:
    every: dict[str, dict[str, str]] = {}
    meter_readings: dict[str, list[str]] = {}
    for entry in _entries(blocks):
        if entry.kind == "ReadingType":
            every[entry.itself] = entry.values
        elif entry.kind == "MeterReading":
            meter_readings[entry.itself] = entry.related
    linked = {itself: every[href] for itself, related in meter_readings.items() for href in related if href in every}
    return _Types(linked, every)


def _chosen(types: _Types, blocks: Callable[[], Iterator[bytes]]) -> tuple[dict[str, str], str]:
    """The MeterReadings that are taken, each with the name of its meter, and their kind."""
    found: dict[str, dict[str, str]] = {}
    for entry in _entries(blocks):
        if entry.kind == "IntervalBlock" and (kind := types.of(entry.itself)) is not None:
            found.setdefault(entry.itself, kind)
    electric = {
        href: kind
        for href, kind in found.items()
        if kind.get("uom") == _WATT_HOURS and kind.get("flowDirection", _DELIVERED) == _DELIVERED
    }
    delta = {href: kind for href, kind in electric.items() if kind.get("accumulationBehaviour", _DELTA) == _DELTA}
    registers = {href: kind for href, kind in electric.items() if kind.get("accumulationBehaviour") in _REGISTERS}
    taken = delta or registers
    if not taken:
        raise InputRejected(
            "NO_ROWS",
            "The Green Button file has no electric energy delivered (unit of measure 72, flow direction 1). Download "
            "the interval data of the electricity meter.",
        )
    finest: dict[str, str] = {}
    for href in sorted(taken, key=lambda href: int(taken[href].get("intervalLength") or 0) or 10**9):
        finest.setdefault(href.partition("/MeterReading")[0], href)
    single = len(finest) == 1
    meters = {
        href: WHOLE_HOUSE if single else f"Meter {number}" for number, href in enumerate(sorted(finest.values()), 1)
    }
    return meters, "energy" if delta else "register"


def _entries(blocks: Callable[[], Iterator[bytes]]) -> Iterator[_Entry]:
    """Entries without their readings; `itself` of an IntervalBlock is the href of its MeterReading."""
    for found in _parsed(blocks):
        if isinstance(found, _Entry):
            yield found


def _readings(blocks: Callable[[], Iterator[bytes]]) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Line, the href of the MeterReading, and value, start and quality of each reading."""
    for found in _parsed(blocks):
        if not isinstance(found, _Entry):
            yield found


class _Feed:
    """What a parser of the feed has found so far; handed over whenever some of it was read."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.found: list[_Entry | tuple[int, str, dict[str, str]]] = []
        self._entry = _Entry()
        self._reading: dict[str, str] | None = None
        self._line = 0
        self._written: list[str] = []

    def _refuse(self, *_: object) -> None:
        raise InputRejected(
            "NOT_CSV",
            f"The XML declares a document type in line {self.parser.CurrentLineNumber}, which no Green Button file "
            "does and which could make it name other files. Download it again from the utility.",
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(" ")[2]
        self._written = []
        match tag:
            case "entry":
                self._entry = _Entry()
            case "link":
                href, relation = attributes.get("href", ""), attributes.get("rel", "")
                if relation == "self":
                    self._entry.itself = self._entry.itself or href
                elif relation == "up" and "/IntervalBlock" in href:
                    self._entry.itself = _METER_READING.sub("", href)
                elif relation == "related":
                    self._entry.related.append(href)
            case "ReadingType" | "MeterReading":
                self._entry.kind = tag
            case "IntervalBlock":
                self._entry.kind = tag
                self._entry.itself = _METER_READING.sub("", self._entry.itself)
                self.found.append(self._entry)
            case "IntervalReading":
                self._reading, self._line = {}, self.parser.CurrentLineNumber

    def _text(self, text: str) -> None:
        # No value that is wanted is longer.
        if len(self._written) < 16:
            self._written.append(text[:200])

    def _end(self, name: str) -> None:
        tag, text = name.rpartition(" ")[2], "".join(self._written).strip()
        self._written = []
        if self._reading is not None:
            if tag == "IntervalReading":
                self.found.append((self._line, self._entry.itself, self._reading))
                self._reading = None
            elif tag in {"value", "start", "quality"}:
                self._reading.setdefault(tag, text)
        elif self._entry.kind == "ReadingType" and tag in _TYPE_VALUES:
            self._entry.values.setdefault(tag, text)
        elif tag == "entry" and self._entry.kind in {"ReadingType", "MeterReading"}:
            self.found.append(self._entry)


_TYPE_VALUES = frozenset({"uom", "powerOfTenMultiplier", "flowDirection", "accumulationBehaviour", "intervalLength"})


def _parsed(blocks: Callable[[], Iterator[bytes]]) -> Iterator[_Entry | tuple[int, str, dict[str, str]]]:
    feed = _Feed()
    try:
        for block in blocks():
            feed.parser.Parse(block, False)
            yield from feed.found
            feed.found.clear()
        feed.parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise InputRejected(
            "NOT_CSV",
            f"The Green Button XML is damaged in line {error.lineno}: {expat.ErrorString(error.code)}. Download it "
            "again.",
        ) from error
    yield from feed.found
