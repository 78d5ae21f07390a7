"""The `energy` command: its help, its arguments and its exit codes."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from cli import checks, progress, run, summary
from cli.main import app
from energy import __version__
from energy.manifest import Manifest
from local.lake_folder import LakeFolder, StoredObject


def energy(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}).invoke(app, [str(a) for a in arguments])


def test_version() -> None:
    assert energy("--version").stdout == f"energy {__version__}\n"


def test_help_groups_the_commands() -> None:
    text = energy("--help").stdout

    readings, results = text.index("Readings"), text.index("Results")
    assert readings < text.index("generate") < results
    assert readings < text.index("run  ") < results
    assert results < text.index("query  ")


@pytest.mark.parametrize("command", ["generate", "check", "run", "query", "problems"])
def test_every_command_explains_its_options(command: str) -> None:
    result = energy(command, "--help")

    assert result.exit_code == 0
    for option in re.findall(r"(--[a-z]+)", result.stdout):
        line = next(line for line in result.stdout.splitlines() if option in line)
        assert len(line.strip(" │").split()) > 2, f"{option} is not explained"


def test_generate_writes_to_stdout_nothing_but_the_csv() -> None:
    result = energy("generate", "--days", "1")

    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert rows[0] == ["timestamp", "appliance", "kwh"]
    assert len(rows) == 1 + 24 * 4
    assert result.stderr == ""


def test_labels_name_the_rows_of_the_readings_and_which_are_anomalies(tmp_path: Path) -> None:
    output, labels = tmp_path / "readings.csv", tmp_path / "labels.csv"

    result = energy("generate", "--days", "10", "--start", "2024-06-01", "--output", output, "--labels", labels)

    readings = list(csv.DictReader(output.read_text().splitlines()))
    labelled = list(csv.DictReader(labels.read_text().splitlines()))
    assert result.exit_code == 0
    assert [(row["timestamp"], row["appliance"]) for row in readings] == [
        (row["timestamp"], row["appliance"]) for row in labelled
    ]
    assert readings[0]["timestamp"] == "2024-06-01 00:00:00"
    # 5 % of 10 days, 24 hours, 4 appliances
    assert sum(row["is_anomaly"] == "true" for row in labelled) == 48
    # At night nothing but an anomaly comes near the base load of 1.2 kWh: 0.5 times as much, and noise, stays below.
    night = [
        (float(reading["kwh"]), label["is_anomaly"])
        for reading, label in zip(readings, labelled, strict=True)
        if reading["appliance"] == "AC" and reading["timestamp"].endswith("03:00:00")
    ]
    assert all(is_anomaly == "true" for kwh, is_anomaly in night if kwh > 1.2 * 0.5 * 1.6)


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "--days", "0"),
        ("generate", "--noise", "-0.1"),
        ("generate", "--start", "yesterday"),
        ("generate", "--start", "9999-12-01", "--days", "60"),
        ("generate", "--days", "1", "--output", "/no/such/folder/readings.csv"),
        ("query",),
        ("query", "SELECT 1", "--format", "xml"),
        ("run",),
        ("run", "/no/such/file.csv"),
        ("run", "/tmp"),
        ("unknown",),
    ],
)
def test_wrong_use_ends_with_2_and_says_why(arguments: tuple[str, ...]) -> None:
    result = energy(*arguments)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--site", "My House", "lower-case"),
        ("--site", "../other", "lower-case"),
        ("--timezone", "Mars/Olympus", "Mars/Olympus"),
        ("--timezone", "../../etc/passwd", "no time zone"),
    ],
)
def test_run_checks_its_options_before_anything_starts(tmp_path: Path, option: str, value: str, said: str) -> None:
    file = tmp_path / "readings.csv"
    file.write_text("timestamp,appliance,kwh\n")

    result = energy("run", file, "--lake", tmp_path / "lake", option, value)

    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "lake").exists()


def test_run_refuses_two_files_of_one_name(tmp_path: Path) -> None:
    files = [tmp_path / folder / "march.csv" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text("timestamp,appliance,kwh\n")

    result = energy("run", *files, "--lake", tmp_path / "lake")

    assert result.exit_code == 2
    assert "march.csv" in result.stderr


def test_query_without_a_lake_says_how_to_make_one(tmp_path: Path) -> None:
    result = energy("query", "SELECT 1", "--lake", tmp_path / "nowhere")

    assert result.exit_code == 2
    assert "energy run FILE --lake" in result.stderr


def lake_of(tmp_path: Path, **contents: bytes) -> LakeFolder:
    """A lake folder with the site's manifest and its report's files."""
    keys = {"manifest": "manifests/home.json", "report": "reports/site=home/pub=1/report.html"}
    keys["latest"] = "reports/site=home/latest.html"
    objects = {keys[name]: content for name, content in contents.items()}
    folder = LakeFolder(tmp_path / "lake")
    stored = [StoredObject(key, "v1", "etag", "2026-01-01T00:00:00+00:00", {}, "01", 1) for key in objects]
    folder.save(stored, lambda each: objects[each.key], {})
    return folder


def manifest_in(timezone: str) -> bytes:
    return Manifest(site="home", pub="1", code_version="1", timezone=timezone, uploads={}, tables={}).to_json()


def test_a_site_keeps_the_time_zone_that_it_is_published_in(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, manifest=manifest_in("Europe/Berlin")).path

    assert checks.zone_of(lake, "home", None) == "Europe/Berlin"
    assert checks.zone_of(lake, "home", "Europe/Berlin") == "Europe/Berlin"
    assert checks.zone_of(lake, "cabin", None) == "UTC"
    assert checks.zone_of(lake, "cabin", "America/New_York") == "America/New_York"
    assert checks.zone_of(tmp_path / "nowhere", "home", None) == "UTC"


@pytest.mark.parametrize("wanted", ["UTC", "America/New_York"])
def test_another_time_zone_for_a_published_site_is_refused_before_anything_starts(tmp_path: Path, wanted: str) -> None:
    folder = lake_of(tmp_path, manifest=manifest_in("Europe/Berlin"))
    file = tmp_path / "readings.csv"
    file.write_text("timestamp,appliance,kwh\n")

    result = energy("run", file, "--lake", folder.path, "--timezone", wanted)

    assert result.exit_code == 2
    assert all(word in result.stderr for word in ("home", "Europe/Berlin", wanted, "--site", "--lake"))
    assert result.stdout == ""


def test_a_lake_of_another_version_is_named_as_such(tmp_path: Path) -> None:
    folder = lake_of(tmp_path, manifest=b'{"site": "home"}')
    file = tmp_path / "readings.csv"
    file.write_text("timestamp,appliance,kwh\n")

    result = energy("run", file, "--lake", folder.path)

    assert result.exit_code == 1
    assert "another version" in result.stderr


def test_empty_files_are_named_before_anything_starts(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("empty.csv", "nothing.csv")]
    for file in files:
        file.touch()

    result = energy("run", *files, "--lake", tmp_path / "lake")

    assert result.exit_code == 1
    assert result.stderr == "".join(f"{file} is empty (0 bytes).\n" for file in files)
    assert not (tmp_path / "lake").exists()


def test_the_report_is_named_by_the_name_that_stays_where_that_is_this_report(tmp_path: Path) -> None:
    key = "reports/site=home/pub=1/report.html"

    same = lake_of(tmp_path / "a", report=b"<p>1</p>", latest=b"<p>1</p>")
    newer = lake_of(tmp_path / "b", report=b"<p>1</p>", latest=b"<p>2</p>")
    alone = lake_of(tmp_path / "c", report=b"<p>1</p>")

    assert summary.report_path(same, "home", key) == (same.path / "reports/site=home/latest.html").resolve()
    assert summary.report_path(newer, "home", key) == (newer.path / key).resolve()
    assert summary.report_path(alone, "home", key) == (alone.path / key).resolve()


def test_an_appliance_without_a_peak_has_a_dash_for_it() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(summary._appliances([("AC", 2.0, 1.0, 18), ("Pump", 0.0, None, None)], {"AC": 3}))

    rows = [line.split() for line in console.file.getvalue().splitlines() if line.strip()]
    assert rows[-2:] == [["AC", "2.0", "100.0%", "18:00", "3"], ["Pump", "0.0", "\N{EN DASH}", "\N{EN DASH}", "0"]]


@dataclass(frozen=True)
class Done:
    """An execution that failed in its second function, as the local AWS tells it."""

    error: str
    cause: str
    status: str = "FAILED"

    @property
    def history(self) -> list[dict[str, object]]:
        events = []
        for number, function in enumerate(("first", "second")):
            arn = json.dumps({"FunctionName": f"arn:aws:lambda:eu-central-1:1:function:{function}"})
            scheduled = {"type": "TaskScheduled", "taskScheduledEventDetails": {"parameters": arn}}
            for step, event in enumerate((scheduled, {"type": "TaskStarted"}, {"type": "TaskFailed"})):
                events.append({**event, "id": 3 * number + step + 1, "previousEventId": 3 * number + step})
        return events


class Aws:
    """A local AWS of two functions without a lake."""

    lake = None
    verbs: ClassVar = {"first": "validate", "second": "aggregate"}

    def log(self, function: str) -> str:
        return "\n".join(f"{function} says {number}\x1b[2J" for number in range(30))


def explained(done: Done) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    run._explain(Aws(), "raw/readings.csv", done, run.cause_of(done), console)
    return console.file.getvalue().splitlines()


def test_an_unexpected_failure_shows_the_end_of_the_log_of_its_function() -> None:
    lines = explained(Done("ValueError", '{"errorType": "ValueError", "errorMessage": "no such thing"}'))

    assert lines[1:3] == ["ValueError: no such thing", "The log of the function aggregate ends with:"]
    assert lines[3:] == [f"  second says {number}\N{REPLACEMENT CHARACTER}[2J" for number in range(10, 30)]


def test_a_rejection_is_told_by_its_sentence_alone() -> None:
    assert explained(Done("UploadRejected", "NO_ROWS: The file has a header.")) == [
        "",
        "NO_ROWS: The file has a header.",
    ]


@dataclass(frozen=True)
class Change:
    """A state change as the local AWS tells it."""

    state: str
    status: str
    seconds: float = 0.0
    detail: str | None = None


def shown(changes: list[Change]) -> list[str]:
    def told() -> Iterator[Change]:
        yield from changes

    console = Console(file=io.StringIO(), width=100)
    progress.show(told(), console)
    return console.file.getvalue().splitlines()


def test_states_are_shown_as_they_end() -> None:
    assert shown(
        [
            Change("Validate upload", "entered"),
            Change("Validate upload", "succeeded", 1.25),
            Change("Anything new?", "entered"),
            Change("Anything new?", "succeeded", 0.01),
            Change("Analyse", "entered"),
            Change("Detect anomalies", "entered"),
            Change("Detect anomalies", "succeeded", 2.0),
            Change("Analyse", "succeeded", 2.5),
        ]
    ) == ["✓ Validate upload  1.2 s", "✓ Anything new?", "✓ Detect anomalies  2.0 s", "✓ Analyse  2.5 s"]


def test_an_attempt_that_is_retried_is_no_failure_of_the_state() -> None:
    assert shown(
        [
            Change("Aggregate readings", "entered"),
            Change("Aggregate readings", "failed", 0.5, "TransientError: SlowDown"),
            Change("Aggregate readings", "succeeded", 3.0),
        ]
    ) == ["✓ Aggregate readings  3.0 s  after 1 failed attempt(s): TransientError: SlowDown"]


def test_a_caught_failure_and_the_state_that_ends_a_run_are_marked() -> None:
    assert shown(
        [
            Change("Validate upload", "entered"),
            Change("Validate upload", "failed", 0.5, "InputRejected: empty"),
            Change("Validate upload", "caught", 0.5, "InputRejected: empty"),
            Change("UploadRejected", "entered"),
        ]
    ) == ["✗ Validate upload  0.5 s", "✗ UploadRejected"]


def test_a_failure_that_the_execution_survives_is_told_where_it_happened() -> None:
    assert shown(
        [
            Change("Forecast with Prophet", "entered"),
            Change("Forecast with Prophet", "failed", 0.5, "ForecastFailed: no numbers"),
            Change("Forecast with Prophet", "caught", 0.5),
        ]
    ) == ["✗ Forecast with Prophet  0.5 s  ForecastFailed: no numbers"]


def test_a_state_that_is_entered_again_is_shown_again() -> None:
    assert shown(
        [
            Change("Aggregate readings", "entered"),
            Change("Aggregate readings", "succeeded", 1.0),
            Change("Aggregate readings", "entered"),
            Change("Aggregate readings", "succeeded", 2.0),
        ]
    ) == ["✓ Aggregate readings  1.0 s", "✓ Aggregate readings  2.0 s"]


def test_what_a_failure_says_cannot_steer_the_terminal() -> None:
    lines = shown(
        [
            Change("Validate upload", "entered"),
            Change("Validate upload", "failed", 0.5, "ForecastFailed: column '\x1b[2J[red]x'"),
            Change("Validate upload", "caught", 0.5),
        ]
    )

    assert "\x1b" not in lines[0]
    assert "[red]x" in lines[0]


LARGEST = "SELECT appliance FROM processed_energy_data ORDER BY total_kwh DESC LIMIT 1"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake folder with one table of one file, saved as the local AWS saves it."""
    key = "processed/appliances/site=home/pub=1/appliances.parquet"
    buffer = io.BytesIO()
    pl.DataFrame({"appliance": ["=cmd()", "AC"], "total_kwh": [2.5, 40.0]}).write_parquet(buffer)
    content = buffer.getvalue()
    stored = StoredObject(key, "v1", "etag", "2026-01-01T00:00:00+00:00", {}, "01", len(content))
    columns = [
        {"Name": "appliance", "Type": "string"},
        {"Name": "total_kwh", "Type": "double", "Comment": "energy, kWh"},
    ]
    location = f"s3://bucket/{key.rpartition('/')[0]}/"
    table = {
        "Name": "processed_energy_data",
        "Description": "one appliance",
        "StorageDescriptor": {"Columns": columns, "Location": "s3://bucket/processed/appliances/"},
        "PartitionKeys": [{"Name": "site", "Type": "string"}],
        "Partitions": [{"Values": ["home"], "StorageDescriptor": {"Location": location}}],
    }
    folder = LakeFolder(tmp_path / "lake")
    saved = {"Name": "largest", "Description": "What uses most", "QueryString": LARGEST}
    folder.save([stored], lambda _: content, {"energy_db": [table]}, [saved])
    return folder.path


