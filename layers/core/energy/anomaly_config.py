"""`anomalies` in `config/<site>.yaml`: what is not to be told, and what a person has called normal."""

import datetime as dt
import re
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from energy.config_section import Section, Text
from energy.documents import AnomalyKind

MAX_LINES = 500
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NO_MOMENT = "it must be a date or a local time, as 2024-12-25 or 2024-12-25 18:00"


class Mute(Section):
    """`anomalies.mute`: a kind of anomaly, an appliance, or one kind of one appliance is never told."""

    appliance: Text | None = None
    kind: AnomalyKind | None = None

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if self.appliance is None and self.kind is None:
            raise ValueError("it names neither an appliance nor a kind; it would mute everything")
        return self

    @property
    def line(self) -> str:
        """As a person reads it."""
        return f"mute {self.appliance or 'every appliance'}: {self.kind or 'every kind'}"


class Normal(Section):
    """`anomalies.normal`: what happened then was normal. Local time; `at` a date is that whole day, and a time the hour
    that it is in; or `from` and `until`, of which a date is the whole day as well. Without `appliance`: all of them.
    """

    appliance: Text | None = None
    at: dt.datetime | dt.date | None = None
    since: Annotated[dt.datetime | dt.date | None, Field(alias="from")] = None
    until: dt.datetime | dt.date | None = None

    @field_validator("at", "since", "until", mode="before")
    @classmethod
    def _local(cls, value: Any) -> Any:
        moment = _moment(value) if isinstance(value, str) else value
        if not isinstance(moment, dt.date):
            raise ValueError(_NO_MOMENT)
        if isinstance(moment, dt.datetime) and moment.tzinfo is not None:
            raise ValueError("it must be local time, without an offset")
        return moment

    @model_validator(mode="after")
    def _a_time(self) -> Self:
        if (self.at is None) == (self.since is None or self.until is None):
            raise ValueError("it needs either at, or from and until")
        if self.at is not None and (self.since is not None or self.until is not None):
            raise ValueError("it needs either at, or from and until")
        start, end = self.span
        if start >= end:
            raise ValueError("until must be later than from")
        return self

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """From its first moment to the one after its last, local time."""
        if self.at is not None:
            return _first(self.at), _past(self.at, dt.timedelta(hours=1))
        assert self.since is not None  # noqa: S101
        assert self.until is not None  # noqa: S101
        return _first(self.since), _past(self.until, dt.timedelta())

    @property
    def line(self) -> str:
        """As a person reads it."""
        start, end = self.span
        return f"normal {self.appliance or 'every appliance'}: {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"


class AnomalyConfig(Section):
    """`anomalies`: both lists may be left out."""

    mute: Annotated[tuple[Mute, ...], Field(max_length=MAX_LINES)] = ()
    normal: Annotated[tuple[Normal, ...], Field(max_length=MAX_LINES)] = ()


def _moment(text: str) -> dt.date:
    """ISO 8601 has more ways to write a date, of which a year and a number of weeks or of days may be meant as well."""
    try:
        if _DATE.fullmatch(text):
            return dt.date.fromisoformat(text)
        if _DATE.match(text):
            return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(_NO_MOMENT) from error
    raise ValueError(_NO_MOMENT)


def _first(moment: dt.date) -> dt.datetime:
    if isinstance(moment, dt.datetime):
        return moment.replace(minute=0, second=0, microsecond=0)
    return dt.datetime.combine(moment, dt.time())


def _past(moment: dt.date, length: dt.timedelta) -> dt.datetime:
    if isinstance(moment, dt.datetime):
        hour = moment.replace(minute=0, second=0, microsecond=0)
        return hour + length if length or hour == moment else hour + dt.timedelta(hours=1)
    return dt.datetime.combine(moment, dt.time()) + dt.timedelta(days=1)
