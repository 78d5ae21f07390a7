"""`energy run`: files through the whole pipeline, on this machine."""

import json
import zoneinfo
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import fail, safe
from energy import lake as layout

if TYPE_CHECKING:
    from rich.console import Console

    from local import Execution, LocalAws


def run(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="CSV files, plain or .gz.", show_default=False)],
    lake: Annotated[Path, typer.Option(metavar="DIR", help="The lake folder; made where there is none.")] = Path(
        ".lake"
    ),
    site: Annotated[
        str, typer.Option(metavar="NAME", help="The site that the readings belong to.")
    ] = layout.DEFAULT_SITE,
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="Time zone of timestamps without an offset, as Europe/Berlin.")
    ] = "UTC",
    built: Annotated[bool, typer.Option("--built", help="Run what `make build` made, not the source tree.")] = False,
) -> None:
    """Turn files into tables, anomalies, a forecast and a report, on this machine.

    A local AWS, deployed from template.yaml, runs the real state machine and the real functions. The lake folder keeps
    what was published, so that the next file builds upon it.
    """
    _check(files, lake, site, timezone)

    from rich.console import Console

    from cli import progress

    console = Console()
    with ExitStack() as stack:
        with progress.waiting(console, "Starting the local AWS"):
            aws = _started(stack, lake, built, timezone)
        succeeded = [_through(aws, file, _key(site, file), console) for file in files]
    _show_published(lake, site, console)
    if not all(succeeded):
        raise typer.Exit(1)


def _check(files: Sequence[Path], lake: Path, site: str, timezone: str) -> None:
    """Ends the command before anything starts if the arguments cannot be meant so."""
    for file in files:
        if not file.is_file():
            fail(f"{file} is {'a folder; name the files in it' if file.is_dir() else 'not there'}.", code=2)
    names = [file.name for file in files]
    for name in names:
        if names.count(name) > 1:
            fail(f"Two files are called {name}: the second would replace the first. Rename one.", code=2)
    if lake.exists() and not lake.is_dir():
        fail(f"{lake} is a file; --lake takes a folder.", code=2)
    if layout.site_name(site) != site:
        fail(f"{site!r} cannot name a site. Use lower-case letters, digits, - and _, such as my-house.", code=2)
    try:
        zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        fail(f"{timezone!r} is no time zone. Name one such as Europe/Berlin.", code=2)


def _key(site: str, file: Path) -> str:
    """The key under raw/ that the file is uploaded to."""
    folder = "" if site == layout.DEFAULT_SITE else f"{site}/"
    return f"{layout.RAW_PREFIX}{folder}{file.name}"


def _started(stack: ExitStack, lake: Path, built: bool, timezone: str) -> "LocalAws":
    from local.lake_folder import LakeFolder, LakeInUse

    try:
        # LocalAws finds that out too, but only after it has started.
        if lake.exists():
            folder = LakeFolder(lake)
            folder.lock()
            folder.unlock()
        from local import LocalAws

        return stack.enter_context(LocalAws(lake=lake, built=built, parameters={"SiteTimezone": timezone}))
    except (LakeInUse, FileNotFoundError) as error:
        fail(f"{error}.")


def _through(aws: "LocalAws", file: Path, key: str, console: "Console") -> bool:
    """Uploads one file and follows its execution to the end; whether it succeeded."""
    from rich.text import Text

    from cli import progress, summary

    console.print(Text.assemble("\n", (safe(str(file)), "bold"), f" → s3://{aws.bucket}/{safe(key)}"), soft_wrap=True)
    arn = aws.upload(file, key)
    if arn is None:
        console.print("[red]No rule of the stack takes files under that name.[/red]")
        return False
    progress.show(aws.follow(arn), console)
    done = aws.wait(arn)
    if done.status != "SUCCEEDED":
        _explain(aws, key, done, console)
    elif (done.output or {}).get("already_published"):
        console.print("This file is published already: nothing changed.")
    elif aws.lake is not None:
        summary.show_set_apart(aws.lake, layout.site_of_key(key), key, console)
    return done.status == "SUCCEEDED"


def _explain(aws: "LocalAws", key: str, done: "Execution", console: "Console") -> None:
    """Why the execution failed, and where the details are."""
    from rich.text import Text

    console.print()
    console.print(Text(f"{done.error or done.status}: {safe(done.cause or '')}", style="red"), soft_wrap=True)
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
    manifest = summary.published(folder, site)
    if manifest is None:
        console.print(f"Nothing is published for the site {site}.", highlight=False)
        return
    summary.show(folder, site, manifest, console)
