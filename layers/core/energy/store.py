"""The door to S3. Keys in, bytes out; whatever may heal by itself is a TransientError."""

import contextlib
import datetime as dt
import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from energy.errors import EnergyError, NotDeterministic, ObjectMissing, TransientError
from energy.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 60
ATTEMPTS = 4

SERVER_ERROR = 500
# S3 deletes at most this many objects a call.
DELETE_BATCH = 1000

# ConditionalRequestConflict (409): another writer is at it just now (S3 User Guide, "conditional writes"). The next try
# finds what it has written.
_HEALS = {
    "ConcurrentModificationException",
    "ConditionalRequestConflict",
    "InternalError",
    "OperationAborted",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "InternalServiceException",
    "OperationTimeoutException",
    "409",
}
_MISSING = {"NoSuchKey", "NoSuchVersion", "404", "NotFound"}
# 412: another writer was first.
_LOST = {"PreconditionFailed", "412"}


class SwapLost(EnergyError):
    """A compare-and-swap found something else than expected."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was replaced by another writer since it was read")
        self.key = key


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a listing shows it."""

    key: str
    size: int
    last_modified: dt.datetime


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an object, or a delete marker, as a listing shows it. `version_id`: null as in an event."""

    key: str
    version_id: str | None
    etag: str
    size: int
    last_modified: dt.datetime
    is_latest: bool
    is_deletion: bool


@contextlib.contextmanager
def transient(operation: str) -> Iterator[None]:
    """Turns botocore's throttles, timeouts and broken connections into TransientError; lets the rest through."""
    try:
        yield
    except (BotocoreConnectionError, CredentialRetrievalError, HTTPClientError, IncompleteReadError) as error:
        raise TransientError(operation, error) from error
    except ClientError as error:
        if heals(error_code(error)) or _status(error) >= SERVER_ERROR:
            raise TransientError(operation, error) from error
        raise


def error_code(error: ClientError) -> str:
    """AWS's name for the error."""
    return error.response.get("Error", {}).get("Code", "")


def heals(code: str) -> bool:
    """Whether the same call may well succeed in a moment."""
    return code in _HEALS


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def client_config() -> Config:
    """Timeouts and retries of every AWS client: a call that hangs must end long before its function does."""
    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )


@functools.cache
def client() -> "S3Client":
    """One client per process."""
    return boto3.client("s3", config=client_config())


def head(key: str, version_id: str | None = None) -> dict[str, Any]:
    """S3's metadata of an object; ObjectMissing if there is none."""
    with transient(f"HeadObject {key}"), _missing(key, version_id):
        return dict(client().head_object(Bucket=settings().lake_bucket, Key=key, **_version(version_id)))


def download(key: str, path: Path, version_id: str | None = None, etag: str | None = None) -> None:
    """Writes exactly one version of an object to `path`: by version id, else by etag (ObjectMissing if replaced)."""
    condition: dict[str, Any] = _version(version_id) if version_id else ({"IfMatch": etag} if etag else {})
    with transient(f"GetObject {key}"), _missing(key, version_id):
        body = client().get_object(Bucket=settings().lake_bucket, Key=key, **condition)["Body"]
        with path.open("wb") as file:
            for chunk in body.iter_chunks(1 << 20):
                file.write(chunk)


def read_range(key: str, start: int, end: int, version_id: str | None = None, etag: str | None = None) -> bytes:
    """The bytes of exactly one version of an object (as `download`), from `start` to before `end`."""
    condition: dict[str, Any] = _version(version_id) if version_id else ({"IfMatch": etag} if etag else {})
    with transient(f"GetObject {key}"), _missing(key, version_id):
        answer = client().get_object(
            Bucket=settings().lake_bucket, Key=key, Range=f"bytes={start}-{end - 1}", **condition
        )
        return answer["Body"].read()


def read(key: str) -> bytes:
    """An object's bytes; ObjectMissing if there is none."""
    return _read(key)[0]


def read_with_etag(key: str) -> tuple[bytes, str] | None:
    """An object's bytes and etag; None if there is none."""
    try:
        return _read(key)
    except ObjectMissing:
        return None


def read_start(key: str, size: int) -> bytes | None:
    """An object's first `size` bytes, whatever its length; None if there is none."""
    try:
        with transient(f"GetObject {key}"), _missing(key, None):
            body = client().get_object(Bucket=settings().lake_bucket, Key=key)["Body"]
            with contextlib.closing(body):
                return body.read(size)
    except ObjectMissing:
        return None


