"""The tables of a lake folder, asked in Athena's SQL through DuckDB."""

import bisect
import contextlib
import gzip
import itertools
import re
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.dialect import PATH, QueryFailed, Translated, listing, resolve, to_duckdb, with_path
from cli.output import Answer
from energy import schema

if TYPE_CHECKING:
    import duckdb

    from cli.dialect import Listing
    from local.lake_folder import CatalogTable, LakeFolder, SavedQuery

# Athena's (Hive's) types in DuckDB's words; decimal(p,s) is the same in both.
_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "smallint": "SMALLINT",
    "tinyint": "TINYINT",
    "double": "DOUBLE",
    "float": "FLOAT",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "binary": "BLOB",
}

_NO_FUNCTION = re.compile(r"Function with name \"?(?P<name>\w+)\"? does not exist")
_KIND_OF_ERROR = re.compile(r"^[\w ]+ Error: ")
# Lines of text are read in blocks of about so many characters.
_BLOCK_CHARACTERS = 16 * 1024 * 1024


class Lake:
    """The tables of a lake folder in DuckDB: exactly the files of the catalog's partitions, and no other file."""

    def __init__(self, folder: "LakeFolder") -> None:
        self._folder = folder
        self._tables = {(table.database.lower(), table.name.lower()): table for table in folder.tables()}
        self._names: dict[str, list[str]] = {}
        for database, name in sorted(self._tables):
            self._names.setdefault(database, []).append(name)
        self._default = schema.DATABASE if schema.DATABASE in self._names else next(iter(self._names), schema.DATABASE)
        self._on_exit = contextlib.ExitStack()
        self._connection = self._on_exit.enter_context(self._connect())

    def __enter__(self) -> "Lake":
        return self

    def __exit__(self, *_: object) -> None:
        self._on_exit.close()

    def answer(self, sql: str, most: int | None = None) -> Answer:
        """The answer to one query in Athena's SQL, at most `most` rows of it; QueryFailed says why there is none."""
        if wanted := listing(sql):
            return self._listed(wanted)
        translated = to_duckdb(sql, self._names, self._default)
        if not (translated.paths or any(self._tables[read].is_text for read in translated.tables)):
            return _fetched(self._connection, translated.sql, most)
        with self._connect(translated) as connection:
            return _fetched(connection, translated.sql, most)

    def tables(self) -> "list[CatalogTable]":
        """Tables and views, by database and name."""
        return [table for _, table in sorted(self._tables.items())]

    def saved_queries(self) -> "list[SavedQuery]":
        """Athena's saved queries."""
        return self._folder.saved_queries()

    def told(self) -> str:
        """Nothing: what is asked here costs nothing."""
        return ""

    def rows(self) -> dict[tuple[str, str], int]:
        """Number of rows by database and table; those of views and of uploaded text are not counted."""
        counted = [name for name, table in self._tables.items() if table.view_sql is None and not table.is_text]
        selects = [
            f"SELECT {place}, COUNT(*) FROM {_identifier(database)}.{_identifier(name)}"  # noqa: S608 - all parts are quoted
            for place, (database, name) in enumerate(counted)
        ]
        answer = _fetched(self._connection, " UNION ALL ".join(selects)) if selects else Answer([], [])
        return {counted[place]: rows for place, rows in answer.rows}

    @contextlib.contextmanager
    def _connect(self, query: Translated | None = None) -> Iterator["duckdb.DuckDBPyConnection"]:
        """All tables and views. For a `query`, those of text have their lines if it reads them, and if it asks for
        paths, every table is there a second time with the column "$path".
        """
        import duckdb

        objects = _Objects(self._folder)
        files: list[Path] = []
        with (
            tempfile.TemporaryDirectory() as temporary,
            duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"}) as connection,
        ):
            for database in self._names:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_identifier(database)}")
            for table_name, table in sorted(self._tables.items(), key=lambda item: item[1].view_sql is not None):
                if table.view_sql is not None:
                    found = to_duckdb(table.view_sql, self._names, table.database.lower()).sql
                    _create_view(connection, table_name, found, found if query and query.paths else None)
                    continue
                sources = _sources(table, objects)
                if table.is_text:
                    wanted = query is not None and table_name in query.tables
                    sources = _lines(sources, Path(tempfile.mkdtemp(dir=temporary))) if wanted else []
                files += [source.path for source in sources]
                paths = _select(table, sources, paths=True) if query and query.paths else None
                _create_view(connection, table_name, _select(table, sources), paths)
            _secure(connection, files)
            yield connection

    def _listed(self, wanted: "Listing") -> Answer:
        match wanted.kind, wanted.name:
            case "databases", _:
                return Answer(["database_name"], [(database,) for database in self._names])
            case "tables", database:
                return Answer(["tab_name"], [(name,) for name in self._names.get(database or self._default, [])])
            case kind, name:
                table = self._tables[resolve(name or "", self._names, self._default)]
                if kind == "partitions":
                    return Answer(["partition"], [(_partition_path(table, values),) for values, _ in table.partitions])
                columns = [(*column, "") for column in table.columns] + [
                    (*column, "partition key") for column in table.partition_keys
                ]
                if kind == "columns":
                    return Answer(["column"], [(column[0],) for column in columns])
                return Answer(["col_name", "data_type", "comment", "role"], columns)


def _plain(message: str) -> str:
    """DuckDB's message about a query that was Athena's."""
    if missing := _NO_FUNCTION.search(message):
        return (
            f"There is no function {missing['name']} here. If Athena has it, it is Athena's but is not available here; "
            "write the query without it."
        )
    return _KIND_OF_ERROR.sub("", message)


