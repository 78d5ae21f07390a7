"""All uploads of a site to its readings: where two hold the same interval, the later upload wins."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from energy.contracts import Deletion, Upload, ValidateOutput
from energy.documents import SiteUpload
from energy.intake import names
from energy.manifest import Manifest, ManifestUpload, outdates, precedence

UPLOAD = "upload"
_ENDS = "ends"
# A day of hours. Fewer readings may be single corrections, which say nothing of the time between them.
_READINGS_THAT_TELL = 24
_ALIKE = 0.1
_INSTANT = pl.duration(microseconds=1)
_READING = ["timestamp_utc", "appliance"]


@dataclass(frozen=True)
class Settled:
    """What a site consists of: uploads by key, and the keys that are gone. `taken`: the changes that led there."""

    uploads: dict[str, ManifestUpload]
    deleted: dict[str, Deletion]
    taken: list[ValidateOutput]


def with_changes(base: Manifest | None, changes: Iterable[ValidateOutput], read_by: str = "") -> Settled:
    """The site with these changes, of each key the newest; the order in which they are given does not show.

    Of one version that was read by several recipes, what `read_by` made of it counts.
    """
    uploads = dict(base.uploads) if base else {}
    deleted = dict(base.deleted) if base else {}
    taken: dict[str, ValidateOutput] = {}
    for change in sorted(changes, key=lambda change: change.change.change_id):
        key = change.key
        known = uploads[key].upload if key in uploads else deleted.get(key)
        if known is not None and outdates(known, change.change, read_by):
            continue
        uploads.pop(key, None)
        deleted.pop(key, None)
        if change.upload is not None:
            uploads[key] = ManifestUpload(upload=change.upload, rows=change.rows, months=change.months)
        if change.deletion is not None:
            deleted[key] = change.deletion
        taken[key] = change
    return Settled(uploads, deleted, [taken[key] for key in sorted(taken)])


def touched_months(
    before: Mapping[str, ManifestUpload], after: Mapping[str, ManifestUpload], renamed: bool = False
) -> list[str]:
    """Months whose readings may change: those of every upload that came, went or was replaced, in both its versions.

    All of them where an appliance is `renamed`.
    """
    same = {key for key, held in after.items() if key in before and before[key].upload.run_id == held.upload.run_id}
    changed = [held for uploads in (before, after) for key, held in uploads.items() if renamed or key not in same]
    return sorted({month for held in changed for month in held.months})


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


def of_upload(readings: pl.DataFrame, upload_id: str) -> pl.DataFrame:
    """Validated readings as they are published where no other upload has any in that month."""
    return readings.with_columns(pl.lit(upload_id, dtype=pl.Enum([upload_id])).alias(UPLOAD))


def resolve(frames: list[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
    """One row per appliance and interval, from the last frame that has it, sorted by timestamp_utc and appliance.

    `frames` are validated readings with the id of their upload, the one that wins last; the id becomes column `upload`.
    A reading gives way to those of a later frame that lie within its interval, or whose interval it lies in: an hour
    is not counted again as four quarters. An interval ends with the next reading, or with the usual distance of the
    frame's readings of that appliance, whichever is sooner. Where a frame has few readings of an appliance, or none
    that come in even steps, they replace what was read at the same instants and nothing else: somebody corrects
    single hours.
    """
    kept: pl.DataFrame | None = None
    for upload_id, frame in reversed(frames):
        own = frame.with_columns(pl.lit(upload_id).alias(UPLOAD))
        if len(frames) > 1:
            own = _with_ends(own)
        kept = own if kept is None else pl.concat([kept, _beside(own, kept)])
    if kept is None:
        raise ValueError("there is no frame to resolve")
    return kept.sort(_READING).drop(_ENDS, strict=False)


def _with_ends(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds when the interval of each reading ends; sorted by time."""
    ordered = frame.sort("timestamp_utc", "appliance")
    steps = ordered.with_columns(step=(pl.col("timestamp_utc").shift(-1) - pl.col("timestamp_utc")).over("appliance"))
    usual = pl.col("step").quantile(0.5, "lower")
    alike = ((pl.col("step") - usual).abs() <= usual * _ALIKE).sum()
    tells = (pl.len() >= _READINGS_THAT_TELL) & (2 * alike >= pl.len() - 1)
    of_appliance = steps.group_by("appliance").agg(pl.when(tells).then(usual).alias("usual"))
    length = pl.when(pl.col("usual").is_null()).then(_INSTANT).otherwise(pl.min_horizontal("step", "usual"))
    return (
        steps.join(of_appliance, on="appliance", how="left", maintain_order="left")
        .with_columns((pl.col("timestamp_utc") + length).alias(_ENDS))
        .select(*frame.columns, _ENDS)
    )


def _beside(older: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    """The readings of `older` whose intervals share no moment with those of `newer`."""
    other = newer.sort("timestamp_utc").select("appliance", "timestamp_utc", next=pl.col("timestamp_utc"), until=_ENDS)
    nearest = functools.partial(pl.DataFrame.join_asof, on="timestamp_utc", by="appliance", check_sortedness=False)
    ahead = nearest(older, other.drop("until"), strategy="forward")
    both = nearest(ahead, other.drop("next"), strategy="backward")
    taken = (pl.col("next") < pl.col(_ENDS)) | (pl.col("until") > pl.col("timestamp_utc"))
    return both.filter(~taken.fill_null(False)).select(older.columns)
