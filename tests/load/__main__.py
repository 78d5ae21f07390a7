"""Starts many executions at once, then each alone, and compares what they publish.

    python -m tests.load [--executions 100]

Exit 1 where one does not succeed, or publishes other bytes than it does alone.
"""

import argparse
import datetime as dt
import statistics
import sys
import time
from dataclasses import dataclass

from energy import lake
from energy.manifest import Manifest
from energy.schema import TABLES
from local import LocalAws
from tests.conftest import check_limits
from tests.storm.pipeline import RECORDS

DAYS = 15
ENDED_SECONDS = 3600

type Tables = dict[tuple[str, ...], bytes]


@dataclass(frozen=True)
class Load:
    """What was published, by table and partition; the seconds that each execution took, and how each ended."""

    tables: Tables
    seconds: list[float]
    ended: list[str]
    took_seconds: float


def content(number: int) -> bytes:
    """Hourly readings that no other number has."""
    rows = ["timestamp,appliance,kwh"]
    for hour in range(24 * DAYS):
        moment = dt.datetime(2026, 3, 2) + dt.timedelta(hours=hour)
        rows += [f"{moment},{name},{(hour * 7 + number * 3 + place) % 11 / 10}" for place, name in enumerate("AB")]
    return "\n".join([*rows, ""]).encode()


def play(executions: int, at_once: bool) -> Load:
    """One upload to each of so many sites."""
    with LocalAws(skip_retry_waits=True) as aws:
        began = time.monotonic()
        if at_once:
            started = [aws.put(f"raw/site-{number}/a.csv", content(number)) for number in range(executions)]
            done = [aws.wait(arn, ENDED_SECONDS) for arn in started]
        else:
            done = [
                aws.wait(aws.put(f"raw/site-{number}/a.csv", content(number)), ENDED_SECONDS)
                for number in range(executions)
            ]
        took = time.monotonic() - began
        for one in done:
            check_limits(one.history)
        described = [aws.client("stepfunctions").describe_execution(executionArn=one.arn) for one in done]
        seconds = [(each["stopDate"] - each["startDate"]).total_seconds() for each in described]
        ended = [one.error or one.status for one in done]
        return Load(_published(aws, executions), seconds, ended, took)


def _published(aws: LocalAws, sites: int) -> Tables:
    s3 = aws.client("s3")

    def read(key: str) -> bytes:
        return s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read()

    tables = {}
    for site in (f"site-{number}" for number in range(sites)):
        manifest = Manifest.model_validate_json(read(lake.manifest_key(site)))
        for name, partitions in manifest.tables.items():
            if name not in RECORDS:
                for partition in partitions:
                    tables[name, *partition.values] = read(partition.prefix + TABLES[name].file_name)
    return tables


def different(one: Load, other: Load) -> list[str]:
    """The partitions that are not the same."""
    keys = sorted(one.tables.keys() | other.tables.keys())
    return ["/".join(key) for key in keys if one.tables.get(key) != other.tables.get(key)]


def main() -> None:
    """Prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=100)
    count = parser.parse_args().executions
    at_once = play(count, at_once=True)
    p95 = statistics.quantiles(at_once.seconds, n=20)[-1]
    print(f"{count} at once: {at_once.took_seconds:.0f} s, an execution 95 % under {p95:.0f} s", flush=True)
    alone = play(count, at_once=False)
    print(f"{count} alone:   {alone.took_seconds:.0f} s")
    failed = [one for load in (at_once, alone) for one in load.ended if one != "SUCCEEDED"]
    others = different(at_once, alone)
    print(
        f"failed: {failed or 'none'}; {len(at_once.tables)} files published, different from alone: {others or 'none'}"
    )
    sys.exit(bool(failed or others))


if __name__ == "__main__":
    main()
