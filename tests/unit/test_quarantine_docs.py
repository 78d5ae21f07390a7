"""Every code that a file or a row can get is explained in docs/quarantine.md."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from energy.intake.rules import REASONS

ROOT = Path(__file__).resolve().parents[2]
INTAKE = ROOT / "layers" / "core" / "energy" / "intake"
QUARANTINE = (ROOT / "docs" / "quarantine.md").read_text()
CODE = re.compile(r"[A-Z]{3,}(?:_[A-Z]+)*")
# Said of a site by the report, never of a file.
OF_A_SITE = {"NOT_ENOUGH_HISTORY"}


def codes_below(heading: str) -> list[str]:
    section = QUARANTINE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([A-Z_]+)` \| .+ \|$", section, re.MULTILINE)


def nodes() -> Iterator[ast.AST]:
    for path in INTAKE.rglob("*.py"):
        yield from ast.walk(ast.parse(path.read_text()))


def raised_codes() -> set[str]:
    """The first argument of every InputRejected that the code makes."""
    calls = [
        node
        for node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "InputRejected"
    ]
    codes = [call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)]
    assert len(codes) == len(calls), "a code that is no literal escapes this test"
    return {str(code) for code in codes}


def told_codes() -> set[str]:
    """The keys that look like codes: of dictionaries written out, and of what is assigned to one."""
    keys: list[ast.expr | None] = []
    for node in nodes():
        if isinstance(node, ast.Dict):
            keys += node.keys
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            keys.append(node.slice)
    found = {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
    return {key for key in found if CODE.fullmatch(key)}


def test_every_code_of_a_rejected_row_is_explained() -> None:
    assert codes_below("Codes of rows") == [*REASONS]


def test_every_code_of_a_refused_file_is_explained() -> None:
    codes = codes_below("Codes of files")

    assert len(codes) == len(set(codes))
    assert set(codes) == raised_codes()


def test_every_warning_and_every_note_is_explained() -> None:
    codes = [*codes_below("Warnings"), *codes_below("Notes")]

    assert len(codes) == len(set(codes))
    assert set(codes) == told_codes() - set(REASONS)


def test_the_codes_of_the_catalogue_of_nasty_files_are_explained() -> None:
    nasty = ROOT.parent / "shared" / "data" / "nasty"
    table = re.findall(r"^\| ([A-Z_, ]+) \| (?:file|row|warning)", (nasty / "README.md").read_text(), re.MULTILINE)
    files = json.loads((nasty / "expected.json").read_text())["files"]
    named = {code for row in table for code in row.split(", ")} | {
        code for one in files.values() for code in one["codes"]
    }

    assert len(named) > 40
    assert named - OF_A_SITE <= set(re.findall(r"^\| `([A-Z_]+)` \|", QUARANTINE, re.MULTILINE))
    assert all(f"`{code}`" in QUARANTINE for code in OF_A_SITE)


def test_the_verdicts_are_those_of_the_command() -> None:
    from cli.check import VERDICTS

    assert re.findall(r"^\| `([a-z_]+)` \|", QUARANTINE, re.MULTILINE) == [*VERDICTS]
