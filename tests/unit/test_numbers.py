"""Texts of values to numbers, with the marks that a file has been found to use."""

import polars as pl
import pytest

from energy.intake.numbers import NumberForm, with_numbers


def number_of(text: str, form: NumberForm) -> float | None:
    return with_numbers(pl.DataFrame({"value": [text]}), form)["number"][0]


@pytest.mark.parametrize(
    ("text", "number"), [("1e5", 1e5), ("+.5", 0.5), ("1.", 1.0), ("-0", 0.0), ("0012", 12.0), ("1,234.5", 1234.5)]
)
def test_plain_numbers_and_whole_groups_are_numbers(text: str, number: float) -> None:
    assert number_of(text, NumberForm(".", ",")) == number


@pytest.mark.parametrize(
    "text", ["0x10", "1_000", "\uff11", "1d5", "1e", "e5", ".", "+", "--1", "1,23.5", "12kWh", "\u0663"]
)
@pytest.mark.parametrize("form", [NumberForm(".", ","), NumberForm(",", ".")])
def test_no_other_text_is_taken_for_a_number(text: str, form: NumberForm) -> None:
    assert number_of(text, form) is None


@pytest.mark.parametrize(
    ("text", "number"), [("1,5", 1.5), (",5", 0.5), ("1.234,5", 1234.5), ("1.234", 1234.0), ("1.5", None), ("7", 7.0)]
)
def test_a_point_groups_thousands_where_a_comma_is_the_decimal_mark(text: str, number: float | None) -> None:
    assert number_of(text, NumberForm(",", ".")) == number


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u2009", "\u202f", "'", "\u2019"])
def test_spaces_and_apostrophes_group_thousands_with_either_mark(space: str) -> None:
    groups = " \u00a0\u2009\u202f'\u2019"
    assert number_of(f"12{space}345.5", NumberForm(".", "," + groups)) == 12345.5
    assert number_of(f"12{space}345,5", NumberForm(",", "." + groups)) == 12345.5
