"""The quality of a site's readings, against figures worked out by hand and by a plain loop over single readings."""

import datetime as dt
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import parquet
from energy.documents import ApplianceRows, SiteUpload
from energy.quality import quality_table
from energy.schema import QUALITY
from energy.summary import readings_summary
from tests.unit.whole_history import history

MONDAY = dt.datetime(2024, 3, 4)
HOUR = dt.timedelta(hours=1)
SHAPE = {"timestamp": pl.Datetime("us"), "timestamp_utc": pl.Datetime("us"), "appliance": pl.String, "kwh": pl.Float64}


def readings(*rows):
    """Rows of (instant; appliance; kwh; whether it was estimated)."""
    columns = [(time, time, name, float(kwh), estimated) for time, name, kwh, estimated in rows]
    return pl.DataFrame(columns, schema=SHAPE | {"estimated": pl.Boolean}, orient="row")


def hours(count, *, name="oven", start=MONDAY, step=HOUR, without=(), estimated=(), kwh=None):
    """`count` readings from a Monday on, no two alike unless `kwh` is given."""
    return readings(
        *(
            (start + step * n, name, n + 1 if kwh is None else kwh, n in estimated)
            for n in range(count)
            if n not in without
        )
    )


def quality(frame, uploads=(), shown=None, timezone="UTC"):
    """The rows by appliance, None for all together."""
    tables = history(frame, timezone)
    table = quality_table(tables.parts, tables, uploads, shown or {}, timezone)
    assert dict(table.schema) == dict(parquet.polars_schema(QUALITY))
    rows = {row["appliance"]: row for row in table.iter_rows(named=True)}
    assert list(rows) == [*sorted(frame["appliance"].unique()), None]
    summary = readings_summary(tables, table, "home", timezone, 1)
    days = (summary.days[-1].date - summary.days[0].date).days + 1
    assert rows[None]["coverage"] == summary.coverage == pytest.approx(sum(d.coverage for d in summary.days) / days)
    return rows


def test_readings_without_a_gap_are_complete():
    rows = quality(hours(48))
    assert rows["oven"] == {
        "appliance": "oven",
        "interval_minutes": 60.0,
        "readings": 48,
        "expected_readings": 48,
        "coverage": 1.0,
        "gaps": 0,
        "missing_hours": 0.0,
        "longest_gap_hours": None,
        "longest_gap_start": None,
        "flatlines": 0,
        "flatline_hours": 0.0,
        "duplicates": 0,
        "rejected": 0,
        "estimated_share": 0.0,
        "estimated_kwh_share": 0.0,
    }
    assert rows[None] == rows["oven"] | {"appliance": None}


def test_gaps_are_counted_and_the_longest_is_named():
    # Without 05:00, and without 10:00 to 12:00 and the whole of Tuesday.
    one = quality(hours(72, without={5, 10, 11, 12, *range(24, 48)}))["oven"]
    assert (one["readings"], one["expected_readings"], one["gaps"], one["missing_hours"]) == (44, 72, 3, 28.0)
    assert one["coverage"] == pytest.approx((20 / 24 + 0 + 1) / 3)
    assert (one["longest_gap_hours"], one["longest_gap_start"]) == (24.0, MONDAY + 24 * HOUR)


def test_the_first_of_equally_long_gaps_is_the_longest():
    assert quality(hours(48, without={30, 7, 12}))["oven"]["longest_gap_start"] == MONDAY + 7 * HOUR


def test_gaps_start_by_the_local_clock():
    frame = hours(48, start=dt.datetime(2024, 7, 1, 22), without={3}).with_columns(
        timestamp=pl.col("timestamp_utc") + dt.timedelta(hours=2)
    )
    assert quality(frame, timezone="Europe/Berlin")["oven"]["longest_gap_start"] == dt.datetime(2024, 7, 2, 3)


def test_an_appliance_that_began_later_or_fell_silent_has_a_gap_there():
    late, early = hours(24, name="late", start=MONDAY + 24 * HOUR), hours(24, name="early")
    rows = quality(pl.concat([late, early, hours(48)]))
    for name, start in (("late", MONDAY), ("early", MONDAY + 24 * HOUR)):
        one = rows[name]
        assert (one["coverage"], one["gaps"], one["missing_hours"], one["longest_gap_start"]) == (0.5, 1, 24.0, start)
    assert (rows[None]["gaps"], rows[None]["missing_hours"], rows[None]["expected_readings"]) == (2, 48.0, 144)
    assert rows[None]["coverage"] == pytest.approx(2 / 3)


def test_appliances_read_at_their_own_pace_miss_nothing():
    daily = readings(*((MONDAY + dt.timedelta(days=n, hours=7), "meter", n, False) for n in range(4)))
    rows = quality(pl.concat([hours(96), daily]))
    assert (rows["meter"]["gaps"], rows["meter"]["coverage"], rows["meter"]["interval_minutes"]) == (0, 1.0, 1440.0)
    assert rows[None]["interval_minutes"] is None


def test_a_new_meter_leaves_no_gaps_behind():
    quarters = hours(24 * 4 * 30, start=dt.datetime(2024, 4, 1), step=HOUR / 4)
    one = quality(pl.concat([hours(24 * 28), quarters]))["oven"]
    assert (one["gaps"], one["missing_hours"], one["coverage"]) == (0, 0.0, 1.0)


