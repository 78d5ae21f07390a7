"""A large file of readings, made up: minute by minute, several appliances, a few rows that are bad or there twice."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

APPLIANCES = ("AC", "Dishwasher", "Freezer", "Heater", "Lights", "Oven", "Refrigerator", "Washing Machine")
# At eight appliances a minute 3·10⁷ rows end in 2022: nothing lies in the future.
FIRST = dt.datetime(2015, 1, 1)
# One row in so many is bad, or repeats the one before it.
BAD_EVERY, REPEATED_EVERY = 1_000, 500
PIECE_ROWS = 1 << 20


@dataclass(frozen=True)
class Shape:
    """How often appliances are read, and how many; with more than eight they are numbered. `quoted`: with quotes around
    appliances, as some exports write them.
    """

    seconds: int = 60
    appliances: int = len(APPLIANCES)
    quoted: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        if self.appliances <= len(APPLIANCES):
            return APPLIANCES[: self.appliances]
        return tuple(f"appliance {number:04}" for number in range(self.appliances))


def write(path: Path, rows: int, shape: Shape = Shape(), seed: int = 42) -> dict[str, int]:
    """Writes at least `rows` rows (all appliances of an instant); how many are in the file, and what has to become of
    them.
    """
    instants = -(-rows // shape.appliances)
    random = np.random.default_rng(seed)
    counts = {"read": 0, "accepted": 0, "rejected": 0, "duplicates": 0}
    at_once = -(-PIECE_ROWS // shape.appliances)
    with path.open("wb") as file:
        file.write(b"timestamp,appliance,kwh\n")
        for start in range(0, instants, at_once):
            _write_piece(file, range(start, min(start + at_once, instants)), shape, random, counts)
    return counts


def _write_piece(
    file: BinaryIO, piece: range, shape: Shape, random: np.random.Generator, counts: dict[str, int]
) -> None:
    instants, names = len(piece), shape.names
    step = np.timedelta64(shape.seconds, "s")
    first = np.datetime64(FIRST, "ms") + piece.start * step
    rows = instants * len(names)
    frame = pl.DataFrame(
        {
            "timestamp": np.repeat(first + np.arange(instants) * step, len(names)),
            "appliance": pl.Series(names * instants),
            "kwh": random.uniform(0.0001, 0.05, rows).round(4),
        }
    ).with_row_index("row")
    number = pl.col("row") % BAD_EVERY
    name = pl.format('"{}"', "appliance") if shape.quoted else pl.col("appliance")
    written = frame.select(
        pl.when(number == 1)
        .then(pl.lit("2024-02-30 10:00:00"))
        .otherwise(pl.col("timestamp").dt.strftime("%Y-%m-%d %H:%M:%S"))
        .alias("timestamp"),
        pl.when(number == 3).then(pl.lit("")).otherwise(name).alias("appliance"),
        pl.when(number == 5).then(pl.lit("-1")).otherwise(pl.col("kwh").cast(pl.String)).alias("kwh"),
        # Of good rows alone: a bad row that is there twice is bad twice.
        copies=pl.when(pl.col("row") % REPEATED_EVERY == 0).then(2).otherwise(1),
    )
    repeated = written["copies"].sum() - rows
    bad = frame.select(number.is_in([1, 3, 5]).sum()).item()
    written.select(pl.exclude("copies").repeat_by("copies").explode()).write_csv(
        file, include_header=False, quote_style="never"
    )
    counts["read"] += rows + repeated
    counts["accepted"] += rows - bad
    counts["rejected"] += bad
    counts["duplicates"] += repeated
