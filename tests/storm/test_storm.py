"""1,500 events at once, crashes at every write, a reader all the while; and what goes wrong without each safeguard."""

import datetime as dt
import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import polars as pl
import pytest

import energy.manifest
from energy import lake, resolution, store
from tests.storm import pipeline
from tests.storm.lake_double import LakeDouble
from tests.storm.pipeline import BUCKET, Event, lake_in_memory

VERSIONS, COPIES, WORKERS, READS = 5, 3, 16, 1_000
CRASHES = 0.1
# 100 keys in CI; STORM_KEYS=300 for more.
KEYS = int(os.environ.get("STORM_KEYS", "100"))
KEYS_OF_A_SITE = 10
NEWEST = float(VERSIONS)


class Died(BaseException):
    """The process is gone: no `except Exception` sees it."""


@dataclass
class Storm:
    """What happened: crashes, reads, and what a reader found that must not be."""

    crashes: int = 0
    reads: int = 0
    half_published: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


def sequencer(number: int) -> str:
    """Hexadecimal, in either case, of differing length."""
    return ["9", "99", "099A", "f00c", "10000"][number]


def upload_all(double: LakeDouble, keys: int) -> list[Event]:
    """Every version of every key, each with its number as the only reading; and an event for each copy."""
    events = []
    for number in range(keys):
        site, appliance = f"site{number // KEYS_OF_A_SITE}", f"meter{number % KEYS_OF_A_SITE}"
        key = f"raw/{site}/{appliance}.csv"
        for version in range(VERSIONS):
            body = f"timestamp,appliance,kwh\n2024-0{1 + version % 3}-01 00:00:00,{appliance},{version + 1}\n".encode()
            moment = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
            double.upload(key, body, f"v{version}", moment)
            events += [Event(key, f"v{version}", sequencer(version), moment, len(body))] * COPIES
    return events


def rage(double: LakeDouble, events: list[Event], storm: Storm, seed: int, crashes: float = CRASHES) -> None:
    """All events through all workers, each again until it survives; a reader looks on."""
    chance = random.Random(seed)
    chance.shuffle(events)
    lock = threading.Lock()

    def maybe_die(operation: str, key: str) -> None:
        with lock:
            if chance.random() < crashes:
                storm.crashes += 1
                raise Died(f"{operation} {key}")

    double.before_write = double.after_write = maybe_die
    reader = threading.Thread(target=read_all_the_while, args=(double, storm, random.Random(seed)))
    reader.start()
    try:
        with ThreadPoolExecutor(WORKERS) as workers:
            list(workers.map(until_it_survives, events))
    finally:
        storm.over.set()
        reader.join()
    double.before_write = double.after_write = lambda operation, key: None


def until_it_survives(event: Event) -> None:
    while True:
        try:
            pipeline.run(event)
        except Died:
            continue
        return


def read_all_the_while(double: LakeDouble, storm: Storm, chance: random.Random) -> None:
    while not storm.over.is_set() or storm.reads < READS:
        site = f"site{chance.randrange(KEYS // KEYS_OF_A_SITE)}"
        storm.half_published += half_published(double, site)
        storm.reads += 1
        time.sleep(0.002)


def half_published(double: LakeDouble, site: str) -> list[str]:
    """What is wrong with what a reader sees of a site just now: by its manifest, and by the catalog."""
    manifest = pipeline.manifest(double, site)
    if manifest is None:
        return []
    named = [one.prefix for partitions in manifest.tables.values() for one in partitions]
    located = [
        location.removeprefix(f"s3://{BUCKET}/")
        for partitions in list(double.partitions.values())
        for values, location in list(partitions.items())
        if values[0] == site
    ]
    wrong = [f"nothing is at {prefix}" for prefix in [*named, *located] if not double.keys(prefix)]
    rows = {name: [read(double, one.prefix) for one in manifest.tables[name]] for name in ("raw_energy_data",)}
    total = sum(frame["kwh"].sum() for frame in rows["raw_energy_data"])
    (statistics,) = (read(double, one.prefix) for one in manifest.tables["processed_energy_data"])
    if total != statistics["total_kwh"].sum():
        wrong.append(f"{site}: readings of {total} kWh beside statistics of {statistics['total_kwh'].sum()} kWh")
    return wrong


def read(double: LakeDouble, prefix: str) -> pl.DataFrame:
    (key,) = double.keys(prefix)
    return pl.read_parquet(double.read(key) or b"")


