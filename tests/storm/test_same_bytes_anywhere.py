"""The same uploads publish the same bytes on another day, host, time zone, hash seed and number of cores."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from energy.schema import TABLES
from tests.storm.digests import LEAKS

ROOT = Path(__file__).resolve().parents[2]
HERE = {"TZ": "UTC", "PYTHONHASHSEED": "0", "POLARS_MAX_THREADS": "2"}
EAST = {"TZ": "Pacific/Auckland", "PYTHONHASHSEED": "4711", "POLARS_MAX_THREADS": "5"}
WEST = {"TZ": "America/St_Johns", "PYTHONHASHSEED": "1", "POLARS_MAX_THREADS": "1"}


def run(*arguments: str, **environment: str) -> tuple[str, dict[str, str]]:
    """Today's date as another process sees it, and the digests of what it publishes."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.storm.digests", *arguments],
        env={**os.environ, "POWERTOOLS_LOG_LEVEL": "CRITICAL", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    return told["today"], told["digests"]


@pytest.mark.slow
def test_the_same_uploads_publish_the_same_bytes_anywhere() -> None:
    today, here = run(**HERE)
    later, elsewhere = run("--days-later", "463", "--host", "elsewhere", **EAST)
    earlier, elsewhere_again = run("--days-later", "-40", **WEST)

    assert earlier < today < later
    for part in ("processed/", "anomalies/", "forecast/", "reports/", "manifests/", "quarantine/"):
        assert any(key.startswith(part) for key in here), part
    assert unequal(here, elsewhere) == set()
    assert unequal(here, elsewhere_again) == set()


@pytest.mark.slow
def test_what_a_table_tells_of_the_machine_is_noticed() -> None:
    _, here = run("--leak", **HERE)
    _, elsewhere = run("--leak", "--days-later", "463", "--host", "elsewhere", **EAST)

    found = unequal(here, elsewhere)
    for name in LEAKS:
        written = {key for key in here if key.startswith(TABLES[name].area + "/")}
        assert written, name
        assert written <= found, name


def unequal(one: dict[str, str], other: dict[str, str]) -> set[str]:
    """The keys of objects that only one of the runs wrote, or each in its own way."""
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
