"""`energy check`: what would become of files, before anything is uploaded."""

import contextlib
import datetime as dt
import json
import shlex
import tempfile
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import checks
from cli.output import fail, safe, write_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from energy.errors import InputRejected
    from energy.intake.judging import Judged
    from energy.site_config import Rules

DEFAULT_TIMEZONE = "UTC"
# Half or more bad rows: the default of the stack's parameter MaxRejectedShare.
REJECTED_SHARE = 0.5

_SHOWN_ROWS = 5
# A field may have a million characters; no line of a terminal has.
_SHOWN_CHARACTERS = 500
# From here on there is room for the reason beside each row.
_WIDE = 140
# Space and border.
_AROUND_A_CELL = 3
# Below this a file is judged before a spinner could be seen.
_LARGE_BYTES = 4 << 20
VERDICTS = {
    "accept": ("✓", "green", "can be used"),
    "accept_warn": ("✓", "yellow", "can be used; please read the warnings"),
    "partial": ("!", "yellow", "can be used, without the rows that were rejected"),
    "reject": ("✗", "red", "cannot be used"),
}


def check(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Files of readings, plain or gzipped.", show_default=False)
    ],
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The site's configuration: config/SITE.yaml.", show_default=False),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="Time zone of the site, as Europe/Berlin. Left out: the configuration's, else UTC.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a file and line.")] = False,
) -> None:
    """Say what would become of files: used or not, and every row that would be rejected and why.

    The same rules as in the pipeline, without it. Exit code 1 where a file cannot be used.
    """
    for file in files:
        if why := checks.why_unreadable(file):
            fail(why, code=2)
    rules, zone_was_chosen = _rules(config, timezone)
    if as_json:
        usable = [file for file in files if _tell_program(file, rules)]
    else:
        from rich.console import Console

        console = Console()
        usable = [file for file in files if _tell_person(file, rules, zone_was_chosen, console)]
        if usable:
            _say_next(usable, config, timezone, console)
    if len(usable) < len(files):
        raise typer.Exit(1)


def _rules(config: Path | None, timezone: str | None) -> tuple["Rules", bool]:
    """What files are judged by, and whether anybody said in which time zone they are."""
    from energy import site_config

    said = checks.read_config(config) if config else site_config.SiteConfig()
    if timezone is not None:
        said = said.model_copy(update={"timezone": timezone})
    zone = said.timezone or DEFAULT_TIMEZONE
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        fail(f"{zone!r} is no time zone. Name one such as Europe/Berlin.", code=2)
    return site_config.rules(said, DEFAULT_TIMEZONE, REJECTED_SHARE), said.timezone is not None


@contextlib.contextmanager
def _verdict(file: Path, rules: "Rules") -> Iterator["Judged | InputRejected"]:
    """What became of a file. Its rows can be read as long as the context lasts."""
    from energy.errors import InputRejected
    from energy.intake.judging import judge
    from energy.intake.source import MAX_SPARK_TEXT_BYTES

    with tempfile.TemporaryDirectory(prefix="energy-check-") as scratch:
        judged: Judged | InputRejected
        try:
            now = dt.datetime.now(dt.UTC)
            judged = judge(file, rules, now, Path(scratch), name=file.name, most_bytes=MAX_SPARK_TEXT_BYTES)
        except InputRejected as refusal:
            judged = refusal
        except OSError as error:
            fail(f"{file} could not be read: {error.strerror or error}.", code=2)
        yield judged


def _tell_program(file: Path, rules: "Rules") -> bool:
    """Prints one line of JSON; whether the file can be used."""
    with _verdict(file, rules) as judged:
        answer = as_document(file, judged)
    write_text(json.dumps(answer, ensure_ascii=False) + "\n")
    return answer["verdict"] != "reject"


def as_document(file: Path, judged: "Judged | InputRejected") -> dict[str, object]:
    """The verdict for programs. `rows_ok` is null where the file cannot be used; `rows_bad` counts rejected and
    repeated rows; `messages` are the sentence of the refusal, or what was set apart, the warnings, and the notes.
    """
    from energy.errors import InputRejected

    if isinstance(judged, InputRejected):
        verdict, codes, told, rows_ok, rows_bad = "reject", {judged.code}, [judged.problem], None, 0
    else:
        rows_bad = judged.rows.rejected + judged.rows.duplicates
        verdict = judged.verdict
        if judged.refusal:
            codes, told, rows_ok = {judged.refusal.code}, [judged.refusal.problem], None
        else:
            codes, rows_ok = {*judged.codes, *judged.warnings}, judged.rows.accepted
            told = [*judged.set_apart.values(), *judged.warnings.values(), *judged.notes.values()]
    return {
        "file": str(file),
        "verdict": verdict,
        "codes": sorted(codes),
        "rows_ok": rows_ok,
        "rows_bad": rows_bad,
        "messages": told,
    }


