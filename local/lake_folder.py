"""A lake as a folder: objects are ordinary files, beside them an index and the catalog. It outlives the local AWS.

    DIR/raw/home/march.csv        the object raw/home/march.csv
    DIR/.aws/lake.json            the objects: key to file, version id, etag, time, metadata, sequencer;
                                  and the Glue catalog: databases, tables, views, partitions; and the saved queries
    DIR/.aws/executions.json      the newest executions: what they were for, their states, how they ended

lake.json is the commit. Files of new objects are written first; a new version of an object waits in .aws/pending
and counts once the index says so. What is no longer needed goes last. A crash at any point leaves the lake before or
after.
"""

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from local.history import ExecutionRecord, StateVisit

_SAFE_SEGMENT = re.compile(r"(?!\.)[A-Za-z0-9 _=+,.@()-]{1,200}(?<![ .])")
_NOT_KEPT = ("athena-results/", "crunched/")
# Step Functions keeps executions for 90 days; a laptop sees fewer than this in that time.
_MOST_EXECUTIONS = 500
_TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
# How Athena keeps a view in Glue.
_PRESTO_VIEW = re.compile(r"/\* Presto View: (?P<json>[A-Za-z0-9+/=]+) \*/")


class LakeInUse(Exception):
    """Another process works on this folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"the lake {path} is in use by another run; wait for it, or choose another folder with --lake")
        self.path = path


class LakeDamaged(Exception):
    """A file that the lake needs is gone."""

    def __init__(self, path: Path, key: str) -> None:
        super().__init__(f"the lake {path} lacks the file of {key}; put it back, or start a new lake with --lake")
        self.key = key


@dataclass(frozen=True)
class StoredObject:
    """One object of the lake, without its content."""

    key: str
    version_id: str
    etag: str
    last_modified: str
    metadata: dict[str, str]
    sequencer: str
    size: int


@dataclass(frozen=True)
class CatalogTable:
    """A table or view of the catalog. `columns` and `partition_keys`: name, type, comment; `partitions`: values and
    prefix; `location`: the prefix of a table without them. `view_sql` is in Athena's SQL; None for a table.
    """

    database: str
    name: str
    columns: list[tuple[str, str, str]]
    partition_keys: list[tuple[str, str, str]] = field(default_factory=list)
    partitions: list[tuple[list[str], str]] = field(default_factory=list)
    bucket: str = ""
    location: str = ""
    description: str = ""
    is_text: bool = False
    view_sql: str | None = None


@dataclass(frozen=True)
class SavedQuery:
    """A query of Athena's that has a name."""

    name: str
    description: str
    sql: str