def test_saved_queries_are_listed_and_asked(lake: Path) -> None:
    listed = energy("query", "--list", "--lake", lake)
    as_json = energy("query", "--list", "--format", "json", "--lake", lake)
    answer = energy("query", "--saved", "largest", "--format", "csv", "--lake", lake)

    assert [line.split() for line in listed.stdout.splitlines() if "largest" in line] == [
        ["largest", "What", "uses", "most"]
    ]
    assert json.loads(as_json.stdout) == [{"name": "largest", "description": "What uses most", "sql": LARGEST}]
    assert answer.stdout == "appliance\nAC\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--saved", "smallest"], 1, "There is no saved query smallest. There are: largest."),
        ([], 2, "Give one of: a query, --saved NAME, --list."),
        (["SELECT 1", "--list"], 2, "Give one of: a query, --saved NAME, --list."),
        (["SELECT 1", "--stack", "energy"], 2, "Give --lake or --stack, not both."),
    ],
)
def test_what_is_asked_must_be_one_thing_in_one_place(lake: Path, arguments: list[str], code: int, said: str) -> None:
    result = energy("query", *arguments, "--lake", lake)

    assert (result.exit_code, result.stderr, result.stdout) == (code, f"{said}\n", "")


def test_tables_are_listed_with_their_rows_and_explained(lake: Path) -> None:
    listed, explained = energy("tables", "--lake", lake), energy("tables", "Processed_Energy_Data", "--lake", lake)
    as_json = json.loads(energy("tables", "--json", "--lake", lake).stdout)
    unknown = energy("tables", "readings", "--lake", lake)

    assert [line.split() for line in listed.stdout.splitlines() if "processed" in line] == [
        ["processed_energy_data", "2", "one", "appliance"]
    ]
    assert "processed_energy_data: 2 rows. One row is one appliance." in explained.stdout
    assert "energy, kWh" in explained.stdout
    assert [(table["name"], table["kind"], table["rows"]) for table in as_json] == [
        ("processed_energy_data", "table", 2)
    ]
    assert as_json[0]["columns"][1:] == [
        {"name": "total_kwh", "type": "double", "meaning": "energy, kWh", "partition_key": False},
        {"name": "site", "type": "string", "meaning": "", "partition_key": True},
    ]
    assert (unknown.exit_code, unknown.stderr) == (
        1,
        "There is no table readings. There are: processed_energy_data.\n",
    )