def _tell_person(file: Path, rules: "Rules", zone_was_chosen: bool, console: "Console") -> bool:
    """Prints the verdict as sentences and tables; whether the file can be used."""
    from rich.text import Text

    from energy.errors import InputRejected

    with contextlib.ExitStack() as stack:
        with _spinner(file, console):
            judged = stack.enter_context(_verdict(file, rules))
        refusal = judged if isinstance(judged, InputRejected) else judged.refusal
        verdict = "reject" if isinstance(judged, InputRejected) else judged.verdict
        mark, colour, says = VERDICTS[verdict]
        line = Text.assemble((f"{mark} ", colour), (safe(str(file)), "bold"), "  ", (says, colour))
        console.print(line, soft_wrap=True)
        if refusal:
            _print_sentence(console, refusal.code, refusal.problem, colour)
        if not isinstance(judged, InputRejected):
            _print_judged(judged, console)
            if not zone_was_chosen and judged.quality.read_as.get("time zone") == DEFAULT_TIMEZONE:
                told = (
                    "No time zone was given, so timestamps without an offset were read as UTC. Is the site elsewhere? "
                )
                console.print(
                    Text(f"  {told}Say --timezone Europe/Berlin, or the like.", style="yellow"), soft_wrap=True
                )
    console.print()
    return verdict != "reject"


def _spinner(file: Path, console: "Console") -> contextlib.AbstractContextManager[object]:
    if not console.is_terminal or file.stat().st_size < _LARGE_BYTES:
        return contextlib.nullcontext()
    from rich.text import Text

    return console.status(Text(f"Reading {safe(file.name)} …"))


def _print_judged(judged: "Judged", console: "Console") -> None:
    from rich.text import Text

    rows = judged.rows
    parts = [f"{rows.read:,} row{'' if rows.read == 1 else 's'}", f"{rows.accepted:,} good"]
    parts += [f"{rows.rejected:,} rejected"] if rows.rejected else []
    parts += [f"{rows.duplicates:,} repeated, counted once"] if rows.duplicates else []
    console.print(Text(f"  {parts[0]}: {', '.join(parts[1:])}"), soft_wrap=True)
    read_as = "; ".join(f"{topic}: {words}" for topic, words in judged.quality.read_as.items())
    console.print(Text(f"  Read as {safe(read_as)}", style="dim"), soft_wrap=True)
    if not judged.refusal:
        for code, sentence in judged.warnings.items():
            _print_sentence(console, code, sentence, "yellow")
        for code, sentence in judged.notes.items():
            _print_sentence(console, code, sentence, "dim")
    if judged.codes:
        print_codes(judged.codes, console)
        print_rows(_first_rows(judged), rows.rejected, console)


def _first_rows(judged: "Judged") -> list[tuple[int, str, str, str]]:
    """line, code, reason, text of the first rejected rows."""
    found: list[tuple[int, str, str, str]] = []
    for frame in judged.rejected():
        found += frame.head(_SHOWN_ROWS - len(found)).iter_rows()
        if len(found) == _SHOWN_ROWS:
            break
    return found


def _print_sentence(console: "Console", code: str, sentence: str, style: str) -> None:
    from rich.text import Text

    console.print(Text.assemble("  ", (code, f"bold {style}"), " ", (safe(sentence), style)), soft_wrap=True)


def print_codes(codes: dict[str, int], console: "Console") -> None:
    """How many rows were rejected for each code, and what it means."""
    from rich.text import Text

    from energy.intake.rules import REASONS

    table = _table("code", "rows", "because")
    for code, count in sorted(codes.items(), key=lambda found: (-found[1], found[0])):
        table.add_row(Text(code, style="bold"), Text(f"{count:,}", justify="right"), Text(REASONS.get(code, "")))
    console.print(table)


def print_rows(rows: list[tuple[int, str, str, str]], rejected: int, console: "Console") -> None:
    """line, code and text of rows, each on one line; with the reason of each where the terminal is wide."""
    from rich.text import Text

    with_reason = console.width >= _WIDE
    table = _table("line", "code", *(["reason"] if with_reason else []), "text")
    for line, code, reason, text in rows:
        cells = [Text(f"{line:,}", justify="right"), Text(code, style="bold"), Text(safe(reason))]
        table.add_row(*cells[: 3 if with_reason else 2], Text(safe((text or "")[:_SHOWN_CHARACTERS])))
    # Only the text gives way where there is no room; rich would cut line numbers and codes, too.
    widths = [max(len("line"), *(len(f"{line:,}") for line, *_ in rows)), max(len(code) for _, code, *_ in rows)]
    widths += [console.width // 3] if with_reason else []
    for column, width in zip(table.columns, widths, strict=False):
        column.width = width
    table.columns[-1].max_width = max(1, console.width - sum(widths) - _AROUND_A_CELL * len(table.columns))
    console.print(table)
    if rejected > len(rows):
        console.print(Text(f"  … and {rejected - len(rows):,} more.", style="dim"))


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=name not in {"because", "reason"}, overflow="ellipsis")
    return table


def _say_next(usable: list[Path], config: Path | None, timezone: str | None, console: "Console") -> None:
    from rich.text import Text

    names = " ".join(shlex.quote(str(file)) for file in usable)
    said = f" --config {shlex.quote(str(config))}" if config else ""
    zone = f" --timezone {shlex.quote(timezone)}" if timezone else ""
    told = f"energy run {names}{said}{zone}"
    console.print(Text.assemble("Next: ", (safe(told), "bold")), soft_wrap=True)
