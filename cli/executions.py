"""`energy executions` and `energy redrive`: what became of uploads, and what failed run again."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import daily, pipelines, sources
from cli import stack as stacks
from cli.output import fail, safe, write_text
from energy.failures import REDRIVE_DAYS

if TYPE_CHECKING:
    from rich.console import Console

    from cli.pipelines import Pipeline
    from local.history import ExecutionRecord

LATEST_REDRIVE = dt.timedelta(days=REDRIVE_DAYS)
# They ran to the end of what the state machine does about it: the state that a redrive would go on from is that end.
RAN_TO_THEIR_END = {
    "UploadRejected": "correct the file and upload it again under the same name",
    "RejectionNotTold": "tell whoever uploaded it, to correct the file and upload it again under the same name",
    "ReportMissing": "the numbers are published; when what its error says is mended, the report is made by",
    "PublicationConflicted": "the file is read and waits for the next publication of its site, which is made by",
}
_FILES_OWN_FAULT = ("UploadRejected", "RejectionNotTold")
_WENT_WRONG = ("FAILED", "TIMED_OUT", "ABORTED")
# Each has to be described to know its upload: a person who wants more names the execution.
_MOST_LOOKED_AT = 500
_NAME_LENGTH = 80

SiteOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only executions of this site's uploads.", show_default=False)
]


def executions(  # noqa: PLR0913, PLR0917 - options of the command
    name: Annotated[
        str | None,
        typer.Argument(metavar="[EXECUTION]", help="Show every state of this one.", show_default=False),
    ] = None,
    site: SiteOption = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that did not succeed.")] = False,
    most: Annotated[int, typer.Option(min=1, max=_MOST_LOOKED_AT, help="How many at most, the newest first.")] = 20,
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Show what became of uploads: when, how long, where it failed and why, and what to do then.

    A lake folder keeps the newest 500. Exit 1 if there is no execution of that name.
    """
    from rich.console import Console

    with stacks.refused():
        found = _named(name, lake, stack) if name else _newest(lake, stack, site, failed, most)
    if as_json:
        write_text(json.dumps([_document(each) for each in found], indent=1, ensure_ascii=False) + "\n")
        return
    console = Console()
    for each in found:
        _show(each, pipelines.where(lake, stack), console)
        if name:
            _show_states(each, console)
    if not found:
        console.print("No executions.", style="dim")


def redrive(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[EXECUTION]…", help="The ones that failed.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that failed within a week and can go on.")] = False,
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print how each ended as JSON.")] = False,
) -> None:
    """Let failed executions go on, once you have removed the cause, and follow them to their end.

    On AWS each goes on at the state that failed. In a lake folder a new execution with the same input begins at the
    first state and publishes the same. Exit 1 if one fails again, or cannot go on.
    """
    from rich.console import Console

    if bool(names) == every:
        fail("Name executions (energy executions --failed shows them), or give --all.", code=2)
    console = Console(stderr=as_json)
    with stacks.refused():
        if names:
            known = [one for name in dict.fromkeys(names) for one in _named(name, lake, stack)]
        else:
            # In the order in which their uploads came.
            newest = _newest(lake, stack, None, True, _MOST_LOOKED_AT)
            known = [one for one in reversed(newest) if _why_not(one) is None]
        for one in known:
            if why := _why_not(one):
                fail(f"{one.name} cannot go on: {why}.{_commands(one, pipelines.where(lake, stack))}")
        if not known:
            console.print("Nothing that failed can go on.", highlight=False)
        ended = _redriven(known, lake, stack, console) if known else []
    if as_json:
        write_text(json.dumps([_document(each) for each in ended], indent=1, ensure_ascii=False) + "\n")
    if any(each.status != "SUCCEEDED" for each in ended):
        raise typer.Exit(1)


# ----------------------------------------------------------------------------------------------------------- finding


def _named(name: str, lake: Path | None, stack: str | None) -> "list[ExecutionRecord]":
    if stack is None:
        folder = sources.open_folder(daily.check_lake(lake, stack))
        found = next((one for one in reversed(folder.executions()) if one.name == name), None)
    else:
        sources.check_one_place(lake, stack)
        found = pipelines.of_stack(stack).execution(name.rpartition(":")[2])
    if found is None:
        fail(f"There is no execution {name}; energy executions {pipelines.where(lake, stack)} lists them.")
    return [found]


def _newest(lake: Path | None, stack: str | None, site: str | None, failed: bool, most: int) -> "list[ExecutionRecord]":
    """The newest executions, newest first."""
    if stack is None:
        looked_at = reversed(sources.open_folder(daily.check_lake(lake, stack)).executions())
    else:
        sources.check_one_place(lake, stack)
        looked_at = _of_stack(pipelines.of_stack(stack), failed)
    wanted = (
        each
        for each in looked_at
        if (not failed or each.status in _WENT_WRONG) and (site is None or _site(each) == site)
    )
    return list(islice(wanted, most))


