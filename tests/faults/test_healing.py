"""What is published after every function has failed and healed is, byte for byte, what a clean run publishes."""

import datetime as dt

import pytest

from energy import lake
from energy.manifest import Manifest
from energy.schema import TABLES
from local import LocalAws
from tests.storm.pipeline import RECORDS

FUNCTIONS = [
    "validate",
    "aggregate",
    "detect_anomalies",
    "forecast_prophet",
    "forecast_statsforecast",
    "generate_report",
    "refresh_partitions",
]


def readings() -> bytes:
    rows = ["timestamp,appliance,kwh"]
    for hour in range(24 * 21):
        moment = dt.datetime(2026, 3, 2) + dt.timedelta(hours=hour)
        rows += [f"{moment},{name},{(hour * 7 + place) % 11 / 10}" for place, name in enumerate(("AC", "Heater"))]
    return "\n".join(rows).encode()


def published(faults: list[str]) -> tuple[dict[tuple[str, ...], bytes], int]:
    """The bytes of every table by partition, and how often was waited for another attempt."""
    with LocalAws(skip_retry_waits=True) as aws:
        for error in faults:
            for function in FUNCTIONS:
                aws.fail_next(function, error)
        done = aws.wait(aws.put("raw/home/a.csv", readings()), timeout_seconds=600)
        assert done.status == "SUCCEEDED", (done.error, done.cause)
        s3 = aws.client("s3")

        def read(key: str) -> bytes:
            return s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read()

        manifest = Manifest.model_validate_json(read(lake.manifest_key("home")))
        tables = {
            (name, *partition.values): read(partition.prefix + TABLES[name].file_name)
            for name, partitions in manifest.tables.items()
            for partition in partitions
            if name not in RECORDS
        }
        return tables, len(aws.retry_waits)


@pytest.mark.slow
def test_a_run_in_which_everything_failed_and_healed_publishes_a_clean_runs_bytes():
    faults = ["Lambda.TooManyRequestsException", "TransientError", "Sandbox.Timedout"]
    clean, healed = published([]), published(faults)
    assert healed[1] == len(faults) * len(FUNCTIONS)
    assert clean[1] == 0
    assert len(clean[0]) >= 8
    assert healed[0] == clean[0]
