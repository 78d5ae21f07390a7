"""`energy query`: the tables in SQL, as Athena would answer it on this machine, or does for a stack."""

import re
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

from cli import output, sources
from cli.dialect import QueryFailed
from cli.output import Answer, fail

if TYPE_CHECKING:
    from typer._click.core import Context

    from cli.sources import Tables
    from local.lake_folder import SavedQuery

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


def query(  # noqa: PLR0913, PLR0917 - options of the command
    sql: Annotated[
        str | None,
        typer.Argument(metavar="[SQL]", help="One query in Athena's SQL; - reads it from stdin.", show_default=False),
    ] = None,
    saved: Annotated[
        str | None, typer.Option(metavar="NAME", help="Ask a saved query instead.", show_default=False)
    ] = None,
    list_saved: Annotated[bool, typer.Option("--list", help="List the saved queries.")] = False,
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    output_format: Annotated[Format, typer.Option("--format", help="How to print the answer.")] = Format.TABLE,
) -> None:
    """Ask the tables something in Athena's SQL.

    Tables are those of the Glue catalog; energy_db need not be named. `energy tables` explains them. For a stack Athena
    itself answers, and what it scanned is told.
    """
    from rich.console import Console

    if [sql is not None, saved is not None, list_saved].count(True) != 1:
        fail("Give one of: a query, --saved NAME, --list.", code=2)
    if sql == "-":
        sql = sys.stdin.read()
    try:
        # One row more than a table shows tells that there are more.
        most = output.MAX_TABLE_ROWS + 1 if output_format is Format.TABLE else None
        with sources.opened(lake, stack) as tables:
            if list_saved:
                answer = _listed(tables.saved_queries(), with_sql=output_format is not Format.TABLE)
            else:
                answer = tables.answer(sql if sql is not None else _sql_of(saved, tables), most)
            told = "" if list_saved else tables.told()
    except QueryFailed as failure:
        fail(str(failure))
    match output_format:
        case Format.TABLE:
            output.print_table(answer, Console())
        case Format.CSV:
            output.write_text(output.to_csv(answer))
        case Format.JSON:
            output.write_text(output.to_json(answer) + "\n")
    if told:
        typer.echo(told, err=True)


def _listed(saved: "list[SavedQuery]", with_sql: bool) -> Answer:
    if with_sql:
        return Answer(["name", "description", "sql"], [(one.name, one.description, one.sql) for one in saved])
    return Answer(["name", "what it answers"], [(one.name, one.description) for one in saved])


def _sql_of(name: str | None, tables: "Tables") -> str:
    saved = {one.name: one.sql for one in tables.saved_queries()}
    if name not in saved:
        there_are = f"There are: {', '.join(saved)}." if saved else "There are none yet; the next energy run adds them."
        raise QueryFailed(f"There is no saved query {name}. {there_are}")
    return saved[name]
