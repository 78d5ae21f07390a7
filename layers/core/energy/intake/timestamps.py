"""Timestamps of a file to instants: one format a file, said by all of them together, never guessed by one."""

import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import polars as pl

from energy.errors import InputRejected

EXAMPLE = "2024-05-01 13:00"

_TIME = r"(?:[T ]+|, ?)([0-9]{1,2}):([0-9]{2})(?::([0-5][0-9])(?:[.,]([0-9]{1,9}))?)?(?: ?([AaPp])\.?[Mm]\.?)?"
_OFFSET_TEXT = r"(?: ?(Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?|UTC|GMT))?"
_FULL_ISO = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    r"(?: ?(?:Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9]))?$"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"((?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))[A-Za-z]{0,6}\.?"

# The groups of each: three of the date, then hour, minute, second, fraction, a or p, offset.
_YEAR_FIRST = rf"^([0-9]{{4}})[-/.]([0-9]{{1,2}})[-/.]([0-9]{{1,2}})(?:{_TIME})?{_OFFSET_TEXT}$"
_YEAR_LAST = rf"^([0-9]{{1,2}})[-/.]([0-9]{{1,2}})[-/.]([0-9]{{4}})(?:{_TIME})?{_OFFSET_TEXT}$"
_DAY_NAME_YEAR = rf"^([0-9]{{1,2}})[-/. ]{{1,2}}{_MONTH}[-/. ,]{{1,2}}([0-9]{{4}})(?:{_TIME})?{_OFFSET_TEXT}$"
_NAME_DAY_YEAR = rf"^{_MONTH}[- ]([0-9]{{1,2}}),?[- ]([0-9]{{4}})(?:{_TIME})?{_OFFSET_TEXT}$"
_SECONDS = r"^[0-9]{9,10}(?:\.[0-9]+)?$"
_MILLISECONDS = r"^[0-9]{12,13}$"
_SHORT_YEAR = r"^[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2}(?:[T ,]|$)"
_SERIAL = r"^[0-9]{5}(?:[.,][0-9]+)?$"
_OTHER_NUMBER = r"^[0-9]{4,19}(?:[.,][0-9]+)?$"

# What one timestamp, taken alone, may be. The first pattern that it matches counts.
_EVIDENCE = (
    ("year_first", _YEAR_FIRST),
    ("year_last", _YEAR_LAST),
    ("day_name_year", _DAY_NAME_YEAR),
    ("name_day_year", _NAME_DAY_YEAR),
    ("seconds", _SECONDS),
    ("milliseconds", _MILLISECONDS),
    ("short_year", _SHORT_YEAR),
    ("serial", _SERIAL),
    ("other_number", _OTHER_NUMBER),
)
_READ = ("year_first", "year_last", "day_name_year", "name_day_year", "seconds", "milliseconds")
Order = Literal["day_first", "month_first"]


@dataclass(frozen=True)
class TimestampForm:
    """How a file writes timestamps. `kind` names a pattern, or is "format" with a strptime format in `text`.

    `dates_only`: no row has a time of day, so that each is the reading of a whole day; otherwise a date alone is no
    timestamp.
    """

    kind: str
    order: Order | None = None
    text: str | None = None
    dates_only: bool = False


@dataclass
class TimestampEvidence:
    """What the timestamps of a file say together."""

    counts: Counter[str]
    examples: dict[str, str]

    @classmethod
    def none(cls) -> "TimestampEvidence":
        """Before the first timestamp."""
        return cls(Counter(), {})

    def add_plain(self, number: int) -> None:
        """Takes so many timestamps in ISO form into account."""
        self.counts["year_first"] += number
        self.counts["timed"] += number

    def add(self, texts: pl.Series) -> None:
        """Takes the stripped timestamps of a chunk into account."""
        full = texts.str.contains(_FULL_ISO)
        found = int(full.sum())
        self.add_plain(found)
        if found:
            self.examples.setdefault("year_first", texts.filter(full)[0])
        texts = texts.filter(~full)
        if texts.is_empty():
            return
        kinds = pl.DataFrame({"text": texts}).with_columns(
            kind=pl.coalesce(
                *(pl.when(pl.col("text").str.contains(pattern)).then(pl.lit(kind)) for kind, pattern in _EVIDENCE),
                pl.lit("other"),
            ),
            timed=pl.col("text").str.contains(":", literal=True),
        )
        for kind, count, timed, example in (
            kinds.group_by("kind", maintain_order=True)
            .agg(pl.len(), pl.col("timed").sum().alias("times"), pl.col("text").first())
            .iter_rows()
        ):
            self.counts[kind] += count
            self.counts["timed"] += timed
            self.counts[f"{kind} timed"] += timed
            self.examples.setdefault(kind, example)
        self._add_order(kinds.filter(pl.col("kind") == "year_last")["text"])

    def absorb(self, other: "TimestampEvidence") -> None:
        """Takes into account what the timestamps of a later part of the file say."""
        self.counts.update(other.counts)
        self.examples = {**other.examples, **self.examples}

    def _add_order(self, texts: pl.Series) -> None:
        if texts.is_empty():
            return
        parts = texts.str.extract_groups(_YEAR_LAST).struct.unnest().select(pl.nth(0, 1).cast(pl.Int64))
        first, second = parts.to_series(0), parts.to_series(1)
        for name, proof in (
            ("day_first", (first > 12) & (first <= 31) & (second <= 12)),
            ("month_first", (second > 12) & (second <= 31) & (first <= 12)),
        ):
            self.counts[name] += int(proof.sum())
            if proof.any():
                self.examples.setdefault(name, texts.filter(proof)[0])


