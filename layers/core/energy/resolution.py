"""All uploads of a site to its readings: where two hold the same reading, the later upload wins."""

from collections.abc import Iterable

import polars as pl

from energy.contracts import Upload
from energy.manifest import Manifest, ManifestUpload, precedence

UPLOAD = "upload"
_READING = ["timestamp_utc", "appliance"]


def with_upload(base: Manifest | None, added: ManifestUpload) -> dict[str, ManifestUpload]:
    """The site's uploads by key with this one. An older version of the same key makes way; a newer one stays."""
    if base is None:
        return {added.upload.key: added}
    if base.supersedes(added.upload):
        return dict(base.uploads)
    return {**base.uploads, added.upload.key: added}


def touched_months(base: Manifest | None, added: ManifestUpload) -> list[str]:
    """Months whose readings may change: those of the new version and those of the version that it replaces."""
    replaced = base.uploads.get(added.upload.key) if base else None
    return sorted({*added.months, *(replaced.months if replaced else [])})


def holding(uploads: Iterable[ManifestUpload], month: str) -> list[Upload]:
    """The uploads with readings in a month, the one that wins last."""
    return sorted((held.upload for held in uploads if month in held.months), key=precedence)


def resolve(frames: list[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
    """One row per appliance and instant, from the last frame that has it, sorted by timestamp_utc and appliance.

    `frames` are validated readings with the id of their upload, the one that wins last; the id becomes column `upload`.
    """
    ranked = [
        frame.with_columns(pl.lit(upload_id).alias(UPLOAD), rank=pl.lit(rank, dtype=pl.Int32))
        for rank, (upload_id, frame) in enumerate(frames)
    ]
    readings = pl.concat(ranked).sort(*_READING, "rank")
    if len(frames) > 1:
        readings = readings.unique(_READING, keep="last", maintain_order=True)
    return readings.drop("rank")
