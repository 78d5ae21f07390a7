"""`energy run`: files through the whole pipeline, on this machine."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import checks
from cli.output import fail, safe
from energy import lake as layout

if TYPE_CHECKING:
    from rich.console import Console

    from local import Execution, LocalAws

_LOG_LINES = 20
# These say themselves what happened and what to do; the log of a function has nothing to add.
_EXPLAINED = ("UploadRejected", "RejectionNotTold", "PublicationConflicted")


def run(  # noqa: PLR0913, PLR0917 - each is an option of the command
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="CSV files, plain or .gz.", show_default=False)],
    lake: Annotated[Path, typer.Option(metavar="DIR", help="The lake folder; made where there is none.")] = Path(
        ".lake"
    ),
    site: Annotated[
        str, typer.Option(metavar="NAME", help="The site that the readings belong to.")
    ] = layout.DEFAULT_SITE,
    timezone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="Time zone of the site, as Europe/Berlin. Left out: the one that it is published in, else UTC.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What the site's files do not say themselves (docs/configuration.md); kept in the lake.",
            show_default=False,
        ),
    ] = None,
    built: Annotated[bool, typer.Option("--built", help="Run what `make build` made, not the source tree.")] = False,
    spark_above: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            min=1,
            help="Crunch larger files with Spark, as AWS Glue does. Left out: above 2 GB, where Spark is set up.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Turn files into tables, anomalies, a forecast and a report, on this machine.

    A local AWS, deployed from template.yaml, runs the real state machine and the real functions. The lake folder keeps
    what was published, so that the next file builds upon it.
    """
    checks.check_arguments(files, lake, site, timezone)
    zone = checks.zone_of(lake, site, timezone, config)
    failures = {file: why for file in files if (why := checks.why_unusable(file))}
    if len(failures) == len(files):
        fail("\n".join(failures.values()))

    from rich.console import Console

    from cli import progress

    console = Console()
    with ExitStack() as stack:
        with progress.waiting(console, "Starting the local AWS"):
            aws = _started(stack, lake, built, _parameters(zone, spark_above))
        if config:
            for name in checks.read_config(config).named_files():
                aws.upload(config.parent / name, layout.site_config_file_key(name))
            aws.upload(config, layout.site_config_key(site))
        for file in files:
            if file not in failures and (why := _through(aws, file, _key(site, file), console)):
                failures[file] = f"{file} was not published: {why}"
    _show_published(lake, site, console)
    if failures:
        _repeat(failures, len(files), console)
        raise typer.Exit(1)


def _key(site: str, file: Path) -> str:
    """The key under raw/ that the file is uploaded to."""
    folder = "" if site == layout.DEFAULT_SITE else f"{site}/"
    return f"{layout.RAW_PREFIX}{folder}{file.name}"


def _parameters(timezone: str, spark_above: int | None) -> dict[str, str]:
    """The stack's parameters, where they are not as the template has them."""
    from local.glue_jobs import parameters_without_spark

    asked = {} if spark_above is None else {"LambdaMaxBytes": str(spark_above)}
    return {"SiteTimezone": timezone, **parameters_without_spark(), **asked}


def _started(stack: ExitStack, lake: Path, built: bool, parameters: dict[str, str]) -> "LocalAws":
    from local.lake_folder import LakeDamaged, LakeFolder, LakeInUse

    try:
        # LocalAws finds that out too, but only after it has started.
        if lake.exists():
            folder = LakeFolder(lake)
            folder.lock()
            folder.unlock()
        from local import LocalAws

        return stack.enter_context(LocalAws(lake=lake, built=built, parameters=parameters))
    except (LakeDamaged, LakeInUse, FileNotFoundError) as error:
        fail(f"{error}.")


def _through(aws: "LocalAws", file: Path, key: str, console: "Console") -> str | None:
    """Uploads one file and follows its execution to the end; why it failed, None if it did not."""
    from rich.text import Text

    from cli import progress, summary

    console.print(Text.assemble("\n", (safe(str(file)), "bold"), f" → s3://{aws.bucket}/{safe(key)}"), soft_wrap=True)
    arn = aws.upload(file, key)
    if arn is None:
        why = "no rule of the stack takes files under that name."
        console.print(Text(why, style="red"))
        return why
    progress.show(aws.follow(arn), console)
    done = aws.wait(arn)
    if done.status != "SUCCEEDED":
        why = cause_of(done)
        _explain(aws, key, done, why, console)
        return why
    output = done.output or {}
    if output.get("passed_over"):
        why = "its name is that of a hidden, a marker or an unfinished file. Rename it, to end in .csv."
        console.print(Text(f"Nothing to read: {why}", style="red"), soft_wrap=True)
        return why
    if output.get("already_published"):
        console.print("This file is published already: nothing changed.")
    elif aws.lake is not None:
        summary.show_doubts(aws.lake, layout.site_of_key(key), key, console)
    return None


def cause_of(done: "Execution") -> str:
    """Why an execution failed, in the words of whatever failed in it."""
    from local.history import words_of

    return words_of(done.error or done.status, done.cause)


def failed_function(history: list[dict[str, Any]]) -> str | None:
    """The name of the function that failed last; None if none did."""
    by_id = {event["id"]: event for event in history}
    for event in reversed(history):
        found = event if event["type"] in {"TaskFailed", "TaskTimedOut"} else None
        while found is not None and found["type"] != "TaskScheduled":
            found = by_id.get(found["previousEventId"])
        if found is not None:
            parameters = json.loads(found["taskScheduledEventDetails"].get("parameters") or "{}")
            if name := parameters.get("FunctionName"):
                return str(name).rpartition(":function:")[2].partition(":")[0]
    return None


def _explain(aws: "LocalAws", key: str, done: "Execution", why: str, console: "Console") -> None:
    """Why the execution failed, and where the details are."""
    from rich.text import Text

    console.print()
    console.print(Text(safe(why), style="red"), soft_wrap=True)
    name = None if done.error in _EXPLAINED else failed_function(done.history)
    if name in aws.verbs:
        lines = aws.log(name).splitlines()[-_LOG_LINES:]
        says = "ends with:" if lines else "is empty."
        console.print(f"The log of the function {aws.verbs[name]} {says}", highlight=False)
        for line in lines:
            console.print(Text(f"  {safe(line)}", style="dim"), soft_wrap=True)
    if aws.lake is None:
        return
    versions = {stored.key: stored.version_id for stored, _ in aws.lake.objects()}
    for problems in versions:
        if not (problems.startswith("quarantine/") and problems.endswith("/problems.json")):
            continue
        path = aws.lake.path_of(problems).resolve()
        told = json.loads(path.read_text("utf-8"))
        if (told["key"], told["version"]) == (key, versions[key]):
            console.print(f"Details: {path}", soft_wrap=True, highlight=False)


def _show_published(lake: Path, site: str, console: "Console") -> None:
    from cli import summary
    from local.lake_folder import LakeFolder

    folder = LakeFolder(lake)
    manifest = checks.published(folder, site)
    if manifest is None:
        console.print(f"Nothing is published for the site {site}.", highlight=False)
        return
    summary.show(folder, site, manifest, console)


def _repeat(failures: dict[Path, str], files: int, console: "Console") -> None:
    """The failures of one of several files once more, below what was published: above it they scroll away."""
    from rich.text import Text

    if files == 1:
        return
    console.print()
    for why in failures.values():
        console.print(Text(safe(why), style="red"), soft_wrap=True)
