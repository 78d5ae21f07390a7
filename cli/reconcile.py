"""`energy reconcile`: uploads and deletions that were missed, started again."""

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from cli import daily, sources
from cli.output import safe, write_text

if TYPE_CHECKING:
    from rich.console import Console

    from energy.reconciliation import Reconciled, Start
    from local import LocalAws


def reconcile(
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    timezone: sources.SitesTimezoneOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what was missed, and start nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found and done as JSON.")] = False,
) -> None:
    """Find uploads and deletions that were missed, and start them.

    Missed is a file below raw/ whose current version is neither published nor refused, and one that was deleted and is
    still published. A deployed stack does this by itself once a day. Exit 1 if something needs a person.
    """
    from rich.console import Console

    from energy.reconciliation import Reconciled

    console = Console(stderr=as_json)
    folder = daily.check_lake(lake, stack)
    ended: dict[str, str] = {}
    if stack:
        answer = daily.invoke_on_aws(stack, "ReconcileFunctionName", {"dry_run": dry_run})
        found = Reconciled.model_validate(answer)
        if not as_json:
            _show(found, console)
    else:
        zone = timezone or daily.zone_of_lake(folder)
        with ExitStack() as context:
            aws = daily.open_lake(context, folder, zone, console)
            # Nobody else is at work in this folder, so nothing is under way.
            answer = daily.invoke_locally(aws, "reconcile", {"dry_run": dry_run, "grace_minutes": 0})
            found = Reconciled.model_validate(answer)
            if not as_json:
                _show(found, console)
            ended = _follow(aws, found, console)
    if as_json:
        write_text(json.dumps({**answer, "ended": ended}, indent=1, ensure_ascii=False) + "\n")
    if found.need_a_person or set(ended.values()) - {"SUCCEEDED"}:
        raise typer.Exit(1)


def _show(found: "Reconciled", console: "Console") -> None:
    from rich.text import Text

    looked = f"{found.looked_at:,} upload{'' if found.looked_at == 1 else 's'} looked at"
    young = f", {found.under_way:,} too young to tell" if found.under_way else ""
    missed = f"{found.missed:,} missed" if found.missed else "nothing was missed"
    console.print(Text(f"{looked}{young}: {missed}."), soft_wrap=True)
    if found.undelivered:
        events = f"{found.undelivered:,} event{'' if found.undelivered == 1 else 's'}"
        told = "wait in the queue, and would be delivered" if found.dry_run else "waited in the queue"
        console.print(Text(f"{events} {told}."), soft_wrap=True)
    for start in found.started.shown:
        _show_start(start, "would be started" if found.dry_run else "started", "green", console)
    _more(found.started.count - len(found.started.shown), console)
    for start in found.started_before.shown:
        status = f"started before, {start.status or 'gone'}"
        _show_start(start, status, "red" if start.advice else "yellow", console)
    _more(found.started_before.count - len(found.started_before.shown), console)
    if found.left_for_next_time:
        console.print(Text(f"{found.left_for_next_time:,} more are left for the next time.", style="yellow"))
    for problem in found.problems.shown:
        console.print(Text(f"✗ {safe(problem)}.", style="red"), soft_wrap=True)
    _more(found.problems.count - len(found.problems.shown), console)


def _show_start(start: "Start", status: str, colour: str, console: "Console") -> None:
    from rich.text import Text

    console.print(
        Text.assemble(("• ", colour), (safe(start.key), "bold"), f"  {start.why}: ", (status, colour)), soft_wrap=True
    )
    console.print(Text(f"  execution {start.execution}", style="dim"), soft_wrap=True)
    if start.advice:
        console.print(Text(f"  {safe(start.advice)}", style="red"), soft_wrap=True)


def _more(hidden: int, console: "Console") -> None:
    if hidden:
        console.print(f"  and {hidden:,} more", style="dim", highlight=False)


def _follow(aws: "LocalAws", found: "Reconciled", console: "Console") -> dict[str, str]:
    """Shows the executions that were started until all have ended; how each ended, by its name."""
    from rich.text import Text

    from cli import progress
    from cli.run import cause_of

    keys = {start.execution: start.key for start in found.started.shown}
    ended: dict[str, str] = {}
    # All executions since the local AWS has started are these.
    for arn in aws.executions():
        name = arn.rpartition(":")[2]
        console.print(Text.assemble("\n", (safe(keys.get(name, name)), "bold")), soft_wrap=True)
        progress.show(aws.follow(arn), console)
        done = aws.wait(arn)
        ended[name] = done.status
        if done.status != "SUCCEEDED":
            console.print(Text(safe(cause_of(done)), style="red"), soft_wrap=True)
    return ended
