"""`config/<site>.yaml`: what a site's files do not say themselves, and what is to be done otherwise than by default."""

import collections
import difflib
import functools
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from energy.anomaly_config import AnomalyConfig
from energy.appliance_kinds import ApplianceKind
from energy.carbon import Carbon
from energy.config_section import Section, TableFile, Text
from energy.errors import SiteConfigInvalid
from energy.forecast_config import ForecastConfig
from energy.intake.layout import Kind, Unit
from energy.languages import LanguageCode
from energy.tariffs.plans import Plan

MAX_BYTES = 64 << 10
MAX_FILE_BYTES = 4 << 20
# Each is a run over all readings.
MAX_PLANS = 8

# The deepest setting lies eight deep: plans, one of them, contracts, one of them, bands, one of them, hours, its parts.
_MAX_DEPTH = 8
_MAX_SHOWN = 80
_MAX_PROBLEMS = 3
_PAIR = 2


def known_timezone(name: str) -> str:
    """`name` itself; ValueError unless it is an IANA time zone."""
    if name not in _timezones():
        raise ValueError("it is not an IANA time zone such as Europe/Berlin")
    return name


@functools.cache
def _timezones() -> frozenset[str]:
    """IANA's names, alike on every machine: what lies among its zones besides, as localtime, differs between them.

    Factory is the zone of machines that were never told theirs.
    """
    import importlib.resources

    names = importlib.resources.files("tzdata").joinpath("zones").read_text("ascii").split()
    return frozenset(names) - {"Factory"}


class Columns(Section):
    """`readings.columns`: which column of a file is which, by its name in the header.

    `timestamp` may be two columns, date and time. Without `appliance`, `readings.appliance` names whose they are.
    """

    timestamp: Text | tuple[Text, ...]
    appliance: Text | None = None
    value: Text

    @field_validator("timestamp", mode="before")
    @classmethod
    def _one_or_two(cls, names: Any) -> Any:
        listed = names if isinstance(names, list | tuple) else [names]
        if not 1 <= len(listed) <= _PAIR or not all(isinstance(name, str) and name.strip() for name in listed):
            raise ValueError("it must be the name of a column, or a list of two: date and time")
        return tuple(listed) if len(listed) == _PAIR else listed[0]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        timestamps = [self.timestamp] if isinstance(self.timestamp, str) else list(self.timestamp)
        names = [*timestamps, *([self.appliance] if self.appliance else []), self.value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"it names the column {name!r} twice; a column holds one thing")
        return self


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
    language: LanguageCode | None = None
    readings: ReadingsConfig = ReadingsConfig()
    limits: Limits = Limits()
    anomalies: AnomalyConfig = AnomalyConfig()
    tariff: Plan | None = None
    plans: Annotated[dict[Text, Plan], Field(max_length=MAX_PLANS)] = Field(default_factory=dict)
    co2: Carbon | None = None
    appliances: dict[Text, ApplianceKind] = Field(default_factory=dict)
    forecast: ForecastConfig = ForecastConfig()

    def named_files(self) -> list[str]:
        """The names of the files that the settings point to, sorted."""
        return sorted(set(named_files(self)))

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        return name if name is None else known_timezone(name)

    @model_validator(mode="after")
    def _one_currency(self) -> Self:
        if self.plans and not self.tariff:
            raise ValueError("plans are compared with tariff, which is missing")
        if self.tariff and not self.tariff.currency:
            raise ValueError("tariff.currency is missing, as EUR")
        for name, plan in self.plans.items():
            if self.tariff and plan.currency not in (None, self.tariff.currency):
                raise ValueError(f"plans.{name}.currency is not that of tariff, {self.tariff.currency}")
        return self