def form_of(evidence: TimestampEvidence, order: Order | None, text: str | None) -> tuple[TimestampForm, dict[str, str]]:
    """How the file writes timestamps, and what has to be said of it, by code.

    `order`, `text` (a strptime format): as laid down by the format or the configuration. AMBIGUOUS_DATE where nothing
    proves which number is the day, BAD_TIMESTAMP_FORMAT where most timestamps are of a form that is not read.
    """
    if text:
        return TimestampForm("format", text=text), {}
    counts = evidence.counts
    kinds = [kind for kind, _ in _EVIDENCE]
    best = max(kinds, key=lambda kind: counts[kind])
    if not counts[best]:
        return TimestampForm("year_first"), {}
    if best not in _READ:
        raise _not_read(evidence, best)
    timed = counts[f"{best} timed"] if best != "year_first" else counts["timed"]
    dates_only = not timed and best not in {"seconds", "milliseconds"}
    if best == "year_last":
        order = order or _proved_order(evidence)
        return TimestampForm(best, order, dates_only=dates_only), _order_warning(evidence, order)
    warnings = {}
    if best == "seconds":
        warnings["EPOCH_SECONDS"] = "Timestamps are seconds since 1970, UTC."
    if best == "milliseconds":
        warnings["EPOCH_MILLIS"] = "Timestamps are milliseconds since 1970, UTC."
    return TimestampForm(best, dates_only=dates_only), warnings


def _proved_order(evidence: TimestampEvidence) -> Order:
    counts, examples = evidence.counts, evidence.examples
    decide = "say date_order: day_first or date_order: month_first under readings in config/<site>.yaml."
    if counts["day_first"] and counts["month_first"]:
        raise InputRejected(
            "AMBIGUOUS_DATE",
            f"Some dates can only be day first, as {examples['day_first']!r}, others only month first, as "
            f"{examples['month_first']!r}. Write dates as {EXAMPLE}; or {decide}",
        )
    if not counts["day_first"] and not counts["month_first"]:
        raise InputRejected(
            "AMBIGUOUS_DATE",
            f"Dates such as {examples['year_last']!r} may be day first or month first, and none in the file says "
            f"which: no day is past the 12th. Write dates as {EXAMPLE}; or {decide}",
        )
    return "day_first" if counts["day_first"] else "month_first"


def _order_warning(evidence: TimestampEvidence, order: Order) -> dict[str, str]:
    if order != "day_first" or not evidence.counts["day_first"]:
        return {}
    return {"DAY_FIRST": f"Dates are day first, which {evidence.examples['day_first']!r} proves."}


def _not_read(evidence: TimestampEvidence, kind: str) -> InputRejected:
    what = {"serial": " (days as a spreadsheet counts them)", "short_year": " (years of two digits)"}.get(kind, "")
    return InputRejected(
        "BAD_TIMESTAMP_FORMAT",
        f"Timestamps such as {evidence.examples[kind][:40]!r}{what} are not read. Write them as {EXAMPLE}, with or "
        "without an offset; or say their timestamp_format under readings in config/<site>.yaml.",
    )