def put(key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
    """Writes an object, over one that may be there."""
    with transient(f"PutObject {key}"):
        client().put_object(Bucket=settings().lake_bucket, Key=key, Body=content, ContentType=content_type)


def put_once(key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
    """Writes an object that must not exist yet. The same bytes again are fine; others are NotDeterministic."""
    _put_once(key, content, hashlib.sha256(content).hexdigest(), content_type)


def put_file_once(key: str, path: Path, content_type: str = "application/octet-stream") -> None:
    """`put_once` with a file's bytes, which are not held in memory; at most 5 GB, as S3 takes in one piece."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        _put_once(key, file, digest, content_type)


def _put_once(key: str, body: bytes | BinaryIO, digest: str, content_type: str) -> None:
    try:
        with transient(f"PutObject {key}"):
            client().put_object(
                Bucket=settings().lake_bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                Metadata={"sha256": digest},
                IfNoneMatch="*",
            )
    except ClientError as error:
        if error_code(error) not in _LOST:
            raise
        if head(key)["Metadata"].get("sha256") != digest:
            raise NotDeterministic(key) from error


def swap(key: str, content: bytes, expected_etag: str | None) -> str:
    """Replaces an object if its etag is still `expected_etag` (None: if there is none); the new etag, or SwapLost."""
    condition: dict[str, Any] = {"IfMatch": expected_etag} if expected_etag else {"IfNoneMatch": "*"}
    try:
        with transient(f"PutObject {key}"):
            answer = client().put_object(
                Bucket=settings().lake_bucket, Key=key, Body=content, ContentType="application/json", **condition
            )
    except ClientError as error:
        if error_code(error) in _LOST | _MISSING:
            raise SwapLost(key) from error
        raise
    return answer["ETag"]


def list_keys(prefix: str) -> list[str]:
    """The keys of all objects below a prefix, sorted."""
    with transient(f"ListObjectsV2 {prefix}"):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=settings().lake_bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]


def delete(key: str) -> None:
    """Deletes an object; one that is gone is fine."""
    with transient(f"DeleteObject {key}"):
        client().delete_object(Bucket=settings().lake_bucket, Key=key)


def copy(source_key: str, key: str) -> None:
    """Copies an object over another one."""
    with transient(f"CopyObject {source_key}"):
        bucket = settings().lake_bucket
        client().copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": source_key})


def objects(prefix: str) -> Iterator[Stored]:
    """All objects below a prefix, sorted by key."""
    with transient(f"ListObjectsV2 {prefix}"):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=settings().lake_bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", []):
                yield Stored(found["Key"], found["Size"], found["LastModified"])


def versions(prefix: str) -> Iterator[Version]:
    """All versions of all objects below a prefix, and delete markers; of one page the latter come last."""
    with transient(f"ListObjectVersions {prefix}"):
        pages = client().get_paginator("list_object_versions").paginate(Bucket=settings().lake_bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Versions", []):
                yield _listed(found, is_deletion=False)
            for marker in page.get("DeleteMarkers", []):
                yield _listed(marker, is_deletion=True)


def current_version(key: str) -> Version | None:
    """The current version of an object, found without the right to read it; None where there is none."""
    for found in versions(key):
        if found.key != key:
            return None
        if found.is_latest:
            return None if found.is_deletion else found
    return None


def read_version(version: Version) -> bytes:
    """The bytes of one version of an object; ObjectMissing if it is gone."""
    return _read(version.key, version.version_id)[0]


def delete_all(keys: Sequence[str]) -> dict[str, str]:
    """Deletes objects, at most 1,000; why, of each that could not be deleted. Those that are gone are fine."""
    with transient(f"DeleteObjects {keys[0]} …"):
        answer = client().delete_objects(
            Bucket=settings().lake_bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
    return {
        error.get("Key", ""): f"{error.get('Code', '')} {error.get('Message', '')}".strip()
        for error in answer.get("Errors", [])
    }


def _listed(found: Any, is_deletion: bool) -> Version:
    return Version(
        key=found["Key"],
        version_id=None if found["VersionId"] == "null" else found["VersionId"],
        etag=found.get("ETag", "").strip('"'),
        size=found.get("Size", 0),
        last_modified=found["LastModified"],
        is_latest=found["IsLatest"],
        is_deletion=is_deletion,
    )


def _read(key: str, version_id: str | None = None) -> tuple[bytes, str]:
    with transient(f"GetObject {key}"), _missing(key, version_id):
        answer = client().get_object(Bucket=settings().lake_bucket, Key=key, **_version(version_id))
        return answer["Body"].read(), answer["ETag"]


def _version(version_id: str | None) -> dict[str, Any]:
    return {"VersionId": version_id} if version_id else {}


@contextlib.contextmanager
def _missing(key: str, version_id: str | None) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error_code(error) in _MISSING | _LOST:
            raise ObjectMissing(key, version_id) from error
        raise
