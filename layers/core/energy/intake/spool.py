"""Frames put by, under a key each: in memory while they are few, on disk as soon as they are many."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import polars as pl

# A row put by takes about 50 bytes.
ROWS_IN_MEMORY = 2_000_000

Key = TypeVar("Key", int, str)


class Spool(Generic[Key]):
    """Frames by key, each key's in the order in which they came. `folder` has to exist once there are many rows."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._frames: dict[Key, list[pl.DataFrame | Path]] = {}
        self._rows: dict[Key, int] = {}
        self._in_memory = 0
        self._files = 0

    def put(self, key: Key, frame: pl.DataFrame) -> None:
        """Keeps a frame; all frames of one spool have the same columns."""
        if frame.is_empty():
            return
        self._rows[key] = self._rows.get(key, 0) + frame.height
        self._frames.setdefault(key, []).append(frame)
        self._in_memory += frame.height
        if self._in_memory > ROWS_IN_MEMORY:
            self._to_disk()

    def keys(self) -> list[Key]:
        """Sorted."""
        return sorted(self._frames)

    def rows(self, key: Key) -> int:
        """How many rows are there under a key."""
        return self._rows.get(key, 0)

    def frames(self, key: Key) -> Iterator[pl.DataFrame]:
        """One after the other, in the order in which they came."""
        for frame in self._frames.get(key, []):
            yield frame if isinstance(frame, pl.DataFrame) else pl.read_ipc(frame)

    def whole(self, key: Key) -> pl.DataFrame:
        """All rows of a key as one frame; there must be some."""
        return pl.concat(list(self.frames(key)), rechunk=False)

    def each(self, put: Callable[[Key, pl.DataFrame], None]) -> None:
        """Gives all rows of each key, in the order of the keys."""
        for key in self.keys():
            put(key, self.whole(key))

    def take(self, other: "Spool[Key]", key: Key) -> None:
        """Takes over a key of another spool, which forgets it."""
        self._frames[key] = other._frames.pop(key)
        self._rows[key] = other._rows.pop(key)
        taken = sum(frame.height for frame in self._frames[key] if isinstance(frame, pl.DataFrame))
        self._in_memory += taken
        other._in_memory -= taken

    def drop(self, key: Key) -> None:
        """Forgets a key."""
        for frame in self._frames.pop(key, []):
            if isinstance(frame, Path):
                frame.unlink()
            else:
                self._in_memory -= frame.height
        self._rows.pop(key, None)

    def _to_disk(self) -> None:
        for key, frames in self._frames.items():
            fresh = [frame for frame in frames if isinstance(frame, pl.DataFrame)]
            if not fresh:
                continue
            path = self._folder / f"{self._name}-{self._files}.arrow"
            self._files += 1
            pl.concat(fresh, rechunk=False).write_ipc(path, compression="lz4")
            written: list[pl.DataFrame | Path] = [frame for frame in frames if isinstance(frame, Path)]
            self._frames[key] = [*written, path]
        self._in_memory = 0
