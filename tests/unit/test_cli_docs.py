"""What the documents tell the command's user is what the code does."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml
from pydantic import BaseModel

from cli.main import app
from energy import site_config

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
FORMATS = (ROOT / "docs" / "formats.md").read_text()
# No export, but whatever `readings.columns` describes.
CONFIGURED = "as the site's configuration names the columns"
COMMANDS = typer.main.get_command(app).commands
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def commands() -> list[str]:
    """Every line of every page's shell blocks that calls the command, without its comment."""
    blocks = [block for page in PAGES for block in re.findall(r"```sh\n(.+?)```", page.read_text(), re.DOTALL)]
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return sorted({part.strip() for line in lines for part in line.split(";") if part.strip().startswith("energy ")})


@pytest.mark.parametrize("line", commands())
def test_the_commands_of_the_documents_exist_with_their_options(line: str) -> None:
    _, name, *arguments = shlex.split(line.partition(" < ")[0])
    command = COMMANDS[name]

    known = {option for parameter in command.params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known


def test_the_readme_shows_every_command() -> None:
    shown = {line.split()[1] for line in commands()}

    assert set(COMMANDS) - {"generate"} <= shown


def keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key of a configuration, in the order of the models; the keys of contracts and plans are those of tariff."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        section = None if name in {"contracts", "plans"} else site_config.section_of(field.annotation)
        key = f"{prefix}{field.alias or name}"
        found += keys(section, f"{key}.") if section else [key]
    return found


def test_every_key_of_the_configuration_is_documented() -> None:
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \| .+ \| .+ \| .+ \|$", CONFIGURATION, re.MULTILINE)

    assert rows == keys(site_config.SiteConfig)


@pytest.mark.parametrize("page", ["README.md", "docs/configuration.md", "docs/formats.md"])
def test_the_configurations_in_the_documents_are_read(page: str) -> None:
    blocks = re.findall(r"```yaml\n(.+?)```", (ROOT / page).read_text(), re.DOTALL)

    assert blocks
    for block in blocks:
        assert site_config.parse(block) != site_config.SiteConfig()


# What a key needs beside it, by the section that it stands in.
BESIDE: dict[str, dict[str, object]] = {
    "readings.columns": {"timestamp": "time", "value": "usage"},
    "tariff.bands": {"name": "peak", "price": 1, "hours": "17:00-20:00"},
    "tariff.tiers": {"price": 1, "up_to_kwh_per_day": 5},
    "tariff.demand": {"price_per_kw": 1},
    "tariff.export": {"appliances": "Roof", "price": 1},
    "anomalies.normal": {"from": "2024-12-20", "until": "2024-12-27"},
}


def configuration(key: str, value: object) -> dict[str, object]:
    """A configuration that says this, and no more than it has to."""
    *sections, name = key.split(".")
    for depth in range(len(sections), 0, -1):
        beside = BESIDE.get(".".join(sections[:depth]), {})
        section = {key: one for key, one in beside.items() if not name.startswith("up_to_") or key == "price"}
        section |= {name: value}
        section = {name: value} if name == "at" else section
        if sections[:depth] == ["tariff"]:
            section |= {"currency": "EUR"} | ({} if name in {"price", "bands", "prices", "tiers"} else {"price": 1})
        listed = sections[depth - 1] in {"bands", "tiers"}
        value = [section] if sections[depth - 1] in {"mute", "normal"} else section
        rest = {"name": "else"} if sections[depth - 1] == "bands" else {}
        value = [section, {"price": 2} | rest] if listed else value
        name = sections[depth - 1]
    return {name: value}


def test_the_examples_of_single_keys_are_read() -> None:
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \| .+ \| `([^|]+)` \| .+ \|$", CONFIGURATION, re.MULTILINE)
    assert len(rows) > 40
    for key, example in rows:
        # As JSON, which is YAML: once SAM's libraries are imported, mappings are of a kind that YAML does not write.
        text = json.dumps(configuration(key, yaml.safe_load(example)), default=str)
        assert site_config.parse(text) != site_config.SiteConfig(), key


@pytest.mark.parametrize("option", ["--lake", "--timezone"])
def test_the_options_of_the_readme_exist(option):
    assert option in README
    assert f"{option.removeprefix('--')}: Annotated" in (ROOT / "cli" / "run.py").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_the_documents_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_export_that_is_known_by_its_header_is_documented() -> None:
    sources = (ROOT / "layers" / "core" / "energy" / "intake" / "formats").glob("*.py")
    families = {name for source in sources for name in re.findall(r'family="([^"]+)",', source.read_text())}
    documented = FORMATS.split("## Exports that are known by their header\n")[1]

    assert set(re.findall(r"^\| (?!export |---)([^|]+) \|", documented, re.MULTILINE)) == families - {CONFIGURED}


def test_the_readme_leads_to_every_page() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in README


def test_names_that_are_passed_over_are_those_of_the_first_state():
    machine = json.loads((ROOT / "statemachine" / "energy_pipeline.asl.json").read_text())
    (rule,) = machine["States"][machine["StartAt"]]["Choices"]
    row = next(line for line in README.splitlines() if line.startswith(f"| the execution ends at `{rule['Next']}`"))
    endings = re.search(r"\[\.\]\(([a-z|]+)\)\$", rule["Condition"])
    beginnings = re.search(r"\^\[([^\]]+)\]", rule["Condition"])

    assert re.findall(r"`\.([a-z]+)`", row) == endings.group(1).split("|")
    assert re.findall(r"`([._])`", row) == list(beginnings.group(1))