def _of_stack(pipeline: "Pipeline", failed: bool) -> "Iterator[ExecutionRecord]":
    """Newest first; those that failed with the state that they failed in."""
    statuses = _WENT_WRONG if failed else (None,)
    listed = [list(islice(pipeline.executions(status), _MOST_LOOKED_AT)) for status in statuses]
    newest = sorted((each for found in listed for each in found), key=lambda each: each[1], reverse=True)
    for name, _ in newest[:_MOST_LOOKED_AT]:
        found = pipeline.execution(name, with_states=False)
        if found is not None and found.status in _WENT_WRONG:
            found = pipeline.execution(name)
        if found is not None:
            yield found


def _site(execution: "ExecutionRecord") -> str:
    from energy import lake as layout

    return layout.site_of_key(execution.key)


# --------------------------------------------------------------------------------------------------------- redriving


def _why_not(execution: "ExecutionRecord") -> str | None:
    """Why an execution cannot go on; null if it can."""
    if execution.status not in _WENT_WRONG:
        return f"it is {execution.status}"
    if execution.error in RAN_TO_THEIR_END:
        return f"it ended with {execution.error}; {RAN_TO_THEIR_END[execution.error]}"
    ended = dt.datetime.fromisoformat(execution.ended or execution.started)
    if dt.datetime.now(dt.UTC) - ended > LATEST_REDRIVE:
        return "it ended more than a week ago, and what it had written may be gone"
    return None


def _commands(execution: "ExecutionRecord", where: str) -> str:
    """What to type instead of, or for, a redrive; empty where the file has to be uploaded again."""
    if execution.error in _FILES_OWN_FAULT:
        return ""
    if _why_not(execution) is None:
        return f" energy redrive {execution.name} {where}".rstrip()
    return f" energy reprocess {_site(execution)} {where}".rstrip()


def _redriven(
    known: "list[ExecutionRecord]", lake: Path | None, stack: str | None, console: "Console"
) -> "list[ExecutionRecord]":
    from rich.text import Text

    from cli import progress

    zone = None if stack else daily.zone_of_lake(daily.check_lake(lake, stack))
    ended = []
    with pipelines.opened(lake, stack, zone, console) as pipeline:
        started = [_again(pipeline, one) for one in known]
        for one, name in zip(known, started, strict=True):
            console.print(Text.assemble("\n", (safe(one.key or name), "bold")), soft_wrap=True)
            progress.show(pipeline.follow(name), console)
            ended.append(pipeline.ended(name))
            if ended[-1].why:
                console.print(Text(safe(ended[-1].why), style="red"), soft_wrap=True)
    return ended


def _again(pipeline: "Pipeline", execution: "ExecutionRecord") -> str:
    """Lets an execution go on; the name of the one that does."""
    if pipeline.folder is None:
        pipeline.client("stepfunctions").redrive_execution(executionArn=pipeline.arn_of(execution.name))
        return execution.name
    before = {one.name for one in pipeline.folder.executions()}
    numbers = (f"-redrive-{number}" for number in range(1, len(before) + 2))
    first = execution.name.partition("-redrive-")[0]
    names = (first[: _NAME_LENGTH - len(ending)] + ending for ending in numbers)
    name = next(name for name in names if name not in before)
    pipeline.start(name, execution.input)
    return name


# ----------------------------------------------------------------------------------------------------------- telling


def _document(execution: "ExecutionRecord") -> dict[str, Any]:
    told = {"key": execution.key, "seconds": execution.seconds, "why": execution.why}
    return {**asdict(execution), **told}


def _show(execution: "ExecutionRecord", where: str, console: "Console") -> None:
    from rich.text import Text

    mark, colour = {"SUCCEEDED": ("✓", "green"), pipelines.RUNNING: ("…", "cyan")}.get(execution.status, ("✗", "red"))
    took = "" if execution.seconds is None else f", {execution.seconds:.1f} s"
    when = execution.started[:19].replace("T", " ")
    line = Text.assemble((f"{mark} ", colour), (safe(execution.key or "no upload"), "bold"), f"  {when} UTC{took}  ")
    line.append(execution.status, style=colour)
    if execution.failed_at:
        line.append(f" at {execution.failed_at}", style=colour)
    console.print(line, soft_wrap=True)
    console.print(Text(f"  execution {safe(execution.name)}", style="dim"), soft_wrap=True)
    if execution.why:
        console.print(Text(f"  {safe(execution.why)}", style="red"), soft_wrap=True)
        why_not = _why_not(execution)
        advice = f"{why_not}.{_commands(execution, where)}" if why_not else f"then:{_commands(execution, where)}"
        console.print(Text(f"  {advice}"), soft_wrap=True)


def _show_states(execution: "ExecutionRecord", console: "Console") -> None:
    from rich.text import Text

    for visit in execution.states:
        fine = visit.status == "succeeded"
        line = Text.assemble(("  ✓ " if fine else "  ✗ ", "green" if fine else "red"), f"{safe(visit.state)}  ")
        line.append(f"{visit.seconds:.1f} s", style="dim")
        console.print(line, soft_wrap=True)
        for failure in visit.failures:
            console.print(Text(f"    failed attempt: {safe(failure)}", style="yellow"), soft_wrap=True)
