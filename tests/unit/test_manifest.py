"""Which version of an upload counts, and what a manifest looks like."""

import datetime as dt
import json

from energy.contracts import RowCounts, Upload
from energy.manifest import Manifest, ManifestUpload, Partition, is_newer_version, precedence

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def upload(version="v1", sequencer="0A", key="raw/a.csv", at=NOON):
    return Upload(
        bucket="b",
        key=key,
        version=version,
        version_id=version,
        etag="e",
        sequencer=sequencer,
        size=1,
        last_modified=at,
        recipe="recipe",
    )


def manifest(*uploads, tables=None):
    rows = RowCounts(read=1, accepted=1, rejected=0, duplicates=0)
    return Manifest(
        site="home",
        pub="p",
        code_version="0",
        timezone="UTC",
        uploads={u.key: ManifestUpload(upload=u, rows=rows, months=["2024-05"]) for u in uploads},
        tables=tables or {},
    )


def test_the_same_version_is_superseded_and_a_newer_one_is_not():
    current = manifest(upload("v2", "0B"))
    assert current.supersedes(upload("v2", "0B"))
    assert current.supersedes(upload("v1", "0A"))
    assert not current.supersedes(upload("v3", "100"))
    assert not current.supersedes(upload("v1", "0A", key="raw/other.csv"))


def test_without_sequencers_the_time_in_s3_decides():
    early, late = upload("v1", None), upload("v2", None, at=NOON + dt.timedelta(seconds=1))
    assert is_newer_version(late, than=early)
    assert not is_newer_version(early, than=late)


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
