"""The tables of a deployed stack, asked through Athena."""

import datetime as dt
import decimal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cli import stack
from cli.dialect import QueryFailed
from cli.output import Answer

if TYPE_CHECKING:
    from local.lake_folder import CatalogTable, SavedQuery

# What most regions charge, and for how little at least: https://aws.amazon.com/athena/pricing/, 2026.
USD_PER_TERABYTE = 5.0
LEAST_BYTES_CHARGED = 10 * 1024**2
_TERABYTE = 1024**4
_MEGABYTE = 1024**2
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 3.0

_PARSERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "decimal": decimal.Decimal,
    "boolean": lambda text: text == "true",
    "date": dt.date.fromisoformat,
    "timestamp": dt.datetime.fromisoformat,
}


class Athena:
    """Queries in the workgroup of a stack. `scanned_bytes` and `seconds` are those of the last one."""

    def __init__(self, stack_name: str) -> None:
        import boto3

        self._workgroup, self._database = stack.output(stack_name, "WorkGroup", "DatabaseName")
        with stack.refused():
            self._athena: Any = boto3.client("athena")
            self._glue: Any = boto3.client("glue")
        self.scanned_bytes = 0
        self.seconds = 0.0

    def answer(self, sql: str, most: int | None = None) -> Answer:
        """The answer to one statement, at most `most` rows of it; QueryFailed has Athena's reason why there is none.

        A query that is interrupted here is stopped there.
        """
        with stack.refused():
            started = self._athena.start_query_execution(
                QueryString=sql, WorkGroup=self._workgroup, QueryExecutionContext={"Database": self._database}
            )
            execution = started["QueryExecutionId"]
            try:
                self._wait(execution)
            except KeyboardInterrupt:
                self._athena.stop_query_execution(QueryExecutionId=execution)
                raise
            return self._result(execution, most)

    def rows(self) -> dict[tuple[str, str], int]:
        """Number of rows by database and table; those of views and of uploaded text are not counted.

        One query for all of them; Athena takes them from the metadata of the files.
        """
        names = [table.name for table in self.tables() if table.view_sql is None and not table.is_text]
        counts = [f"SELECT '{name}' AS name, COUNT(*) AS found FROM {name}" for name in names]  # noqa: S608
        answer = self.answer(" UNION ALL ".join(counts)) if counts else Answer([], [])
        return {(self._database, name): found for name, found in answer.rows}

    def tables(self) -> list["CatalogTable"]:
        """Tables and views of the database by name, without their partitions."""
        from local.lake_folder import catalog_table

        with stack.refused():
            pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=self._database)
            found = [catalog_table(self._database, table) for page in pages for table in page["TableList"]]
        return sorted(found, key=lambda table: table.name)

    def saved_queries(self) -> list["SavedQuery"]:
        """The saved queries of the workgroup, by name."""
        from local.lake_folder import SavedQuery

        with stack.refused():
            pages = self._athena.get_paginator("list_named_queries").paginate(WorkGroup=self._workgroup)
            ids = [each for page in pages for each in page["NamedQueryIds"]]
            found = [self._athena.get_named_query(NamedQueryId=each)["NamedQuery"] for each in ids]
        saved = [SavedQuery(each["Name"], each.get("Description", ""), each["QueryString"]) for each in found]
        return sorted(saved, key=lambda query: query.name)

    def told(self) -> str:
        """What the last query scanned, how long it took and about what it cost."""
        scanned = f"{self.scanned_bytes / _MEGABYTE:,.2f} MB"
        return f"Athena scanned {scanned} in {self.seconds:.1f} s: about ${cost_usd(self.scanned_bytes):.5f}."

    def _wait(self, execution: str) -> None:
        pause = _FIRST_WAIT_SECONDS
        while True:
            found = self._athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]
            status = found["Status"]
            if status["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                break
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_WAIT_SECONDS)
        statistics = found.get("Statistics", {})
        self.scanned_bytes = statistics.get("DataScannedInBytes", 0)
        self.seconds = statistics.get("TotalExecutionTimeInMillis", 0) / 1000
        if status["State"] != "SUCCEEDED":
            reason = status.get("StateChangeReason", "no reason was given")
            raise QueryFailed(f"Athena: {reason} (query {execution}, {status['State'].lower()})")

    def _result(self, execution: str, most: int | None) -> Answer:
        pages = self._athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution)
        columns: list[str] = []
        rows = []
        for found in self._rows_of(pages, columns):
            rows.append(found)
            if most is not None and len(rows) == most:
                break
        return Answer(columns, rows)

    def _rows_of(self, pages: Any, columns: list[str]) -> Iterator[tuple[Any, ...]]:
        for number, page in enumerate(pages):
            described = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            columns[:] = [column["Name"] for column in described]
            parsers = [_PARSERS.get(column["Type"], str) for column in described]
            for place, row in enumerate(page["ResultSet"]["Rows"]):
                texts = [cell.get("VarCharValue") for cell in row["Data"]]
                # A SELECT's first row repeats the names; that of SHOW or DESCRIBE does not.
                if (number, place) == (0, 0) and texts == columns:
                    continue
                yield tuple(None if text is None else parse(text) for parse, text in zip(parsers, texts, strict=False))


def cost_usd(scanned_bytes: int) -> float:
    """About what Athena charges for a query that scanned so much, US dollars: per megabyte begun, for 10 at least."""
    megabytes = -(-scanned_bytes // _MEGABYTE)
    return max(megabytes * _MEGABYTE, LEAST_BYTES_CHARGED) / _TERABYTE * USD_PER_TERABYTE
