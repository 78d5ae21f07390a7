"""A publication drafted: all uploads of a site resolved, with what has changed, and its tables written; not yet
committed.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import polars as pl

import energy
from energy import aggregation, lake, monthly, parquet, recipes, resolution, site_costs, site_months, store
from energy.contracts import AggregateInput, Publication, Upload, ValidateOutput
from energy.costs import bill_table, cost_table, costs_summary
from energy.documents import SiteUpload, SiteUploads, UploadQuality
from energy.errors import SiteTooLarge, TimezoneChanged
from energy.forecast_accuracy import accuracy_table
from energy.forecast_history import CURRENT_DAYS
from energy.manifest import Manifest, ManifestUpload, Partition
from energy.monthly import Parts
from energy.quality import quality_table
from energy.recipes import ConfigSnapshot
from energy.resolution import Settled
from energy.schema import (
    APPLIANCES,
    BILLS,
    COSTS,
    DAILY,
    FORECAST_ACCURACY,
    FORECAST_HISTORY,
    PROFILE,
    QUALITY,
    READINGS,
    Table,
)
from energy.settings import settings
from energy.site_months import MonthReadings
from energy.spreading import Each
from energy.summary import readings_summary

# Those of one month are in memory at once, here; and all hours of a site, of all appliances together, in the next step
# (docs/decisions/0021).
MAX_MONTH_READINGS = 10_000_000
MAX_HOURS = 10_000_000
# What a message tells of one publication.
MAX_CHANGES_TOLD = 20
MAX_KEY_TOLD = 200
_MADE_ANEW = "the same uploads, by the configuration of now"


def aggregate(request: AggregateInput, each: Each = map, most_readings: int | None = None) -> Publication:
    """All uploads of the site to tables and a draft manifest on top of the manifest found now.

    Takes along every change of the site that waits to be published, so that many uploads at once need few publications.
    Where another run has taken this change along, nothing is left to do; where the last upload was deleted, there are
    no tables. `each` spreads the months. TimezoneChanged, SiteTooLarge (past `most_readings`, or what fits into
    Lambdas), SiteConfigInvalid.
    """
    validated = request.validated
    base, base_etag = _base(validated.site)
    snapshot = recipes.config_snapshot(validated.site)
    timezone = _timezone(base, validated)
    made_by, read_by = recipes.publication_recipe(timezone, snapshot), recipes.reading_recipe(snapshot)
    if base and base.holds(validated.change, made_by):
        return Publication(site=validated.site, already_published=True)
    settled = resolution.with_changes(base, _waiting(validated, timezone), read_by)
    publication = Publication(
        site=validated.site,
        pub=lake.publication_id(
            [change.change.change_id for change in (validated, *settled.taken)],
            base_etag,
            made_by,
        ),
        run_id=validated.run_id,
        base_etag=base_etag,
        timezone=timezone,
        changes=_in_words(settled.taken) or [_MADE_ANEW],
    )
    config = snapshot.model_dump_json(indent=1).encode()
    publication = publication.model_copy(update={"config_key": _write_document("config", config, publication)})
    tables = {FORECAST_HISTORY.name: _partitions(base, FORECAST_HISTORY)}
    if settled.uploads:
        if most_readings is not None:
            _refuse_too_many(validated.site, settled.uploads, most_readings)
        publication, made = _with_tables(publication, base, settled, each, in_lambdas=most_readings is None)
        publication, priced = _with_costs(publication, base, made[READINGS.name], snapshot, each)
        tables |= made | priced
    draft = Manifest(
        site=validated.site,
        pub=publication.pub,
        code_version=energy.__version__,
        timezone=timezone,
        made_by=made_by,
        read_by=read_by,
        uploads=settled.uploads,
        deleted=settled.deleted,
        tables=tables,
    )
    return publication.model_copy(update={"draft_key": _write_document("draft", draft.to_json(), publication)})


def _base(site: str) -> tuple[Manifest | None, str | None]:
    found = store.read_with_etag(lake.manifest_key(site))
    if found is None:
        return None, None
    content, etag = found
    return Manifest.model_validate_json(content), etag


def _timezone(base: Manifest | None, validated: ValidateOutput) -> str:
    """The zone of the site's timestamps: that of the change, which must be that of the uploads which stay."""
    timezone = validated.timezone or (base.timezone if base else settings().site_timezone)
    if base and base.uploads and base.timezone != timezone:
        raise TimezoneChanged(validated.site, published=base.timezone, configured=timezone)
    return timezone


