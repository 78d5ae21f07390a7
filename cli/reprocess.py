"""`energy reprocess`: whatever lies under raw/ and is not published worked off, of a few sites or of all."""

import contextlib
import datetime as dt
import json
import secrets
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import daily, pipelines, sources
from cli import stack as stacks
from cli.output import fail, safe, write_text

if TYPE_CHECKING:
    from rich.console import Console

    from cli.pipelines import Pipeline
    from energy.backlog import UploadsFound

# Labels of the state machine's maps.
_READING, _PUBLISHING = "ReadUploads", "PublishSites"
# Errors whose cause is a whole sentence for people.
_SPEAK_FOR_THEMSELVES = {"InputRejected", "UploadRejected", "SiteConfigInvalid"}
_NOT_DONE = ("failed", "timedOut", "aborted")
_LOOK_SECONDS = 0.5
# A lake folder whose process is killed has lost no more than this, or, where saving is slow, ten times what it takes.
_SAVE_SECONDS, _WORK_PER_SAVE = 5.0, 10.0
# Of what failed, so much is shown; --json has all of it.
_MOST_SHOWN = 20
_INTERRUPTED = 130
# How a run ends that has noted what failed.
_INCOMPLETE = "BacklogIncomplete"


@dataclass(frozen=True)
class Counts:
    """What became of the items of a map, in all its runs."""

    total: int = 0
    done: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Failure:
    """An upload that was not read, or (`what`: site) a site that was not published."""

    what: str
    site: str
    key: str
    why: str


@dataclass(frozen=True)
class Run:
    """A run through the backlog that has ended. `status` as Step Functions names it; `why` it came to nothing, where it
    did not end by saying what failed.
    """

    name: str
    status: str
    uploads: Counts
    sites: Counts
    failures: list[Failure]
    why: str | None = None

    @property
    def went_well(self) -> bool:
        """Whether nothing was refused and nothing failed."""
        return self.status == "SUCCEEDED" and not self.uploads.failed and not self.sites.failed


def reprocess(  # noqa: PLR0913, PLR0917 - options of the command
    sites: Annotated[
        list[str] | None, typer.Argument(metavar="[SITE]…", help="Only these sites.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All sites.")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Also what is published as it should be.")] = False,
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    timezone: sources.SitesTimezoneOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be read, and start nothing.")] = False,
    wait: Annotated[bool, typer.Option(help="Show how it gets on, until it is done.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of it as JSON.")] = False,
) -> None:
    """Work off what lies under raw/ and is not published as it should be: by the configuration and the code of now.

    Many uploads are read at once, then each site is published once. What is published stays until what takes its place
    is complete; one bad file does not stop the others. On AWS it goes on without this command, and the same command
    shows it again; whatever was stopped goes on where it was. Exit 1 if an upload was refused or something failed.
    """
    from rich.console import Console

    if bool(sites) == every:
        fail("Name sites, or give --all.", code=2)
    if not wait and stack is None:
        fail("--no-wait needs --stack: a lake folder is worked on by this command itself.", code=2)
    console = Console(stderr=as_json)
    folder = daily.check_lake(lake, stack)
    zone = None if stack else timezone or daily.zone_of_lake(folder, sites)
    wanted: dict[str, Any] = {"sites": sorted(set(sites or [])), "anew": anew}
    with stacks.refused(), pipelines.opened(lake, stack, zone, console) as pipeline:
        found = _found(pipeline, wanted)
        if not found.looked_at:
            fail(f"Nothing under raw/ belongs to {_in_words(wanted['sites'])}.")
        _show_found(found, dry_run, console)
        names = [] if dry_run else _runs(pipeline, wanted, found)
        runs = [_followed(pipeline, name, found, console) for name in names] if wait else []
    if as_json:
        told = {**wanted, "dry_run": dry_run, "found": found.model_dump(mode="json"), "started": names}
        write_text(json.dumps(told | {"runs": [asdict(run) for run in runs]}, indent=1, ensure_ascii=False) + "\n")
    for run in runs:
        _show_run(run, console)
    if found.problems.count or not all(run.went_well for run in runs):
        raise typer.Exit(1)


# ------------------------------------------------------------------------------------------------- finding, starting


def _found(pipeline: "Pipeline", wanted: dict[str, Any]) -> "UploadsFound":
    from energy.backlog import UploadsFound

    return UploadsFound.model_validate(pipeline.invoke("ListBacklogFunctionName", {"find": "uploads", **wanted}))


def _runs(pipeline: "Pipeline", wanted: dict[str, Any], found: "UploadsFound") -> list[str]:
    """The names of the runs to follow: one that is under way, and ours, unless that is it or there is nothing to do."""
    states, arn = pipeline.client("stepfunctions"), pipeline.output("BacklogArn")
    under_way = states.list_executions(stateMachineArn=arn, statusFilter=pipelines.RUNNING)["executions"]
    for one in under_way:
        described = states.describe_execution(executionArn=one["executionArn"])
        if json.loads(described["input"]) == wanted:
            return [str(one["name"])]
    if not found.listed and not found.waiting:
        return [str(one["name"]) for one in under_way]
    name = f"reprocess-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    states.start_execution(stateMachineArn=arn, name=name, input=json.dumps(wanted))
    return [name]


# ------------------------------------------------------------------------------------------------------- following


def _followed(pipeline: "Pipeline", name: str, found: "UploadsFound", console: "Console") -> Run:
    """Shows how a run gets on until it ends. Ctrl-C ends the showing; what was done by then is kept."""
    states = pipeline.client("stepfunctions")
    arn = f"{pipeline.output('BacklogArn').replace(':stateMachine:', ':execution:', 1)}:{name}"
    next_save = time.monotonic() + _SAVE_SECONDS
    with _Bars(console) as bars:
        try:
            while True:
                described = states.describe_execution(executionArn=arn)
                uploads, sites = _counts(states, arn, _READING), _counts(states, arn, _PUBLISHING)
                bars.show(uploads, found.listed + found.left, sites)
                if described["status"] != pipelines.RUNNING:
                    break
                if (began := time.monotonic()) >= next_save:
                    pipeline.save()
                    took = time.monotonic() - began
                    next_save = time.monotonic() + max(_SAVE_SECONDS, _WORK_PER_SAVE * took)
                time.sleep(max(_LOOK_SECONDS, pipeline.poll_seconds))
        except KeyboardInterrupt:
            goes_on = "it goes on, and" if pipeline.folder is None else "what is done is kept, and"
            console.print(f"Interrupted: {goes_on} the same command shows how it gets on.", style="yellow")
            raise typer.Exit(_INTERRUPTED) from None
    error = described.get("error")
    came_to_nothing = described["status"] != "SUCCEEDED" and error != _INCOMPLETE
    why = _why(error or described["status"], described.get("cause", "")) if came_to_nothing else None
    return Run(name, described["status"], uploads, sites, _failures(pipeline, name), why)


def _counts(states: Any, arn: str, label: str) -> Counts:
    told = [
        states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
        for run in states.list_map_runs(executionArn=arn)["mapRuns"]
        if f"/{label}:" in run["mapRunArn"]
    ]
    return Counts(
        total=sum(each["total"] for each in told),
        done=sum(each["succeeded"] for each in told),
        failed=sum(each[name] for each in told for name in _NOT_DONE),
    )


def _failures(pipeline: "Pipeline", run: str) -> list[Failure]:
    """What the run has noted, by site and key."""
    from energy import lake as layout

    s3 = pipeline.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=pipeline.bucket, Prefix=layout.backlog_notes_prefix(run)
    )
    failures = []
    for key in [found["Key"] for page in pages for found in page.get("Contents", [])]:
        note = json.loads(s3.get_object(Bucket=pipeline.bucket, Key=key)["Body"].read())
        failures.append(Failure(note["what"], note["site"], note["key"], _why(note["error"], note["cause"])))
    return sorted(failures, key=lambda one: (one.site, one.key))