def named_files(part: Any) -> Iterator[str]:
    """The name of every file that a section, or what it holds, points to."""
    if isinstance(part, TableFile):
        yield part.file
    if isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from named_files(getattr(part, name))
    elif isinstance(part, dict):
        for value in part.values():
            yield from named_files(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from named_files(value)


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


def read(content: bytes, source: str = "config/<site>.yaml") -> SiteConfig:
    """`parse`, of a file's bytes: UTF-8, at most 64 KiB."""
    if len(content) > MAX_BYTES:
        raise SiteConfigInvalid(source, f"it is larger than {MAX_BYTES:,} bytes; it only holds a few settings.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SiteConfigInvalid(source, f"it is not UTF-8 from byte {error.start} on. Save it as UTF-8.") from error
    return parse(text, source)


def parse(text: str, source: str = "config/<site>.yaml") -> SiteConfig:
    """The configuration that a YAML text holds. SiteConfigInvalid names the key of `source` that is wrong, what it says
    and what it may be.
    """
    import yaml

    try:
        _refuse_tricks(text, source)
        _refuse_repetition(yaml.compose(text, Loader=yaml.SafeLoader), source)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SiteConfigInvalid(source, f"it is no YAML: {_where_and_what(error)}.") from error
    except ValueError as error:
        # YAML takes 2024-02-31 for a date, and any digits for a number.
        raise SiteConfigInvalid(source, f"it holds a value that cannot be: {_cut(str(error))}.") from error
    if values is None:
        return SiteConfig()
    if not isinstance(values, dict):
        raise SiteConfigInvalid(source, "it must hold settings by name, as timezone: Europe/Berlin.")
    try:
        config = SiteConfig.model_validate(values)
    except ValidationError as error:
        raise SiteConfigInvalid(source, _sentences(error)) from error
    return config


def _refuse_tricks(text: str, source: str) -> None:
    """References, tags and deep nesting: no setting needs them, and they make small files large or slow."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        if getattr(event, "anchor", None) is not None:
            raise SiteConfigInvalid(source, f"line {line} has a reference (&, *): write out what it stands for.")
        if getattr(event, "tag", None) is not None:
            raise SiteConfigInvalid(source, f"line {line} has a tag ({_cut(event.tag)}): leave it out.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise SiteConfigInvalid(source, f"line {line} is nested more than {_MAX_DEPTH} deep; no setting is.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_repetition(node: Any, source: str) -> None:
    """A key that is there twice: YAML would silently take the last."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        times = collections.Counter(key.value for key in keys)
        for key in reversed(keys):
            if times[key.value] > 1:
                line = key.start_mark.line + 1
                raise SiteConfigInvalid(source, f"{_cut(key.value)} is there twice, last in line {line}. Keep one.")
        for _, value in node.value:
            _refuse_repetition(value, source)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repetition(value, source)


def _where_and_what(error: Any) -> str:
    """One of YAML's errors in a line. Those that know the place have a mark; the others say it themselves."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return _cut(str(error))
    hint = "; indent with spaces" if "'\\t'" in problem else ""
    return f"line {mark.line + 1}, column {mark.column + 1}: {_cut(problem)}{hint}"


def _cut(text: str) -> str:
    """`text` in one printable line that stays short."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
    return line if len(line) <= _MAX_SHOWN else f"{line[:_MAX_SHOWN]}…"


def _sentences(error: ValidationError) -> str:
    """What pydantic found, in words; what else is wrong shows when that is corrected."""
    found = error.errors()
    told = [_sentence(one) for one in found[:_MAX_PROBLEMS]]
    return " ".join([*told, *([f"And {len(found) - _MAX_PROBLEMS} more."] if len(found) > _MAX_PROBLEMS else [])])


def _sentence(error: Any) -> str:
    path = [
        str(part + 1 if isinstance(part, int) else part)
        for part in error["loc"]
        if not str(part).startswith(("constrained-", "tuple["))
    ]
    where = _cut(".".join(path))
    known = _known_keys(path[:-1])
    if error["type"] == "invalid_key":
        return f"{_cut(repr(error['input']))} is no setting; known are {', '.join(known)}."
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(path[-1][:_MAX_SHOWN], known, n=1)
        return f"{where} is no setting; " + (f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}.")
    if error["type"] == "missing":
        return f"{where} is missing."
    if error["type"] == "value_error" and isinstance(error.get("input"), dict):
        return f"{where}: {_what_it_may_be(error)}." if where else f"{_what_it_may_be(error)}."
    return f"{where} is {_cut(repr(error.get('input')))}: {_what_it_may_be(error)}."


def _what_it_may_be(error: Any) -> str:
    said = str(error["msg"])
    match error["type"]:
        case "model_type" | "dict_type":
            return "it must hold settings by name"
        case "tuple_type":
            return "it must be a list"
        case "string_type":
            return "it must be text; put it in quotes"
        case "string_pattern_mismatch":
            return "it must not hold control characters"
        case "literal_error":
            return said.replace("Input should be", "it may be")
    said = said.removeprefix("Value error, ")
    return said.replace("Input should be", "it must be").replace("String should have", "it must have")


def _known_keys(path: list[str]) -> list[str]:
    """The settings of the section that a path leads to; names and numbers within it lead nowhere else."""
    section: type[BaseModel] = SiteConfig
    for part in path:
        field = section.model_fields.get(part)
        section = (section_of(field.annotation) if field else None) or section
    return [field.alias or name for name, field in section.model_fields.items()]


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a setting of this type holds, or a list or dict of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_of(part))), None)


def rules(config: SiteConfig, stack_timezone: str, stack_rejected_share: float) -> Rules:
    """The configuration over the stack's parameters."""
    values: dict[str, Any] = {
        "timezone": config.timezone or stack_timezone,
        "rejected_share": config.limits.rejected_share or stack_rejected_share,
    }
    return Rules(readings=config.readings, limits=config.limits, **values)
