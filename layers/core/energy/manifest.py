"""The manifest of a site: which uploads it consists of, and where its tables lie. Its replacement is the commit."""

import datetime as dt

from pydantic import BaseModel, ConfigDict

from energy import lake
from energy.contracts import Month, RowCounts, Upload


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

    `timezone` is the zone of every `timestamp` of the site.
    """

    model_config = ConfigDict(frozen=True)

    format: int = 1
    site: str
    pub: str
    code_version: str
    timezone: str
    uploads: dict[str, ManifestUpload]
    tables: dict[str, list[Partition]]
    report: ReportLocation | None = None

    def supersedes(self, upload: Upload) -> bool:
        """Whether this version of the upload, or a newer one of the same key, is in the manifest already."""
        known = self.uploads.get(upload.key)
        if known is None:
            return False
        if known.upload.version == upload.version:
            return True
        return is_newer_version(known.upload, than=upload)

    def to_json(self) -> bytes:
        """The bytes that are stored; equal manifests give equal bytes."""
        ordered = self.model_copy(
            update={
                "uploads": dict(sorted(self.uploads.items())),
                "tables": {
                    name: sorted(partitions, key=lambda partition: partition.values)
                    for name, partitions in sorted(self.tables.items())
                },
            }
        )
        return ordered.model_dump_json(indent=1).encode()


def is_newer_version(upload: Upload, than: Upload) -> bool:
    """Whether `upload` replaces `than`, another version of its key: by sequencer; by S3's time where one lacks it."""
    if upload.sequencer and than.sequencer:
        return lake.is_newer(upload.sequencer, than.sequencer)
    return (upload.last_modified, upload.version) > (than.last_modified, than.version)


def precedence(upload: Upload) -> tuple[dt.datetime, str]:
    """Sorts uploads of one site so that where two hold the same reading the last one wins (sequencers compare only
    within one key).
    """
    return upload.last_modified, upload.key
