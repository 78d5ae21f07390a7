"""The manifest of a site: which uploads it consists of, and where its tables lie. Its replacement is the commit."""

import datetime as dt

from pydantic import BaseModel, ConfigDict

from energy import lake
from energy.contracts import Deletion, Month, RowCounts, Upload


class ManifestUpload(BaseModel):
    """One upload of the site, in the version that counts."""

    model_config = ConfigDict(frozen=True)

    upload: Upload
    rows: RowCounts
    months: list[Month]


class Partition(BaseModel):
    """One partition of a table: the values of its partition keys, and the prefix that holds its files."""

    model_config = ConfigDict(frozen=True)

    values: list[str]
    prefix: str


class ReportLocation(BaseModel):
    """The report that belongs to the published numbers."""

    model_config = ConfigDict(frozen=True)

    html_key: str
    markdown_key: str
    json_key: str


class Manifest(BaseModel):
    """What is published for one site. `uploads` by key under raw/, `tables` by table name, both sorted.

    `deleted` remembers keys that are gone, so that a late event of an old version does not bring them back; a key is in
    `uploads` or in `deleted`. `timezone` is the zone of every `timestamp` of the site. `made_by` names the recipe of
    the publication, and `read_by` that by which uploads were judged when it was made.
    """

    model_config = ConfigDict(frozen=True)

    format: int = 1
    site: str
    pub: str
    code_version: str
    timezone: str
    made_by: str = ""
    read_by: str = ""
    uploads: dict[str, ManifestUpload]
    deleted: dict[str, Deletion] = {}
    tables: dict[str, list[Partition]]
    report: ReportLocation | None = None

    def supersedes(self, change: Upload | Deletion) -> bool:
        """Whether the manifest holds this change already, or a newer one of the same key."""
        held = self.uploads.get(change.key)
        known = held.upload if held else self.deleted.get(change.key)
        return known is not None and outdates(known, change, self.read_by)

    def holds(self, change: Upload | Deletion, made_by: str) -> bool:
        """Whether nothing would come of publishing this change by this recipe: it is superseded, and is not the very
        version that is published by another recipe.
        """
        held = self.uploads.get(change.key)
        anew = held is not None and held.upload.version == change.version and self.made_by != made_by
        return self.supersedes(change) and not anew

    def to_json(self) -> bytes:
        """The bytes that are stored; equal manifests give equal bytes."""
        ordered = self.model_copy(
            update={
                "uploads": dict(sorted(self.uploads.items())),
                "deleted": dict(sorted(self.deleted.items())),
                "tables": {
                    name: sorted(partitions, key=lambda partition: partition.values)
                    for name, partitions in sorted(self.tables.items())
                },
            }
        )
        return ordered.model_dump_json(indent=1).encode()


def outdates(known: Upload | Deletion, change: Upload | Deletion, read_by: str = "") -> bool:
    """Whether `change` says nothing new beside `known`, of the same key.

    The same version may be told of again later: restored after it had been deleted. Then its newer sequencer counts, or
    the deletion would, when its event comes late. And it may have been read anew by the recipe that holds now,
    `read_by`, or because a person wanted it so.
    """
    if type(known) is type(change) and known.version == change.version:
        told_later = known.sequencer and change.sequencer and lake.is_newer(change.sequencer, than=known.sequencer)
        return not (told_later or _is_read_anew(known, change, read_by))
    return is_newer(known, than=change)


def _is_read_anew(known: Upload | Deletion, change: Upload | Deletion, read_by: str) -> bool:
    if isinstance(known, Deletion) or isinstance(change, Deletion):
        return False
    if change.reprocessed > known.reprocessed:
        return not lake.is_newer(known.sequencer, than=change.sequencer)
    return known.recipe != change.recipe == read_by


def is_newer(change: Upload | Deletion, than: Upload | Deletion) -> bool:
    """Whether `change` replaces `than`, another version of its key: by sequencer; where one lacks it, by the time at
    which S3 said so, to the second. Of the same second a listing is the later: it shows what the events before it left.
    """
    if change.sequencer and than.sequencer:
        return lake.is_newer(change.sequencer, than.sequencer)
    return _told(change) > _told(than)


def _told(change: Upload | Deletion) -> tuple[dt.datetime, bool, str]:
    return change.told_at.replace(microsecond=0), change.sequencer is None, change.version


def precedence(upload: Upload) -> tuple[dt.datetime, str]:
    """Sorts uploads of one site so that where two hold the same reading the last one wins (sequencers compare only
    within one key).
    """
    return upload.last_modified, upload.key
