"""The languages of a report: sentences by gettext; numbers, dates, units and plurals as CLDR has them, by babel.

How to write a sentence. The English sentence is the message: one literal, whole, with facts as {{placeholders}}.

    sheet.say("The busiest hour of the day is {{site.peak_hour}}.")
    sheet.say("In that band {{A.name}} uses most.", A="A3")          # {{A.name}} becomes {{A3.name}}
    sheet.say("It may save {{energy}}.", energy="{{R1.save_low}} to {{R1.save_high}}")    # text takes its place
    sheet.plural("{{F.days}} day is forecast.", "{{F.days}} days are forecast.", "F.days")

No f-string, and no sentence glued from parts: other languages order and bend their words otherwise. What is said where
it is not written, as the titles of tables and the words that are values of facts ("more", unit "word"), is marked with
message("…"). A sentence that another state writes, its figures in it, has its pattern in told.py.

`make messages` then collects what is new into locale/<language>/LC_MESSAGES/report.po, where it is translated; a test
tells what is missing there. An English sentence needs no entry.
"""

import datetime as dt
import functools
import gettext
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import StringConstraints

from energy.languages import LANGUAGES

if TYPE_CHECKING:
    from babel import Locale

# The language's own home: English as it is written outside America, with days before months and 24 hours.
LOCALES = {"en": "en_GB", "de": "de"}
# For Vega, which draws the axes (https://github.com/d3/d3-format/tree/main/locale).
D3_LOCALES: dict[str, Literal["en-GB", "de-DE"]] = {"en": "en-GB", "de": "de-DE"}
CATALOGUES = Path(__file__).with_name("locale")

# The code of a currency, ISO 4217, or a price of a kWh in it.
Money = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}(/kWh)?$")]
Unit = (
    Literal[
        "kwh",
        "kw",
        "kg",
        "share",
        "change",
        "count",
        "hour",
        "hours",
        "duration",
        "sigma",
        "date",
        "datetime",
        "weekday",
        "month",
        "text",
        "word",
        "told",
    ]
    | Money
)
Value = float | int | str | None

_REFERENCE = re.compile(r"[A-Z]+\d+|[A-Za-z]\w*(?:\.\w+)+")
_SLOT = re.compile(r"\{\{([A-Za-z]\w*)((?:\.\w+)*)\}\}")
_MONEY = re.compile(r"[A-Z]{3}(/kWh)?")
_CLDR_UNITS = {"kwh": "energy-kilowatt-hour", "kw": "power-kilowatt", "kg": "mass-kilogram"}


def message(text: str) -> str:
    """`text` itself, marked as one that is translated where it is said."""
    return text


def put_in(sentence: str, parts: dict[str, str]) -> str:
    """A sentence with its parts: a reference stands for the first word of a placeholder, text for the whole of it.

    A reference is that of a thing, as A3, or of a fact, as A3.share; all else is text.
    """

    def part(match: re.Match[str]) -> str:
        given = parts.get(match[1])
        if given is None:
            return match[0]
        return f"{{{{{given}{match[2]}}}}}" if _REFERENCE.fullmatch(given) else given

    return _SLOT.sub(part, sentence)


@functools.cache
def language(code: str) -> "Language":
    """A language that the report speaks; ValueError for another."""
    if code not in LANGUAGES:
        raise ValueError(f"the report does not speak {code!r}, but {', '.join(LANGUAGES)}")
    return Language(code)