def with_instants(records: pl.DataFrame, form: TimestampForm, timezone: str, minutes: bool = False) -> pl.DataFrame:
    """Adds `written`, `stated`, `earlier`, `later` to records with `moment`, the stripped text of a timestamp.

    `written`: wall-clock time as it stands there, null if unreadable. `stated`: whether the text itself names the
    instant, by an offset or an epoch. `earlier`: the instant, UTC; null where clocks skipped that time. `later`: the
    other instant in the hour that clocks repeat, null elsewhere. `minutes`: a column with minutes to add to the
    wall-clock time of each row.
    """
    records = _with_written(records, form)
    if minutes:
        records = records.with_columns(written=pl.col("written") + pl.duration(minutes=pl.col("minutes")))
    stated = pl.col("written") - pl.duration(minutes=pl.col("offset"))
    naive = pl.col("offset").is_null()
    if records["offset"].null_count() == 0:
        return records.with_columns(
            stated=pl.lit(True), earlier=stated, later=pl.lit(None, dtype=pl.Datetime("us"))
        ).drop("offset")
    local = pl.when(naive).then(pl.col("written"))
    records = records.with_columns(
        stated=~naive,
        earlier=pl.when(naive).then(to_utc(local, timezone, "earliest")).otherwise(stated),
        later=to_utc(local, timezone, "latest"),
    )
    if form.dates_only and not minutes:
        records = records.with_columns(earlier=_day_begins(local, timezone))
    return records.with_columns(later=pl.when(pl.col("later") != pl.col("earlier")).then("later")).drop("offset")


def _day_begins(midnight: pl.Expr, timezone: str) -> pl.Expr:
    """The first instant of a day, though clocks may have skipped its midnight (Cairo, Beirut, Havana)."""
    skips = (dt.timedelta(), dt.timedelta(minutes=30), dt.timedelta(hours=1))
    return pl.coalesce(pl.col("earlier"), *(to_utc(midnight + skip, timezone, "earliest") for skip in skips))


def to_utc(local: pl.Expr, timezone: str, fold: Literal["earliest", "latest"]) -> pl.Expr:
    """Wall-clock times of a zone to instants; null where clocks skipped them."""
    if timezone == "UTC":
        return local
    zoned = local.dt.replace_time_zone(timezone, ambiguous=fold, non_existent="null")
    return zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def to_local(utc: pl.Expr, timezone: str) -> pl.Expr:
    """Instants to wall-clock times of a zone."""
    if timezone == "UTC":
        return utc
    return utc.dt.replace_time_zone("UTC").dt.convert_time_zone(timezone).dt.replace_time_zone(None)


def _with_written(records: pl.DataFrame, form: TimestampForm) -> pl.DataFrame:
    """Adds `written`, and `offset` in minutes, null where none is stated."""
    match form.kind:
        case "seconds" | "milliseconds":
            return _from_epoch(records, form.kind)
        case "format":
            return _from_format(records, str(form.text))
        case "year_first":
            return _from_iso(records, form)
        case _:
            return _from_parts(records, form)


def _from_epoch(records: pl.DataFrame, kind: str) -> pl.DataFrame:
    pattern, micros = (_SECONDS, 1_000_000) if kind == "seconds" else (_MILLISECONDS, 1_000)
    text = pl.col("moment")
    whole = text.str.extract(r"^([0-9]+)").cast(pl.Int64, strict=False) * micros
    fraction = text.str.extract(r"\.([0-9]+)").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    return records.with_columns(
        written=pl.when(text.str.contains(pattern)).then(whole + fraction).cast(pl.Datetime("us")),
        offset=pl.lit(0, dtype=pl.Int64),
    )


def _from_format(records: pl.DataFrame, text: str) -> pl.DataFrame:
    moment = pl.col("moment")
    if "%z" in text or "%:z" in text or "%#z" in text:
        instant = moment.str.to_datetime(text, time_unit="us", strict=False, time_zone="UTC")
        return records.with_columns(written=instant.dt.replace_time_zone(None), offset=pl.lit(0, dtype=pl.Int64))
    return records.with_columns(
        written=moment.str.strptime(pl.Datetime("us"), text, strict=False, exact=True),
        offset=pl.lit(None, dtype=pl.Int64),
    )


