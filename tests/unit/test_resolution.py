"""Several uploads of one site become one set of readings; a later upload wins, and nothing counts twice."""

import datetime as dt
import itertools

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import parquet, resolution
from energy.contracts import RowCounts, Upload
from energy.documents import ApplianceRows, SiteUpload
from energy.manifest import Manifest, ManifestUpload

NOON = dt.datetime(2024, 5, 1, 12)


def held(key, version="1", months=("2024-05",), hour=1):
    upload = Upload(
        bucket="b",
        key=key,
        version=version,
        version_id=version,
        etag="e",
        sequencer=None,
        size=1,
        last_modified=dt.datetime(2024, 6, 1, hour, tzinfo=dt.UTC),
        recipe="recipe",
    )
    rows = RowCounts(read=1, accepted=1, rejected=0, duplicates=0)
    return ManifestUpload(upload=upload, rows=rows, months=list(months))


def manifest(*uploads):
    return Manifest(
        site="home", pub="p", code_version="0", timezone="UTC", uploads={u.upload.key: u for u in uploads}, tables={}
    )


def readings(*rows):
    """Rows of (minutes after noon, appliance, kwh), as validation writes them."""
    times = [NOON + dt.timedelta(minutes=minutes) for minutes, _, _ in rows]
    schema = {
        "timestamp": pl.Datetime("us"),
        "timestamp_utc": pl.Datetime("us"),
        "appliance": pl.String,
        "kwh": pl.Float64,
    }
    return pl.DataFrame(
        {
            "timestamp": times,
            "timestamp_utc": times,
            "appliance": [a for _, a, _ in rows],
            "kwh": [k for *_, k in rows],
        },
        schema=schema,
    ).sort("timestamp_utc", "appliance")


def test_a_newer_version_replaces_an_older_one_and_touches_the_months_of_both():
    old, new = held("raw/a.csv", "1", ["2024-04", "2024-05"]), held("raw/a.csv", "2", ["2024-06"], hour=2)
    other = held("raw/b.csv")
    base = manifest(old, other)
    assert resolution.with_upload(base, new) == {"raw/a.csv": new, "raw/b.csv": other}
    assert resolution.touched_months(base, new) == ["2024-04", "2024-05", "2024-06"]


def test_an_older_version_never_replaces_a_newer_one():
    old, new = held("raw/a.csv", "1"), held("raw/a.csv", "2", hour=2)
    assert resolution.with_upload(manifest(new), old) == {"raw/a.csv": new}
    assert resolution.with_upload(manifest(new), new) == {"raw/a.csv": new}


def test_the_first_upload_of_a_site_stands_alone():
    first = held("raw/a.csv")
    assert resolution.with_upload(None, first) == {"raw/a.csv": first}
    assert resolution.touched_months(None, first) == ["2024-05"]


def test_a_new_name_touches_every_month():
    first, added = held("raw/a.csv", months=["2024-01", "2024-03"]), held("raw/b.csv", months=["2024-07"])
    assert resolution.touched_months(manifest(first), added, renamed=True) == ["2024-01", "2024-03", "2024-07"]


def site_upload(*names, accepted=1):
    rows = [ApplianceRows(appliance=name, accepted=accepted, rejected=1, duplicates=0, estimated=0) for name in names]
    return SiteUpload(run_id="r", appliances=rows)


def test_spellings_of_all_uploads_are_one_name_in_any_order():
    uploads = [site_upload("Oven", "Kühlschrank", None), site_upload("oven"), site_upload("Ku\u0308hlschrank  ", "fan")]
    for order in itertools.permutations(uploads):
        shown = resolution.names_shown(order)
        assert shown == {"fan": "fan", "kühlschrank": "Kühlschrank", "oven": "oven"}
    assert resolution.names_shown([site_upload("Oven"), site_upload("oven", accepted=0)]) == {"oven": "Oven"}


def test_a_name_changes_only_where_it_was_published_under_another():
    assert resolution.is_renamed({"oven": "Oven"}, {"oven": "oven"})
    assert not resolution.is_renamed({"oven": "Oven", "gone": "gone"}, {"oven": "Oven", "new": "new"})


def test_readings_take_the_name_that_stands_for_them():
    frame = resolution.with_names_shown(readings((0, "OVEN", 1.0), (0, "fan", 2.0)), {"oven": "oven", "fan": "fan"})
    assert frame["appliance"].to_list() == ["oven", "fan"]


def test_uploads_of_a_month_come_in_the_order_of_precedence():
    late, early, elsewhere = held("raw/a.csv", hour=3), held("raw/z.csv", hour=2), held("raw/b.csv", months=["2024-01"])
    for order in itertools.permutations([late, early, elsewhere]):
        assert [u.key for u in resolution.holding(order, "2024-05")] == ["raw/z.csv", "raw/a.csv"]


def test_the_later_upload_wins_per_appliance_and_instant():
    resolved = resolution.resolve(
        [
            ("first", readings((0, "oven", 1.0), (0, "fridge", 2.0), (60, "oven", 3.0))),
            ("second", readings((0, "oven", 9.0), (30, "oven", 8.0))),
        ]
    )
    assert list(resolved.select("timestamp_utc", "appliance", "kwh", "upload").iter_rows()) == [
        (NOON, "fridge", 2.0, "first"),
        (NOON, "oven", 9.0, "second"),
        (NOON + dt.timedelta(minutes=30), "oven", 8.0, "second"),
        (NOON + dt.timedelta(minutes=60), "oven", 3.0, "first"),
    ]


FRAMES = st.lists(
    st.dictionaries(st.tuples(st.integers(0, 5), st.sampled_from("ab")), st.integers(0, 9), max_size=8),
    min_size=1,
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(FRAMES)
def test_resolving_is_a_dictionary_updated_in_order(frames):
    expected = {}
    for number, frame in enumerate(frames):
        for reading, kwh in frame.items():
            expected[reading] = (float(kwh), f"u{number}")
    resolved = resolution.resolve(
        [
            (f"u{number}", readings(*((minute, appliance, float(kwh)) for (minute, appliance), kwh in frame.items())))
            for number, frame in enumerate(frames)
        ]
    )
    found = {
        ((time - NOON).seconds // 60, appliance): (kwh, upload)
        for time, appliance, kwh, upload in resolved.select("timestamp_utc", "appliance", "kwh", "upload").iter_rows()
    }
    assert found == expected
    assert resolved.height == len(expected)


def test_an_upload_that_repeats_another_changes_only_where_readings_come_from():
    once = readings((0, "oven", 1.0), (60, "oven", 2.0))
    alone = resolution.resolve([("a", once)]).drop("upload")
    twice = resolution.resolve([("a", once), ("b", once)]).drop("upload")
    assert parquet.to_bytes(alone) == parquet.to_bytes(twice)
