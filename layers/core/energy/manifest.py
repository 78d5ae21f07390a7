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
    `uploads` or in `deleted`. `timezone` is the zone of every `timestamp` of the site.
    """

    model_config = ConfigDict(frozen=True)

    format: int = 1
    site: str
    pub: str
    code_version: str
    timezone: str
    uploads: dict[str, ManifestUpload]
    deleted: dict[str, Deletion] = {}
    tables: dict[str, list[Partition]]
    report: ReportLocation | None = None

    def supersedes(self, change: Upload | Deletion) -> bool:
        """Whether the manifest holds this change already, or a newer one of the same key."""
        held = self.uploads.get(change.key)
        known = held.upload if held else self.deleted.get(change.key)
        return known is not None and outdates(known, change)

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


def outdates(known: Upload | Deletion, change: Upload | Deletion) -> bool:
    """Whether `change` says nothing new beside `known`, of the same key.

    The same version may be told of again later: restored after it had been deleted. Then its newer sequencer counts, or
    the deletion would, when its event comes late.
    """
    if type(known) is type(change) and known.version == change.version:
        return not (known.sequencer and change.sequencer and lake.is_newer(change.sequencer, than=known.sequencer))
    return is_newer(known, than=change)


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