def _from_iso(records: pl.DataFrame, form: TimestampForm) -> pl.DataFrame:
    """Mostly all timestamps are of one shape, as 2024-05-01T13:00:00Z: date and minute, and one of few endings."""
    moment = pl.col("moment")
    usual = records["moment"].str.contains(_FULL_ISO)
    if not usual.all():
        rest = records.filter(~usual)
        parts = [_from_iso(records.filter(usual), form), _from_parts(rest, form)] if usual.any() else []
        return pl.concat(parts).sort("order") if parts else _from_parts(records, form)
    written = (moment.str.slice(0, 10) + "T" + moment.str.slice(11, 5)).str.to_datetime(
        "%Y-%m-%dT%H:%M", time_unit="us", strict=False
    )
    endings = records["moment"].str.slice(16)
    known = {ending: _ending(ending) for ending in endings.unique()}
    seconds = {ending: micros for ending, (micros, _) in known.items()}
    offsets = {ending: offset for ending, (_, offset) in known.items()}
    if len(known) == 1:
        ((micros, offset),) = known.values()
        return records.with_columns(
            written=written + pl.lit(dt.timedelta(microseconds=micros)), offset=pl.lit(offset, dtype=pl.Int64)
        )
    return records.with_columns(
        written=written + pl.lit(endings).replace_strict(seconds, return_dtype=pl.Int64).cast(pl.Duration("us")),
        offset=pl.lit(endings).replace_strict(offsets, return_dtype=pl.Int64),
    )


def _ending(text: str) -> tuple[int, int | None]:
    """What follows the minute, as :30.5+02:00: microseconds, and the offset in minutes."""
    found = re.match(r"(?::([0-9]{2})(?:[.,]([0-9]+))?)? ?(.*)$", text)
    seconds, fraction, offset = found.groups() if found else (None, None, "")
    # Beyond microseconds nothing is kept: seven digits are common, and no meter means them.
    micros = int(seconds or 0) * 1_000_000 + int((fraction or "0").ljust(6, "0")[:6])
    return micros, _minutes(offset)


def _minutes(offset: str | None) -> int | None:
    if not offset:
        return None
    if offset in {"Z", "UTC", "GMT"}:
        return 0
    digits = offset[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return -minutes if offset[0] == "-" else minutes


def _from_parts(records: pl.DataFrame, form: TimestampForm) -> pl.DataFrame:
    """Any other shape, part by part."""
    pattern = dict(_EVIDENCE)[form.kind]
    parts = records.select(pl.col("moment").str.extract_groups(pattern).struct.unnest())
    parts.columns = ["a", "b", "c", "hour", "minute", "second", "fraction", "half", "offset"]
    match form.kind, form.order:
        case "year_first", _:
            year, month, day = pl.col("a"), pl.col("b"), pl.col("c")
        case "year_last", "day_first":
            year, month, day = pl.col("c"), pl.col("b"), pl.col("a")
        case "year_last", _:
            year, month, day = pl.col("c"), pl.col("a"), pl.col("b")
        case "day_name_year", _:
            year, month, day = pl.col("c"), _month_number("b"), pl.col("a")
        case _:
            year, month, day = pl.col("c"), _month_number("a"), pl.col("b")
    timed = pl.col("hour").is_not_null()
    hour = _hour(pl.col("hour").cast(pl.Int64), pl.col("half").str.to_lowercase())
    clock = pl.format("{}:{}", hour.cast(pl.String).str.zfill(2), pl.col("minute"))
    text = pl.format(
        "{}-{}-{}T{}",
        year,
        month.str.zfill(2),
        day.str.zfill(2),
        pl.when(timed).then(clock).otherwise(pl.lit("00:00" if form.dates_only else None, dtype=pl.String)),
    )
    micros = pl.col("fraction").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    written = text.str.to_datetime("%Y-%m-%dT%H:%M", time_unit="us", strict=False) + pl.duration(
        seconds=pl.col("second").cast(pl.Int64).fill_null(0), microseconds=micros
    )
    found = parts.select(written=written, ending=pl.col("offset"))
    offsets = {ending: _minutes(ending) for ending in found["ending"].unique() if ending}
    return records.with_columns(
        found["written"],
        # Of no key at all, polars would make text.
        found["ending"].replace_strict({"Z": 0, **offsets}, default=None, return_dtype=pl.Int64).alias("offset"),
    )


def _month_number(column: str) -> pl.Expr:
    numbers = {name: str(number) for number, name in enumerate(_MONTHS, start=1)}
    return pl.col(column).str.to_lowercase().replace_strict(numbers, default=None, return_dtype=pl.String)


def _hour(hour: pl.Expr, half: pl.Expr) -> pl.Expr:
    """12 a.m. is hour 0, 12 p.m. hour 12; there is no hour 13 p.m."""
    twelve = pl.when(hour.is_between(1, 12)).then(hour % 12 + pl.when(half == "p").then(12).otherwise(0))
    return pl.when(half.is_null()).then(hour).otherwise(twelve)
