"""Athena's SQL, checked to be a single statement that only reads, in DuckDB's words."""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

# Athena's own name for the Glue catalog, which it allows in front of a database.
GLUE_CATALOG = "awsdatacatalog"
INFORMATION_SCHEMA = "information_schema"
# Athena's hidden column: the S3 object that a row came from.
PATH = "$path"

_ONLY_READING = "Only reading is possible: give one SELECT, WITH, SHOW or DESCRIBE."
_NO_TRANSLATION = frozenset({"at_timezone", "map_agg", "multimap_agg", "parse_datetime", "with_timezone"})
# Joda's letters, as format_datetime takes them, in strftime's; the rest has no exact counterpart.
_JODA = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_PRINTF = re.compile(r"%%|%[-+0]?\d*(?:\.\d+)?(?P<kind>[dfs])")
_TOKEN = re.compile(r"<Token .*?text: (?P<text>.*?), line: .*?>", re.DOTALL)
_NAME = r'(?P<name>[\w."`]+)'
_LISTINGS: dict[str, re.Pattern[str]] = {
    kind: re.compile(pattern, re.IGNORECASE)
    for kind, pattern in {
        "databases": r"show\s+(databases|schemas)",
        "tables": rf"show\s+tables(\s+(in|from)\s+{_NAME})?",
        "columns": rf"show\s+columns\s+(in|from)\s+{_NAME}",
        "describe": rf"desc(ribe)?\s+((extended|formatted)\s+)?{_NAME}",
        "partitions": rf"show\s+partitions\s+{_NAME}",
    }.items()
}


class QueryFailed(Exception):
    """A query that gives no answer; the message says what was found, where, and what to do."""


@dataclass(frozen=True)
class Listing:
    """A SHOW or DESCRIBE, which the catalog itself answers. `name` is in lower case and may be missing."""

    kind: Literal["databases", "tables", "columns", "describe", "partitions"]
    name: str | None


def listing(sql: str) -> Listing | None:
    """What a SHOW or DESCRIBE asks for; None for anything else."""
    statement = sql.strip().rstrip(";").strip()
    for kind, pattern in _LISTINGS.items():
        if found := pattern.fullmatch(statement):
            name = found.groupdict().get("name")
            return Listing(kind, name.replace('"', "").replace("`", "").lower() if name else None)  # type: ignore[arg-type]
    return None


@dataclass(frozen=True)
class Translated:
    """A query in DuckDB's dialect, the tables that it reads (database, name; in lower case), and whether it asks for
    the files that rows came from (`paths`): then it reads each table under the name `with_path` gives it.
    """

    sql: str
    tables: frozenset[tuple[str, str]]
    paths: bool


def with_path(table: str) -> str:
    """What a table is called where it has the column "$path"."""
    return table + PATH


