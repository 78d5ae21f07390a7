"""`tariff` and `plans` of a site's configuration: what a plan charges, as its contract says it.

Prices are in the currency itself (0.32 euros, never 32 cents), as they are paid: with tax. What is charged by the month
counts by its days where a contract, or the readings, cover part of a month.
"""

import datetime as dt
import itertools
import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from energy.config_section import Section, TableFile, Text
from energy.tariffs.currency import CURRENCIES

MINUTES_PER_DAY = 1440
# Nobody is charged more for a kWh or a day in any currency's main unit; most are far below.
_MOST = 1_000_000
MAX_CONTRACTS = 100
MAX_PARTS = 24

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d) ?(?:-|\u2013|to) ?([01]\d|2[0-4]):([0-5]\d)")
_SEASON = re.compile(r"(\d\d-\d\d) to (\d\d-\d\d)")
# A year that has every day there is.
_LEAP_YEAR = 2024


def _minutes(text: str) -> str:
    start, end = clock_minutes(text)
    if start == MINUTES_PER_DAY or (start == end % MINUTES_PER_DAY and end != MINUTES_PER_DAY):
        raise ValueError("it must begin and end at different times of day")
    return text


def clock_minutes(text: str) -> tuple[int, int]:
    """The minutes of the day between which "17:00-20:00" lies; ValueError."""
    found = _CLOCK.fullmatch(text.strip())
    hours = [int(number) for number in found.groups()] if found else []
    if not hours or any(minute > MINUTES_PER_DAY for minute in (hours[0] * 60 + hours[1], hours[2] * 60 + hours[3])):
        raise ValueError('it must be two times of day, as "17:00-20:00"; "24:00" ends the day')
    return hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]


def _season(text: str) -> str:
    season_days(text)
    return text


