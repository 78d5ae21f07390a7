"""`energy problems`: what was set apart of a site's uploads, and why."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import fail, safe, write_text
from energy import lake as layout

if TYPE_CHECKING:
    from rich.console import Console

    from local.lake_folder import LakeFolder

_SHOWN_ROWS = 5


@dataclass(frozen=True)
class Problems:
    """What validation set apart of one version of one upload. `rejected_csv`: null where it lists no rows."""

    document: dict[str, Any]
    told_at: str
    rejected_csv: Path | None

    @property
    def key(self) -> str:
        """The upload's key under raw/."""
        return str(self.document["key"])

    @property
    def refused(self) -> bool:
        """Whether nothing of it was used."""
        return str(self.document["verdict"]).startswith("reject")

    def as_document(self) -> dict[str, Any]:
        """As it lies in the lake, with the path of the rejected rows."""
        return {**self.document, "rejected_csv": str(self.rejected_csv) if self.rejected_csv else None}


def problems(
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site to look at.")] = layout.DEFAULT_SITE,
    lake: Annotated[Path, typer.Option(metavar="DIR", help="The lake folder.")] = Path(".lake"),
    upload: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="Only this upload, in all of its versions: raw/march.csv, or march.csv. May be repeated.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document an upload and line.")] = False,
) -> None:
    """Show which files were refused and which rows were rejected, why, and what to do.

    Of each upload the version that is in the lake now; earlier ones with --upload.
    """
    from local.lake_folder import LakeDamaged, LakeFolder

    folder = LakeFolder(lake)
    if lake.exists() and not lake.is_dir():
        fail(f"{lake} is a file; --lake takes a folder.", code=2)
    if not folder.exists():
        fail(f"There is no lake in {lake}. Run `energy run FILE` first, or name another one with --lake.", code=2)
    try:
        found, earlier = _problems(folder, layout.site_name(site), {_key(site, name) for name in upload or []})
    except LakeDamaged as error:
        fail(f"{error}.")
    if as_json:
        write_text("".join(json.dumps(each.as_document(), ensure_ascii=False) + "\n" for each in found))
        return
    _show(site, found, earlier, upload or [])


def _key(site: str, name: str) -> str:
    """The key of an upload that may be given by its file's name."""
    if name.startswith(layout.RAW_PREFIX):
        return name
    folder = "" if site == layout.DEFAULT_SITE else f"{site}/"
    return f"{layout.RAW_PREFIX}{folder}{name}"


def _problems(folder: "LakeFolder", site: str, uploads: set[str]) -> tuple[list[Problems], int]:
    """The site's problems, newest first, and how many earlier ones were left out.

    Without `uploads` only those of versions that are in the lake now: what was replaced is no problem any more.
    """
    stored = {each.key: (each, path) for each, path in folder.objects()}
    found: list[Problems] = []
    for key, (told, path) in stored.items():
        prefix, _, name = key.rpartition("/")
        if not key.startswith(f"quarantine/site={site}/") or name != "problems.json":
            continue
        rows = stored.get(f"{prefix}/rejected.csv")
        document = json.loads(path.read_text("utf-8"))
        found.append(Problems(document, told.last_modified, rows[1].resolve() if rows else None))
    found.sort(key=lambda each: (each.told_at, each.key), reverse=True)
    if uploads:
        return [each for each in found if each.key in uploads], 0
    newest: dict[str, Problems] = {}
    for each in found:
        raw = stored.get(each.key)
        if raw is None or raw[0].version_id == each.document["version"]:
            newest.setdefault(each.key, each)
    return list(newest.values()), len(found) - len(newest)


def _show(site: str, found: list[Problems], earlier: int, uploads: list[str]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    if not found:
        whose = f"{', '.join(uploads)} of the site {site}" if uploads else f"the site {site}"
        console.print(Text(safe(f"No problems: nothing of {whose} was set apart.")), soft_wrap=True)
    for each in found:
        _show_one(each, console)
    if earlier:
        told = f"{earlier:,} earlier problem{'' if earlier == 1 else 's'} left out: other files have replaced those. "
        console.print(Text(f"{told}See them with --upload KEY.", style="dim"), soft_wrap=True)


def _show_one(each: Problems, console: "Console") -> None:
    from rich.text import Text

    from cli.check import print_codes, print_rows

    mark, colour, says = (
        ("✗", "red", "refused: nothing of it is used")
        if each.refused
        else ("!", "yellow", "used, without the rows that were rejected")
    )
    console.print(Text.assemble((f"{mark} ", colour), (safe(each.key), "bold"), "  ", (says, colour)), soft_wrap=True)
    when = each.told_at[:19].replace("T", " ")
    console.print(
        Text(f"  {safe(when)} UTC, version {safe(str(each.document['version']))}", style="dim"), soft_wrap=True
    )
    for sentence in each.document["messages"]:
        console.print(Text(f"  {safe(str(sentence))}", style=colour), soft_wrap=True)
    if each.rejected_csv:
        rows, codes = _rejected(each.rejected_csv)
        if rows:
            print_codes(codes, console)
            print_rows(rows, sum(codes.values()), console)
            console.print(Text(f"  All of them: {each.rejected_csv}"), soft_wrap=True)
    console.print(Text("  Correct the file and upload it again under the same name."), soft_wrap=True)
    console.print()


def _rejected(path: Path) -> tuple[list[tuple[int, str, str, str]], dict[str, int]]:
    """The first rejected rows, and how many there are by code."""
    import polars as pl

    rows = pl.scan_csv(path, infer_schema=False)
    first = rows.select(pl.col("line").cast(pl.Int64), "code", "reason", "text").head(_SHOWN_ROWS).collect()
    codes = rows.group_by("code").len().sort("code").collect()
    return list(first.iter_rows()), dict(codes.iter_rows())