def _waiting(validated: ValidateOutput, timezone: str) -> list[ValidateOutput]:
    """This change, and those of the site that are ready beside it. One that was read in another time zone waits for its
    own run, which says so.
    """
    found = [store.read_with_etag(key) for key in store.list_keys(lake.pending_prefix(validated.site))]
    changes = [validated, *(ValidateOutput.model_validate_json(document[0]) for document in found if document)]
    by_id = {change.change.change_id: change for change in changes if change.timezone in (None, timezone)}
    return list(by_id.values())


def _in_words(changes: list[ValidateOutput]) -> list[str]:
    """One line for each change, and how many more there are."""
    told = [_told(change) for change in changes[:MAX_CHANGES_TOLD]]
    hidden = len(changes) - len(told)
    return [*told, f"and {hidden} more"] if hidden else told


def _told(change: ValidateOutput) -> str:
    key = change.key if len(change.key) <= MAX_KEY_TOLD else f"{change.key[:MAX_KEY_TOLD]}…"
    if change.deletion:
        return f"{key}: deleted"
    rows = change.rows
    return f"{key}: {rows.accepted} rows accepted, {rows.rejected} rejected, {rows.duplicates} duplicates"


def _with_tables(
    publication: Publication, base: Manifest | None, settled: Settled, each: Each, in_lambdas: bool
) -> tuple[Publication, dict[str, list[Partition]]]:
    """The publication with what it consists of, and its tables' partitions, written."""
    site, timezone = publication.site, publication.timezone
    counted_before = _counted_before(base)
    counted = _counted(counted_before, settled.uploads)
    shown = resolution.names_shown(counted.uploads.values())
    renamed = resolution.is_renamed(resolution.names_shown(counted_before.uploads.values()), shown)
    touched = resolution.touched_months(base.uploads if base else {}, settled.uploads, renamed)
    holders = {month: resolution.holding(settled.uploads.values(), month) for month in touched}
    resolved = {
        month: partial(_resolved, held, month, shown, in_lambdas) if held else None for month, held in holders.items()
    }
    months = site_months.build(base, resolved, site, publication.pub, timezone, each)
    if in_lambdas:
        _refuse_many_hours(site, months.parts)
    tables = aggregation.tables(months.parts, timezone)
    quality = quality_table(months.parts, tables, counted.uploads.values(), shown, timezone)
    history = _history(base)
    site_wide = {
        APPLIANCES: tables.appliances,
        PROFILE: tables.profile,
        DAILY: tables.daily,
        QUALITY: quality,
        FORECAST_ACCURACY: accuracy_table(history, tables.daily),
    }
    written = {table: _write_table(frame, table, publication) for table, frame in site_wide.items()}
    summary = readings_summary(tables, quality, site, timezone, len(settled.uploads))
    _write_document("uploads", counted.model_dump_json(indent=1).encode(), publication)
    issued_at = max(held.upload.last_modified for held in settled.uploads.values())
    made = publication.model_copy(
        update={
            "daily_key": written[DAILY] + DAILY.file_name,
            "summary_key": _write_document("summary", summary.model_dump_json(indent=1).encode(), publication),
            "readings": int(tables.appliances["readings"].sum()),
            "appliances": tables.appliances.height,
            "current_appliances": _still_read(tables.daily),
            "issued_at": issued_at,
            "history_prefix": _issued_in(base, f"{issued_at:%Y-%m}"),
        }
    )
    partitions = {table.name: [Partition(values=[site], prefix=prefix)] for table, prefix in written.items()}
    return made, months.partitions | partitions


def _still_read(daily: pl.DataFrame) -> int:
    """How many appliances a forecast goes on with, as `forecast_history.history` judges it."""
    complete = daily.filter("complete")
    recent = pl.col("date") > pl.col("date").max() - pl.duration(days=CURRENT_DAYS)
    return complete.filter(recent)["appliance"].n_unique()


def _with_costs(
    publication: Publication, base: Manifest | None, readings: list[Partition], snapshot: ConfigSnapshot, each: Each
) -> tuple[Publication, dict[str, list[Partition]]]:
    """The publication with what its energy costs, and the tables of it; as it is where the site has neither a tariff
    nor a CO2 factor.
    """
    by = site_costs.pricing(snapshot, publication.timezone)
    if by is None:
        return publication, {}
    months = {partition.values[-1]: partition.prefix for partition in readings}
    found = site_costs.build(base, months, publication.site, publication.pub, by, each)
    frames = {COSTS: cost_table(found, by), BILLS: bill_table(found, by)}
    written = {table: _write_table(frame, table, publication) for table, frame in frames.items()}
    summary = costs_summary(found, by).model_dump_json(indent=1).encode()
    return (
        publication.model_copy(update={"costs_key": _write_document("costs", summary, publication)}),
        {table.name: [Partition(values=[publication.site], prefix=prefix)] for table, prefix in written.items()},
    )