class LakeFolder:
    """Reads a lake folder, with or without a running AWS; LocalAws also writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: TextIO | None = None

    def exists(self) -> bool:
        """Whether a lake was ever saved here."""
        return self._index_file.exists()

    def keys(self) -> list[str]:
        """Every object's key, sorted."""
        return sorted(self._index())

    def path_of(self, key: str) -> Path:
        """The file that holds an object; KeyError if there is none."""
        return self._file(self._index()[key])

    def files_below(self, prefix: str) -> list[Path]:
        """The files of all objects whose key starts with `prefix`, sorted by key."""
        return [self._file(entry) for key, entry in sorted(self._index().items()) if key.startswith(prefix)]

    def tables(self) -> list[CatalogTable]:
        """The tables of the Glue catalog, by database and name."""
        return [
            catalog_table(database, table)
            for database, tables in sorted(self.catalog().items())
            for table in sorted(tables, key=lambda table: str(table["Name"]))
        ]

    def catalog(self) -> dict[str, list[dict[str, Any]]]:
        """Glue's tables as Glue describes them, with their partitions under "Partitions"; by database."""
        return dict(_read_json(self._index_file).get("databases", {}))

    def saved_queries(self) -> list[SavedQuery]:
        """Athena's saved queries, as the template has them in their order."""
        found = _read_json(self._index_file).get("named_queries", [])
        return [SavedQuery(one["Name"], one["Description"], one["QueryString"]) for one in found]

    def objects(self) -> Iterable[tuple[StoredObject, Path]]:
        """Every object and its file; LakeDamaged if one is gone."""
        for key, entry in sorted(self._index().items()):
            if not self._file(entry).is_file():
                raise LakeDamaged(self.path, key)
            fields = {name: entry[name] for name in StoredObject.__dataclass_fields__ if name != "key"}
            yield StoredObject(key=key, **fields), self._file(entry)

    def lock(self) -> None:
        """Makes this process the only one that writes here; LakeInUse if another one does."""
        self._state.mkdir(parents=True, exist_ok=True)
        lock = (self._state / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise LakeInUse(self.path) from error
        self._lock = lock

    def unlock(self) -> None:
        """Lets others write."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def save(
        self,
        objects: Iterable[StoredObject],
        content: Callable[[StoredObject], bytes],
        catalog: dict[str, Any],
        named_queries: Sequence[dict[str, str]] = (),
    ) -> None:
        """Makes the folder hold exactly these objects, this catalog and these queries; writes only what changed."""
        known = self._index()
        self._settle(known)
        index: dict[str, dict[str, Any]] = {}
        names = _Names(entry["file"] for entry in known.values())
        for stored in objects:
            if stored.key.startswith(_NOT_KEPT):
                continue
            entry = known.get(stored.key)
            described = {name: getattr(stored, name) for name in StoredObject.__dataclass_fields__ if name != "key"}
            if entry is None:
                file = names.new(stored.key)
                _write(self.path / file, content(stored))
                index[stored.key] = {"file": file, **described}
            elif (entry["version_id"], entry["etag"]) == (stored.version_id, stored.etag):
                index[stored.key] = {"file": entry["file"], **described}
            else:
                pending = f".aws/pending/{hashlib.sha256(stored.key.encode()).hexdigest()}"
                _write(self.path / pending, content(stored))
                index[stored.key] = {"file": entry["file"], "pending": pending, **described}
        document = {"format": 1, "objects": index, "databases": catalog, "named_queries": list(named_queries)}
        _write_json(self._index_file, document)
        self._settle(index)
        kept = {entry["file"] for entry in index.values()}
        for entry in known.values():
            if entry["file"] not in kept:
                self._remove(entry["file"])

    def executions(self) -> list[ExecutionRecord]:
        """What became of the executions in this lake, oldest first; those of a process that was killed are missing."""
        found = _read_json(self._executions_file).get("executions", [])
        return [ExecutionRecord(**{**one, "states": [StateVisit(**each) for each in one["states"]]}) for one in found]

    def add_executions(self, ended: Sequence[ExecutionRecord]) -> None:
        """Records executions that have ended."""
        if ended:
            self._write_executions([*self.executions(), *ended])

    def forget_executions(self, forgotten: Callable[[ExecutionRecord], bool]) -> int:
        """Takes executions out of the record; how many."""
        known = self.executions()
        kept = [one for one in known if not forgotten(one)]
        if len(kept) < len(known):
            self._write_executions(kept)
        return len(known) - len(kept)

    def _write_executions(self, executions: Sequence[ExecutionRecord]) -> None:
        document = {"format": 1, "executions": [asdict(one) for one in executions[-_MOST_EXECUTIONS:]]}
        _write_json(self._executions_file, document)

    def _settle(self, index: dict[str, dict[str, Any]]) -> None:
        """Moves new versions that the index knows of to their place."""
        for entry in index.values():
            pending = self.path / entry["pending"] if "pending" in entry else None
            if pending is not None and pending.exists():
                pending.replace(self.path / entry["file"])

    def _remove(self, file: str) -> None:
        path = self.path / file
        path.unlink(missing_ok=True)
        for folder in path.relative_to(self.path).parents:
            if str(folder) == ".":
                break
            try:
                (self.path / folder).rmdir()
            except OSError:
                break

    def _file(self, entry: dict[str, Any]) -> Path:
        if "pending" in entry and (self.path / entry["pending"]).exists():
            return self.path / str(entry["pending"])
        return self.path / str(entry["file"])

    def _index(self) -> dict[str, dict[str, Any]]:
        return dict(_read_json(self._index_file).get("objects", {}))

    @property
    def _state(self) -> Path:
        return self.path / ".aws"

    @property
    def _executions_file(self) -> Path:
        return self._state / "executions.json"

    @property
    def _index_file(self) -> Path:
        return self._state / "lake.json"


class _Names:
    """Files for keys: readable where possible, and no two on the same file, whatever letters' case or nesting."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        for file in files:
            self._take(file)

    def new(self, key: str) -> str:
        """A file that no other key has."""
        file = "/".join(_segment(part) for part in key.split("/"))
        folded = file.casefold()
        above = {str(parent) for parent in Path(folded).parents}
        if len(file) > 900 or folded in self._files or folded in self._folders or above & self._files:
            file = f".aws/objects/{hashlib.sha256(key.encode()).hexdigest()}"
        self._take(file)
        return file

    def _take(self, file: str) -> None:
        folded = file.casefold()
        self._files.add(folded)
        self._folders |= {str(parent) for parent in Path(folded).parents}


def _segment(part: str) -> str:
    if _SAFE_SEGMENT.fullmatch(part):
        return part
    if not part:
        return "%"
    quoted = urllib.parse.quote(part, safe=" _=+,@()-").replace(".", "%2E") if part.strip(".") == "" else None
    quoted = quoted or urllib.parse.quote(part, safe=" _=+,.@()-")
    if quoted[0] == ".":
        quoted = "%2E" + quoted[1:]
    if quoted[-1] in " .":
        quoted = f"{quoted[:-1]}%{ord(quoted[-1]):02X}"
    return quoted if len(quoted) <= 200 else f"{quoted[:120]}%{hashlib.sha256(part.encode()).hexdigest()[:32]}"


def catalog_table(database: str, table: dict[str, Any]) -> CatalogTable:
    """A table or view as Glue describes it, with its partitions, if they are told, under "Partitions"."""

    def described(columns: list[dict[str, str]]) -> list[tuple[str, str, str]]:
        return [(column["Name"], column.get("Type", "string"), column.get("Comment", "")) for column in columns]

    storage = table.get("StorageDescriptor", {})
    bucket, location = _bucket_and_prefix(storage.get("Location", ""))
    view = _PRESTO_VIEW.fullmatch(table.get("ViewOriginalText", ""))
    return CatalogTable(
        database=database,
        name=table["Name"],
        columns=described(storage.get("Columns", [])),
        partition_keys=described(table.get("PartitionKeys", [])),
        partitions=[
            (list(partition["Values"]), _bucket_and_prefix(partition["StorageDescriptor"]["Location"])[1])
            for partition in table.get("Partitions", [])
        ],
        bucket=bucket,
        location=location,
        description=table.get("Description", ""),
        is_text=storage.get("InputFormat") == _TEXT_INPUT,
        view_sql=json.loads(base64.b64decode(view["json"]))["originalSql"] if view else None,
    )


def _bucket_and_prefix(location: str) -> tuple[str, str]:
    """Of an s3:// location; of none, two empty strings."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return bucket, prefix


def _read_json(path: Path) -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError):
        return dict(json.loads(path.read_text("utf-8")))
    return {}


def _write_json(path: Path, document: dict[str, Any]) -> None:
    _write(path, json.dumps(document, indent=1, sort_keys=True, default=str).encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:60]}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
