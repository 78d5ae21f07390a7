"""Rows in one order that are alike in some columns, one after the other: groups that cost next to nothing."""

import functools
import operator

import polars as pl


def stretch(*columns: str) -> pl.Expr:
    """Numbers the stretches of rows that are alike in all of the columns; to group by. Rows of equal values that are
    not neighbours are of different stretches. A number is higher than the one before, but not always the next.
    """
    # Each column's own number rises where the column changes, so their sum rises where any does: far less work than to
    # find the changes first and to count them then.
    number = functools.reduce(operator.add, (pl.col(name).rle_id() for name in columns))
    # That the numbers rise is what lets polars group rows without looking them up.
    return number.set_sorted().alias("stretch")


def begins(*columns: str) -> pl.Expr:
    """Whether a row is the first of its stretch."""
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in columns) | first_row()


def first_row() -> pl.Expr:
    """True for the first row of a frame."""
    return pl.int_range(pl.len()) == 0
