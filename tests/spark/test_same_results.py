"""What Spark makes of a file is what the functions make of it: verdict, codes, lines, and every object in the lake.

Both work on the same bucket, one after the other; all files go through one Spark session, in parts of 16 KB.
"""

import contextlib
import io
import json
import subprocess
from dataclasses import dataclass, field
from typing import Any

import boto3
import polars as pl
import pytest
from moto.server import ThreadedMotoServer
from polars.testing import assert_frame_equal

from energy import anomalies, drafting, ingestion, lake, settings, store
from energy.contracts import AggregateInput, CrunchOutput, DetectInput, ValidateInput
from energy.errors import EnergyError, InputRejected
from local.environment import REGION
from local.glue_jobs import PYTHON, ROOT
from tests.spark.random_files import random_file

NASTY = ROOT.parent / "shared" / "data" / "nasty"
RANDOM = {f"random_{seed:02}.csv": random_file(seed) for seed in range(20)}
PART_BYTES = 16 << 10
SECONDS = 850


def files() -> dict[str, bytes]:
    nasty = sorted(path for path in NASTY.glob("*") if path.name not in {"expected.json", "README.md"})
    return {path.name: path.read_bytes() for path in nasty} | RANDOM


FILES = files()


@dataclass
class Made:
    """What became of each file, by name, and all objects that were written, by key."""

    answers: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)

    def of(self, site: str) -> dict[str, bytes]:
        return {key: content for key, content in self.objects.items() if f"/site={site}/" in key}


def site_of(name: str) -> str:
    return f"s{list(FILES).index(name)}"


@pytest.fixture(scope="module")
def bucket():
    """The environment of the functions, on a moto of its own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "LAKE_BUCKET": "lake",
        "NO_PROXY": "127.0.0.1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        _forget_clients()
        made = boto3.client("s3")
        made.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": REGION})
        made.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
        yield environment
    _forget_clients()
    server.stop()


def _forget_clients() -> None:
    store.client.cache_clear()
    settings.settings.cache_clear()


@pytest.fixture(scope="module")
def events(bucket):
    """The upload of each file to a site of its own, as the state machine hears of it."""
    told = {}
    for name, content in FILES.items():
        key = f"raw/{site_of(name)}/{name}"
        if name.startswith("dst_") or name in RANDOM:
            zone = b"timezone: Europe/Berlin\n"
            store.client().put_object(Bucket="lake", Key=f"config/{site_of(name)}.yaml", Body=zone)
        answer = store.client().put_object(Bucket="lake", Key=key, Body=content)
        described = {"key": key, "size": len(content), "etag": answer["ETag"].strip('"')}
        described |= {"version-id": answer["VersionId"], "sequencer": "01"}
        told[name] = {"bucket": {"name": "lake"}, "object": described, "time": "2026-01-01T00:00:00Z"}
    return told


@pytest.fixture(scope="module")
def by_functions(events):
    made = Made({name: by_function(event) for name, event in events.items()})
    return taken_away(made)


def by_function(event: dict[str, Any]) -> dict[str, Any]:
    site = lake.site_of_key(event["object"]["key"])
    try:
        validated = ingestion.validate(ValidateInput.model_validate(event))
        publication = drafting.aggregate(AggregateInput(validated=validated))
        found = anomalies.detect(DetectInput(publication=publication))
    except InputRejected as refusal:
        return CrunchOutput(site=site, rejection=str(refusal)).model_dump(mode="json")
    except EnergyError as error:
        return {"error": type(error).__name__, "message": str(error)}
    return CrunchOutput(site=site, validated=validated, publication=publication, anomalies=found).model_dump(
        mode="json"
    )


def taken_away(made: Made) -> Made:
    """What was written, and the bucket as it was before."""
    for key in store.list_keys(""):
        if not key.startswith(("raw/", "config/")):
            made.objects[key] = store.read(key)
            store.delete(key)
    return made


@pytest.fixture(scope="module")
def by_spark(by_functions, events, bucket, tmp_path_factory):
    """In the job's environment, one file after the other in one session."""
    asked = [{"event": event, "execution": name, "round": 1} for name, event in events.items()]
    scratch = tmp_path_factory.mktemp("spark")
    submit = "--master local[2] --driver-memory 2g --conf spark.ui.enabled=false pyspark-shell"
    done = subprocess.run(
        [str(PYTHON), "-m", "tests.spark.crunch_all", str(PART_BYTES)],
        input="\n".join(map(json.dumps, asked)),
        env={
            **bucket,
            "HOME": str(scratch),
            "PATH": "/usr/bin:/bin",
            "PYSPARK_PYTHON": str(PYTHON),
            "PYSPARK_SUBMIT_ARGS": submit,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'core'}",
            "SPARK_LOCAL_DIRS": str(scratch),
            "SPARK_LOCAL_IP": "127.0.0.1",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    told = [json.loads(line.partition(" ")[2]) for line in done.stdout.splitlines() if line.startswith("CRUNCHED ")]
    assert len(told) == len(asked), done.stderr[-4000:]
    return taken_away(Made(dict(zip(events, told, strict=True))))


def test_there_is_enough_to_compare(by_functions):
    answers = by_functions.answers.values()
    assert sum(answer.get("rejection") is not None for answer in answers) >= 20
    assert sum(answer.get("anomalies") is not None for answer in answers) >= 50
    random = [by_functions.answers[name] for name in RANDOM]
    assert sum(bool(answer["validated"] and answer["validated"]["rows"]["rejected"]) for answer in random) >= 10
    assert sum(bool(answer["validated"] and len(answer["validated"]["months"]) > 1) for answer in random) >= 5


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_the_same_verdict(by_functions, by_spark, name):
    assert by_spark.answers[name] == by_functions.answers[name]


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_the_same_objects(by_functions, by_spark, name):
    found, expected = by_spark.of(site_of(name)), by_functions.of(site_of(name))
    assert found.keys() == expected.keys()
    for key, content in found.items():
        if content != expected[key]:
            assert key.endswith(".parquet"), key
            assert_frame_equal(frame(content), frame(expected[key]), rel_tol=1e-9, abs_tol=1e-12)


def test_most_objects_are_the_same_bytes(by_functions, by_spark):
    same = sum(by_spark.objects.get(key) == content for key, content in by_functions.objects.items())
    assert same >= 0.99 * len(by_functions.objects)


def frame(content: bytes) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(content))


def test_a_difference_would_be_seen(by_functions, by_spark):
    """One reading of one file, changed by a millionth."""
    published = {key: content for key, content in by_spark.objects.items() if key.startswith("processed/readings/")}
    key = next(key for key, content in sorted(published.items()) if frame(content)["kwh"].sum() > 1)
    spoilt = frame(by_spark.objects[key]).with_columns(pl.col("kwh") * (1 + 1e-6))
    with contextlib.suppress(AssertionError):
        assert_frame_equal(spoilt, frame(by_functions.objects[key]), rel_tol=1e-9, abs_tol=1e-12)
        pytest.fail("the change was not seen")
