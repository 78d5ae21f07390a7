"""`energy gc`: what no manifest has named for a week, removed."""

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from cli import daily, sources
from cli.output import Answer, print_table, safe, write_text

if TYPE_CHECKING:
    from rich.console import Console

    from energy.garbage import Collected

_UNITS = ("bytes", "KB", "MB", "GB", "TB")
_THOUSAND = 1000


def gc(
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was removed as JSON.")] = False,
) -> None:
    """Remove results that nothing published has named for a week.

    Uploads, configuration and what is published are never touched. A deployed stack does this by itself once a day.
    Exit 1 if something needs a person.
    """
    from rich.console import Console

    from energy.garbage import Collected

    console = Console(stderr=as_json)
    folder = daily.check_lake(lake, stack)
    event = {"dry_run": dry_run}
    if stack:
        answer = daily.invoke_on_aws(stack, "CollectGarbageFunctionName", event)
    else:
        with ExitStack() as context:
            aws = daily.open_lake(context, folder, None, console)
            answer = daily.invoke_locally(aws, "collect_garbage", event)
    found = Collected.model_validate(answer)
    if as_json:
        write_text(json.dumps(answer, indent=1, ensure_ascii=False) + "\n")
    else:
        _show(found, console)
    if found.problems.count:
        raise typer.Exit(1)


def _show(found: "Collected", console: "Console") -> None:
    from rich.text import Text

    if found.removed.shown:
        rows = [(each.prefix, each.objects, each.bytes, each.last_modified.date()) for each in found.removed.shown]
        print_table(Answer(["prefix", "objects", "bytes", "last written"], rows), console)
    hidden = found.removed.count - len(found.removed.shown)
    if hidden:
        console.print(f"and {hidden:,} more prefixes", style="dim", highlight=False)
    done = "would be removed" if found.dry_run else "removed"
    told = f"{found.objects:,} of {found.looked_at:,} objects {done}, {_size(found.bytes)}."
    console.print(told if found.objects else f"No garbage among {found.looked_at:,} objects.", highlight=False)
    if found.waiting_sites:
        sites = "site was" if found.waiting_sites == 1 else "sites were"
        console.print(
            f"{found.waiting_sites:,} {sites} published within the last week, and what was published before is not "
            "known: their old results stay for now.",
            style="dim",
            highlight=False,
            soft_wrap=True,
        )
    for problem in found.problems.shown:
        console.print(Text(f"✗ {safe(problem)}.", style="red"), soft_wrap=True)


def _size(count: float) -> str:
    unit = 0
    while count >= _THOUSAND and unit < len(_UNITS) - 1:
        count, unit = count / _THOUSAND, unit + 1
    return f"{count:,.1f} {_UNITS[unit]}" if unit else f"{count:,.0f} {_UNITS[0]}"
