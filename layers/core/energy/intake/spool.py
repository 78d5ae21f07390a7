"""Frames put by, under a key each: in memory while they are small, on disk as soon as they are not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import polars as pl

# Readings take 20 to 28 bytes each: three million and more stay in memory. Rejected rows have a text, of any length.
BYTES_IN_MEMORY = 90_000_000


@dataclass(frozen=True)
class _Kept:
    """A frame without the columns that have one value throughout, which `same` has."""

    rows: pl.DataFrame | Path
    same: pl.DataFrame
    columns: list[str]

    @property
    def bytes_in_memory(self) -> int:
        return int(self.rows.estimated_size()) if isinstance(self.rows, pl.DataFrame) else 0

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "_Kept":
        names = [column.name for column in frame if _is_one_value(column)]
        # One column has to stay, or nobody knows how many rows there are.
        names = names if len(names) < frame.width else names[1:]
        # Not a slice, which would keep all of the column in memory.
        same = pl.DataFrame({name: [frame[name][0]] for name in names}, {name: frame.schema[name] for name in names})
        return cls(frame.drop(names), same, frame.columns)

    def frame(self) -> pl.DataFrame:
        rows = self.rows if isinstance(self.rows, pl.DataFrame) else pl.read_ipc(self.rows)
        return rows.with_columns(pl.lit(column).first() for column in self.same).select(self.columns)


def _is_one_value(column: pl.Series) -> bool:
    """Whether a column has one value throughout; of those only that can be seen at a glance."""
    if column.null_count():
        return column.null_count() == column.len()
    if column.dtype == pl.Boolean:
        return bool(column.all()) or not column.any()
    return column.dtype in (pl.Int16, pl.Int32) and column.min() == column.max()


Key = TypeVar("Key", int, str)


class Spool(Generic[Key]):
    """Frames by key, each key's in the order in which they came. `folder` has to exist once there is much."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._kept: dict[Key, list[_Kept]] = {}
        self._rows: dict[Key, int] = {}
        self._in_memory = 0
        self._files = 0

    def put(self, key: Key, frame: pl.DataFrame) -> None:
        """Keeps a frame; all frames of one spool have the same columns."""
        if frame.is_empty():
            return
        self._rows[key] = self._rows.get(key, 0) + frame.height
        kept = _Kept.of(frame)
        self._kept.setdefault(key, []).append(kept)
        self._in_memory += kept.bytes_in_memory
        if self._in_memory > BYTES_IN_MEMORY:
            self._to_disk()

    def keys(self) -> list[Key]:
        """Sorted."""
        return sorted(self._kept)

    def rows(self, key: Key) -> int:
        """How many rows are there under a key."""
        return self._rows.get(key, 0)

    def frames(self, key: Key) -> Iterator[pl.DataFrame]:
        """One after the other, in the order in which they came."""
        for kept in self._kept.get(key, []):
            yield kept.frame()

    def whole(self, key: Key) -> pl.DataFrame:
        """All rows of a key as one frame; there must be some."""
        return pl.concat(list(self.frames(key)), rechunk=False)

    def each(self, put: Callable[[Key, pl.DataFrame], None]) -> None:
        """Gives all rows of each key, in the order of the keys."""
        for key in self.keys():
            put(key, self.whole(key))

    def take(self, other: "Spool[Key]", key: Key) -> None:
        """Takes over a key of another spool, which forgets it."""
        self._kept[key] = other._kept.pop(key)
        self._rows[key] = other._rows.pop(key)
        taken = sum(one.bytes_in_memory for one in self._kept[key])
        self._in_memory += taken
        other._in_memory -= taken

    def drop(self, key: Key) -> None:
        """Forgets a key."""
        for kept in self._kept.pop(key, []):
            self._in_memory -= kept.bytes_in_memory
            if isinstance(kept.rows, Path):
                kept.rows.unlink()
        self._rows.pop(key, None)

    def _to_disk(self) -> None:
        for kept in self._kept.values():
            for place, one in enumerate(kept):
                if isinstance(one.rows, pl.DataFrame):
                    kept[place] = replace(one, rows=self._written(one.rows))
        self._in_memory = 0

    def _written(self, rows: pl.DataFrame) -> Path:
        path = self._folder / f"{self._name}-{self._files}.arrow"
        self._files += 1
        # To pack and unpack it would take longer than to write and read it.
        rows.write_ipc(path, compression="uncompressed")
        return path