def test_query_answers_in_every_format(lake: Path) -> None:
    sql = "SELECT * FROM energy_db.processed_energy_data ORDER BY total_kwh DESC"

    as_csv, as_json, as_table = (energy("query", sql, "--lake", lake, "--format", f) for f in ("csv", "json", "table"))

    assert [as_csv.exit_code, as_json.exit_code, as_table.exit_code] == [0, 0, 0]
    assert as_csv.stdout == "appliance,total_kwh,site\nAC,40.0,home\n'=cmd(),2.5,home\n"
    assert json.loads(as_json.stdout) == [
        {"appliance": "AC", "total_kwh": 40.0, "site": "home"},
        {"appliance": "=cmd()", "total_kwh": 2.5, "site": "home"},
    ]
    assert [line.split() for line in as_table.stdout.splitlines() if "home" in line] == [
        ["AC", "40.000", "home"],
        ["=cmd()", "2.500", "home"],
    ]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM nowhere", "There are: energy_db.processed_energy_data."),
        ("SELECT nothing FROM processed_energy_data", "nothing"),
        ("SELECT (", "Syntax error"),
        ("DROP TABLE processed_energy_data", "Only reading is possible"),
    ],
)
def test_a_query_without_an_answer_ends_with_1(lake: Path, sql: str, said: str) -> None:
    result = energy("query", sql, "--lake", lake)

    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("comment", ["-- how much\n", "--how much\n", "--how\n", "--lake = all of it\n"])
