"""Sentences that other states write into their documents, with their figures in them, in the language of the report.

Each pattern is the English sentence with {slots}; what a slot holds is a number, a name, or such a sentence again.
A sentence that none of them matches is shown as it was written.
"""

import functools
import re
from typing import TYPE_CHECKING

from energy.report.language import message

if TYPE_CHECKING:
    from energy.report.language import Language

# The first that matches the whole sentence counts, so those with the fewest slots come first within a topic.
PATTERNS = (
    # Unusual hours.
    message("every hour used the same energy"),
    message("only {hours} hours of readings; at least {least} are needed"),
    message("read once in {hours} hours; unusual hours need hourly readings or finer"),
    message("{name} used {kwh} kWh in this hour; its mean hour is {mean} kWh and its limit {limit} kWh."),
    # The forecast.
    message("median of {models}"),
    message("Prophet could not be used in this run; the execution says why"),
    message("prophet left out: {reason}"),
    message("prophet failed: {reason}"),
    message("statsforecast failed: {reason}"),
    message("and {number} more"),
    message("temperatures left out: {name} has none for {day}"),
    message("temperatures left out: {reason}"),
    message("the forecast goes by the temperatures of {name}"),
    message("Prophet knows no holidays of {country}"),
    message("the forecast begins after {day}, the last day on which all appliances in the total are complete"),
    message("{name} is not in the total: no day of it is complete"),
    message("{name} is not in the total: it has no complete day in common with the other appliances"),
    message("{name} is not in the total until it has {days} complete days in common with the other appliances"),
    message("{name} is not forecast: its last complete day was {day}"),
    message("{name} is not forecast: it has no complete day before the forecast begins"),
    message("{name}: {model} left out: {reason}"),
    message("{name}: too few days to tell how sure this is"),
    message("{name}: no forecast by {model}: {reason}"),
    message("{model} needs at least {least} complete days of readings; this site has {number}"),
    message("{model} is asked for at most {most} series; the total and the appliances of this site are {number}"),
    message("{why}; the other models gave none"),
    message("{why}; {models} gave none"),
    message("{number} complete day: below {least} only their mean says something"),
    message("{number} complete days: below {least} only their mean says something"),
    message("{number} complete days: below {least} Prophet and Theta see a trend in noise"),
    message("{number} complete days"),
    message("it has {number} complete day, {least} are needed"),
    message("it has {number} complete days, {least} are needed"),
)

_NUMBER = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SLOT = re.compile(r"\{(\w+)\}")


def told(text: str, language: "Language") -> str:
    """The sentence in this language."""
    for pattern, expression in _expressions():
        if match := expression.fullmatch(text):
            parts = _SLOT.split(language.say(pattern))
            slots = {name: _slot(value, language) for name, value in match.groupdict().items()}
            return "".join(slots[part] if odd % 2 else part for odd, part in enumerate(parts))
    return text


def _slot(value: str, language: "Language") -> str:
    if _NUMBER.fullmatch(value):
        plain = value.replace(",", "")
        return language.number(float(plain), len(plain.partition(".")[2]))
    if _DAY.fullmatch(value):
        return language.value(value, "date")
    return told(value, language)


@functools.cache
def _expressions() -> tuple[tuple[str, re.Pattern[str]], ...]:
    def expression(pattern: str) -> re.Pattern[str]:
        parts = _SLOT.split(pattern)
        # Literal text and names of slots take turns.
        return re.compile("".join(f"(?P<{part}>.+?)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)))

    return tuple((pattern, expression(pattern)) for pattern in PATTERNS)
