"""Which version of an upload counts, and what a manifest looks like."""

import datetime as dt
import json

import pytest

from energy.contracts import Deletion, RowCounts, Upload
from energy.manifest import Manifest, ManifestUpload, Partition, is_newer, outdates, precedence

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def upload(version="v1", sequencer="0A", key="raw/a.csv", at=NOON, told_at=None):
    return Upload(
        bucket="b",
        key=key,
        version=version,
        version_id=version,
        etag="e",
        sequencer=sequencer,
        size=1,
        last_modified=at,
        told_at=told_at or at,
        recipe="recipe",
    )


def deletion(sequencer="0C", version="marker", key="raw/a.csv", at=NOON):
    return Deletion(bucket="b", key=key, version=version, sequencer=sequencer, told_at=at)


def manifest(*uploads, deleted=(), tables=None):
    rows = RowCounts(read=1, accepted=1, rejected=0, duplicates=0)
    return Manifest(
        site="home",
        pub="p",
        code_version="0",
        timezone="UTC",
        uploads={u.key: ManifestUpload(upload=u, rows=rows, months=["2024-05"]) for u in uploads},
        deleted={gone.key: gone for gone in deleted},
        tables=tables or {},
    )


def test_the_same_version_is_superseded_and_a_newer_one_is_not():
    current = manifest(upload("v2", "0B"))
    assert current.supersedes(upload("v2", "0B"))
    assert current.supersedes(upload("v1", "0A"))
    assert not current.supersedes(upload("v3", "100"))
    assert not current.supersedes(upload("v1", "0A", key="raw/other.csv"))


def test_a_deletion_stands_until_something_newer_comes():
    current = manifest(deleted=[deletion("0C")])
    assert current.supersedes(upload("v1", "0B"))
    assert current.supersedes(deletion("0C"))
    assert not current.supersedes(upload("v2", "0D"))
    assert not manifest(upload("v1", "0B")).supersedes(deletion("0C"))
    assert manifest(upload("v2", "0D")).supersedes(deletion("0C"))


def test_a_version_that_was_restored_outlives_the_deletion_before_it_also_where_that_is_told_late():
    """Uploaded (0A), deleted (0B), restored (0C); the deletion comes last."""
    restored = upload("v1", "0C")
    assert not manifest(upload("v1", "0A")).supersedes(restored)
    assert manifest(restored).supersedes(deletion("0B"))
    assert manifest(restored).supersedes(upload("v1", "0A"))


SECOND = dt.timedelta(seconds=1)


def test_without_sequencers_the_time_at_which_s3_said_so_decides():
    early, late = upload("v1", None), upload("v2", None, told_at=NOON + SECOND)
    assert is_newer(late, than=early)
    assert not is_newer(early, than=late)


@pytest.mark.parametrize("listed", [upload("v0", None), deletion(None)])
def test_of_one_second_a_listing_is_newer_than_an_event(listed):
    event = upload("v9", "FF", told_at=NOON + dt.timedelta(microseconds=900_000))
    assert is_newer(listed, than=event)
    assert not is_newer(event, than=listed)
    assert outdates(listed, event)


def test_a_listing_that_shows_what_is_known_says_nothing_new():
    assert outdates(upload("v1", "0A"), upload("v1", None, told_at=NOON + SECOND))


def test_between_keys_the_later_upload_wins_whatever_its_sequencer():
    old = upload(sequencer="FF", key="raw/z.csv")
    new = upload(sequencer="01", key="raw/a.csv", at=NOON + dt.timedelta(seconds=1))
    assert sorted([new, old], key=precedence) == [old, new]


def test_equal_manifests_give_equal_bytes_whatever_the_order_they_were_filled_in():
    a, b = upload(key="raw/a.csv"), upload(key="raw/b.csv")
    january, february = (
        Partition(values=["home", "2024-01"], prefix="x/"),
        Partition(values=["home", "2024-02"], prefix="y/"),
    )
    one = manifest(a, b, tables={"t1": [january, february], "t2": []})
    other = manifest(b, a, tables={"t2": [], "t1": [february, january]})
    assert one.to_json() == other.to_json()
    assert Manifest.model_validate_json(one.to_json()).uploads["raw/a.csv"].upload == a
    assert list(json.loads(one.to_json())["uploads"]) == ["raw/a.csv", "raw/b.csv"]
