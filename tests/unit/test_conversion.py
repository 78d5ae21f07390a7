"""Registers, power and end-marked timestamps to energy: nothing lost, nothing made up, whatever the cuts."""

import datetime as dt
import math
from collections import Counter
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.intake import conversion, registers

START = dt.datetime(2024, 5, 1)
profile = settings(max_examples=200, deadline=None, derandomize=True, database=None)
SCHEMA = {
    "code": pl.UInt32,
    "utc": pl.Datetime("us"),
    "kwh": pl.Float64,
    "line": pl.Int64,
    "estimated": pl.Boolean,
}


def settled(rows):
    """Of (code, minutes after START, kwh), in order."""
    full = [(code, START + dt.timedelta(minutes=m), kwh, line, False) for line, (code, m, kwh) in enumerate(rows, 2)]
    return pl.DataFrame(full, schema=SCHEMA, orient="row").sort("code", "utc")


def hourly(*values):
    return settled([(0, 60 * n, value) for n, value in enumerate(values)])


def counted(frame, cuts=()):
    """Energy, gaps spread, and events, of a frame cut at these minutes after START."""
    edges = [-math.inf, *sorted(set(cuts)), math.inf]
    minute = (frame["utc"] - START).dt.total_minutes().to_list()
    pieces = [
        frame.filter(pl.Series([low <= m < high for m in minute], dtype=pl.Boolean)) for low, high in pairwise(edges)
    ]
    steps, changes, before = [], [], None
    for piece in pieces:
        steps.append(conversion.step_counts(piece, before))
        changes.append(registers.change_counts(piece, before))
        before = conversion.latest(piece, before)
    usual = conversion.usual_minutes(conversion.merged(steps))
    ordinary = registers.ordinary_kw(conversion.merged(changes))
    energy, events, last = [], [], None
    for piece in pieces:
        found = registers.differences_of_piece(piece, last, usual, ordinary)
        last = found.last
        energy += [found.energy, *registers.spread(found.long, usual)]
        events.append(found.events)
    return pl.concat(energy).sort("code", "utc"), pl.concat(events).sort("code", "utc"), usual, ordinary


def looped(frame, usual, ordinary):
    """The same rules, one reading after the other, gaps not spread."""
    usual, ordinary = dict(usual.iter_rows()), dict(ordinary.iter_rows())
    energy, events, state = [], [], {}
    for code, utc, kwh, _, _ in frame.iter_rows():
        if code not in state:
            state[code] = {"utc": utc, "kwh": kwh, "high": kwh, "dip": None, "used": 0.0}
            continue
        now = state[code]
        hours = (utc - now["utc"]) / dt.timedelta(hours=1)
        limit = 4 * ordinary.get(code, 0.0)
        drop = now["kwh"] - kwh
        small = drop <= 1 or drop <= limit * min(hours, usual[code] / 60)
        event, use = None, None
        if drop > 0 and not (kwh > (1 - 0.1) * now["kwh"] and small):
            size = 10.0 ** max(3, math.ceil(math.log10(now["high"])))
            over = size - now["high"] + kwh
            if now["high"] >= (1 - 0.1) * size and kwh <= 0.1 * size and over <= limit * hours:
                event, use = "REGISTER_ROLLOVER", over
            elif kwh <= (1 - 0.1) * now["kwh"] and kwh <= limit * hours:
                event, use = "REGISTER_RESET", kwh
            else:
                event = "REGISTER_REPLACED"
            now.update(dip=(now["utc"], now["high"]), high=kwh, used=use or 0.0)
        else:
            use = max(0.0, kwh - now["high"])
            event = "REGISTER_JITTER" if drop > 0 else None
            rise = use
            if now["dip"] and now["high"] < now["dip"][1] <= kwh and rise > limit * hours:
                regained = kwh - now["dip"][1]
                if regained <= limit * ((utc - now["dip"][0]) / dt.timedelta(hours=1)):
                    event, use = "REGISTER_JITTER", max(0.0, regained - now["used"])
            if code in ordinary and rise > limit * hours and (event is None or drop > 0):
                event, use = "REGISTER_JUMP", None
            now["used"] += rise
            now["high"] = max(now["high"], kwh)
        if use is not None:
            energy.append((code, now["utc"], use))
        if event:
            events.append((code, utc, event))
        now.update(utc=utc, kwh=kwh)
    return energy, events


