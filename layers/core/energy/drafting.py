"""A publication drafted: all uploads of a site resolved, with one more, and its tables written; not yet committed."""

from collections.abc import Mapping
from functools import partial

import polars as pl

import energy
from energy import aggregation, lake, parquet, resolution, site_months, store
from energy.contracts import AggregateInput, Publication, Upload, ValidateOutput
from energy.documents import SiteUpload, SiteUploads, UploadQuality
from energy.errors import ObjectMissing, SiteTooLarge, TimezoneChanged
from energy.manifest import Manifest, ManifestUpload, Partition
from energy.quality import quality_table
from energy.schema import APPLIANCES, DAILY, HOURLY, PROFILE, QUALITY, READINGS, Table
from energy.settings import settings
from energy.summary import readings_summary

FILE_NAMES = {
    READINGS.name: site_months.READINGS_FILE,
    HOURLY.name: site_months.HOURLY_FILE,
    APPLIANCES.name: "appliances.parquet",
    PROFILE.name: "profile.parquet",
    DAILY.name: "daily.parquet",
    QUALITY.name: "quality.parquet",
}

# All readings of a site are in memory at once: 2.8 GB for ten million (measured), of the 3 GB of a function.
MAX_READINGS = 9_000_000


def aggregate(request: AggregateInput) -> Publication:
    """All uploads of the site, this one among them, to tables and a draft manifest on top of the manifest found now."""
    validated = request.validated
    base, base_etag = _base(validated.site)
    timezone = validated.timezone or settings().site_timezone
    if base and base.timezone != timezone:
        raise TimezoneChanged(validated.site, published=base.timezone, configured=timezone)
    pub = lake.publication_id(validated.run_id, base_etag, validated.upload.recipe)
    added = ManifestUpload(upload=validated.upload, rows=validated.rows, months=validated.months)
    uploads = resolution.with_upload(base, added)
    _refuse_too_many(validated.site, uploads)
    counted_before = _counted_before(base)
    counted = _counted(counted_before, uploads, validated)
    shown = resolution.names_shown(counted.uploads.values())
    renamed = resolution.is_renamed(resolution.names_shown(counted_before.uploads.values()), shown)
    touched = resolution.touched_months(base, added, renamed)
    holders = {month: resolution.holding(uploads.values(), month) for month in touched}
    resolved = {month: partial(_resolved, held, month, shown) if held else None for month, held in holders.items()}
    months = site_months.build(base, resolved, validated.site, pub, timezone)
    tables = aggregation.tables(months.parts, timezone)
    quality = quality_table(months.parts, tables, counted.uploads.values(), shown, timezone)
    site_wide = {
        APPLIANCES: tables.appliances,
        PROFILE: tables.profile,
        DAILY: tables.daily,
        QUALITY: quality,
    }
    written = {table: _write_table(frame, table, validated.site, pub) for table, frame in site_wide.items()}
    draft = Manifest(
        site=validated.site,
        pub=pub,
        code_version=energy.__version__,
        timezone=timezone,
        uploads=uploads,
        tables=months.partitions
        | {table.name: [Partition(values=[validated.site], prefix=prefix)] for table, prefix in written.items()},
    )
    summary = readings_summary(tables, quality, validated.site, timezone, len(uploads))
    _write_document("uploads", counted.model_dump_json(indent=1).encode(), validated, pub)
    return Publication(
        site=validated.site,
        pub=pub,
        run_id=validated.run_id,
        base_etag=base_etag,
        draft_key=_write_document("draft", draft.to_json(), validated, pub),
        daily_key=written[DAILY] + FILE_NAMES[DAILY.name],
        summary_key=_write_document("summary", summary.model_dump_json(indent=1).encode(), validated, pub),
        readings=int(tables.appliances["readings"].sum()),
        appliances=tables.appliances.height,
        timezone=timezone,
    )


def _refuse_too_many(site: str, uploads: dict[str, ManifestUpload]) -> None:
    readings = sum(upload.rows.accepted for upload in uploads.values())
    if readings > MAX_READINGS:
        raise SiteTooLarge(site, readings, MAX_READINGS)


def _base(site: str) -> tuple[Manifest | None, str | None]:
    found = store.read_with_etag(lake.manifest_key(site))
    if found is None:
        return None, None
    content, etag = found
    return Manifest.model_validate_json(content), etag


def _counted_before(base: Manifest | None) -> SiteUploads:
    if base is None:
        return SiteUploads(uploads={})
    return SiteUploads.model_validate_json(
        store.read(lake.publication_document_key("processed", base.site, base.pub, "uploads"))
    )


def _counted(before: SiteUploads, uploads: dict[str, ManifestUpload], validated: ValidateOutput) -> SiteUploads:
    """What became of the rows of every upload that counts: known from the base, but for the one that is new."""
    counted = {key: before.uploads[key] for key in uploads if key in before.uploads}
    upload = validated.upload
    if uploads[upload.key].upload.run_id == validated.run_id:
        if validated.quality_key is None:
            raise ObjectMissing(lake.upload_quality_key(upload.site, upload.upload_id, upload.run_id))
        quality = UploadQuality.model_validate_json(store.read(validated.quality_key))
        counted[upload.key] = SiteUpload(run_id=validated.run_id, appliances=quality.appliances)
    return SiteUploads(uploads=dict(sorted(counted.items())))


def _resolved(held: list[Upload], month: str, shown: Mapping[str, str]) -> pl.DataFrame:
    """The readings of a month that uploads hold."""
    validated = [(one.upload_id, resolution.with_names_shown(_validated_readings(one, month), shown)) for one in held]
    return resolution.resolve(validated)


def _validated_readings(upload: Upload, month: str) -> pl.DataFrame:
    return parquet.from_bytes(store.read(lake.upload_readings_key(upload.site, upload.upload_id, upload.run_id, month)))


def _write_table(frame: pl.DataFrame, table: Table, site: str, pub: str) -> str:
    prefix = lake.table_prefix(table.area, site, pub)
    store.put_once(prefix + FILE_NAMES[table.name], parquet.table_bytes(frame, table))
    return prefix


def _write_document(name: str, content: bytes, validated: ValidateOutput, pub: str) -> str:
    key = lake.publication_document_key("processed", validated.site, pub, name)
    store.put_once(key, content, "application/json")
    return key
