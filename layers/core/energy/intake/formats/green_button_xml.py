"""Green Button's "Download my data" as XML: an Atom feed of ESPI (NAESB REQ.21), transcribed to lines of text.

A MeterReading links a ReadingType, which says what is measured, with IntervalBlocks, which hold the values; each link
is by the href of an entry, which mostly shows the order of things itself (`…/MeterReading/1/IntervalBlock/1`), but need
not. Taken is electric energy delivered: unit of measure 72 (Wh), flow direction 1. Of several readings of one usage
point, as by the hour and by the day, those of the shortest interval are taken, as the others are the same energy; the
others are transcribed without their values, so that it can be said how many were left out. Nothing but times, values,
qualities and the number of the meter is transcribed: names and addresses are never looked at.
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

_COLUMNS = {
    "energy": "line,epoch,meter,espi wh,estimated,used",
    "register": "line,epoch,meter,espi register wh,estimated,used",
}
_WATT_HOURS = "72"
_DELIVERED = "1"
# Accumulation behaviours: 4 is deltaData, use in the interval; 1 and 3 are what a register shows.
_DELTA, _REGISTERS = "4", frozenset({"1", "3"})
# QualityOfReading: estimated by a reference day (8) or by interpolation (9), derived (11), projected (12).
_ESTIMATED = frozenset({"8", "9", "11", "12"})
_METER_READING = re.compile(r"/(?:IntervalBlock|ReadingType)(?:/[^/]*)?/*$")
# Powers of ten go from -12 (pico) to 12 (tera); whatever is far beyond them would only make lines long.
_POWERS = range(-15, 16)
_BLOCK_LINES = 20_000
_SHOWN_KINDS = 3


@dataclass
class _Entry:
    """What an entry of the feed says of itself."""

    itself: str = ""
    up: str = ""
    related: list[str] = field(default_factory=list)
    kind: str = ""
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Types:
    """`by_meter_reading`: the ReadingType's values by the MeterReading's href; `every`: by the type's own href.

    `meter_readings`: all there are; `blocks`: MeterReadings by the hrefs of their IntervalBlocks; `usage_points`: by
    the href of their MeterReading, both where a link says so.
    """

    by_meter_reading: dict[str, dict[str, str]]
    every: dict[str, dict[str, str]]
    meter_readings: frozenset[str]
    blocks: dict[str, str]
    usage_points: dict[str, str]

    def of(self, meter_reading: str) -> dict[str, str] | None:
        """The type of a MeterReading; the only one there is, where it is not linked."""
        found = self.by_meter_reading.get(meter_reading)
        return found or (next(iter(self.every.values())) if len(self.every) == 1 else None)

    def meter_reading(self, block: _Entry) -> str:
        """The href of the MeterReading that an IntervalBlock is of: by a link, else by its own href."""
        for href in (block.itself, block.up, *block.related):
            if href in self.blocks:
                return self.blocks[href]
            if href in self.meter_readings:
                return href
        return _METER_READING.sub("", block.up if "/IntervalBlock" in block.up else block.itself)

    def usage_point(self, meter_reading: str) -> str:
        """The href of the UsagePoint that a MeterReading is of: by a link, else by the MeterReading's own href."""
        return self.usage_points.get(meter_reading) or meter_reading.partition("/MeterReading")[0]


def transcribed_from(source: Source) -> Iterator[bytes]:
    """The readings of a feed as lines of CSV text with a header; NOT_CSV where the XML is damaged or declares types."""
    types = _types(source.blocks)
    chosen, kind = _chosen(types, source.blocks)
    yield f"{_COLUMNS[kind]}\n".encode()
    # Whether there are several meters shows in every line.
    elsewhere = next(iter(chosen.values()))
    lines: list[str] = []
    for line, meter_reading, reading in _readings(types, source.blocks):
        if meter_reading in chosen:
            lines.append(_line(line, chosen[meter_reading], types.of(meter_reading) or {}, reading))
        else:
            lines.append(f"{line},,{elsewhere},,no,no\n")
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
        only=((5, frozenset({"yes"})),),
        estimated=(4, frozenset({"yes"})),
        line_column=0,
        decimal=".",
        private=True,
    )


def _line(line: int, meter: str, kind: dict[str, str], reading: dict[str, str]) -> str:
    start = re.sub(r"[^0-9]", " ", reading.get("start", ""))
    shown = _scaled(reading.get("value", ""), kind.get("powerOfTenMultiplier") or "0")
    return f"{line},{start},{meter},{shown},{reading.get('estimated', 'no')},yes\n"


def _scaled(value: str, power: str) -> str:
    """A value times its power of ten; a text that no one takes for a number where one of them is none."""
    is_power = re.fullmatch(r"[+-]?[0-9]{1,2}", power) and int(power) in _POWERS
    if not value or (is_power and re.fullmatch(r"[+-]?[0-9]{0,30}\.?[0-9]{0,30}([eE][+-]?[0-9]{1,2})?", value)):
        try:
            return format(Decimal(value).scaleb(int(power)), "f") if value else ""
        except InvalidOperation:
            pass
    cleaned = (re.sub(r"[^\w.+-]", " ", text)[:100] for text in (value, power))
    return " times ten to the power of ".join(cleaned)