def to_duckdb(sql: str, tables: Mapping[str, Iterable[str]], default_database: str) -> Translated:
    """The query in DuckDB's dialect, with every table named by database and table.

    `tables` has the names of the lake's tables by database, in lower case. QueryFailed where the statement is not one
    query, would change something, or reads anything but these tables.
    """
    from sqlglot import exp

    query = _parse(sql)
    if isinstance(query, exp.Values):
        raise not_here("VALUES without SELECT", "write SELECT * FROM (VALUES …) AS t(a, b)")
    if isinstance(query, exp.Command | exp.Describe) and sql.lstrip().lower().startswith("explain"):
        raise not_here("EXPLAIN", "run the query itself")
    writing = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Into, exp.Command)
    if not isinstance(query, exp.Query) or query.find(*writing):
        raise QueryFailed(_ONLY_READING)
    known = {database: set(names) for database, names in tables.items()}
    paths = any(column.name.lower() == PATH for column in query.find_all(exp.Column))
    read = set()
    of_query = {common.alias.lower() for common in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise QueryFailed(f"{table.sql('athena')} is no table of the lake, and a query can read nothing else.")
        if not table.db and table.name.lower() in of_query:
            continue
        if table.db.lower() != INFORMATION_SCHEMA:
            read.add(_qualify(table, known, default_database, paths))
    for select in query.find_all(exp.Select):
        _name_columns(select)
        if paths:
            _leave_out_path(select)
    return Translated(str(query.transform(_translated).sql("duckdb")), frozenset(read), paths)


def not_here(what: str, instead: str) -> QueryFailed:
    """Says that something of Athena's is missing on this machine, and what to do."""
    return QueryFailed(f"{what} is Athena's but is not available here; {instead}.")


def resolve(name: str, tables: Mapping[str, Iterable[str]], default_database: str) -> tuple[str, str]:
    """Database and table that `name` (lower case, with or without database) means; QueryFailed where there is none."""
    database, _, table = name.removeprefix(f"{GLUE_CATALOG}.").rpartition(".")
    database = database or default_database
    if table in tables.get(database, ()):
        return database, table
    existing = sorted(f"{known}.{each}" for known, names in tables.items() for each in names)
    there_are = f"There are: {', '.join(existing)}." if existing else "There are none yet."
    raise QueryFailed(f"There is no table {database}.{table}. {there_are}")


def _parse(sql: str) -> Any:
    import sqlglot
    from sqlglot.errors import ParseError, TokenError

    # What it says there it also says by what it returns.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="athena") if statement is not None]
    except ParseError as error:
        raise QueryFailed(_where(sql, error.errors[0])) from error
    except TokenError as error:
        raise QueryFailed(f"Syntax error: {error}") from error
    if len(statements) != 1:
        raise QueryFailed(f"{len(statements)} statements were found. {_ONLY_READING}")
    return statements[0]


def _where(sql: str, error: Mapping[str, Any]) -> str:
    """The error with its line of the query and a mark below the place."""
    line, end = int(error["line"]), int(error["col"])
    column = max(1, end - len(error.get("highlight") or "") + 1)
    lines = sql.splitlines()
    shown = lines[line - 1] if line <= len(lines) else ""
    place = f"Syntax error at line {line}, column {column}"
    return f"{place}: {_plain(error['description'])}\n  {shown}\n  {' ' * (column - 1)}^"


def _plain(description: str) -> str:
    """The parser's words without the names of its classes."""
    if "<class" in description:
        return "something is missing here"
    return _TOKEN.sub(lambda found: found["text"] or "the end", description)


def _name_columns(select: Any) -> None:
    """Names what has no name as Athena does: _col0, _col1, … by place."""
    from sqlglot import exp

    for place, column in enumerate(select.expressions):
        if not isinstance(column.unnest(), exp.Alias | exp.Aliases | exp.Column | exp.Dot | exp.Star):
            select.expressions[place].replace(exp.alias_(column.copy(), f"_col{place}"))


def _translated(node: Any) -> Any:
    """What the two engines call or count differently, in DuckDB's words; QueryFailed where it has none."""
    from sqlglot import exp

    match node:
        case exp.DateDiff():
            # Athena counts whole units that have passed, as DuckDB's date_sub; its date_diff counts boundaries crossed.
            unit = exp.Literal.string(node.text("unit") or "day")
            return exp.Anonymous(this="date_sub", expressions=[unit, node.expression, node.this])
        case exp.AtTimeZone():
            # DuckDB has the words, but takes a timestamp without zone for local time there; Athena, for UTC.
            raise not_here("AT TIME ZONE", "choose between the columns timestamp (local) and timestamp_utc")
        case exp.Column() if node.name.startswith("$") and node.name.lower() != PATH:
            raise not_here(f'"{node.name}"', f'"{PATH}" says which file a row came from')
        case exp.Format():
            return _printf([node.this, *node.expressions])
        case exp.Anonymous():
            return _function(node)
    return node


def _function(node: Any) -> Any:
    from sqlglot import exp

    name = node.name.lower()
    if name == "format":
        return _printf(node.expressions)
    if name == "format_datetime" and len(node.expressions) == 2:
        moment, pattern = node.expressions
        parts = re.findall(r"[A-Za-z]+|[^A-Za-z]+", pattern.name) if pattern.is_string else ["unknown"]
        if any(part not in _JODA for part in parts if part[0].isalpha()) or "%" in pattern.name or "'" in pattern.name:
            raise not_here("This pattern of format_datetime", "write date_format(…, '%Y-%m-%d %H:%i:%s')")
        return exp.Anonymous(
            this="strftime",
            expressions=[moment, exp.Literal.string("".join(_JODA.get(part, part) for part in parts))],
        )
    if name in _NO_TRANSLATION:
        raise not_here(f"The function {name}", "write the query without it")
    return node


def _printf(arguments: list[Any]) -> Any:
    """DuckDB's format() knows other placeholders; its printf() knows Athena's %d, %s and %.2f, given the right type."""
    from sqlglot import exp

    pattern, *values = arguments
    found = [match["kind"] for match in _PRINTF.finditer(pattern.name)] if pattern.is_string else []
    kinds = [kind for kind in found if kind]
    if not pattern.is_string or "%" in _PRINTF.sub("", pattern.name) or len(kinds) != len(values):
        raise not_here("This use of format", "only %d, %s and %.2f with one value each are; or use round and CAST")
    types = {"f": "DOUBLE", "s": "VARCHAR"}
    cast = [exp.cast(value, types[kind]) if kind in types else value for kind, value in zip(kinds, values, strict=True)]
    return exp.Anonymous(this="printf", expressions=[pattern, *cast])


def _leave_out_path(select: Any) -> None:
    """What * stands for has no "$path", as in Athena."""
    import sqlglot
    from sqlglot import exp

    for column in select.expressions:
        if isinstance(column, exp.Star):
            column.replace(sqlglot.parse_one("COLUMNS('^[^$]')", read="duckdb"))


def _qualify(table: Any, known: Mapping[str, set[str]], default_database: str, paths: bool) -> tuple[str, str]:
    """Names the table in full; which one it is."""
    from sqlglot import exp

    database = table.db.lower()
    if table.catalog.lower() not in ("", GLUE_CATALOG):
        raise QueryFailed(f"There is no catalog {table.catalog}; the lake's tables are named database.table.")
    database, name = resolve(f"{database}.{table.name.lower()}".lstrip("."), known, default_database)
    table.set("catalog", None)
    table.set("db", exp.to_identifier(database))
    if paths and not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
    table.set("this", exp.to_identifier(with_path(name) if paths else name, quoted=paths))
    return database, name