@pytest.mark.parametrize(
    ("values", "used", "told"),
    [
        ([7], [], []),
        ([1, 2, 3.5], [1, 1.5], []),
        ([100, 101, 100.5, 101.5, 102], [1, 0, 0.5, 0.5], ["JITTER"]),
        ([99_998, 99_999, 0.5, 2], [1, 1.5, 1.5], ["ROLLOVER"]),
        ([500, 501, 502, 0.5, 1], [1, 1, 0.5, 0.5], ["RESET"]),
        ([500, 501, 200, 201], [1, 1], ["REPLACED"]),
        ([20_000, 20_001, 19_000, 19_001], [1, 1], ["REPLACED"]),
        ([500, 501, 0, 502, 503], [1, 0, 1, 1], ["RESET", "JITTER"]),
        ([500, 501, 0, 0, 503, 504], [1, 0, 0, 2, 1], ["RESET", "JITTER"]),
    ],
)
def test_every_way_back_of_a_register_is_told_apart(values, used, told):
    energy, events, _, _ = counted(hourly(*values))
    assert energy["kwh"].to_list() == used
    assert events["event"].to_list() == [f"REGISTER_{name}" for name in told]


def test_use_belongs_to_the_start_of_its_interval_and_to_the_line_that_shows_it():
    energy, _, _, _ = counted(hourly(1, 2, 4))
    assert energy.rows() == [(0, START, 1.0, False, 3), (0, START + dt.timedelta(hours=1), 2.0, False, 4)]


def test_use_in_a_gap_is_spread_over_its_hours_and_estimated():
    times = [0, 30, 60, 90, 90 + 150]
    energy, _, _, _ = counted(settled([(0, m, float(n)) for n, m in enumerate(times[:-1])] + [(0, 240, 8.0)]))
    gap = energy.filter("estimated")
    assert [(utc - START) / dt.timedelta(minutes=1) for utc in gap["utc"]] == [90, 120, 180]
    assert gap["kwh"].to_list() == pytest.approx([1, 2, 2], abs=1e-12)


def test_daily_readings_stay_daily_in_gaps():
    days = [0, 1, 2, 3, 5, 6]
    energy, _, _, _ = counted(settled([(0, 1440 * day, 10.0 * day) for day in days]))
    assert energy["kwh"].to_list() == pytest.approx([10.0] * 6, abs=1e-12)
    assert energy["estimated"].to_list() == [False, False, False, True, True, False]


@pytest.mark.parametrize("usual", [30, 60, 90, 1440])
def test_gaps_of_years_have_a_bounded_number_of_parts(usual):
    end = 60 * 24 * 365 * 30
    rows = [(0, usual * n, float(n)) for n in range(6)] + [(0, end, 100_000.0)]
    energy, _, _, _ = counted(settled(rows))
    parts = energy.filter("estimated")
    assert 500 < parts.height <= registers.MOST_PARTS
    assert parts["utc"].is_unique().all()
    assert energy["kwh"].sum() == pytest.approx(100_000.0, abs=1e-9)


def test_all_readings_at_once_may_be_in_any_order():
    frame = settled([(code, 60 * n, 3.0 * n) for code in (0, 1) for n in range(4)])
    energy, events = registers.differences(frame.reverse())
    assert energy.select("code", "kwh").rows() == [(0, 3.0)] * 3 + [(1, 3.0)] * 3
    assert events.is_empty()


steps_of_time = st.lists(st.sampled_from([15, 15, 15, 30, 60, 200, 3_000]), min_size=1, max_size=40)
changes = st.one_of(
    st.integers(0, 400).map(lambda n: ("up", n / 100)),
    st.integers(1, 99).map(lambda n: ("down", n / 100)),
    st.integers(0, 50).map(lambda n: ("to", n / 100)),
    st.integers(0, 120_000).map(lambda n: ("to", float(n))),
    st.just(("back", 1.0)),
)


@st.composite
def meters(draw):
    rows = []
    for code in range(draw(st.integers(1, 3))):
        minute, shown = draw(st.integers(0, 500)), draw(st.sampled_from([0.0, 5.0, 998.0, 9_990.0, 99_999.0]))
        highest = shown
        rows.append((code, minute, shown))
        for step in draw(steps_of_time):
            minute += step
            way, kwh = draw(changes)
            shown = {"up": shown + kwh, "down": max(0.0, shown - kwh), "to": kwh, "back": highest + kwh}[way]
            highest = max(highest, shown)
            rows.append((code, minute, shown))
    return settled(rows)


