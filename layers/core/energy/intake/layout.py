"""What the columns of a file mean: the one contract between the formats that people have and the judging of rows."""

from dataclasses import dataclass, field
from typing import Literal

# `energy`: used in the interval. `power`: the interval's mean, which needs its length. `register`: what a meter shows.
Kind = Literal["energy", "power", "register"]
Unit = Literal["Wh", "kWh", "MWh", "W", "kW"]
# One kWh is this many of the unit; for power, one kWh an hour.
UNITS_IN_KWH: dict[Unit, float] = {"Wh": 1000.0, "kWh": 1.0, "MWh": 0.001, "W": 1000.0, "kW": 1.0}
POWER_UNITS: tuple[Unit, ...] = ("W", "kW")


@dataclass(frozen=True)
class ValueColumn:
    """A column with readings. `position` counts columns from 0.

    `appliance`: whose readings they are, where the column and no cell says so. `minutes`: added to the row's timestamp,
    in files with a column for each time of day.
    """

    position: int
    unit: Unit
    kind: Kind = "energy"
    appliance: str | None = None
    minutes: int = 0


@dataclass(frozen=True)
class Layout:
    """How one file is to be read. Columns are given by position, from 0.

    `columns`: how many each row must have. `header_line`: physical line of the header, from 1; rows begin below it.
    `timestamp`: the columns whose texts, joined by one space, are the timestamp.
    `timezone`: the zone of timestamps without an offset where the file itself names it; null: the site's.
    `only`: column and the (lower-case) texts of which it must have one; `without`: those that it must not have. Other
    rows hold no reading of energy used and are left out, which is said. `estimated`: column and the (lower-case) texts
    that say that a reading was estimated.
    `blanks`: (lower-case) texts of a value, besides none at all, that mean that there was no reading; in files with
    several readings a row (`blank_is_no_reading`) such a cell is no row to reject.
    `unit_column`: where each row names its own unit; a row with one that is not in UNITS_IN_KWH is rejected.
    `interval_minutes`, `timestamp_format` (strptime), `date_order`, `decimal`: where the format lays them down.
    `line_column`: holds the line in the original, where the text was transcribed from another format.
    `ragged`: rows may have more or fewer columns than the header. `ignored`: names of columns that were not used.
    `private`: rows may hold names, addresses or meter numbers, so only timestamp, appliance and value of a rejected row
    are kept.
    """

    family: str
    delimiter: str
    header_line: int
    columns: int
    timestamp: tuple[int, ...]
    values: tuple[ValueColumn, ...]
    appliance: int | None = None
    unit_column: int | None = None
    marks: Literal["start", "end"] = "start"
    interval_minutes: float | None = None
    timezone: str | None = None
    timestamp_format: str | None = None
    date_order: Literal["day_first", "month_first"] | None = None
    decimal: Literal[".", ","] | None = None
    only: tuple[tuple[int, frozenset[str]], ...] = ()
    without: tuple[tuple[int, frozenset[str]], ...] = ()
    estimated: tuple[int, frozenset[str]] | None = None
    blanks: frozenset[str] = frozenset()
    blank_is_no_reading: bool = False
    private: bool = False
    ragged: bool = False
    line_column: int | None = None
    ignored: tuple[str, ...] = ()
    warnings: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Head:
    """The beginning of a file: at most the first 100 lines, in which a format looks for the header that it knows.

    `lines` are physical lines without their ends, from line 1.
    """

    lines: tuple[str, ...]
