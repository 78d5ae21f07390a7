"""`config/<site>.yaml`: what a site's files do not say themselves, and what is to be done otherwise than by default."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from energy.intake.layout import Kind, Unit

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Section(BaseModel):
    """A misspelled key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(Section):
    """`readings.columns`: which column of a file is which, by its name in the header.

    `timestamp` may be two columns, date and time. Without `appliance`, `readings.appliance` names whose they are.
    """

    timestamp: Text | tuple[Text, ...]
    appliance: Text | None = None
    value: Text


class ReadingsConfig(Section):
    """`readings`: how the site's files are to be read. What a file's header says itself goes before."""

    columns: Columns | None = None
    appliance: Text | None = None
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    decimal: Literal[".", ","] | None = None
    date_order: Literal["day_first", "month_first"] | None = None
    timestamp_format: Text | None = None
    timestamps_mark: Literal["start", "end"] | None = None
    unit: Unit | None = None
    kind: Kind | None = None
    interval_minutes: Annotated[float, Field(gt=0, le=1440)] | None = None


class Limits(Section):
    """`limits`: what is still taken for a file of readings."""

    rejected_share: Annotated[float, Field(gt=0, le=1)] | None = None
    name_characters: Annotated[int, Field(ge=1, le=1_000)] = 128
    field_bytes: Annotated[int, Field(ge=256, le=1 << 20)] = 64 << 10
    columns: Annotated[int, Field(ge=3, le=10_000)] = 1_000
    appliances: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    first_year: Annotated[int, Field(ge=1970, le=2100)] = 1990


class SiteConfig(Section):
    """The whole file. Everything may be left out. `timezone` is an IANA name; it goes before the stack's parameter."""

    timezone: Text | None = None
    readings: ReadingsConfig = ReadingsConfig()
    limits: Limits = Limits()


class Rules(BaseModel):
    """By what a file is judged: the site's zone and configuration, and the stack's limit of bad rows (0 to 1)."""

    model_config = ConfigDict(frozen=True)

    timezone: str = "UTC"
    rejected_share: float = 0.5
    readings: ReadingsConfig = ReadingsConfig()
    limits: Limits = Limits()

    def canonical(self) -> str:
        """Equal rules give equal text: part of the name of whatever is made by them."""
        return self.model_dump_json()


def parse(text: str) -> SiteConfig:
    """The configuration that a YAML text holds; SiteConfigInvalid names the key that is wrong, and what it may be."""
    raise NotImplementedError(text)


def rules(config: SiteConfig, stack_timezone: str, stack_rejected_share: float) -> Rules:
    """The configuration over the stack's parameters."""
    values: dict[str, Any] = {
        "timezone": config.timezone or stack_timezone,
        "rejected_share": config.limits.rejected_share or stack_rejected_share,
    }
    return Rules(readings=config.readings, limits=config.limits, **values)
