"""Values of a file to numbers: which mark is the decimal one is said by all of them together, never guessed by one."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import polars as pl

from energy.errors import InputRejected

MISSING = ("", "na", "n/a", "#n/a", "null", "none", "nil", "-", "--")
NON_FINITE = r"(?i)^[+-]?(?:nan|inf|infinity)$"
_WITH_UNIT = r"^[+-]?[0-9.,]+\s*[A-Za-zµ]+$"
_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
# Thin and no-break spaces, and apostrophes, group digits in some countries; none of them is ever a decimal mark.
_SPACES = " \u00a0\u2009\u202f'\u2019"

# What one value, taken alone, says of the marks. The first pattern that it matches counts.
_EVIDENCE = (
    ("plain", rf"^[+-]?[0-9]+{_EXPONENT}$"),
    ("spaced", rf"^[+-]?[0-9]{{1,3}}(?:[{_SPACES}][0-9]{{3}})+$"),
    ("spaced_decimal_comma", rf"^[+-]?[0-9]{{1,3}}(?:[{_SPACES}][0-9]{{3}})+,[0-9]*$"),
    ("spaced_decimal_point", rf"^[+-]?[0-9]{{1,3}}(?:[{_SPACES}][0-9]{{3}})+\.[0-9]*$"),
    ("comma_or_group", r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"),
    ("point_or_group", r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"),
    ("decimal_comma", rf"^[+-]?(?:[0-9]+,[0-9]*|,[0-9]+){_EXPONENT}$"),
    ("decimal_point", rf"^[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+){_EXPONENT}$"),
    ("comma_groups", r"^[+-]?[0-9]{1,3}(?:,[0-9]{3}){2,}$"),
    ("comma_groups_decimal_point", r"^[+-]?[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]*$"),
    ("point_groups", r"^[+-]?[0-9]{1,3}(?:\.[0-9]{3}){2,}$"),
    ("point_groups_decimal_comma", r"^[+-]?[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*$"),
    ("missing", rf"(?i)^(?:{'|'.join(MISSING)})$"),
    ("with_unit", _WITH_UNIT),
)

_KINDS = dict(_EVIDENCE)
_SPACED = ("spaced", "spaced_decimal_comma", "spaced_decimal_point")


@dataclass(frozen=True)
class NumberForm:
    """How a file writes numbers. `groups`: the characters that may stand between groups of three digits."""

    decimal: Literal[".", ","] = "."
    groups: str = ""


@dataclass
class NumberEvidence:
    """What the values of a file say together. `examples` has the first value of each kind, in the file's order."""

    counts: Counter[str]
    examples: dict[str, str]
    split: int = 0

    @classmethod
    def none(cls) -> "NumberEvidence":
        """Before the first value."""
        return cls(Counter(), {})

    def add(self, values: pl.Series, only_if_marked: bool) -> None:
        """Takes the stripped values of a chunk into account.

        `only_if_marked`: points need no proof (cells are separated by commas), so that values that are numbers as they
        are need no closer look.
        """
        if only_if_marked:
            number = values.cast(pl.Float64, strict=False)
            plain = number.is_not_null()
            self.add_plain(int(plain.sum()), proving_points(values, number, plain))
            values = values.filter(~plain)
        if values.is_empty():
            return
        kinds = pl.DataFrame({"value": values}).with_columns(
            kind=pl.coalesce(
                *(pl.when(pl.col("value").str.contains(pattern)).then(pl.lit(kind)) for kind, pattern in _EVIDENCE),
                pl.lit("other"),
            )
        )
        found = kinds.group_by("kind", maintain_order=True).agg(pl.len(), pl.col("value").first())
        for kind, count, example in found.iter_rows():
            self.counts[kind] += count
            self.examples.setdefault(kind, example)

    def absorb(self, other: "NumberEvidence") -> None:
        """Takes into account what the values of a later part of the file say."""
        self.counts.update(other.counts)
        self.examples = {**other.examples, **self.examples}
        self.split += other.split

    def add_plain(self, numbers: int, pointed: int) -> None:
        """Takes numbers into account that are numbers as they are, of which so many are `proving_points`."""
        self.counts["decimal_point"] += pointed
        self.counts["plain"] += numbers - pointed

    def add_split(self, values: pl.Series, after: pl.Series) -> None:
        """Takes into account that 1,5 without quotes is a 1, and a 5 in the next column; nothing in the row tells."""
        both = (values.str.contains("^[0-9]+$") & after.str.contains("^[0-9]+$")).fill_null(False)
        self.split += int(both.sum())
        if both.any() and "split" not in self.examples:
            self.examples["split"] = f"{values.filter(both)[0]},{after.filter(both)[0]}"


def proving_points(values: pl.Series, numbers: pl.Series, chosen: pl.Series) -> int:
    """How many of the chosen texts of `numbers` have a point that can only be a decimal mark."""
    pointed = chosen & values.str.contains(".", literal=True)
    # 1.234 may be a thousand and more; only numbers of that size are looked at more closely.
    size = numbers.abs()
    doubtful = values.filter(pointed & (size >= 1) & (size < 1000)).str.contains(_KINDS["point_or_group"])
    return int(pointed.sum()) - int(doubtful.sum())