def wrong_keys(double: LakeDouble, keys: int) -> list[str]:
    """Keys of which not exactly the newest version is published, by the tables that the catalog names."""
    found: dict[tuple[str, str], list[float]] = {}
    for (_, site, _), files in (
        (place, content)
        for number in range(keys // KEYS_OF_A_SITE)
        for place, content in pipeline.tables(double, f"site{number}").items()
        if place[0] == "raw_energy_data"
    ):
        for content in files:
            for appliance, kwh in pl.read_parquet(content).select("appliance", "kwh").iter_rows():
                found.setdefault((site, appliance), []).append(kwh)
    expected = [(f"site{number // KEYS_OF_A_SITE}", f"meter{number % KEYS_OF_A_SITE}") for number in range(keys)]
    return [f"{site}/{appliance}" for site, appliance in expected if found.get((site, appliance)) != [NEWEST]]


def written_twice(double: LakeDouble) -> list[str]:
    """What waits to be published is taken away when it is, and may come again."""
    replaced = ("manifests/", "reports/", "pending/")
    return [key for key, count in double.writes.items() if count > 1 and not key.startswith(replaced)]


@pytest.mark.slow
def test_of_every_key_the_newest_version_is_published_whole_and_written_once(capsys) -> None:
    with lake_in_memory() as double:
        storm, started = Storm(), time.monotonic()
        events = upload_all(double, KEYS)
        assert len(events) == KEYS * VERSIONS * COPIES
        rage(double, events, storm, seed=1)
        with capsys.disabled():
            print(
                f"\n{len(events)} events, {WORKERS} workers: {storm.crashes} crashes, {len(double.writes)} objects, "
                f"{storm.reads} reads, {len(wrong_keys(double, KEYS))} wrong keys, {time.monotonic() - started:.0f} s"
            )
        assert wrong_keys(double, KEYS) == []
        assert written_twice(double) == []
        assert storm.half_published == []
        assert storm.reads >= READS
        assert storm.crashes >= KEYS


# ------------------------------------------------------------------------------------------ without each safeguard


def without_sequencers(monkeypatch: pytest.MonkeyPatch) -> None:
    def same(known, change, read_by=""):
        return known.version == change.version

    monkeypatch.setattr(energy.manifest, "outdates", same)
    monkeypatch.setattr(resolution, "outdates", same)


def without_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "is_newer", lambda sequencer, than: (sequencer or "").lower() > (than or "").lower())


def without_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    def put(key: str, content: bytes, expected_etag: str | None) -> str:
        return store.client().put_object(Bucket=BUCKET, Key=key, Body=content)["ETag"]

    monkeypatch.setattr(store, "swap", put)


@pytest.mark.parametrize("safeguard_off", [without_sequencers, without_padding])
def test_without_the_order_of_versions_older_ones_come_out(
    safeguard_off: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    safeguard_off(monkeypatch)
    with lake_in_memory() as double:
        events = upload_all(double, KEYS_OF_A_SITE)
        random.Random(2).shuffle(events)
        for event in events:
            pipeline.run(event)
        assert wrong_keys(double, KEYS_OF_A_SITE) != []


def old_and_new(double: LakeDouble) -> tuple[Event, Event]:
    events = upload_all(double, 1)
    return events[0], events[-1]


def published_version(double: LakeDouble) -> str:
    manifest = pipeline.manifest(double, "site0")
    assert manifest is not None
    (upload,) = manifest.uploads.values()
    return upload.upload.version


@pytest.mark.parametrize(("conditional", "stays"), [(True, "v4"), (False, "v0")])
def test_an_old_run_that_resumes_at_its_commit_cannot_undo_a_newer_one(
    conditional: bool, stays: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OLD reads and computes, NEW publishes, OLD goes on. Without the condition OLD wins: so the test can fail."""
    if not conditional:
        without_condition(monkeypatch)
    with lake_in_memory() as double:
        old, new = old_and_new(double)
        execution = pipeline.steps(old)
        while next(execution) != "Refresh partitions":
            pass
        pipeline.run(new)
        for _ in execution:
            pass
        assert published_version(double) == stays
        assert (wrong_keys(double, KEYS_OF_A_SITE)[0] == "site0/meter0") == (not conditional)


@pytest.mark.parametrize("operation", ["BatchCreatePartition", "BatchUpdatePartition"])
def test_a_run_that_resumes_while_it_moves_partitions_leaves_them_where_the_manifest_says(operation: str) -> None:
    """OLD commits and is about to move a partition, NEW publishes and moves it, OLD moves it back; then it looks."""
    with lake_in_memory() as double:
        events = upload_all(double, 1)[::COPIES]
        pipeline.run(events[0])
        if operation == "BatchCreatePartition":
            double.partitions = {name: {} for name in double.partitions}

        def new_comes_between(found: str, _: str) -> None:
            if found == operation:
                double.before_write = lambda operation, key: None
                pipeline.run(events[-1])

        double.before_write = new_comes_between
        pipeline.run(events[1])
        assert published_version(double) == "v4"
        assert wrong_keys(double, KEYS_OF_A_SITE)[:1] != ["site0/meter0"]
        manifest = pipeline.manifest(double, "site0")
        for name, partitions in manifest.tables.items():
            assert double.partitions[name] == {tuple(p.values): f"s3://{BUCKET}/{p.prefix}" for p in partitions}
