"""What the documents say about the code is true."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from energy.schema import TABLES

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def state_names() -> set[str]:
    def names(machine):
        for name, state in machine["States"].items():
            yield name
            for branch in state.get("Branches", []):
                yield from names(branch)

    return set(names(json.loads((ROOT / "statemachine" / "energy_pipeline.asl.json").read_text())))


def test_every_column_is_documented_with_its_type_and_meaning():
    tables = (ROOT / "docs" / "tables.md").read_text()
    for table in TABLES.values():
        section = tables.split(f"## {table.name}\n")[1].split("\n## ")[0]
        assert table.row in section
        documented = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", section, re.MULTILINE)
        assert documented == [(c.name, c.type, c.comment) for c in (*table.columns, *table.partition_keys)]


def test_views_and_uploads_are_documented_as_the_catalog_describes_them():
    template = yaml_parse((ROOT / "template.yaml").read_text())
    resources = [each["Properties"] for each in template["Resources"].values() if each["Type"] == "AWS::Glue::Table"]
    described = {each["TableInput"]["Name"]: each["TableInput"] for each in resources}
    tables = (ROOT / "docs" / "tables.md").read_text()
    others = described.keys() - TABLES.keys()
    assert len(others) == 6
    for name in others:
        section = tables.split(f"## {name}\n")[1].split("\n## ")[0]
        assert described[name]["Description"] in section
        documented = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", section, re.MULTILINE)
        columns = described[name]["StorageDescriptor"]["Columns"]
        assert documented == [(column["Name"], column["Type"], column["Comment"]) for column in columns]
        assert f"`{name}`" in README
    assert re.findall(r"^## (\w+)", tables, re.MULTILINE) == [*TABLES, *(name for name in described if name in others)]


def test_the_readme_lists_every_table():
    assert re.findall(r"^\| `(\w+)` \|", README.split("### Query")[1].split("## What lies")[0], re.MULTILINE) == [
        *TABLES
    ]


def test_the_states_in_the_picture_are_those_of_the_state_machine():
    picture = README.split("```mermaid")[1].split("```")[0]
    shown = {label.split(":")[0] for label in re.findall(r"[\[{]([A-Z][\w ?]+)[\]}:]", picture)}
    assert len(shown) >= 8
    assert shown <= state_names()


def test_errors_that_the_readme_explains_are_those_that_executions_end_with():
    machine = (ROOT / "statemachine" / "energy_pipeline.asl.json").read_text()
    failures = set(re.findall(r'"Error": "(\w+)"', machine))
    explained = set(
        re.findall(r"`((?:Upload|Rejection|Report|Publication)\w+)`", README.split("## When something goes wrong")[1])
    )
    assert explained == failures


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE))))
def test_the_make_targets_of_the_readme_exist(target):
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_every_decision_is_in_the_index():
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    files = sorted(path.name for path in folder.glob("0*.md"))
    assert files
    assert re.findall(r"\((0\d+-[a-z0-9-]+\.md)\)", index) == files


def test_the_command_and_its_version_are_the_projects():
    import tomllib

    from energy import __version__

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert "energy" in project["scripts"]