def _partitions(base: Manifest | None, table: Table) -> list[Partition]:
    return base.tables.get(table.name, []) if base else []


def _issued_in(base: Manifest | None, month: str) -> str | None:
    """Where the forecasts are that were issued in a month."""
    found = [kept.prefix for kept in _partitions(base, FORECAST_HISTORY) if kept.values[-1] == month]
    return found[0] if found else None


def _history(base: Manifest | None) -> pl.DataFrame:
    """Every forecast that was published before this one."""
    kept = _partitions(base, FORECAST_HISTORY)
    frames = [parquet.from_bytes(store.read(one.prefix + FORECAST_HISTORY.file_name)) for one in kept]
    empty = pl.DataFrame(schema=parquet.polars_schema(FORECAST_HISTORY))
    return pl.concat([empty, *(parquet.widened(frame, FORECAST_HISTORY) for frame in frames)])


def _refuse_too_many(site: str, uploads: Mapping[str, ManifestUpload], most: int) -> None:
    readings = sum(upload.rows.accepted for upload in uploads.values())
    if readings > most:
        raise SiteTooLarge(site, readings, most, "readings")


def _refuse_many_readings(site: str, month: str, contents: Sequence[bytes]) -> None:
    """SiteTooLarge, before they are unpacked."""
    readings = sum(parquet.rows_of(content) for content in contents)
    if readings > MAX_MONTH_READINGS:
        raise SiteTooLarge(site, readings, MAX_MONTH_READINGS, f"readings in {month}")


def _refuse_many_hours(site: str, parts: Parts) -> None:
    hours = monthly.hours_read(parts)
    if hours > MAX_HOURS:
        raise SiteTooLarge(site, hours, MAX_HOURS, "hours with readings, of all appliances together")


def _counted_before(base: Manifest | None) -> SiteUploads:
    if base is None or not base.uploads:
        return SiteUploads(uploads={})
    return SiteUploads.model_validate_json(
        store.read(lake.publication_document_key("processed", base.site, base.pub, "uploads"))
    )


def _counted(before: SiteUploads, uploads: Mapping[str, ManifestUpload]) -> SiteUploads:
    """What became of the rows of every upload that counts: known from the base, but for those that are new."""
    counted = {}
    for key, held in sorted(uploads.items()):
        known = before.uploads.get(key)
        counted[key] = known if known and known.run_id == held.upload.run_id else _read_quality(held.upload)
    return SiteUploads(uploads=counted)


def _read_quality(upload: Upload) -> SiteUpload:
    quality = store.read(lake.upload_quality_key(upload.site, upload.upload_id, upload.run_id))
    return SiteUpload(run_id=upload.run_id, appliances=UploadQuality.model_validate_json(quality).appliances)


def _resolved(held: list[Upload], month: str, shown: Mapping[str, str], in_lambdas: bool) -> MonthReadings:
    """The readings of a month that uploads hold."""
    contents = [store.read(lake.upload_readings_key(one.site, one.upload_id, one.run_id, month)) for one in held]
    if in_lambdas:
        _refuse_many_readings(held[0].site, month, contents)
    validated = [parquet.from_bytes(content) for content in contents]
    named = [resolution.with_names_shown(frame, shown) for frame in validated]
    if len(held) == 1 and named[0] is validated[0] and named[0].columns == READINGS.column_names:
        return MonthReadings(validated[0], contents[0])
    resolved = resolution.resolve(list(zip([one.upload_id for one in held], named, strict=True)))
    return MonthReadings(resolved, parquet.table_bytes(resolved, READINGS))


def _write_table(frame: pl.DataFrame, table: Table, publication: Publication) -> str:
    prefix = lake.table_prefix(table.area, publication.site, publication.pub)
    store.put_once(prefix + table.file_name, parquet.table_bytes(frame, table))
    return prefix


def _write_document(name: str, content: bytes, publication: Publication) -> str:
    key = lake.publication_document_key("processed", publication.site, publication.pub, name)
    store.put_once(key, content, "application/json")
    return key