def test_a_wavering_clock_misses_nothing():
    chance = random.Random(3)
    rows = [
        (MONDAY + HOUR * n + dt.timedelta(minutes=chance.uniform(-12, 12)), "oven", n, False) for n in range(1, 200)
    ]
    assert quality(readings(*rows))["oven"]["gaps"] == 0


def test_readings_on_change_have_a_gap_only_where_nothing_came_for_long():
    chance = random.Random(5)
    time, rows = MONDAY, []
    for n in range(400):
        time += dt.timedelta(minutes=17 * chance.choice([0.2, 0.4, 1, 1, 2, 2.5, 4])) + (
            20 * HOUR if n == 200 else 0 * HOUR
        )
        rows.append((time, "lamp", n, False))
    one = quality(readings(*rows))["lamp"]
    assert one["interval_minutes"] == 17.0
    assert one["gaps"] == 1
    assert 19.7 <= one["missing_hours"] <= 21


def test_a_single_reading_tells_neither_coverage_nor_gaps():
    one = quality(hours(1))["oven"]
    assert [one[name] for name in ("interval_minutes", "expected_readings", "coverage", "gaps", "missing_hours")] == [
        None
    ] * 5
    assert one["readings"] == 1


@pytest.mark.parametrize(("count", "found"), [(23, 0), (24, 1)])
def test_a_day_of_one_value_is_a_flatline(count, found):
    frame = pl.concat(
        [hours(30), hours(count, start=MONDAY + 30 * HOUR, kwh=0.25), hours(30, start=MONDAY + (30 + count) * HOUR)]
    )
    one = quality(frame)["oven"]
    assert (one["flatlines"], one["flatline_hours"]) == (found, float(count * found))


def test_off_estimated_interrupted_or_daily_readings_are_no_flatline():
    assert quality(hours(48, kwh=0.0))["oven"]["flatlines"] == 0
    assert quality(hours(48, kwh=1.0, estimated=range(48)))["oven"]["flatlines"] == 0
    assert quality(hours(40, kwh=1.0, without=[20]))["oven"]["flatlines"] == 0
    assert quality(hours(20, kwh=1.0, step=24 * HOUR))["oven"]["flatlines"] == 0
    assert quality(pl.concat([hours(20, kwh=1.0), hours(20, kwh=1.0, name="two")]))["oven"]["flatlines"] == 0


def test_estimated_readings_are_told_by_number_and_by_energy():
    # 1 + 2 + … + 24 is 300; the last six are 19 + … + 24 = 129.
    rows = quality(pl.concat([hours(24, estimated=range(18, 24)), hours(24, name="fan", kwh=0.0)]))
    assert (rows["oven"]["estimated_share"], rows["oven"]["estimated_kwh_share"]) == (0.25, pytest.approx(129 / 300))
    assert (rows["fan"]["estimated_share"], rows["fan"]["estimated_kwh_share"]) == (0.0, None)
    assert (rows[None]["estimated_share"], rows[None]["estimated_kwh_share"]) == (0.125, pytest.approx(129 / 300))


def upload(*appliances):
    rows = [
        ApplianceRows(appliance=name, accepted=1, rejected=rejected, duplicates=duplicates, estimated=0)
        for name, rejected, duplicates in appliances
    ]
    return SiteUpload(run_id="r", appliances=rows)


def test_rows_set_apart_are_those_of_all_uploads_under_any_spelling():
    uploads = [upload(("Oven", 2, 1), ("gone", 9, 9), (None, 5, 0)), upload(("oven", 3, 4))]
    rows = quality(hours(24), uploads, {"oven": "oven"})
    assert (rows["oven"]["rejected"], rows["oven"]["duplicates"]) == (5, 5)
    assert (rows[None]["rejected"], rows[None]["duplicates"]) == (19, 14)


def by_a_loop(times, end, step):
    """Start and length of the gaps in readings on a grid: slots without a reading, joined where they touch."""
    stretches, slot = [], min(times)
    while slot < end:
        if slot not in times:
            if stretches and stretches[-1][0] + stretches[-1][1] == slot:
                stretches[-1][1] += step
            else:
                stretches.append([slot, step])
        slot += step
    return stretches


@settings(max_examples=60, deadline=None)
@given(
    # With more missing in a day, two hours may be its usual step.
    st.tuples(*(st.sets(st.integers(24 * day + 1, 24 * day + 22), max_size=6) for day in range(4))),
    st.randoms(use_true_random=False),
)
def test_gaps_are_the_slots_of_the_grid_without_a_reading(by_day, chance):
    without = set().union(*by_day)
    frame = hours(96, without=without)
    order = list(range(frame.height))
    chance.shuffle(order)
    one = quality(frame[order])["oven"]
    found = by_a_loop(set(frame["timestamp"]), MONDAY + 96 * HOUR, HOUR)
    assert (one["gaps"], one["missing_hours"]) == (len(found), float(len(without)))
    if found:
        start, length = max(found, key=lambda gap: gap[1])
        assert (one["longest_gap_start"], one["longest_gap_hours"]) == (start, length / HOUR)
