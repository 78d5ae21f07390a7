"""`energy check`: the verdict of the pipeline, without the pipeline."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

NASTY = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "nasty"
EXPECTED: dict[str, dict[str, Any]] = json.loads((NASTY / "expected.json").read_text())["files"]
HEADER = "timestamp,appliance,kwh\n"
GOOD = "".join(f"2024-05-01 {hour:02d}:00,fridge,0.1\n" for hour in range(12))


def check(*arguments: str | Path, columns: int = 120) -> Result:
    environment = {"COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "dumb"}
    return CliRunner(env=environment).invoke(app, ["check", *(str(each) for each in arguments)])


def answers(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    file = tmp_path / "readings.csv"
    file.write_text(HEADER + GOOD)
    return file


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_every_nasty_file_gets_the_verdict_that_it_must_get(zone: str) -> None:
    names = sorted(name for name in EXPECTED if name.startswith("dst_") == (zone != "UTC"))

    result = check(*(NASTY / name for name in names), "--timezone", zone, "--json")

    found = {Path(answer["file"]).name: answer for answer in answers(result)}
    asked = ("verdict", "codes", "rows_ok", "rows_bad")
    assert list(found) == names, result.stderr
    assert {name: {key: answer[key] for key in asked} for name, answer in found.items()} == {
        name: {key: sorted(EXPECTED[name][key]) if key == "codes" else EXPECTED[name][key] for key in asked}
        for name in names
    }
    doubtful = {name for name in names if found[name]["verdict"] in {"reject", "accept_warn"}}
    assert {name for name in doubtful if not found[name]["messages"]} == set()
    assert result.exit_code == (1 if any(EXPECTED[name]["verdict"] == "reject" for name in names) else 0)


def test_a_good_file_is_told_how_it_was_read_and_what_comes_next(readings: Path) -> None:
    result = check(readings, "--timezone", "Europe/Berlin")

    assert result.exit_code == 0, result.stderr
    assert f"✓ {readings}  can be used" in result.stdout
    assert "12 rows: 12 good" in result.stdout
    assert "energy in kWh" in result.stdout
    assert "Europe/Berlin" in result.stdout
    assert f"Next: energy run {readings} --timezone Europe/Berlin" in result.stdout


def test_without_a_time_zone_it_is_said_that_utc_was_taken(readings: Path, tmp_path: Path) -> None:
    stated = tmp_path / "stated.csv"
    stated.write_text(HEADER + GOOD.replace(":00,", ":00Z,"))

    assert "read as UTC" in check(readings).stdout
    assert "read as UTC" not in check(readings, "--timezone", "UTC").stdout
    assert "read as UTC" not in check(stated).stdout


def test_rejected_rows_are_counted_by_code_and_the_first_of_them_shown_on_a_line(readings: Path) -> None:
    bad = "".join(f"2024-05-02 {hour:02d}:00,{'a very long name ' * 7},-1\n" for hour in range(7))
    readings.write_text(HEADER + GOOD + bad + "2024-05-03 00:00,\x1b[2J,1\n")

    result = check(readings, columns=80)

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert f"! {readings}  can be used, without the rows that were rejected" in lines
    assert "  20 rows: 12 good, 8 rejected" in lines
    assert ["NEGATIVE", "7"] in [line.split()[:2] for line in lines]
    assert [line.split()[0] for line in lines if "a very long" in line] == ["14", "15", "16", "17", "18"]
    assert all(line.endswith("…") for line in map(str.rstrip, lines) if "a very long" in line)
    assert "… and 3 more." in result.stdout
    assert "\x1b" not in result.stdout


def test_a_refused_file_is_told_why_and_not_what_to_run(readings: Path) -> None:
    readings.write_text("a,b\n1,2\n")

    result = check(readings)

    assert result.exit_code == 1
    assert f"✗ {readings}  cannot be used" in result.stdout
    assert "energy run" not in result.stdout


def test_a_file_with_too_many_bad_rows_shows_them(readings: Path) -> None:
    readings.write_text(HEADER + GOOD.replace("0.1", "-1"))

    result = check(readings)
    (answer,) = answers(check(readings, "--json"))

    assert result.exit_code == 1
    assert "TOO_MANY_BAD_ROWS" in result.stdout
    assert ["NEGATIVE", "12"] in [line.split()[:2] for line in result.stdout.splitlines()]
    assert (answer["codes"], answer["rows_ok"], answer["rows_bad"]) == (["TOO_MANY_BAD_ROWS"], None, 12)


def test_one_refused_file_of_several_makes_the_answer_no(readings: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("")

    result = check(empty, readings, "--json")

    assert result.exit_code == 1
    assert [(answer["file"], answer["verdict"]) for answer in answers(result)] == [
        (str(empty), "reject"),
        (str(readings), "accept"),
    ]
    assert answers(result)[0]["rows_bad"] == 0


def test_the_configuration_says_what_a_file_does_not(readings: Path, tmp_path: Path) -> None:
    readings.write_text("when,kwh\n" + "".join(f"{day:02d}/02/2024 00:00,1\n" for day in range(1, 12)))
    config = tmp_path / "home.yaml"
    config.write_text(
        "timezone: Europe/Berlin\nreadings:\n  columns: {timestamp: when, value: kwh}\n"
        "  appliance: meter\n  date_order: day_first\n"
    )

    without, configured = check(readings, "--json"), check(readings, "--json", "--config", config)

    assert answers(without)[0]["verdict"] == "reject"
    assert answers(configured)[0]["rows_ok"] == 11
    told = check(readings, "--config", config).stdout
    assert "Europe/Berlin" in told
    assert f"Next: energy run {readings} --config {config}" in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.csv"], "missing.csv is not there."),
        (["."], "is a folder; name the files in it."),
        (["readings.csv", "--timezone", "Berlin"], "'Berlin' is no time zone."),
        (["readings.csv", "--config", "missing.yaml"], "missing.yaml is not there."),
        (["readings.csv", "--config", "misspelled.yaml"], "misspelled.yaml: "),
        (["readings.csv", "--config", "latin.yaml"], "latin.yaml: it is not UTF-8"),
        (["readings.csv", "--config", "zone.yaml"], "Nowhere/Land"),
    ],
)
def test_wrong_use_is_told_in_one_sentence(
    arguments: list[str], says: str, readings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = readings.parent
    monkeypatch.chdir(folder)
    (folder / "misspelled.yaml").write_text("timezome: UTC\n")
    (folder / "latin.yaml").write_bytes("timezone: Größe\n".encode("latin-1"))
    (folder / "zone.yaml").write_text("timezone: Nowhere/Land\n")

    result = check(*arguments)

    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_wrong_use(readings: Path) -> None:
    readings.chmod(0)

    assert check(readings).exit_code == 2
    assert "permissions" in check(readings).stderr


def test_a_name_that_is_no_text_is_still_json(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"m\xe4rz.csv")
    file.write_text(HEADER + GOOD)

    (answer,) = answers(check(file, "--json"))

    assert answer["file"] == str(file)
    assert check(file).exit_code == 0


def test_neither_aws_nor_the_pipeline_is_loaded_for_it(readings: Path) -> None:
    code = "import sys; from cli.main import app; app(sys.argv[1:], standalone_mode=False); print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code, "check", str(readings), "--json"], capture_output=True, text=True, check=True
    )

    verdict, modules = done.stdout.splitlines()
    assert json.loads(verdict)["verdict"] == "accept"
    loaded = {module.partition(".")[0] for module in modules.split()}
    assert loaded & {"boto3", "botocore", "moto", "aws_lambda_powertools", "duckdb", "rich", "local"} == set()
