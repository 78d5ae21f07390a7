"""A publication drafted: all uploads of a site resolved, with one more, and its tables written; not yet committed."""

import polars as pl

import energy
from energy import aggregation, lake, parquet, resolution, store
from energy.contracts import AggregateInput, Publication, Upload, ValidateOutput
from energy.errors import TimezoneChanged
from energy.manifest import Manifest, ManifestUpload, Partition
from energy.schema import APPLIANCES, DAILY, HOURLY, PROFILE, READINGS, Table
from energy.settings import settings
from energy.summary import readings_summary

FILE_NAMES = {
    READINGS.name: "readings.parquet",
    APPLIANCES.name: "appliances.parquet",
    HOURLY.name: "hourly.parquet",
    PROFILE.name: "profile.parquet",
    DAILY.name: "daily.parquet",
}


def aggregate(request: AggregateInput) -> Publication:
    """All uploads of the site, this one among them, to tables and a draft manifest on top of the manifest found now."""
    validated = request.validated
    base, base_etag = _base(validated.site)
    timezone = settings().site_timezone
    if base and base.timezone != timezone:
        raise TimezoneChanged(validated.site, published=base.timezone, configured=timezone)
    pub = lake.publication_id(validated.run_id, base_etag, settings().recipe)
    added = ManifestUpload(upload=validated.upload, rows=validated.rows, months=validated.months)
    uploads = resolution.with_upload(base, added)
    months, readings = _months(base, uploads, added, validated.site, pub)
    tables = aggregation.tables(readings, timezone)
    site_wide = {APPLIANCES: tables.appliances, HOURLY: tables.hourly, PROFILE: tables.profile, DAILY: tables.daily}
    written = {table: _write_table(frame, table, validated.site, pub) for table, frame in site_wide.items()}
    draft = Manifest(
        site=validated.site,
        pub=pub,
        code_version=energy.__version__,
        timezone=timezone,
        uploads=uploads,
        tables={READINGS.name: months}
        | {table.name: [Partition(values=[validated.site], prefix=prefix)] for table, prefix in written.items()},
    )
    summary = readings_summary(tables, validated.site, timezone, len(uploads))
    return Publication(
        site=validated.site,
        pub=pub,
        run_id=validated.run_id,
        base_etag=base_etag,
        draft_key=_write_document("draft", draft.to_json(), validated, pub),
        hourly_key=written[HOURLY] + FILE_NAMES[HOURLY.name],
        daily_key=written[DAILY] + FILE_NAMES[DAILY.name],
        summary_key=_write_document("summary", summary.model_dump_json(indent=1).encode(), validated, pub),
        readings=readings.height,
        appliances=tables.appliances.height,
        timezone=timezone,
    )


def _base(site: str) -> tuple[Manifest | None, str | None]:
    found = store.read_with_etag(lake.manifest_key(site))
    if found is None:
        return None, None
    content, etag = found
    return Manifest.model_validate_json(content), etag


def _months(
    base: Manifest | None, uploads: dict[str, ManifestUpload], added: ManifestUpload, site: str, pub: str
) -> tuple[list[Partition], pl.DataFrame]:
    """The readings' partitions and all readings of the site.

    Touched months are resolved and written again, the others stay where they are; a month that no upload holds any more
    is left out.
    """
    touched = resolution.touched_months(base, added)
    published = base.tables.get(READINGS.name, []) if base else []
    partitions = [partition for partition in published if partition.values[-1] not in touched]
    frames = [parquet.from_bytes(store.read(kept.prefix + FILE_NAMES[READINGS.name])) for kept in partitions]
    for month in touched:
        holders = resolution.holding(uploads.values(), month)
        if not holders:
            continue
        readings = resolution.resolve([(holder.upload_id, _validated_readings(holder, month)) for holder in holders])
        prefix = lake.readings_prefix(site, month, pub)
        frames.append(parquet.as_table(readings, READINGS))
        store.put_once(prefix + FILE_NAMES[READINGS.name], parquet.to_bytes(frames[-1]))
        partitions.append(Partition(values=[site, month], prefix=prefix))
    return sorted(partitions, key=lambda partition: partition.values), pl.concat(frames)


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