def _types(blocks: Callable[[], Iterator[bytes]]) -> _Types:
    every: dict[str, dict[str, str]] = {}
    meter_readings: dict[str, list[str]] = {}
    points: dict[str, list[str]] = {}
    for entry in _entries(blocks):
        if entry.kind == "ReadingType":
            every[entry.itself] = entry.values
        elif entry.kind == "MeterReading":
            meter_readings[entry.itself] = entry.related
        elif entry.kind == "UsagePoint":
            points[entry.itself] = entry.related
    linked = {itself: every[href] for itself, related in meter_readings.items() for href in related if href in every}
    of_blocks = {href: mine for mine, related in meter_readings.items() for href in related if "/IntervalBlock" in href}
    of_points = {href: point for point, related in points.items() for href in related if href in meter_readings}
    of_points |= {mine: href for mine, related in meter_readings.items() for href in related if href in points}
    return _Types(linked, every, frozenset(meter_readings), of_blocks, of_points)


def _chosen(types: _Types, blocks: Callable[[], Iterator[bytes]]) -> tuple[dict[str, str], str]:
    """The MeterReadings that are taken, each with the name of its meter, and their kind."""
    found: dict[str, dict[str, str]] = {}
    seconds: dict[str, int] = {}
    for _, meter_reading, reading in _readings(types, blocks):
        if meter_reading not in found:
            found[meter_reading] = kind = types.of(meter_reading) or {}
            length = kind.get("intervalLength") or reading.get("duration") or ""
            seconds[meter_reading] = int(length) if re.fullmatch(r"[0-9]{1,9}", length) else 0
    electric = {
        href: kind
        for href, kind in found.items()
        if kind.get("uom") == _WATT_HOURS and kind.get("flowDirection", _DELIVERED) == _DELIVERED
    }
    delta = {href: kind for href, kind in electric.items() if kind.get("accumulationBehaviour", _DELTA) == _DELTA}
    registers = {href: kind for href, kind in electric.items() if kind.get("accumulationBehaviour") in _REGISTERS}
    taken = delta or registers
    if not taken:
        raise _nothing_delivered(list(found.values()))
    shortest: dict[str, int] = {}
    for href in taken:
        point = types.usage_point(href)
        shortest[point] = min(shortest.get(point, 10**9), seconds[href] or 10**9)
    numbers = {point: number for number, point in enumerate(sorted(shortest), start=1)}
    meters = {
        href: WHOLE_HOUSE if len(numbers) == 1 else f"Meter {numbers[types.usage_point(href)]}"
        for href in taken
        if (seconds[href] or 10**9) == shortest[types.usage_point(href)]
    }
    return meters, "energy" if delta else "register"


def _nothing_delivered(kinds: list[dict[str, str]]) -> InputRejected:
    """Says which kinds of readings there are instead."""
    names_of = {"uom": "unit of measure", "flowDirection": "flow direction", "accumulationBehaviour": "accumulation"}
    described = [
        ", ".join(f"{name} {re.sub('[^0-9]', '', kind.get(key, ''))[:4] or 'none'}" for key, name in names_of.items())
        for kind in kinds
    ]
    there = "; ".join(dict.fromkeys(described[:_SHOWN_KINDS])) or "no readings"
    return InputRejected(
        "NO_ROWS",
        "The Green Button file has no electric energy delivered (unit of measure 72, flow direction 1, accumulation 4, "
        f"or 1 or 3 for registers). It has: {there}. Download the interval data of the electricity meter.",
    )


def _entries(blocks: Callable[[], Iterator[bytes]]) -> Iterator[_Entry]:
    """Entries without their readings."""
    for found in _parsed(blocks):
        if isinstance(found, _Entry):
            yield found


def _readings(types: _Types, blocks: Callable[[], Iterator[bytes]]) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Line, the href of the MeterReading, and value, start, duration and whether it was estimated, of each reading."""
    meter_reading = ""
    for found in _parsed(blocks):
        if not isinstance(found, _Entry):
            yield found[0], meter_reading, found[1]
        elif found.kind == "IntervalBlock":
            meter_reading = types.meter_reading(found)


class _Feed:
    """What a parser of the feed has found so far; handed over whenever some of it was read."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.found: list[_Entry | tuple[int, dict[str, str]]] = []
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
                href, relation = attributes.get("href", "").strip('" '), attributes.get("rel", "")
                if relation == "self":
                    self._entry.itself = self._entry.itself or href
                elif relation == "up":
                    self._entry.up = href
                elif relation == "related":
                    self._entry.related.append(href)
            case "ReadingType" | "MeterReading" | "UsagePoint":
                self._entry.kind = tag
            case "IntervalBlock":
                self._entry.kind = tag
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
                self.found.append((self._line, self._reading))
                self._reading = None
            elif tag == "quality" and text in _ESTIMATED:
                # A reading may have several qualities, as validated and estimated.
                self._reading["estimated"] = "yes"
            elif tag in {"value", "start", "duration"}:
                self._reading.setdefault(tag, text)
        elif self._entry.kind == "ReadingType" and tag in _TYPE_VALUES:
            self._entry.values.setdefault(tag, text)
        elif tag == "entry" and self._entry.kind in {"ReadingType", "MeterReading", "UsagePoint"}:
            self.found.append(self._entry)


_TYPE_VALUES = frozenset({"uom", "powerOfTenMultiplier", "flowDirection", "accumulationBehaviour", "intervalLength"})


def _parsed(blocks: Callable[[], Iterator[bytes]]) -> Iterator[_Entry | tuple[int, dict[str, str]]]:
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
