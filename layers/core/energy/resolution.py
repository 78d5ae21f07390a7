"""All uploads of a site to its readings: where two hold the same reading, the later upload wins."""

from collections.abc import Iterable, Mapping

import polars as pl

from energy.contracts import Upload
from energy.documents import SiteUpload
from energy.intake import names
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


def touched_months(base: Manifest | None, added: ManifestUpload, renamed: bool = False) -> list[str]:
    """Months whose readings may change: those of the new version and those of the version that it replaces.

    All of them where an appliance is `renamed`.
    """
    known = base.uploads if base else {}
    changed = known.values() if renamed else [known[added.upload.key]] if added.upload.key in known else []
    return sorted({*added.months, *(month for upload in changed for month in upload.months)})


def names_shown(uploads: Iterable[SiteUpload]) -> dict[str, str]:
    """The name that stands for each appliance of the site, by identity: spellings that differ only by Unicode form,
    case or space are one appliance, whichever uploads they come from.
    """
    spellings: dict[str, set[str]] = {}
    for upload in uploads:
        for rows in upload.appliances:
            if rows.appliance is not None and rows.accepted:
                spellings.setdefault(names.identity(rows.appliance), set()).add(rows.appliance)
    return {identity: names.shown(found) for identity, found in sorted(spellings.items())}


def is_renamed(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether an appliance that was published under one name is shown under another now."""
    return any(after.get(identity, name) != name for identity, name in before.items())


def with_names_shown(readings: pl.DataFrame, shown: Mapping[str, str]) -> pl.DataFrame:
    """Validated readings with every appliance by the name that stands for it."""
    found: list[str] = readings["appliance"].unique().to_list()
    renamed = {name: to for name in found if (to := shown.get(names.identity(name), name)) != name}
    return readings.with_columns(pl.col("appliance").replace(renamed)) if renamed else readings


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
