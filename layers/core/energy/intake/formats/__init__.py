"""Formats that people have: one small module a family. The header says which one a file is of."""

from dataclasses import replace

from energy.intake.formats import mapping, plain
from energy.intake.formats.families import FAMILIES
from energy.intake.layout import Head, Layout
from energy.site_config import Rules


def recognise(head: Head, rules: Rules) -> Layout:
    """The layout of a file, by the columns that the site's configuration names, by a family's header, or by our own.

    InputRejected if it is none of them.
    """
    if rules.readings.columns is not None:
        return mapping.layout(head, rules.readings.columns, rules)
    for family in FAMILIES:
        if found := family(head, rules):
            # Known programs that separate cells by commas write decimals with points.
            has_points = found.delimiter == "," and found.decimal is None
            return replace(found, decimal=".") if has_points else found
    return plain.layout(head, rules)
