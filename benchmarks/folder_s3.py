"""S3 as a folder: what `energy.store` asks of a client, for measuring functions without a network or a server.

`wall` and `cpu` are the seconds that went into moving objects, including what a download writes to the function's own
disk. Objects are written once by a run, so that conditions always hold.
"""

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

_BLOCK_BYTES = 1 << 20


class FolderS3:
    """A client of the bucket whose objects are the files below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.wall = self.cpu = 0.0

    def head_object(self, *, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:
        return self._described(Key, "404")

    def get_object(self, *, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:
        return {"Body": _Body(self, self._root / Key), **self._described(Key, "NoSuchKey")}

    def put_object(self, *, Bucket: str, Key: str, Body: Any, **_: Any) -> dict[str, Any]:
        with self.timed():
            path = self._root / Key
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for block in [Body] if isinstance(Body, bytes) else iter(lambda: Body.read(_BLOCK_BYTES), b""):
                    file.write(block)
        return self._described(Key, "NoSuchKey")

    def get_paginator(self, operation: str) -> "FolderS3":
        if operation != "list_objects_v2":
            raise NotImplementedError(operation)
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        folder = self._root / Prefix
        found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
        yield {"Contents": [{"Key": str(path.relative_to(self._root))} for path in found]}

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Counts the seconds of this thread as those of a transfer."""
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            self.wall += time.perf_counter() - wall
            self.cpu += time.thread_time() - cpu

    def _described(self, key: str, missing: str) -> dict[str, Any]:
        path = self._root / key
        if not path.is_file():
            raise ClientError({"Error": {"Code": missing}, "ResponseMetadata": {"HTTPStatusCode": 404}}, "GetObject")
        found = path.stat()
        return {
            "ContentLength": found.st_size,
            "LastModified": dt.datetime.fromtimestamp(found.st_mtime, dt.UTC),
            "ETag": f'"{found.st_mtime_ns:x}"',
            "Metadata": {},
        }


class _Body:
    def __init__(self, s3: FolderS3, path: Path) -> None:
        self._s3, self._path = s3, path

    def read(self, size: int = -1) -> bytes:
        with self._s3.timed(), self._path.open("rb") as file:
            return file.read(size)

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        with self._s3.timed(), self._path.open("rb") as file:
            yield from iter(lambda: file.read(size), b"")

    def close(self) -> None:
        """Nothing stays open."""
