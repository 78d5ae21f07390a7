"""Several uploads of one site become one set of readings; a later upload wins, and nothing counts twice."""

import datetime as dt
import itertools

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import parquet, resolution
from energy.contracts import Deletion, RowCounts, Upload, ValidateOutput
from energy.documents import ApplianceRows, SiteUpload
from energy.manifest import Manifest, ManifestUpload

NOON = dt.datetime(2024, 5, 1, 12)


def held(key, version="1", months=("2024-05",), hour=1):
    at = dt.datetime(2024, 6, 1, hour, tzinfo=dt.UTC)
    upload = Upload(
        bucket="b",
        key=key,
        version=version,
        version_id=version,
        etag="e",
        sequencer=None,
        size=1,
        last_modified=at,
        told_at=at,
        recipe="recipe",
    )
    rows = RowCounts(read=1, accepted=1, rejected=0, duplicates=0)
    return ManifestUpload(upload=upload, rows=rows, months=list(months))


def change(of):
    """What validation says of an upload in a manifest, or of a deletion."""
    if isinstance(of, Deletion):
        return ValidateOutput(key=of.key, site=of.site, run_id=of.run_id, deletion=of)
    upload = of.upload
    return ValidateOutput(
        key=upload.key, site=upload.site, run_id=upload.run_id, upload=upload, rows=of.rows, months=of.months
    )


def deletion(key, hour=1):
    told_at = dt.datetime(2024, 6, 1, hour, tzinfo=dt.UTC)
    return Deletion(bucket="b", key=key, version="marker", sequencer=None, told_at=told_at)


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
    base = manifest(old, held("raw/b.csv"))
    settled = resolution.with_changes(base, [change(new)])
    assert settled.uploads == {"raw/a.csv": new, "raw/b.csv": held("raw/b.csv")}
    assert resolution.touched_months(base.uploads, settled.uploads) == ["2024-04", "2024-05", "2024-06"]


def test_an_older_version_never_replaces_a_newer_one():
    old, new = held("raw/a.csv", "1"), held("raw/a.csv", "2", hour=2)
    for late in (old, new):
        settled = resolution.with_changes(manifest(new), [change(late)])
        assert (settled.uploads, settled.taken) == ({"raw/a.csv": new}, [])
        assert resolution.touched_months(manifest(new).uploads, settled.uploads) == []


def test_the_first_uploads_of_a_site_come_together():
    uploads = {key: held(key, months=[month]) for key, month in (("raw/a.csv", "2024-05"), ("raw/b.csv", "2024-01"))}
    settled = resolution.with_changes(None, [change(upload) for upload in uploads.values()])
    assert settled.uploads == uploads
    assert resolution.touched_months({}, settled.uploads) == ["2024-01", "2024-05"]


def test_of_every_key_the_newest_change_counts_in_whatever_order_they_come():
    changes = [
        change(held("raw/a.csv", "1", hour=1)),
        change(held("raw/a.csv", "2", hour=3)),
        change(deletion("raw/a.csv", hour=2)),
        change(held("raw/b.csv", "1", hour=1)),
        change(deletion("raw/b.csv", hour=5)),
    ]
    for order in itertools.permutations(changes):
        settled = resolution.with_changes(None, order)
        assert settled.uploads == {"raw/a.csv": held("raw/a.csv", "2", hour=3)}
        assert settled.deleted == {"raw/b.csv": deletion("raw/b.csv", hour=5)}


def test_a_deletion_touches_the_months_of_what_is_gone():
    base = manifest(held("raw/a.csv", months=["2024-04"]), held("raw/b.csv", months=["2024-05"]))
    settled = resolution.with_changes(base, [change(deletion("raw/a.csv", hour=2))])
    assert list(settled.uploads) == ["raw/b.csv"]
    assert resolution.touched_months(base.uploads, settled.uploads) == ["2024-04"]


