"""Fifty uploads to one site at the same moment, through S3, EventBridge, Step Functions and the functions."""

import datetime as dt

import polars as pl
import pytest

from energy import lake
from energy.manifest import Manifest
from local import LocalAws

UPLOADS, DAYS = 50, 3


def readings(number: int) -> bytes:
    hours = [dt.datetime(2026, 3, 2) + dt.timedelta(hours=hour) for hour in range(24 * DAYS)]
    rows = [f"{hour},meter {number},{1 + hour.hour / 8}" for hour in hours]
    # Everybody reads the front door as well: the latest upload's reading counts, once.
    rows += [f"{hour},front door,{number + 1}" for hour in hours]
    return "\n".join(["timestamp,appliance,kwh", *rows]).encode()


@pytest.mark.slow
def test_fifty_uploads_at_once_are_all_published_and_nothing_is_counted_twice():
    with LocalAws(skip_retry_waits=True) as aws:
        s3 = aws.client("s3")

        def read(key: str) -> bytes:
            return s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read()

        started = [aws.put(f"raw/home/{number}.csv", readings(number)) for number in range(UPLOADS)]
        done = [aws.wait(execution, timeout_seconds=300) for execution in started]
        assert {(one.status, one.error) for one in done} == {("SUCCEEDED", None)}

        manifest = Manifest.model_validate_json(read(lake.manifest_key("home")))
        assert manifest.uploads.keys() == {f"raw/home/{number}.csv" for number in range(UPLOADS)}
        (partition,) = manifest.tables["processed_energy_data"]
        table = pl.read_parquet(read(partition.prefix + "appliances.parquet"))
        totals_kwh = dict(table.select("appliance", "total_kwh").iter_rows())
        own_kwh = sum(1 + hour / 8 for hour in range(24)) * DAYS
        latest = max(manifest.uploads.values(), key=lambda held: (held.upload.last_modified, held.upload.key))
        latest_number = int(latest.upload.key.removeprefix("raw/home/").removesuffix(".csv"))
        assert totals_kwh == pytest.approx(
            {f"meter {number}": own_kwh for number in range(UPLOADS)} | {"front door": (latest_number + 1) * 24 * DAYS},
            abs=1e-9,
        )
        assert "Contents" not in s3.list_objects_v2(Bucket=aws.bucket, Prefix="pending/")
        # Each publication takes along what is ready beside it; how many there are depends on how busy the machine is.
        assert sum("Announce" in one.states for one in done) < UPLOADS