def form_of(
    evidence: NumberEvidence, decimal: Literal[".", ","] | None, point_is_given: bool
) -> tuple[NumberForm, dict[str, str]]:
    """How the file writes numbers, and what has to be said of it, by code.

    `decimal`: as laid down by the format or the configuration. `point_is_given`: cells are separated by commas, so that
    a point means decimals unless the file itself says otherwise. AMBIGUOUS_NUMBER where nothing proves one reading;
    BAD_NUMBER where every value carries a unit.
    """
    counts = evidence.counts
    readable = sum(counts.values()) - counts["missing"]
    if readable and counts["with_unit"] == readable:
        raise InputRejected(
            "BAD_NUMBER",
            f"Every value carries a unit, as in {evidence.examples['with_unit'][:40]!r}. Write plain numbers, and the "
            "unit into the header, as in kwh or wh.",
        )
    if 2 * evidence.split > readable and not counts["decimal_point"] and not counts["point_or_group"]:
        raise InputRejected(
            "AMBIGUOUS_NUMBER",
            f"{evidence.examples['split'][:40]!r} may be one number with a decimal comma or the cells of two columns, "
            "and no reading in the file has a decimal point. Write readings with one, as 1.5 or 1.0, or leave the "
            'column after them out; or say decimal: "." under readings in config/<site>.yaml.',
        )
    form = _form(evidence, decimal, point_is_given)
    warnings = {}
    if form.decimal == ",":
        warnings["DIALECT"] = "Decimals are separated by a comma."
    kind = _grouped_kind(counts, form)
    if kind:
        mark = {"comma": "commas", "point": "points"}.get(kind.partition("_")[0], "spaces or apostrophes")
        warnings["THOUSANDS"] = (
            f"Thousands are separated by {mark}, as in {evidence.examples[kind][:40]!r}, which the file's other values "
            "prove."
        )
    return form, warnings


def _form(evidence: NumberEvidence, decimal: Literal[".", ","] | None, point_is_given: bool) -> NumberForm:
    counts = evidence.counts
    spaces = _SPACES if any(counts[kind] for kind in _SPACED) else ""
    commas = counts["decimal_comma"] + counts["point_groups_decimal_comma"] + counts["spaced_decimal_comma"]
    points = counts["decimal_point"] + counts["comma_groups_decimal_point"] + counts["spaced_decimal_point"]
    if decimal is None:
        if commas or points:
            if commas == points:
                raise _ambiguous(evidence, "decimal_comma", "point_groups_decimal_comma", "spaced_decimal_comma")
            decimal = "," if commas > points else "."
        elif counts["comma_groups"] and not counts["point_groups"]:
            decimal = "."
        elif counts["point_groups"] and not counts["comma_groups"]:
            decimal = ","
        elif counts["comma_or_group"]:
            raise _ambiguous(evidence, "comma_or_group")
        elif counts["point_or_group"] and not point_is_given:
            raise _ambiguous(evidence, "point_or_group")
        else:
            decimal = "."
    other = "," if decimal == "." else "."
    return NumberForm(decimal, other + spaces)


def _grouped_kind(counts: Counter[str], form: NumberForm) -> str | None:
    other = "comma" if form.decimal == "." else "point"
    decimal = "point" if form.decimal == "." else "comma"
    for kind in (f"{other}_groups_decimal_{decimal}", f"{other}_groups", f"{other}_or_group", *_SPACED):
        if counts[kind]:
            return kind
    return None


def _ambiguous(evidence: NumberEvidence, *kinds: str) -> InputRejected:
    example = next(evidence.examples[kind] for kind in kinds if kind in evidence.examples)
    return InputRejected(
        "AMBIGUOUS_NUMBER",
        f"{example[:40]!r} may have a decimal mark or one that groups thousands, and the file's values do not prove "
        'which. Write a decimal point and no groups; or say decimal: "," or decimal: "." under readings in '
        "config/<site>.yaml.",
    )


def with_numbers(records: pl.DataFrame, form: NumberForm) -> pl.DataFrame:
    """Adds `number`, the value as a number, null where it is none; infinite and not-a-number stay what they are.

    `value` is the stripped text. Only texts that are no plain number with a point are looked at more closely.
    """
    value = pl.col("value")
    point = value.cast(pl.Float64, strict=False)
    if form.decimal == ".":
        records = records.with_columns(number=point)
        # Whatever is finite was written as a plain number: no other text is taken for one.
        closer = pl.col("number").is_null() & value.str.contains(f"[{_class(form.groups)}]")
        if not records.select(closer.any()).item():
            return records
        return records.with_columns(number=pl.when(closer).then(_grouped(value, form)).otherwise("number"))
    return records.with_columns(
        number=pl.when(value.str.contains(".", literal=True) | value.str.contains(f"[{_class(form.groups)},]"))
        .then(_grouped(value, form))
        .otherwise(point)
    )


def _class(characters: str) -> str:
    return "".join("\\" + c if c in "]^\\-." else c for c in characters) or "\\0"


def _grouped(value: pl.Expr, form: NumberForm) -> pl.Expr:
    mark = r"\." if form.decimal == "." else ","
    group = f"[{_class(form.groups)}]"
    whole = rf"(?:[0-9]+|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+)"
    number = rf"^[+-]?(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+){_EXPONENT}$"
    digits = value.str.replace_all(group, "").str.replace(form.decimal, ".", literal=True)
    return pl.when(value.str.contains(number)).then(digits).cast(pl.Float64, strict=False)
