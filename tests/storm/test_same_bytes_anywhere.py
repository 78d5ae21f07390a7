"""The same uploads publish the same bytes on another day, host, time zone, hash seed and number of cores."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


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
    today, here = run(TZ="UTC", PYTHONHASHSEED="0", POLARS_MAX_THREADS="2")
    abroad = {"TZ": "Pacific/Auckland", "PYTHONHASHSEED": "4711", "POLARS_MAX_THREADS": "5"}
    later, elsewhere = run("--days-later", "463", "--host", "elsewhere", **abroad)

    assert later > today
    for part in ("processed/", "anomalies/", "forecast/", "reports/", "manifests/", "quarantine/"):
        assert any(key.startswith(part) for key in here), part
    assert {key for key in here.keys() | elsewhere.keys() if here.get(key) != elsewhere.get(key)} == set()
