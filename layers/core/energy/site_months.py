"""The months of a site: what a publication changes is resolved, written and added up; the others stay where they are.

One month's readings are in memory at a time, whatever the history is long.
"""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl

import energy
from energy import lake, monthly, parquet, store
from energy.manifest import Manifest, Partition
from energy.monthly import Parts
from energy.schema import HOURLY, READINGS, Table
from energy.spreading import Each

# The format of zip knows no earlier time; equal parts shall be equal bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SiteMonths:
    """The parts of all months of a site, and where its readings and hours lie, month by month."""

    parts: Parts
    partitions: dict[str, list[Partition]]


@dataclass(frozen=True)
class MonthReadings:
    """The resolved readings of a month (raw_energy_data), and the file of them."""

    rows: pl.DataFrame
    content: bytes


@dataclass(frozen=True)
class _Names:
    """What names all that a publication writes."""

    site: str
    pub: str
    timezone: str


def build(  # noqa: PLR0913, PLR0917
    base: Manifest | None,
    touched: Mapping[str, Callable[[], MonthReadings] | None],
    site: str,
    pub: str,
    timezone: str,
    each: Each = map,
) -> SiteMonths:
    """The months of a site after a publication, at least one, on top of what `base` has published.

    `touched` says of each month that changes how to get its resolved readings; None where none is left. Of the others
    neither readings nor hours are read or written again, unless other code has published them. `each` spreads the
    months.
    """
    kept = {month: prefix for month, prefix in _prefixes(base, READINGS).items() if month not in touched}
    hours = {month: prefix for month, prefix in _prefixes(base, HOURLY).items() if month in kept}
    found = _published_parts(base) if base and kept and hours.keys() == kept.keys() else None
    parts = [] if found is None else [found.without(touched)]
    names = _Names(site, pub, timezone)
    changed = [(month, resolved) for month, resolved in sorted(touched.items()) if resolved]
    again = [(month, prefix) for month, prefix in sorted(kept.items()) if found is None]
    for month, prefix, hourly, part in (
        *each(partial(_written, names), changed),
        *each(partial(_added_up_again, names), again),
    ):
        kept[month], hours[month] = prefix, hourly
        parts.append(part)
    together = monthly.together(parts)
    store.put_once(lake.month_parts_key(site, pub), _to_bytes(together))
    prefixes = {READINGS.name: kept, HOURLY.name: hours}
    return SiteMonths(together, {name: _partitions(site, by_month) for name, by_month in prefixes.items()})


def read_hours(manifest: Manifest) -> pl.DataFrame:
    """hourly_energy_data of a site that has any, in the order of the months."""
    hours = sorted(_prefixes(manifest, HOURLY).items())
    return pl.concat([parquet.from_bytes(store.read(prefix + HOURLY.file_name)) for _, prefix in hours])


def _written(names: _Names, changed: tuple[str, Callable[[], MonthReadings]]) -> tuple[str, str, str, Parts]:
    """A month that changes: where its readings and its hours are written, and its part."""
    month, resolved = changed
    made = resolved()
    prefix = lake.readings_prefix(names.site, month, names.pub)
    store.put_once(prefix + READINGS.file_name, made.content)
    return month, prefix, *_add_up(made.rows, month, names)


def _added_up_again(names: _Names, kept: tuple[str, str]) -> tuple[str, str, str, Parts]:
    """The same of a month whose readings stay where they are."""
    month, prefix = kept
    readings = parquet.from_bytes(store.read(prefix + READINGS.file_name))
    return month, prefix, *_add_up(readings, month, names)


def _add_up(readings: pl.DataFrame, month: str, names: _Names) -> tuple[str, Parts]:
    """Where the month's hours are written, and its part."""
    ordered = monthly.by_appliance(readings)
    hourly = monthly.hourly_table(ordered)
    prefix = lake.hourly_prefix(names.site, month, names.pub)
    store.put_once(prefix + HOURLY.file_name, parquet.table_bytes(hourly, HOURLY))
    return prefix, monthly.part(ordered, hourly, month, names.timezone)


def _published_parts(base: Manifest) -> Parts | None:
    """The parts of what is published; None where other code made them, which may have added up otherwise."""
    if base.code_version != energy.__version__:
        return None
    found = store.read_with_etag(lake.month_parts_key(base.site, base.pub))
    return _from_bytes(found[0]) if found else None


def _prefixes(base: Manifest | None, table: Table) -> dict[str, str]:
    """Where each month of a table lies."""
    published = base.tables.get(table.name, []) if base else []
    return {partition.values[-1]: partition.prefix for partition in published}


def _partitions(site: str, prefixes: Mapping[str, str]) -> list[Partition]:
    return [Partition(values=[site, month], prefix=prefix) for month, prefix in sorted(prefixes.items())]


def _to_bytes(parts: Parts) -> bytes:
    """One object for all frames of all months: one request reads them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, frame in parts.frames().items():
            packed.writestr(zipfile.ZipInfo(f"{name}.parquet", _NO_TIME), parquet.to_bytes(frame))
    return buffer.getvalue()


def _from_bytes(content: bytes) -> Parts:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return Parts(**{name: parquet.from_bytes(packed.read(f"{name}.parquet")) for name in monthly.SCHEMAS})