@pytest.mark.slow
@profile
@given(meters(), st.lists(st.integers(0, 20_000), max_size=3))
def test_cuts_change_nothing(frame, cuts):
    energy, events, _, _ = counted(frame)
    again, told, _, _ = counted(frame, cuts)
    assert again.equals(energy)
    assert told.equals(events)


@profile
@given(meters())
def test_registers_are_read_as_by_a_plain_loop(frame):
    energy, events, usual, ordinary = counted(frame)
    expected, told = looped(frame, usual, ordinary)
    assert events.rows() == told
    assert energy["kwh"].is_finite().all()
    assert (energy["kwh"] >= 0).all()
    assert not energy.select("code", "utc").is_duplicated().any()
    for code in frame["code"].unique():
        ours = energy.filter(pl.col("code") == code)
        theirs = [(utc, use) for of, utc, use in expected if of == code]
        assert {utc for utc, _ in theirs} <= set(ours["utc"])
        starts = [*sorted(utc for utc, _ in theirs), dt.datetime.max]
        for (utc, use), until in zip(sorted(theirs), starts[1:], strict=True):
            between = ours.filter(pl.col("utc").is_between(utc, until, closed="left"))
            assert between["kwh"].sum() == pytest.approx(use, abs=1e-9, rel=1e-9)


@profile
@given(
    st.lists(st.tuples(st.integers(1, 5_000), st.integers(0, 5_000)), min_size=1, max_size=60), st.integers(0, 10**8)
)
def test_the_use_of_a_rising_register_is_its_last_reading_minus_its_first(steps, first):
    rows, minute, shown = [(0, 0, first / 1000)], 0, first
    for minutes, rise in steps:
        minute, shown = minute + minutes, shown + rise
        rows.append((0, minute, shown / 1000))
    energy, events, _, _ = counted(settled(rows))
    assert events.is_empty()
    assert math.fsum(energy["kwh"]) == pytest.approx((shown - first) / 1000, abs=1e-8)


@profile
@given(meters(), st.lists(st.integers(0, 20_000), max_size=3))
def test_steps_are_counted_as_by_a_plain_loop(frame, cuts):
    seen, expected = {}, Counter()
    for code, utc, *_ in frame.iter_rows():
        if code in seen:
            expected[code, round((utc - seen[code]).total_seconds())] += 1
        seen[code] = utc
    middle = {}
    for code in {code for code, _ in expected}:
        every = sorted(Counter({s: n for (of, s), n in expected.items() if of == code}).elements())
        middle[code] = every[(len(every) - 1) // 2] / 60
    steps = conversion.step_counts(frame, None)
    assert {(code, seconds): count for code, seconds, _, count in steps.iter_rows()} == expected
    assert dict(conversion.usual_minutes(steps).iter_rows()) == middle


@pytest.mark.parametrize(
    ("minutes", "interval"),
    [
        ([0], None),
        ([0, 15], None),
        ([0, 15, 30], 15.0),
        ([*range(0, 300, 15), 345], 15.0),
        ([0, 15, 30, 90], None),
        ([*range(0, 300, 15), 292], None),
        ([0, 2_880, 5_760], None),
    ],
)
def test_an_interval_is_proved_or_not_known(minutes, interval):
    steps = conversion.step_counts(settled([(0, m, 1.0) for m in minutes]), None)
    assert conversion.regular_minutes(steps) == interval


def test_fractions_of_a_second_prove_nothing():
    frame = hourly(1, 1, 1).with_columns(utc=pl.lit(START) + pl.duration(milliseconds=500 * pl.int_range(pl.len())))
    assert conversion.regular_minutes(conversion.step_counts(frame, None)) is None


def test_power_over_its_interval_is_energy():
    assert conversion.energy_of_power(hourly(2, 3), 15)["kwh"].to_list() == [0.5, 0.75]
    assert conversion.energy_of_power(hourly(2, 3), pl.col("line") * 30)["kwh"].to_list() == [2.0, 4.5]


def test_end_marked_timestamps_move_back_by_their_interval():
    assert conversion.start_marked(hourly(1), 15)["utc"].to_list() == [START - dt.timedelta(minutes=15)]
    assert conversion.start_marked(hourly(1), pl.col("line") * 0.5)["utc"].to_list() == [
        START - dt.timedelta(minutes=1)
    ]
