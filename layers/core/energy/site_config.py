"""`config/<site>.yaml`: what a site's files do not say themselves, and what is to be done otherwise than by default."""

import difflib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from energy.errors import SiteConfigInvalid
from energy.intake.layout import Kind, Unit

MAX_BYTES = 64 << 10

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def known_timezone(name: str) -> str:
    """`name` itself; ValueError unless it is an IANA time zone."""
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("it is not an IANA time zone such as Europe/Berlin") from error
    return name


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

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        return name if name is None else known_timezone(name)


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


def parse(text: str, source: str = "config/<site>.yaml") -> SiteConfig:
    """The configuration that a YAML text holds. SiteConfigInvalid names the key of `source` that is wrong, what it says
    and what it may be.
    """
    import yaml

    if len(text.encode()) > MAX_BYTES:
        raise SiteConfigInvalid(source, f"it is larger than {MAX_BYTES:,} bytes; it only holds a few settings.")
    try:
        _refuse_repetition(yaml.compose(text, Loader=yaml.SafeLoader), source)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SiteConfigInvalid(source, f"it is no YAML: {_one_line(error)}") from error
    if values is None:
        return SiteConfig()
    if not isinstance(values, dict):
        raise SiteConfigInvalid(source, "it must hold settings by name, as timezone: Europe/Berlin.")
    try:
        config = SiteConfig.model_validate(values)
    except ValidationError as error:
        raise SiteConfigInvalid(source, " ".join(_sentence(one) for one in error.errors()[:3])) from error
    return config


def _refuse_repetition(node: Any, source: str) -> None:
    """A key that is there twice, and references: the one is a mistake, the others only make files large."""
    import yaml

    seen: set[int] = set()
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if found is None:
            continue
        if id(found) in seen:
            raise SiteConfigInvalid(source, f"line {found.start_mark.line + 1} is referred to (&, *): write it out.")
        seen.add(id(found))
        if isinstance(found, yaml.MappingNode):
            keys = [key.value for key, _ in found.value]
            for key, _ in reversed(found.value):
                if keys.count(key.value) > 1:
                    line = key.start_mark.line + 1
                    raise SiteConfigInvalid(source, f"{key.value} is there twice, last in line {line}. Keep one.")
            waiting += [value for _, value in found.value]
        elif isinstance(found, yaml.SequenceNode):
            waiting += found.value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _sentence(error: Any) -> str:
    """One of pydantic's findings in words."""
    path = [str(part) for part in error["loc"] if not str(part).startswith(("constrained-", "tuple["))]
    where = ".".join(path)
    if error["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        close = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}."
        return f"{where} is no setting{hint}"
    if error["type"] == "missing":
        return f"{where} is missing."
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] in {"model_type", "dict_type"}:
        said = "it must hold settings by name"
    verb = "it may be" if error["type"] == "literal_error" else "it must be"
    return f"{where} is {error.get('input')!r}: {said.replace('Input should be', verb)}."


def _known_keys(path: list[str]) -> list[str]:
    model: type[BaseModel] = SiteConfig
    sections: dict[str, type[BaseModel]] = {"readings": ReadingsConfig, "limits": Limits, "columns": Columns}
    for part in path:
        model = sections.get(part, model)
    return list(model.model_fields)


def rules(config: SiteConfig, stack_timezone: str, stack_rejected_share: float) -> Rules:
    """The configuration over the stack's parameters."""
    values: dict[str, Any] = {
        "timezone": config.timezone or stack_timezone,
        "rejected_share": config.limits.rejected_share or stack_rejected_share,
    }
    return Rules(readings=config.readings, limits=config.limits, **values)
