"""Gathers the commands of `energy`."""

from typing import Annotated

import typer

import energy
from cli.check import check
from cli.cost import cost
from cli.executions import executions, redrive
from cli.forget import forget
from cli.gc import gc
from cli.generate import generate
from cli.problems import problems
from cli.query import SqlCommand, query
from cli.reconcile import reconcile
from cli.report import report
from cli.reprocess import reprocess
from cli.run import run
from cli.smoke import smoke
from cli.tables import tables

READINGS = "Readings"
RESULTS = "Results"
OPERATIONS = "Operations"

app = typer.Typer(
    help="Electricity readings in; a lake, anomalies, a 7-day forecast and a report out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
app.command(rich_help_panel=READINGS)(generate)
app.command(rich_help_panel=READINGS)(check)
app.command(rich_help_panel=READINGS)(run)
app.command(rich_help_panel=RESULTS)(report)
app.command(rich_help_panel=RESULTS, cls=SqlCommand)(query)
app.command(rich_help_panel=RESULTS)(tables)
app.command(rich_help_panel=RESULTS)(problems)
app.command(rich_help_panel=OPERATIONS)(executions)
app.command(rich_help_panel=OPERATIONS)(redrive)
app.command(rich_help_panel=OPERATIONS)(reprocess)
app.command(rich_help_panel=OPERATIONS)(reconcile)
app.command(rich_help_panel=OPERATIONS)(gc)
app.command(rich_help_panel=OPERATIONS)(forget)
app.command(rich_help_panel=OPERATIONS)(cost)
app.command(rich_help_panel=OPERATIONS)(smoke)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"energy {energy.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Electricity readings in; a lake, anomalies, a 7-day forecast and a report out."""


if __name__ == "__main__":
    app()
