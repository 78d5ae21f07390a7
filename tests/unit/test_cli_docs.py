"""What the documents tell the command's user is what the code does."""

import ast
import json
import re
from pathlib import Path

import pytest

from energy.judging import REASONS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
QUARANTINE = (ROOT / "docs" / "quarantine.md").read_text()


def codes_below(heading: str) -> list[str]:
    section = QUARANTINE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([A-Z_]+)` \| .+ \| .+ \|$", section, re.MULTILINE)


def raised_codes() -> set[str]:
    """The first argument of every InputRejected that the code makes out of a plain code."""
    calls = [
        node
        for path in (ROOT / "layers" / "core" / "energy").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "InputRejected"
    ]
    assert all(isinstance(call.args[0], ast.Constant) for call in calls)
    return {call.args[0].value for call in calls}


def test_every_code_of_a_rejected_row_is_explained():
    assert codes_below("Codes of rows") == [*REASONS]


def test_every_code_of_a_refused_file_is_explained():
    codes = codes_below("Codes of files")

    assert len(codes) == len(set(codes))
    assert set(codes) == raised_codes()


@pytest.mark.parametrize("option", ["--lake", "--timezone"])
def test_the_options_of_the_readme_exist(option):
    assert option in README
    assert f"{option.removeprefix('--')}: Annotated" in (ROOT / "cli" / "run.py").read_text()


def test_the_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)

    assert "docs/quarantine.md" in links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_names_that_are_passed_over_are_those_of_the_first_state():
    machine = json.loads((ROOT / "statemachine" / "energy_pipeline.asl.json").read_text())
    (rule,) = machine["States"][machine["StartAt"]]["Choices"]
    row = next(line for line in README.splitlines() if line.startswith(f"| the execution ends at `{rule['Next']}`"))
    endings = re.search(r"\[\.\]\(([a-z|]+)\)\$", rule["Condition"])
    beginnings = re.search(r"\^\[([^\]]+)\]", rule["Condition"])

    assert re.findall(r"`\.([a-z]+)`", row) == endings.group(1).split("|")
    assert re.findall(r"`([._])`", row) == list(beginnings.group(1))