def test_a_query_may_begin_with_a_comment(lake: Path, comment: str) -> None:
    result = energy("query", f"{comment}SELECT COUNT(*) FROM processed_energy_data", "--lake", lake, "--format", "csv")

    assert (result.exit_code, result.stdout) == (0, "_col0\n2\n"), result.stderr


def test_a_mistyped_option_is_still_named(lake: Path) -> None:
    result = energy("query", "SELECT 1", "--lake", lake, "--fromat=csv")

    assert result.exit_code == 2
    assert "--fromat" in result.stderr
    assert "No such option" in result.stderr


def test_a_query_may_come_from_stdin(lake: Path) -> None:
    arguments = ["query", "-", "--lake", str(lake), "--format", "csv"]

    result = CliRunner().invoke(
        app, arguments, input="-- how many\nSELECT COUNT(*) AS n\nFROM processed_energy_data;\n"
    )

    assert (result.exit_code, result.stdout) == (0, "n\n2\n")


def test_a_lake_that_is_in_use_is_left_alone(lake: Path, tmp_path: Path) -> None:
    file = tmp_path / "readings.csv"
    file.write_text("timestamp,appliance,kwh\n")
    other = LakeFolder(lake)
    other.lock()
    try:
        result = energy("run", file, "--lake", lake)
    finally:
        other.unlock()

    assert result.exit_code == 1
    assert "in use" in result.stderr