def season_days(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last (month, day) of "06-01 to 09-30"; ValueError."""
    found = _SEASON.fullmatch(text.strip())
    try:
        first, last = (dt.date.fromisoformat(f"{_LEAP_YEAR}-{day}") for day in (found.groups() if found else ("", "")))
    except ValueError:
        raise ValueError('it must be two days of the year, month first, as "06-01 to 09-30"') from None
    return (first.month, first.day), (last.month, last.day)


def _holiday(text: str) -> str:
    try:
        dt.date.fromisoformat(text if len(text) > len("12-25") else f"{_LEAP_YEAR}-{text}")
    except ValueError:
        raise ValueError('it must be a date, as 2026-04-06, or a day of every year, as "12-25"') from None
    return text


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("it is not a currency of ISO 4217 such as EUR, GBP or USD")
    return code


Price = Annotated[Decimal, Field(ge=-_MOST, le=_MOST, decimal_places=12, allow_inf_nan=False)]
Charge = Annotated[Decimal, Field(ge=0, le=_MOST, decimal_places=12, allow_inf_nan=False)]
Currency = Annotated[str, AfterValidator(_currency)]
Hours = Annotated[
    tuple[Annotated[str, AfterValidator(_minutes)], ...], BeforeValidator(_listed), Field(max_length=MAX_PARTS)
]
Days = Annotated[tuple[Annotated[Day, BeforeValidator(_lower)], ...], BeforeValidator(_listed)]
Seasons = Annotated[
    tuple[Annotated[str, AfterValidator(_season)], ...], BeforeValidator(_listed), Field(max_length=MAX_PARTS)
]
Holidays = Annotated[
    tuple[Annotated[str, BeforeValidator(_written), AfterValidator(_holiday)], ...],
    BeforeValidator(_listed),
    Field(max_length=500),
]


class When(Section):
    """When something holds; what is left out does not restrict it.

    `hours` are of the clock, by the calendar day on which they lie ("22:00-06:00" is two parts of each day). A listed
    holiday counts as `holiday` and no longer as its weekday.
    """

    hours: Hours = ()
    days: Days = ()
    season: Seasons = ()

    @property
    def always(self) -> bool:
        """Whether nothing restricts it."""
        return not (self.hours or self.days or self.season)

    def edges(self) -> set[int]:
        """The minutes of the day at which it may begin or end."""
        return {minute % MINUTES_PER_DAY for text in self.hours for minute in clock_minutes(text)}

    def holds(self, day: dt.date, minute: int, is_holiday: bool) -> bool:
        """Whether it holds at a minute of a day."""
        kind = "holiday" if is_holiday else WEEKDAYS[day.weekday()]
        return (
            (not self.days or kind in self.days)
            and (not self.season or any(_in_season(day, *season_days(text)) for text in self.season))
            and (not self.hours or any(_in_hours(minute, *clock_minutes(text)) for text in self.hours))
        )


def _in_season(day: dt.date, first: tuple[int, int], last: tuple[int, int]) -> bool:
    today = (day.month, day.day)
    return first <= today <= last if first <= last else today >= first or today <= last


def _in_hours(minute: int, start: int, end: int) -> bool:
    return start <= minute < end if start < end else minute >= start or minute < end


class Band(When):
    """A price for each kWh at some times. The first band that holds counts."""

    name: Text
    price: Price


class Tier(Section):
    """A price for each kWh of a block, on top of the band's: the month's energy fills the blocks in their order.

    The last block has no limit. A limit by the day is multiplied by the days billed.
    """

    price: Price
    up_to_kwh_per_day: Annotated[Decimal, Field(gt=0, le=_MOST)] | None = None
    up_to_kwh_per_month: Annotated[Decimal, Field(gt=0, le=_MOST)] | None = None

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        if self.up_to_kwh_per_day is not None and self.up_to_kwh_per_month is not None:
            raise ValueError("its limit is either up_to_kwh_per_day or up_to_kwh_per_month")
        return self

    @property
    def has_limit(self) -> bool:
        """Whether the block ends."""
        return self.up_to_kwh_per_day is not None or self.up_to_kwh_per_month is not None


class Demand(When):
    """A price a month for each kW of the highest mean power of an interval."""

    name: Text = "Demand"
    price_per_kw: Charge
    minutes: Literal[5, 10, 15, 20, 30, 60] = 15


class Export(Section):
    """What is paid for energy fed into the grid: readings by the names in `appliances`, which cost nothing then."""

    appliances: Annotated[tuple[Text, ...], BeforeValidator(_listed), Field(min_length=1, max_length=MAX_PARTS)]
    price: Price


class Contract(Section):
    """What is charged from `valid_from` to `valid_to`, both included: local days. Open where one is left out.

    A kWh costs `price`, or the price of the band that holds, or that of the moment in the file `prices`; and that of
    its tier on top. `clock: standard` is a meter that knows no summer time. `holidays` are dates, or days of each year.
    """

    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    price: Price | None = None
    bands: Annotated[tuple[Band, ...], Field(max_length=MAX_PARTS)] = ()
    prices: TableFile | None = None
    tiers: Annotated[tuple[Tier, ...], Field(max_length=MAX_PARTS)] = ()
    standing_per_day: Price = Decimal(0)
    standing_per_month: Price = Decimal(0)
    demand: Annotated[tuple[Demand, ...], BeforeValidator(_listed), Field(max_length=MAX_PARTS)] = ()
    export: Export | None = None
    holidays: Holidays = ()
    clock: Literal["local", "standard"] = "local"

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_from > self.valid_to:
            raise ValueError(f"valid_from {self.valid_from} is after valid_to {self.valid_to}")
        self._check_bands()
        self._check_tiers()
        return self

    def _check_bands(self) -> None:
        if not self.bands:
            return
        names = [band.name for band in self.bands]
        for name in names:
            if names.count(name) > 1 and len({band.price for band in self.bands if band.name == name}) > 1:
                raise ValueError(f"bands has two prices by the name {name!r}")
        early = [band.name for band in self.bands[:-1] if band.always]
        if early:
            raise ValueError(
                f"the band {early[0]!r} holds at all times, so those after it never do; move it to the end"
            )
        if not self.bands[-1].always:
            raise ValueError(
                f"the last band, {self.bands[-1].name!r}, must hold at all other times: leave out its hours, days and"
                " season"
            )

    def _check_tiers(self) -> None:
        if not self.tiers:
            return
        if self.tiers[-1].has_limit or not all(tier.has_limit for tier in self.tiers[:-1]):
            raise ValueError("every tier but the last needs a limit, up_to_kwh_per_month or up_to_kwh_per_day")
        limits = [tier.up_to_kwh_per_day or tier.up_to_kwh_per_month or Decimal(0) for tier in self.tiers[:-1]]
        if len({tier.up_to_kwh_per_day is None for tier in self.tiers[:-1]}) > 1 or limits != sorted(set(limits)):
            raise ValueError("the limits of tiers must rise, and all be by the day or all by the month")

    @property
    def prices_energy(self) -> bool:
        """Whether it says what a kWh costs, in one way."""
        ways = [self.price is not None, bool(self.bands), self.prices is not None]
        return sum(ways) == 1 or (not any(ways) and bool(self.tiers))

    def is_holiday(self, day: dt.date) -> bool:
        """Whether a day is listed."""
        return day.isoformat() in self.holidays or f"{day:%m-%d}" in self.holidays


class Plan(Contract):
    """A plan: one contract, or several that follow each other in `contracts`."""

    name: Text | None = None
    currency: Currency | None = None
    contracts: Annotated[tuple[Contract, ...], Field(max_length=MAX_CONTRACTS)] = ()

    @model_validator(mode="after")
    def _says_what_it_charges(self) -> Self:
        if self.contracts:
            own = [name for name, field in Contract.model_fields.items() if getattr(self, name) != field.default]
            if own:
                raise ValueError(f"{own[0]} belongs into each of contracts, where there are contracts")
        for number, contract in enumerate(self.terms, 1):
            if not contract.prices_energy:
                where = f"contract {number}" if self.contracts else "it"
                raise ValueError(f"{where} must say what a kWh costs: either price, or bands, or prices, or tiers")
        for earlier, later in itertools.pairwise(self.terms):
            if earlier.valid_to is None or later.valid_from is None or earlier.valid_to >= later.valid_from:
                raise ValueError(
                    "contracts must follow each other in time: each needs the valid_to after which the next one's"
                    " valid_from comes"
                )
        return self

    @property
    def terms(self) -> tuple[Contract, ...]:
        """Its contracts, in the order of time."""
        return self.contracts or (self,)

    @property
    def depends_on_time(self) -> bool:
        """Whether a kWh may cost more at one hour of a day than at another; seasons and weekdays are no reason."""
        return any(
            contract.prices is not None
            or (any(band.hours for band in contract.bands) and len({band.price for band in contract.bands}) > 1)
            for contract in self.terms
        )
