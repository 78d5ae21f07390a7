"""Fifty uploads to one site at the same moment, through S3, EventBridge, Step Functions and the functions."""

import datetime as dt

import polars as pl
import pytest

from energy import lake
from energy.manifest import Manifest
from local import LocalAws

UPLOADS, DAYS = 50, 10


def readings(number: int) -> bytes:
    hours = [dt.datetime(2026, 3, 2) + dt.timedelta(hours=hour) for hour in range(24 * DAYS)]
    rows = [f"{hour},meter {number},{1 + hour.hour / 8}" for hour in hours]
    # Everybody reads the front door as well: the latest upload's reading counts, once.
    rows += [f"{hour},front door,{number + 1}" for hour in hours]
    return "\n".join(["timestamp,appliance,kwh", *rows]).encode()


@pytest.mark.slow
def test_fifty_uploads_at_once_are_all_published_and_nothing_is_counted_twice():
    with LocalAws(skip_retry_waits=True) as aws:
        started = [aws.put(f"raw/home/{number}.csv", readings(number)) for number in range(UPLOADS)]
        done = [aws.wait(execution, timeout_seconds=600) for execution in started]
        assert {(one.status, one.error) for one in done} == {("SUCCEEDED", None)}
        s3 = aws.client("s3")

        def read(key: str) -> bytes:
            return bytes(s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read())

        manifest = Manifest.model_validate_json(read(lake.manifest_key("home")))
        assert len(manifest.uploads) == UPLOADS
        (partition,) = manifest.tables["processed_energy_data"]
        table = pl.read_parquet(read(partition.prefix + "appliances.parquet"))
        total = dict(table.select("appliance", "total_kwh").iter_rows())
        of_one = sum(1 + hour / 8 for hour in range(24)) * DAYS
        assert len(total) == UPLOADS + 1
        for number in range(UPLOADS):
            assert total[f"meter {number}"] == pytest.approx(of_one, abs=1e-9)
        latest = max(manifest.uploads.values(), key=lambda held: (held.upload.last_modified, held.upload.key))
        number = int(latest.upload.key.removeprefix("raw/home/").removesuffix(".csv"))
        assert total["front door"] == pytest.approx((number + 1) * 24 * DAYS, abs=1e-9)
        assert "Contents" not in s3.list_objects_v2(Bucket=aws.bucket, Prefix="pending/")
        # Each run takes along what is ready: far fewer publications than uploads.
        publications = sum("Announce" in one.states for one in done)
        assert publications <= UPLOADS // 2
