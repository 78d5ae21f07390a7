"""Any order, any duplicates, any interleaving of the same events publishes the same bytes, and the right ones."""

import math
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storm import pipeline
from tests.storm.lake_double import LakeDouble
from tests.storm.pipeline import lake_in_memory
from tests.storm.uploads import NEW_YEAR, Readings, expected, random_site

CASES = 500


@given(st.integers(0, 2**32))
@settings(max_examples=CASES, deadline=None, derandomize=True, database=None)
@pytest.mark.slow
def test_every_order_and_interleaving_publishes_the_same_bytes(seed: int) -> None:
    found = []
    for order in range(2):
        with lake_in_memory() as lake:
            site = random_site(lake, random.Random(seed))
            chance = random.Random(f"{seed} {order}")
            deliver(site.events, chance, at_once=1 + 3 * order)
            found.append(pipeline.tables(lake, site.name))
            assert readings(lake) == pytest.approx(expected(site), abs=1e-9)
            assert_nothing_waits_or_was_written_twice(lake, site.name)
    assert found[0] == found[1]
    assert found[0] or not expected(site)


def deliver(events, chance: random.Random, at_once: int) -> None:
    """Every event one to three times, in any order, with up to so many executions that take turns at random."""
    waiting = [event for event in events for _ in range(chance.choice([1, 1, 2, 3]))]
    chance.shuffle(waiting)
    running = []
    while waiting or running:
        if waiting and len(running) < at_once:
            running.append(pipeline.steps(waiting.pop()))
            continue
        execution = chance.choice(running)
        if next(execution, None) is None:
            running.remove(execution)


def readings(lake: LakeDouble) -> Readings:
    """What raw_energy_data holds, through the catalog."""
    found: Readings = {}
    for content in (
        content
        for (name, *_), files in pipeline.tables(lake, "home").items()
        if name == "raw_energy_data"
        for content in files
    ):
        for appliance, moment, kwh in pl.read_parquet(content).select("appliance", "timestamp_utc", "kwh").iter_rows():
            at = (appliance, round((moment - NEW_YEAR).total_seconds() / 60))
            assert at not in found
            found[at] = kwh
    assert math.isfinite(sum(found.values()))
    return found


def assert_nothing_waits_or_was_written_twice(lake: LakeDouble, site: str) -> None:
    replaced = {key for key in lake.writes if key.startswith(("manifests/", "reports/", "pending/"))}
    assert {key: count for key, count in lake.writes.items() if count > 1 and key not in replaced} == {}
    manifest = pipeline.manifest(lake, site)
    if manifest:
        locations = {
            name: {tuple(one.values): f"s3://lake/{one.prefix}" for one in partitions}
            for name, partitions in manifest.tables.items()
            if partitions
        }
        in_catalog = {name: where for name, where in lake.partitions.items() if where}
        assert in_catalog == locations