class Language:
    """One language; get it from `language`, which keeps it."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.catalogue = _catalogue(code)

    def say(self, text: str, **parts: str) -> str:
        """An English message in this language."""
        return put_in(self.catalogue.gettext(text), parts) if text else text

    def plural(self, one: str, many: str, count: float, **parts: str) -> str:
        """Whichever of two messages this language says with that count."""
        # gettext counts in whole things.
        return put_in(self.catalogue.ngettext(one, many, 1 if count == 1 else int(count) or 2), parts)

    def told(self, text: str) -> str:
        """A sentence of another state in this language; as it is where nobody has translated it."""
        from energy.report.told import told

        return told(text, self)

    def value(self, value: Value, unit: Unit, dp: int = 0, bare: bool = False) -> str:
        """A value for people; `bare` leaves the unit kWh, kW or kg to a column's title. Money keeps its currency."""
        return _shown(self, value, unit, dp, bare)

    def number(self, number: float, dp: int) -> str:
        """A number with so many decimals."""
        from babel.numbers import format_decimal

        return _plain(format_decimal(_no_negative_zero(number, dp), format=_pattern("#,##0", dp), locale=self.locale))

    def money(self, amount: float, currency: str, dp: int) -> str:
        """An amount with the sign of its currency and so many decimals."""
        from babel.numbers import format_currency

        pattern = self.locale.currency_formats["standard"].pattern.replace(".00", "")
        shown = _no_negative_zero(amount, dp)
        return _plain(
            format_currency(shown, currency, format=_pattern(pattern, dp), locale=self.locale, currency_digits=False)
        )

    def percent(self, share: float, dp: int) -> str:
        """A share as a percentage with so many decimals."""
        from babel.numbers import format_percent

        pattern = self.locale.percent_formats[None].pattern
        shown = _no_negative_zero(share, dp + 2)
        return _plain(format_percent(shown, format=_pattern(pattern, dp), locale=self.locale))

    def measure(self, number: float, cldr_unit: str, dp: int, length: Literal["short", "long"] = "short") -> str:
        """A number with a unit of CLDR's."""
        from babel.units import format_unit

        shown = _no_negative_zero(number, dp)
        return _plain(format_unit(shown, cldr_unit, length, format=_pattern("#,##0", dp), locale=self.locale))

    def date(self, day: dt.date) -> str:
        """A day with its weekday and year."""
        from babel.dates import format_skeleton

        return _plain(format_skeleton("yMMMEd", day, locale=self.locale))

    def month(self, day: dt.date) -> str:
        """The month of a day with its year."""
        from babel.dates import format_skeleton

        return _plain(format_skeleton("yMMM", day, locale=self.locale))

    def moment(self, moment: dt.datetime) -> str:
        """A day and the time of day."""
        return f"{self.date(moment.date())}, {moment:%H:%M}"

    def weekday(self, number: int, width: Literal["wide", "abbreviated"] = "wide") -> str:
        """The name of a day of the week, 0 for Monday."""
        return str(self.locale.days["stand-alone"][width][number]).removesuffix(".")

    @functools.cached_property
    def locale(self) -> "Locale":
        """What CLDR knows of the language."""
        from babel import Locale

        return Locale.parse(LOCALES[self.code])


@functools.lru_cache(maxsize=1 << 14)
def _shown(tongue: Language, value: Value, unit: Unit, dp: int, bare: bool) -> str:
    if value is None:
        return tongue.say("not known")
    if isinstance(value, str):
        return _shown_text(tongue, value, unit)
    number = float(value)
    if unit in _CLDR_UNITS and not bare:
        return tongue.measure(number, _CLDR_UNITS[unit], dp)
    if _MONEY.fullmatch(unit):
        currency, _, per = unit.partition("/")
        return tongue.money(number, currency, dp) + (f"/{per}" if per and not bare else "")
    match unit:
        case "share":
            text = tongue.percent(number, dp)
        case "change":
            text = f"{'+' if round(number, dp + 2) > 0 else ''}{tongue.percent(number, dp)}"
        case "duration":
            text = _duration(tongue, number)
        case "hours":
            text = f"{tongue.number(number, 0)} h"
        case "hour":
            text = f"{int(number):02d}:00\u2013{(int(number) + 1) % 24:02d}:00"
        case "weekday":
            text = tongue.weekday(int(number))
        case _:
            text = tongue.number(number, 1 if unit == "sigma" else dp)
    return text


def _shown_text(tongue: Language, value: str, unit: Unit) -> str:
    match unit:
        case "date":
            return tongue.date(dt.date.fromisoformat(value))
        case "month":
            return tongue.month(dt.date.fromisoformat(f"{value}-01"))
        case "datetime":
            moment = dt.datetime.fromisoformat(value)
            return tongue.date(moment.date()) if len(value) == len("2024-12-25") else tongue.moment(moment)
        case "word":
            return tongue.say(value)
        case "told":
            return tongue.told(value)
    return value


def _duration(tongue: Language, hours: float) -> str:
    """Hours in the unit that people would use."""
    number, unit = (hours / 24, "day") if hours >= 48 else (hours, "hour") if hours >= 1 else (hours * 60, "minute")
    dp = 0 if round(number, 1) == round(number) else 1
    return tongue.measure(number, f"duration-{unit}", dp, "long")


def _pattern(pattern: str, dp: int) -> str:
    """CLDR's pattern of a number with so many decimals."""
    return re.sub(r"0(?=[^0]*$)", f"0{'.' * (dp > 0)}{'0' * dp}", pattern)


def _no_negative_zero(number: float, dp: int) -> float:
    rounded = round(number, dp)
    return 0.0 if rounded == 0 else rounded


def _plain(text: str) -> str:
    """With plain spaces: whether a number may be parted from its unit is for the page to say."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def _catalogue(code: str) -> gettext.NullTranslations:
    """The translations of a language, compiled when they are first asked for: no compiled file can lag behind."""
    path = CATALOGUES / code / "LC_MESSAGES" / "report.po"
    if not path.exists():
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with path.open("rb") as lines:
        write_mo(compiled, read_po(lines, locale=code))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
