"""How a file writes what it says, decided by all of it: timestamps and numbers."""

from dataclasses import dataclass, field

import polars as pl

from energy.intake import numbers, timestamps
from energy.intake.layout import Layout
from energy.intake.numbers import NumberEvidence, NumberForm
from energy.intake.rows import after_of
from energy.intake.timestamps import TimestampEvidence, TimestampForm
from energy.site_config import ReadingsConfig


@dataclass(frozen=True)
class Form:
    """Equal forms read a file equally. `warnings` say by code what was found."""

    timestamps: TimestampForm
    numbers: NumberForm
    warnings: dict[str, str] = field(compare=False)


class Evidence:
    """What the rows of a file, chunk by chunk, prove of its form."""

    def __init__(self, layout: Layout, config: ReadingsConfig) -> None:
        self._layout = layout
        self._config = config
        self._timestamps = TimestampEvidence.none()
        self._numbers = NumberEvidence.none()

    def add_plain(self, rows: int, pointed: int) -> None:
        """Takes plain rows into account, the numbers of so many of which prove a decimal point."""
        self._timestamps.add_plain(rows)
        self._numbers.add_plain(rows, pointed)

    def add(self, rows: pl.DataFrame) -> None:
        """Takes rows into account; those that are no whole records prove nothing."""
        whole = rows if rows["fields_ok"].all() else rows.filter("fields_ok")
        self._timestamps.add(whole["moment"].drop_nulls())
        self._numbers.add(whole["value"].drop_nulls(), only_if_marked=self._point_is_given)
        if after_of(self._layout) is not None and self._config.decimal is None:
            self._numbers.add_split(whole["value"], whole["after"])

    def absorb(self, other: "Evidence") -> None:
        """Takes into account what a later part of the same file proves."""
        self._timestamps.absorb(other._timestamps)
        self._numbers.absorb(other._numbers)

    @property
    def _point_is_given(self) -> bool:
        return self._layout.delimiter == ","

    def form(self) -> Form:
        """What is proved by now; InputRejected where more than one reading is possible, or none."""
        layout, config = self._layout, self._config
        moments, told = timestamps.form_of(
            self._timestamps, layout.date_order or config.date_order, layout.timestamp_format or config.timestamp_format
        )
        # What a format lays down is no surprise.
        if layout.date_order or layout.line_column is not None:
            told = {}
        values, also_told = numbers.form_of(
            self._numbers, layout.decimal or config.decimal, point_is_given=self._point_is_given
        )
        if layout.decimal:
            also_told.pop("DIALECT", None)
        return Form(moments, values, {**told, **also_told})
