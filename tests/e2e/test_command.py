"""The `energy` command as its user runs it, on real readings."""

import csv
import gzip
import json
import math
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from energy.schema import BILLS, COSTS, TABLES
from local.lake_folder import LakeFolder

ROOT = Path(__file__).resolve().parents[2]
READINGS = ROOT.parent / "shared" / "data" / "readings"
README = (ROOT / "README.md").read_text()
ENERGY = [sys.executable, "-c", "from cli.main import app; app()"]


def energy(*arguments, code=0):
    """The command's standard output; fails with all that it said if it ends with another code."""
    done = subprocess.run(
        [*ENERGY, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + (done.stderr if code else "")


def query(lake, sql):
    return json.loads(energy("query", sql, "--lake", lake, "--format", "json"))


def totals(path):
    """Energy by appliance, recomputed from the file with nothing but the standard library."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", newline="") as file:
        by_appliance = defaultdict(list)
        for row in csv.DictReader(file):
            by_appliance[row["appliance"]].append(float(row["kwh"]))
    return {appliance: math.fsum(values) for appliance, values in by_appliance.items()}


def tables(lake):
    """The bytes of every file of every table, by table and partition."""
    folder = LakeFolder(lake)
    return {
        (table.name, *values): [file.read_bytes() for file in folder.files_below(prefix)]
        for table in folder.tables()
        for values, prefix in table.partitions
    }


def issued(found):
    """The one partition of the forecasts that were ever issued, which grows with each publication."""
    (partition,) = [partition for partition in found if partition[0] == "forecast_history"]
    return partition


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A lake with a year of real readings, as `energy run` left it; and what the command said."""
    path = READINGS / "refit_house20_hourly.csv"
    if not path.exists():
        pytest.skip("the real readings are not beside this checkout")
    lake = tmp_path_factory.mktemp("refit")
    return path, lake, energy("run", path, "--lake", lake)


def test_totals_in_the_lake_agree_with_a_plain_recomputation_from_the_file(published):
    path, lake, _ = published
    rows = query(lake, "SELECT appliance, SUM(kwh) AS total FROM energy_db.raw_energy_data GROUP BY appliance")
    assert {row["appliance"]: row["total"] for row in rows} == pytest.approx(totals(path), abs=1e-6)
    statistics = query(lake, "SELECT appliance, total_kwh FROM processed_energy_data")
    assert {row["appliance"]: row["total_kwh"] for row in statistics} == pytest.approx(totals(path), abs=1e-6)


def test_every_query_of_the_readme_runs(published):
    _, lake, _ = published
    queries = [sql.strip() for sql in README.split("```sql")[1].split("```")[0].split(";") if sql.strip()]
    assert len(queries) == 3
    answers = [query(lake, sql) for sql in queries]
    assert [len(answer) for answer in answers] == [5, 24, 7]
    days = [row["ds"] for row in answers[2]]
    assert days == sorted(days, reverse=True)
    assert all(0 <= row["yhat_lower"] <= row["yhat"] <= row["yhat_upper"] for row in answers[2])


def test_the_command_ends_with_the_answers_and_the_path_of_the_report(published):
    _, lake, said = published
    assert all(appliance in said for appliance in ("Other", "Kettle", "Dishwasher", "WashingMachine", "Microwave"))
    assert "Forecast" in said
    assert "Anomalies" in said
    report = Path(next(line.split(maxsplit=1)[1] for line in said.splitlines() if line.startswith("Report:")))
    assert report.is_file()
    assert report == (lake / "reports" / "site=home" / "latest.html").resolve()
    assert "<script" not in report.read_text()


def test_the_same_file_again_changes_no_table_and_a_broken_one_is_refused_with_its_reason(published, tmp_path):
    path, lake, _ = published
    before = tables(lake)
    assert {name for name, *_ in before} == set(TABLES) - {COSTS.name, BILLS.name}, "nothing says what energy costs"
    energy("run", path, "--lake", lake)
    after = tables(lake)
    assert [changed for changed in before if before[changed] != after[changed]] == [issued(before)]
    before = after

    broken = tmp_path / "broken.csv"
    broken.write_text("timestamp,appliance,price\n2024-01-01 00:00:00,AC,1\n")
    empty = tmp_path / "empty.csv"
    empty.touch()
    said = energy("run", empty, broken, "--lake", lake, code=1)
    # Once where it happened, once below what is published: nothing of it goes by another name.
    assert said.count("MISSING_COLUMN: The header in line 1 lacks kwh") == 2
    assert "InputRejected" not in said
    *_, first, second = said.strip().splitlines()
    assert first == f"{empty} is empty (0 bytes)."
    assert second.startswith(f"{broken} was not published: MISSING_COLUMN: ")
    problems = list(lake.glob("quarantine/site=home/run=*/problems.json"))
    assert len(problems) == 1
    assert "MISSING_COLUMN" in problems[0].read_text()
    assert tables(lake) == before


def test_a_published_site_is_not_read_in_another_time_zone(published):
    path, lake, _ = published
    before = tables(lake)
    said = energy("run", path, "--lake", lake, "--timezone", "America/New_York", code=2)
    assert "published in the time zone UTC, not America/New_York" in said
    assert "Starting" not in said
    assert tables(lake) == before


@pytest.mark.slow
def test_a_million_readings_by_the_minute_go_through(tmp_path):
    path = READINGS / "refit_house20_minute_1M1.csv.gz"
    if not path.exists():
        pytest.skip("the real readings are not beside this checkout")
    energy("run", path, "--lake", tmp_path)
    rows = query(tmp_path, "SELECT appliance, SUM(kwh) AS total, COUNT(*) AS n FROM raw_energy_data GROUP BY appliance")
    assert sum(row["n"] for row in rows) == 1_100_000
    assert {row["appliance"]: row["total"] for row in rows} == pytest.approx(totals(path), abs=1e-6)


def test_what_cannot_be_meant_is_said_before_anything_starts(tmp_path):
    assert "not there" in energy("run", tmp_path / "nothing.csv", "--lake", tmp_path / "lake", code=2)
    assert not (tmp_path / "lake").exists()


def test_a_configured_site_is_read_as_it_says_and_what_was_set_apart_is_shown(tmp_path):
    lake, config, file = tmp_path / "lake", tmp_path / "home.yaml", tmp_path / "hof.csv"
    config.write_text(
        "timezone: Europe/Berlin\n"
        "readings: {columns: {timestamp: [Tag, Zeit], value: Verbrauch}, appliance: Hof, unit: Wh}\n"
    )
    rows = [f"{day:02d}.03.2024;{hour:02d}:00;{100 * hour},5" for day in range(1, 15) for hour in range(24)]
    file.write_text("Konto;0000\n\nTag;Zeit;Verbrauch\n" + "\n".join([*rows, "15.03.2024;01:00;viel"]) + "\n")
    said = energy("run", file, "--lake", lake, "--config", config)
    assert "336 readings, 2024-03-01 00:00 to 2024-03-14 23:00" in said
    (total,) = query(lake, "SELECT SUM(kwh) AS total, COUNT(*) AS readings FROM raw_energy_data")
    assert total == {"total": pytest.approx(14 * (27.6 + 24 * 0.0005)), "readings": 336}
    (quality,) = query(lake, "SELECT coverage, rejected FROM quality_data WHERE appliance = 'Hof'")
    assert quality == {"coverage": pytest.approx(1.0), "rejected": 1}
    shown = energy("problems", "--lake", lake)
    assert "BAD_NUMBER" in shown
    assert "0000" not in shown
    # The lake keeps the configuration: the next run needs not say it.
    file.write_text("Tag;Zeit;Verbrauch\n" + "\n".join(rows[-48:]) + "\n")
    assert "48 readings" in energy("run", file, "--lake", lake)
