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
    message("What the configuration says of anomalies names {name}, of which nothing was ever read"),
    # The forecast.
    message("median of {models}"),
    message("Prophet could not be used in this run; the execution says why"),
    message("prophet left out: {reason}"),
    message("Spark forecasts the {number} series of this site without it"),
    message("Spark gave no forecast: {reason}"),
    message("prophet failed: {reason}"),
    message("statsforecast failed: {reason}"),
    message("and {number} more"),
    message("temperatures left out: {name} has none for {day}"),
    message("temperatures left out: {reason}"),
    message("temperatures left out: {name} has too few of the days that were read"),
    message("the temperatures of {name} explain nothing of these readings"),
    message("the forecast goes by the temperatures of {name}"),
    message("Prophet knows no holidays of {country}"),
    message("the forecast begins after {day}, the last day on which all appliances in the total are complete"),
    message("{name} is not in the total: no day of it is complete"),
    message("{name} is not in the total: it has no complete day in common with the other appliances"),
    message("{name} is not in the total until it has {days} complete days in common with the other appliances"),
    message("{name} is not forecast: its last complete day was {day}"),
    message("{name} is not forecast: it has no complete day before the forecast begins"),
    message("{name}: {model} left out: {reason}"),
    message("{name}: {model} left out {number} days back: {reason}"),
    message("line {line} of {name} is no date with a temperature"),
    message("line {line} of {name} has no temperature that can be, in °C"),
    message("{name} must have the columns date and temperature_c"),
    message("{name}: too few days to tell how sure this is"),
    message("{name}: no forecast by {model}: {reason}"),
    message("Prophet gave no forecast: {reason}"),
    message("The other models gave no forecast: {reason}"),
    message("{model} needs at least {least} complete day of readings; this site has {number}"),
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
    # Uploads: why rows were set apart, and how the file was read.
    message("{number} row, the first in line {line}: {reason}"),
    message("{number} rows, the first in line {line}: {reason}"),
    message("The header again; only the first line of a file may name the columns."),
    message("A field, or the name of the appliance, is longer than is read."),
    message("The row contains control characters."),
    message("The row does not have as many fields as the header; is a delimiter in a field without quotes?"),
    message("The appliance has no name."),
    message("The timestamp is not written as the file's other timestamps are, or there is no such date."),
    message("The timestamp is from before the first year of which readings are taken (1990)."),
    message("Clocks skipped this hour in the time zone of the readings: there was no such time."),
    message("The timestamp is later than a day after the upload."),
    message("The reading is empty."),
    message("The reading is not a finite number."),
    message("The reading is not a number, or not written as the file's other readings are."),
    message("The reading is below zero; energy used in an interval cannot be."),
    message("The file has another value for the same appliance and time; none of them is used."),
    message("The reading is beyond any meter: more than {most} kWh."),
    message("{number} reading(s) appear more than once; each was counted once."),
    message("{number} reading(s) lie in the hour that clocks repeat in {zone}; the order in the file decided."),
    message("{number} timestamp(s) have no offset; read as local time in {zone}."),
    message("{number} row(s) hold no energy used, as another fuel, export or a total, and were left out."),
    message(
        "{number} appliance(s) have days without readings. The longest gap is that of {name}: {days} days from {day}"
        " {clock}. Nothing is made up for it: missing readings are not zeros."
    ),
    message(
        "{name} would draw {kw} kW on average. This looks like watt-hours or watts under a header that says kWh or kW:"
        " if so, name the unit in the header, as wh, or under readings in config/<site>.yaml, and upload again. The"
        " values were read as the header says."
    ),
    message("Dates are day first, which {date} proves."),
    message("Decimals are separated by a comma."),
    message("Timestamps are seconds since 1970, UTC."),
    message("Timestamps are milliseconds since 1970, UTC."),
    message("The text is not UTF-8 but Windows-1252 (western Europe); read as such."),
    message("The text is UTF-16, by its byte order mark; read as such."),
    message("The file is packed with gzip although its name does not end in .gz."),
    message("Lines end with CR alone, as on an old Macintosh; read as line ends."),
)

_NUMBER = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CODE = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
_SLOT = re.compile(r"\{(\w+)\}")


def told(text: str, language: "Language") -> str:
    """The sentence in this language; what "Validate upload" says keeps the code before it, which documents explain."""
    code, colon, sentence = text.partition(": ")
    if colon and _CODE.fullmatch(code) and (known := _matched(sentence, language)) is not None:
        return f"{code}: {known}"
    known = _matched(text, language)
    return text if known is None else known


def _matched(text: str, language: "Language") -> str | None:
    for pattern, expression in _expressions():
        if match := expression.fullmatch(text):
            parts = _SLOT.split(language.say(pattern))
            slots = {name: _slot(value, language) for name, value in match.groupdict().items()}
            return "".join(slots[part] if odd % 2 else part for odd, part in enumerate(parts))
    return None


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