def test_run_refuses_a_configuration_before_anything_starts(tmp_path: Path) -> None:
    file, config = tmp_path / "a.csv", tmp_path / "home.yaml"
    file.write_text("timestamp,appliance,kwh\n2024-03-01 00:00,a,1\n")
    config.write_text("readings: {units: Wh}")
    result = energy("run", file, "--lake", tmp_path / "lake", "--config", config)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{config}: readings.units is no setting; did you mean unit?" in result.stderr.replace("\n", "")
    config.write_text("timezone: Europe/Berlin")
    result = energy("run", file, "--lake", tmp_path / "lake", "--config", config, "--timezone", "UTC")
    assert result.exit_code == 2
    assert "The configuration says timezone: Europe/Berlin, not UTC." in result.stderr
    config.write_text("tariff: {currency: EUR, prices: {file: hours.csv}}")
    result = energy("run", file, "--lake", tmp_path / "lake", "--config", config)
    assert result.exit_code == 2
    said = result.stderr.replace("\n", "")
    assert "names a file that has to lie beside it:" in said
    assert "hours.csv is not there." in said
    result = energy("run", file, "--config", tmp_path / "nowhere.yaml")
    assert (result.exit_code, "nowhere.yaml is not there." in result.stderr.replace("\n", "")) == (2, True)
    assert not (tmp_path / "lake").exists()


def test_of_many_appliances_the_screen_has_the_largest_and_the_sum_of_the_rest():
    rows = [(f"meter {number:03}", 100.0 - number, 0.01, 7) for number in range(30)]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(summary._appliances(rows, {"meter 019": 3, "meter 020": 4, "meter 029": 5}))
    shown = [line.split() for line in console.export_text().splitlines() if "m" in line.split("  ")[0]]
    assert shown[-2] == ["meter", "019", "81.0", "1.0%", "07:00", "3"]
    assert shown[-1] == ["and", "10", "more", f"{sum(100 - number for number in range(20, 30)):.1f}", "10.0%", "9"]


@pytest.mark.parametrize(("missing", "most"), [("no Java", "1000000"), (None, None)])
def test_where_there_is_no_spark_functions_take_what_they_can(monkeypatch, missing, most):
    monkeypatch.setattr("local.glue_jobs.what_is_missing", lambda: missing)
    found = run._parameters("UTC", None)
    assert found.get("LambdaMaxAppliances") == most
    assert ("LambdaMaxBytes" in found) is (missing is not None)
    assert run._parameters("UTC", 1000)["LambdaMaxBytes"] == "1000"
