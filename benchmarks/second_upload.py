"""How long the second upload of a site takes to be added up, where it touches one month of twelve.

    python benchmarks/second_upload.py [--pairs 7] [--appliances 20]

Each pair is a new site on S3 as moto has it, in this process: a year of hourly readings, then a corrected June. Time is
that of the aggregation alone, with all that it reads and writes; the table has medians.
"""

import argparse
import datetime as dt
import os
import statistics
import sys
import time
from pathlib import Path

import boto3
import polars as pl
from moto import mock_aws
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "layers" / "core")]

from energy import drafting, ingestion, lake, store  # noqa: E402
from energy.contracts import AggregateInput, ValidateInput  # noqa: E402

BUCKET = "lake"
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "LAKE_BUCKET": BUCKET,
    "POWERTOOLS_METRICS_NAMESPACE": "Energy",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_SERVICE_NAME": "benchmark",
}
# What is aimed at: the second upload's time over the first's.
AIM = 0.4


def content(first: dt.datetime, days: int, appliances: int, share: float) -> bytes:
    """Hourly readings as a CSV."""
    hours = pl.datetime_range(first, first + dt.timedelta(days=days), interval="1h", closed="left", eager=True)
    names = pl.DataFrame({"appliance": [f"appliance {number:03}" for number in range(appliances)]})
    kwh = (pl.col("timestamp").dt.hour() * 7 + pl.col("timestamp").dt.day() * 3) % 11 / 10 * share
    return pl.DataFrame({"timestamp": hours}).join(names, how="cross").with_columns(kwh=kwh).write_csv().encode()


def add_up(site: str, number: int, text: bytes) -> float:
    """Seconds that the aggregation of an upload takes, which is then committed."""
    key = f"raw/{site}/{number}.csv"
    version = boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text)["VersionId"]
    described = {"key": key, "size": len(text), "etag": "e", "version-id": version, "sequencer": f"{number:02X}"}
    told = ValidateInput.model_validate({"bucket": {"name": BUCKET}, "object": described})
    request = AggregateInput(validated=ingestion.validate(told))
    began = time.perf_counter()
    publication = drafting.aggregate(request)
    took = time.perf_counter() - began
    store.swap(lake.manifest_key(site), store.read(publication.draft_key), publication.base_etag)
    return took


def main() -> None:
    """Prints both times and their ratio; exit 1 above what is aimed at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--appliances", type=int, default=20)
    arguments = parser.parse_args()
    os.environ |= SETTINGS
    first, second = [], []
    year = content(dt.datetime(2025, 1, 1), 365, arguments.appliances, 1.0)
    june = content(dt.datetime(2025, 6, 1), 30, arguments.appliances, 2.0)
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        add_up("warm", 1, content(dt.datetime(2025, 1, 1), 2, 1, 1.0))
        for pair in range(arguments.pairs):
            first.append(add_up(f"site-{pair}", 1, year))
            second.append(add_up(f"site-{pair}", 2, june))
    ratio = statistics.median(after / before for before, after in zip(first, second, strict=True))
    table = Table("upload", "seconds", title=f"{arguments.appliances} appliances, medians of {arguments.pairs} pairs")
    table.add_row("first: a year of hours", f"{statistics.median(first):.3f}")
    table.add_row("second: one month of it", f"{statistics.median(second):.3f}")
    table.add_row("second / first", f"{ratio:.2f} (at most {AIM:.2f})")
    Console().print(table)
    sys.exit(ratio > AIM)


if __name__ == "__main__":
    main()