def test_a_new_name_touches_every_month():
    first, added = held("raw/a.csv", months=["2024-01", "2024-03"]), held("raw/b.csv", months=["2024-07"])
    after = {"raw/a.csv": first, "raw/b.csv": added}
    assert resolution.touched_months({"raw/a.csv": first}, after) == ["2024-07"]
    assert resolution.touched_months({"raw/a.csv": first}, after, renamed=True) == ["2024-01", "2024-03", "2024-07"]


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


def quarters(first, count, kwh, appliance="oven"):
    return readings(*((first + 15 * number, appliance, kwh) for number in range(count)))


def hours(first, count, kwh, appliance="oven"):
    return readings(*((first + 60 * number, appliance, kwh) for number in range(count)))


def test_an_hour_is_not_counted_again_as_four_quarters():
    by_hour, by_quarter = ("hour", hours(0, 24, 1.0)), ("quarter", quarters(0, 96, 0.3))
    assert resolution.resolve([by_hour, by_quarter])["kwh"].sum() == pytest.approx(96 * 0.3)
    assert resolution.resolve([by_quarter, by_hour])["kwh"].sum() == pytest.approx(24 * 1.0)


def test_a_later_upload_takes_only_the_time_that_it_covers():
    found = resolution.resolve([("hour", hours(0, 24, 1.0)), ("quarter", quarters(6 * 60, 24, 0.3))])
    assert found.filter(pl.col("upload") == "hour").height == 18
    assert found.filter(pl.col("upload") == "quarter").height == 24


def test_single_corrections_take_nothing_but_their_own_instants():
    corrected = readings((2 * 60, "oven", 5.0), (20 * 60, "oven", 5.0))
    found = resolution.resolve([("a", hours(0, 24, 1.0)), ("b", corrected)])
    assert (found.height, found["kwh"].sum()) == (24, 22 + 2 * 5.0)


def test_readings_in_uneven_steps_take_nothing_but_their_own_instants():
    uneven = readings(*((60 * sum(range(number)), "oven", 5.0) for number in range(30)))
    found = resolution.resolve([("a", hours(0, 24, 1.0)), ("b", uneven)])
    assert found.filter(pl.col("upload") == "a").height == 24 - 7


def test_clocks_that_waver_do_not_count_an_interval_twice():
    wavering = readings(*((60 * hour + hour % 3, "oven", 2.0) for hour in range(24)))
    assert resolution.resolve([("a", hours(0, 24, 1.0)), ("b", wavering)])["kwh"].sum() == 48.0


def test_a_gap_of_the_later_upload_is_filled_by_the_earlier():
    later = pl.concat([hours(0, 10, 2.0), hours(12 * 60, 18, 2.0)])
    found = resolution.resolve([("a", hours(0, 30, 1.0)), ("b", later)])
    assert found.filter(pl.col("upload") == "a")["timestamp_utc"].dt.hour().to_list() == [22, 23]
    assert found.height == 30


def test_appliances_do_not_take_each_others_time():
    found = resolution.resolve([("a", hours(0, 24, 1.0)), ("b", quarters(0, 96, 0.3, "fan"))])
    assert found.height == 24 + 96


OVERLAPPING = st.lists(
    st.tuples(st.sampled_from([15, 30, 60]), st.integers(0, 30), st.integers(20, 60)), min_size=1, max_size=4
)


@given(OVERLAPPING)
@settings(max_examples=200, deadline=None)
def test_every_minute_is_counted_once_and_by_the_latest_that_may(frames):
    """Against a loop over readings: from the latest upload on, each takes its interval where all of it is free."""
    found = resolution.resolve(
        [
            (str(number), readings(*((60 * start + step * index, "oven", 1.0) for index in range(count))))
            for number, (step, start, count) in enumerate(frames)
        ]
    )
    taken, expected = set(), set()
    for number, (step, start, count) in reversed(list(enumerate(frames))):
        free = set()
        for index in range(count):
            first = 60 * start + step * index
            minutes = set(range(first, first + (step if count >= 24 else 1)))
            if not minutes & taken:
                free |= minutes
                expected.add((NOON + dt.timedelta(minutes=first), str(number)))
        taken |= free
    assert set(found.select("timestamp_utc", "upload").iter_rows()) == expected
