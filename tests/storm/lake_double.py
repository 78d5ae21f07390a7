"""An S3 bucket and a Glue catalog in memory: what `energy.store` and `energy.catalog` ask of them, and nothing else.

Conditional writes are atomic, which moto's are not, and a write can be made to crash or to wait. Errors are botocore's,
with S3's codes; test_lake_double.py asks moto the same and compares.
"""

import datetime as dt
import hashlib
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from energy.schema import TABLES

Hook = Callable[[str, str], None]
"""(operation, key or table), called before and after every write."""


@dataclass(frozen=True)
class Version:
    """One version of an object; content is None for a delete marker."""

    version_id: str
    content: bytes | None
    etag: str
    last_modified: dt.datetime
    metadata: Mapping[str, str]


@dataclass
class LakeDouble:
    """Both clients at once. `writes` counts what was written, by key."""

    versions: dict[str, list[Version]] = field(default_factory=dict)
    partitions: dict[str, dict[tuple[str, ...], str]] = field(default_factory=lambda: {name: {} for name in TABLES})
    writes: Counter[str] = field(default_factory=Counter)
    before_write: Hook = lambda operation, key: None
    after_write: Hook = lambda operation, key: None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _count: int = 0

    # ------------------------------------------------------------------------------------------------------------ S3

    def upload(self, key: str, content: bytes, version_id: str, last_modified: dt.datetime) -> None:
        """What a person puts there, under a version and a time of one's choice."""
        with self._lock:
            self._add(key, Version(version_id, content, _etag(content), last_modified, {}))

    def mark_deleted(self, key: str, version_id: str, last_modified: dt.datetime) -> None:
        """A delete marker that a person's deletion leaves."""
        with self._lock:
            self._add(key, Version(version_id, None, "", last_modified, {}))

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: Any,
        IfNoneMatch: str | None = None,
        IfMatch: str | None = None,
        Metadata: Mapping[str, str] | None = None,
        ContentType: str = "",
    ) -> dict[str, Any]:
        content = Body if isinstance(Body, bytes) else Body.read()
        self.before_write("PutObject", Key)
        with self._lock:
            current = self._current(Key)
            if IfNoneMatch and current is not None:
                raise _error("PutObject", "PreconditionFailed", 412)
            if IfMatch and current is None:
                raise _error("PutObject", "NoSuchKey", 404)
            if IfMatch and current is not None and current.etag != IfMatch:
                raise _error("PutObject", "PreconditionFailed", 412)
            self._count += 1
            made = Version(f"v{self._count:08}", content, _etag(content), dt.datetime.now(dt.UTC), dict(Metadata or {}))
            self._add(Key, made)
            self.writes[Key] += 1
        self.after_write("PutObject", Key)
        return {"ETag": made.etag, "VersionId": made.version_id}

    def get_object(
        self, *, Bucket: str, Key: str, VersionId: str | None = None, IfMatch: str | None = None
    ) -> dict[str, Any]:
        found = self._found("GetObject", Key, VersionId)
        if IfMatch and IfMatch.strip('"') != found.etag.strip('"'):
            raise _error("GetObject", "PreconditionFailed", 412)
        return {"Body": _Body(found.content or b""), **_described(found)}

    def head_object(self, *, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:
        return _described(self._found("HeadObject", Key, VersionId, missing="404"))

    def copy_object(self, *, Bucket: str, Key: str, CopySource: Mapping[str, str]) -> dict[str, Any]:
        found = self._found("CopyObject", CopySource["Key"], None)
        self.before_write("CopyObject", Key)
        with self._lock:
            self._count += 1
            self._add(Key, Version(f"v{self._count:08}", found.content, found.etag, dt.datetime.now(dt.UTC), {}))
        self.after_write("CopyObject", Key)
        return {}

    def delete_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self.before_write("DeleteObject", Key)
        with self._lock:
            self._count += 1
            self._add(Key, Version(f"v{self._count:08}", None, "", dt.datetime.now(dt.UTC), {}))
        self.after_write("DeleteObject", Key)
        return {"DeleteMarker": True}

    def keys(self, prefix: str = "") -> list[str]:
        with self._lock:
            return sorted(key for key in self.versions if key.startswith(prefix) and self._current(key) is not None)

    def read(self, key: str) -> bytes | None:
        with self._lock:
            current = self._current(key)
            return current.content if current else None

    def _current(self, key: str) -> Version | None:
        held = self.versions.get(key)
        return held[-1] if held and held[-1].content is not None else None

    def _found(self, operation: str, key: str, version_id: str | None, missing: str = "NoSuchKey") -> Version:
        with self._lock:
            if version_id is None:
                found = self._current(key)
            else:
                missing = missing if missing == "404" else "NoSuchVersion"
                found = next((held for held in self.versions.get(key, []) if held.version_id == version_id), None)
            if found is None or found.content is None:
                raise _error(operation, missing, 404)
            return found

    def _add(self, key: str, version: Version) -> None:
        self.versions.setdefault(key, []).append(version)

    # ---------------------------------------------------------------------------------------------------------- Glue

    def get_paginator(self, operation: str) -> "_Pages":
        return _Pages(self, operation)

    def get_table(self, *, DatabaseName: str, Name: str) -> dict[str, Any]:
        return {"Table": {"StorageDescriptor": {"Columns": []}}}

    def batch_create_partition(self, *, DatabaseName: str, TableName: str, PartitionInputList: Any) -> dict[str, Any]:
        return self._moved("BatchCreatePartition", TableName, PartitionInputList, must_exist=False)

    def batch_update_partition(self, *, DatabaseName: str, TableName: str, Entries: Any) -> dict[str, Any]:
        wanted = [entry["PartitionInput"] for entry in Entries]
        return self._moved("BatchUpdatePartition", TableName, wanted, must_exist=True)

    def batch_delete_partition(self, *, DatabaseName: str, TableName: str, PartitionsToDelete: Any) -> dict[str, Any]:
        self.before_write("BatchDeletePartition", TableName)
        errors = []
        with self._lock:
            for entry in PartitionsToDelete:
                if self.partitions[TableName].pop(tuple(entry["Values"]), None) is None:
                    errors.append(_glue_error(entry["Values"], "EntityNotFoundException"))
        self.after_write("BatchDeletePartition", TableName)
        return {"Errors": errors}

    def _moved(self, operation: str, table: str, wanted: Any, must_exist: bool) -> dict[str, Any]:
        self.before_write(operation, table)
        errors = []
        for one in wanted:
            # One after the other: Glue's batches are not transactional.
            with self._lock:
                values = tuple(one["Values"])
                if (values in self.partitions[table]) != must_exist:
                    name = "EntityNotFoundException" if must_exist else "AlreadyExistsException"
                    errors.append(_glue_error(values, name))
                    continue
                self.partitions[table][values] = one["StorageDescriptor"]["Location"]
        self.after_write(operation, table)
        return {"Errors": errors}


class _Pages:
    def __init__(self, lake: LakeDouble, operation: str) -> None:
        self._lake, self._operation = lake, operation

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        if self._operation == "list_objects_v2":
            yield {"Contents": [{"Key": key} for key in self._lake.keys(asked["Prefix"])]}
            return
        site = asked["Expression"].split("'")[1]
        with self._lake._lock:
            found = dict(self._lake.partitions[asked["TableName"]])
        yield {
            "Partitions": [
                {"Values": list(values), "StorageDescriptor": {"Location": location}}
                for values, location in found.items()
                if values[0] == site
            ]
        }


class _Body(io.BytesIO):
    def iter_chunks(self, size: int) -> Iterator[bytes]:
        while chunk := self.read(size):
            yield chunk


def _described(version: Version) -> dict[str, Any]:
    return {
        "ETag": version.etag,
        "VersionId": version.version_id,
        "ContentLength": len(version.content or b""),
        "LastModified": version.last_modified,
        "Metadata": dict(version.metadata),
    }


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _error(operation: str, code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)


def _glue_error(values: Any, name: str) -> dict[str, Any]:
    return {"PartitionValues": list(values), "ErrorDetail": {"ErrorCode": name, "ErrorMessage": name}}
