"""`energy tables`: what can be asked, and what every column means."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import output, sources
from cli.dialect import QueryFailed
from cli.output import Answer, fail

if TYPE_CHECKING:
    from rich.console import Console

    from local.lake_folder import CatalogTable


def tables(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="Explain the columns of this one.", show_default=False)
    ] = None,
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all tables with their columns as JSON.")] = False,
) -> None:
    """List the tables and views: what a row is, how many there are, and what each column means, with its unit."""
    from rich.console import Console

    try:
        with sources.opened(lake, stack) as opened:
            found = {one.name: one for one in opened.tables()}
            if table is not None and table.lower() not in found:
                fail(f"There is no table {table}. There are: {', '.join(found) or 'none yet'}.")
            shown = [found[table.lower()]] if table is not None else list(found.values())
            counted = {name: rows for (_, name), rows in opened.rows().items()}
            told = opened.told()
    except QueryFailed as failure:
        fail(str(failure))
    if as_json:
        described = [_as_json(one, counted.get(one.name)) for one in shown]
        output.write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n")
    elif table is not None:
        _explain(shown[0], counted.get(shown[0].name), Console())
    else:
        rows = [(one.name, counted.get(one.name, _kind(one)), one.description) for one in shown]
        output.print_table(Answer(["table", "rows", "one row is"], rows), Console())
    if told:
        typer.echo(told, err=True)


def _explain(table: "CatalogTable", rows: int | None, console: "Console") -> None:
    told = f"{rows:,} rows" if rows is not None else _kind(table)
    console.print(f"{table.name}: {told}. One row is {table.description}.", highlight=False, markup=False)
    described = [(*column, "") for column in table.columns] + [
        (*column, "partition key") for column in table.partition_keys
    ]
    output.print_table(Answer(["column", "type", "meaning", ""], described), console)


def _kind(table: "CatalogTable") -> str:
    return "view" if table.view_sql is not None else "text"


def _as_json(table: "CatalogTable", rows: int | None) -> dict[str, Any]:
    columns = [
        {"name": name, "type": kind, "meaning": meaning, "partition_key": is_key}
        for described, is_key in ((table.columns, False), (table.partition_keys, True))
        for name, kind, meaning in described
    ]
    kind = "table" if rows is not None else _kind(table)
    return {"name": table.name, "kind": kind, "rows": rows, "one_row_is": table.description, "columns": columns}