def _why(error: str, cause: str) -> str:
    """Why something failed, in the words of whatever failed in it: of an execution, those that it ended with."""
    from local.history import words_of

    with contextlib.suppress(ValueError, KeyError, TypeError):
        ended = json.loads(cause)
        error, cause = ended["Error"], ended["Cause"]
    return words_of("" if error in _SPEAK_FOR_THEMSELVES else error, cause)


class _Bars:
    """Two bars in a terminal; elsewhere a line whenever another tenth is done."""

    def __init__(self, console: "Console") -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks = {
            what: self._progress.add_task(what, total=None, told="") for what in ("Read uploads", "Publish sites")
        }
        self._tenths: dict[str, int] = {}

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, uploads: Counts, uploads_to_read: int, sites: Counts) -> None:
        for what, counts, total in (
            ("Read uploads", uploads, max(uploads.total, uploads_to_read)),
            ("Publish sites", sites, sites.total),
        ):
            ended = counts.done + counts.failed
            told = f"{counts.failed:,} failed, {total - ended:,} left"
            self._progress.update(self._tasks[what], completed=ended, total=total or None, told=told)
            tenth = 10 * ended // total if total else 0
            if not self._console.is_terminal and tenth > self._tenths.get(what, 0):
                self._console.print(f"{what}: {ended:,} of {total:,}, {told}", highlight=False)
            self._tenths[what] = tenth


# --------------------------------------------------------------------------------------------------------- telling


def _in_words(sites: list[str]) -> str:
    return f"the site {sites[0]}" if len(sites) == 1 else "these sites" if sites else "any site"


def _show_found(found: "UploadsFound", dry_run: bool, console: "Console") -> None:
    from rich.text import Text

    parts = {
        "published": found.published,
        "refused before (energy problems)": found.refused,
        "read, and waiting to be published": found.waiting,
        "to be read": found.listed + found.left,
    }
    counted = ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
    looked = f"{found.looked_at:,} upload{'' if found.looked_at == 1 else 's'}"
    console.print(Text(f"{looked}: {counted or 'none can be read'}."), soft_wrap=True)
    for problem in found.problems.shown:
        console.print(Text(f"✗ {safe(problem)}", style="red"), soft_wrap=True)
    if dry_run:
        for key in found.shown.shown:
            console.print(Text.assemble("• ", (safe(key), "bold"), "  would be read"), soft_wrap=True)
        hidden = found.listed + found.left - len(found.shown.shown)
        if hidden:
            console.print(f"  and {hidden:,} more", style="dim", highlight=False)


def _show_run(run: Run, console: "Console") -> None:
    from rich.text import Text

    text = f"{run.uploads.done:,} uploads read, {run.uploads.failed:,} not; {run.sites.done:,} sites published"
    text += f", {run.sites.failed:,} not." if run.sites.failed else "."
    console.print(Text(text, style="green" if run.went_well else "yellow"), soft_wrap=True)
    for one in run.failures[:_MOST_SHOWN]:
        what = f"the site {one.site} was not published" if one.what == "site" else one.key
        console.print(Text.assemble(("✗ ", "red"), (safe(what), "bold"), f"  {safe(one.why)}"), soft_wrap=True)
    hidden = len(run.failures) - _MOST_SHOWN
    if hidden > 0:
        console.print(f"  and {hidden:,} more: --json", style="dim", highlight=False)
    if run.why:
        text = f"The run {run.name} came to its end too soon, by {safe(run.why)}. The same command goes on."
        console.print(Text(text, style="red"), soft_wrap=True)
