"""`energy query`: the lake's tables in SQL, as Athena would answer it."""

import bisect
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from cli import output
from cli.dialect import QueryFailed, listing, resolve, to_duckdb
from cli.output import Answer, fail
from energy import schema

if TYPE_CHECKING:
    import duckdb
    from typer._click.core import Context

    from cli.dialect import Listing
    from local.lake_folder import CatalogTable, LakeFolder

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
_OPTION = re.compile(r"--[a-z][a-z-]*(=.*)?", re.DOTALL)


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class SqlCommand(TyperCommand):
    """A command whose argument may begin with a comment of SQL's, which is no option."""

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Puts such an argument behind the options."""
        comments = [arg for arg in args if arg.startswith("--") and arg != "--" and not _OPTION.fullmatch(arg)]
        if comments and "--" not in args:
            args = [*(arg for arg in args if arg not in comments), "--", *comments]
        return super().parse_args(ctx, args)


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One query in Athena's SQL; - reads it from stdin.", show_default=False)
    ],
    lake: Annotated[Path, typer.Option(metavar="DIR", help="The lake folder.")] = Path(".lake"),
    output_format: Annotated[Format, typer.Option("--format", help="How to print the answer.")] = Format.TABLE,
) -> None:
    """Ask the lake's tables something in Athena's SQL.

    Tables are those of the Glue catalog; energy_db need not be named. SHOW TABLES lists them, DESCRIBE TABLE_NAME
    explains the columns of one.
    """
    from rich.console import Console

    folder = open_folder(lake)
    if sql == "-":
        sql = sys.stdin.read()
    try:
        # One row more than a table shows tells that there are more.
        most = output.MAX_TABLE_ROWS + 1 if output_format is Format.TABLE else None
        with Lake(folder) as tables:
            answer = tables.answer(sql, most)
    except QueryFailed as failure:
        fail(str(failure))
    match output_format:
        case Format.TABLE:
            output.print_table(answer, Console())
        case Format.CSV:
            output.write_text(output.to_csv(answer))
        case Format.JSON:
            output.write_text(output.to_json(answer) + "\n")


def open_folder(path: Path) -> "LakeFolder":
    """The lake in that folder; ends the command where there is none."""
    from local.lake_folder import LakeFolder

    folder = LakeFolder(path)
    if not folder.exists():
        fail(f"There is no lake in {path}. Make one with: energy run FILE --lake {path}", code=2)
    return folder


class Lake:
    """The tables of a lake folder in DuckDB: exactly the files of the catalog's partitions, and no other file."""

    def __init__(self, folder: "LakeFolder") -> None:
        self._folder = folder
        self._tables = {(table.database.lower(), table.name.lower()): table for table in folder.tables()}
        self._names: dict[str, list[str]] = {}
        for database, name in sorted(self._tables):
            self._names.setdefault(database, []).append(name)
        self._default = schema.DATABASE if schema.DATABASE in self._names else next(iter(self._names), schema.DATABASE)
        self._connection = self._connect()

    def __enter__(self) -> "Lake":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def answer(self, sql: str, most: int | None = None) -> Answer:
        """The answer to one query in Athena's SQL, at most `most` rows of it; QueryFailed says why there is none."""
        import duckdb

        if wanted := listing(sql):
            return self._listed(wanted)
        translated = to_duckdb(sql, self._names, self._default)
        try:
            result = self._connection.execute(translated)
            columns = [str(column[0]) for column in result.description or []]
            rows = result.fetchall() if most is None else result.fetchmany(most)
        except duckdb.Error as error:
            # What follows shows a place in the translated query, which the reader never saw.
            raise QueryFailed(_plain(str(error).split("\n\nLINE ", maxsplit=1)[0])) from error
        return Answer(columns, rows)

    def _connect(self) -> "duckdb.DuckDBPyConnection":
        import duckdb

        connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
        objects = _Objects(self._folder)
        files: list[Path] = []
        for database in self._names:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_identifier(database)}")
        for (database, name), table in self._tables.items():
            view, read = _view(table, objects)
            connection.execute(f"CREATE VIEW {_identifier(database)}.{_identifier(name)} AS {view}")
            files += read
        # From here on the connection opens no file but these, and nobody can make it (DuckDB, "Securing DuckDB").
        for setting in (
            "TimeZone = 'UTC'",
            "integer_division = true",
            "python_enable_replacements = false",
            f"allowed_paths = [{', '.join(map(_path, files))}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {setting}")
        return connection

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

    def below(self, prefix: str) -> list[Path]:
        """Files whose key starts with `prefix`, sorted by key."""
        first = bisect.bisect_left(self._keys, prefix)
        after = bisect.bisect_left(self._keys, prefix + chr(0x10FFFF))
        return self._paths[first:after]


def _view(table: "CatalogTable", objects: _Objects) -> tuple[str, list[Path]]:
    """The table as a query over its partitions' files, and these files.

    Columns are found by name, as Athena finds them in Parquet; one that a file lacks is null. Without any file the
    table has its columns and no rows.
    """
    typed = [(name, _duckdb_type(kind)) for name, kind, _ in (*table.columns, *table.partition_keys)]
    nothing = ", ".join(f"NULL::{kind} AS {_identifier(name)}" for name, kind in typed)
    branches, read = [f"SELECT {nothing} WHERE false"], []
    partitions = table.partitions if table.partition_keys else [([], table.location)]
    for values, prefix in partitions:
        files = objects.below(prefix)
        if not files:
            continue
        keys = "".join(
            f", {_text(value)} AS {_identifier(name)}"
            for (name, _, _), value in zip(table.partition_keys, values, strict=True)
        )
        # The folders look like Hive's but have more levels than the table has partition keys.
        source = f"read_parquet([{', '.join(map(_path, files))}], union_by_name = true, hive_partitioning = false)"
        branches.append(f"SELECT *{keys} FROM {source}")  # noqa: S608 - all parts are quoted
        read += files
    columns = ", ".join(f"CAST({_identifier(name)} AS {kind}) AS {_identifier(name)}" for name, kind in typed)
    return f"SELECT {columns} FROM ({' UNION ALL BY NAME '.join(branches)})", read  # noqa: S608


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