class _Objects:
    """The files of the lake by key, found by prefix."""

    def __init__(self, folder: "LakeFolder") -> None:
        found = sorted((stored.key, path) for stored, path in folder.objects())
        self._keys = [key for key, _ in found]
        self._paths = [path for _, path in found]

    def below(self, prefix: str) -> list[tuple[str, Path]]:
        """Keys that start with `prefix`, sorted, with their files."""
        first = bisect.bisect_left(self._keys, prefix)
        after = bisect.bisect_left(self._keys, prefix + chr(0x10FFFF))
        return list(zip(self._keys[first:after], self._paths[first:after], strict=True))


def _fetched(connection: "duckdb.DuckDBPyConnection", translated: str, most: int | None = None) -> Answer:
    import duckdb

    try:
        result = connection.execute(translated)
        columns = [str(column[0]) for column in result.description or []]
        rows = result.fetchall() if most is None else result.fetchmany(most)
    except duckdb.Error as error:
        # What follows shows a place in the translated query, which the reader never saw.
        raise QueryFailed(_plain(str(error).split("\n\nLINE ", maxsplit=1)[0])) from error
    return Answer(columns, rows)


def _create_view(
    connection: "duckdb.DuckDBPyConnection", name: tuple[str, str], select: str, select_with_path: str | None
) -> None:
    database, table = name
    connection.execute(f"CREATE VIEW {_identifier(database)}.{_identifier(table)} AS {select}")
    if select_with_path is not None:
        connection.execute(f"CREATE VIEW {_identifier(database)}.{_identifier(with_path(table))} AS {select_with_path}")


def _secure(connection: "duckdb.DuckDBPyConnection", files: list[Path]) -> None:
    """From here on the connection opens no file but these, and nobody can make it (DuckDB, "Securing DuckDB")."""
    for setting in (
        "TimeZone = 'UTC'",
        "integer_division = true",
        "python_enable_replacements = false",
        f"allowed_paths = [{', '.join(map(_path, files))}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


@dataclass(frozen=True)
class _Source:
    """A Parquet file of a table, the object that it is, and the values of its partition."""

    path: Path
    key: str
    values: tuple[str, ...] = ()


def _sources(table: "CatalogTable", objects: _Objects) -> list[_Source]:
    partitions = table.partitions if table.partition_keys else [([], table.location)]
    return [_Source(path, key, tuple(values)) for values, prefix in partitions for key, path in objects.below(prefix)]


def _lines(sources: list[_Source], folder: Path) -> list[_Source]:
    """Text files as Parquet files of their lines, in `folder`. As Athena reads them: UTF-8, and gzip by name."""
    import polars as pl

    found: list[_Source] = []
    for source in sources:
        open_text = gzip.open if source.key.endswith(".gz") else open
        try:
            with open_text(source.path, "rt", encoding="utf-8-sig", errors="replace") as text:
                while lines := text.readlines(_BLOCK_CHARACTERS):
                    block = folder / f"{len(found)}.parquet"
                    pl.DataFrame({"line": [line.removesuffix("\n") for line in lines]}).write_parquet(block)
                    found.append(_Source(block, source.key))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise QueryFailed(
                f"{source.key} is damaged: it cannot be unpacked, neither here nor by Athena. Upload it again, or "
                f"delete it."
            ) from error
    return found


def _select(table: "CatalogTable", sources: list[_Source], paths: bool = False) -> str:
    """The table as a query over its files; with `paths`, it has the column "$path" as well.

    Columns are found by name, as Athena finds them in Parquet; one that a file lacks is null. Without any file the
    table has its columns and no rows.
    """
    typed = [(name, _duckdb_type(kind)) for name, kind, _ in (*table.columns, *table.partition_keys)]
    if paths:
        typed.append((PATH, "VARCHAR"))
    nothing = ", ".join(f"NULL::{kind} AS {_identifier(name)}" for name, kind in typed)
    branches = [f"SELECT {nothing} WHERE false"]
    # What is alike but for the file is one branch: there may be many files.
    for (values, key), group in itertools.groupby(sources, key=lambda one: (one.values, one.key if paths else "")):
        keys = "".join(
            f", {_text(value)} AS {_identifier(name)}"
            for (name, _, _), value in zip(table.partition_keys, values, strict=True)
        )
        if paths:
            keys += f", {_text(f's3://{table.bucket}/{key}')} AS {_identifier(PATH)}"
        # The folders look like Hive's but have more levels than the table has partition keys.
        files = ", ".join(_path(one.path) for one in group)
        source = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
        branches.append(f"SELECT *{keys} FROM {source}")  # noqa: S608 - all parts are quoted
    columns = ", ".join(f"CAST({_identifier(name)} AS {kind}) AS {_identifier(name)}" for name, kind in typed)
    return f"SELECT {columns} FROM ({' UNION ALL BY NAME '.join(branches)})"  # noqa: S608


def _duckdb_type(hive_type: str) -> str:
    kind = hive_type.lower().strip()
    if re.fullmatch(r"decimal\(\d+, ?\d+\)", kind):
        return kind
    return _TYPES.get(kind, "VARCHAR")


def _partition_path(table: "CatalogTable", values: Any) -> str:
    return "/".join(f"{name}={value}" for (name, _, _), value in zip(table.partition_keys, values, strict=True))


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _path(path: Path) -> str:
    return _text(str(path.resolve()))
