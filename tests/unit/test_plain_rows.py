"""Rows that are read fast: what becomes of a file does not depend on which of its rows are."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputRejected
from energy.intake import plain, records
from energy.intake.judging import judge
from energy.site_config import Rules

UPLOADED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
# Plain ones, and some that look much like them.
TIMESTAMPS = st.sampled_from(
    [
        *(f"2024-05-01 {hour:02}:00" for hour in range(24)),
        *("2024-05-01 10:00:30", "2024-05-01T10:00", "2024-05-01T11:00:00", "2024-05-01 10:00:60", "2024-05-01 24:00"),
        *("2024- 5-01 10:00", "+2024-5-01 10:00", "2024-05-1 10:000", " 2024-05-01 12:00", "2024-05-01 13:00 "),
        *("2024-05-01 10:00Z", "2024-05-01", "2024-03-31 02:30", "2024-10-27 02:30", "1989-12-31 10:00"),
        *("2030-01-01 00:00", "0000-01-01 00:00", "2024-02-30 10:00", "1714557600", "x", ""),
    ]
)
NAMES = st.sampled_from(["oven", "Oven", " oven ", "fridge", "", " ", "a" * 129, "tv\u200b", "t\x07v", "\u00a0"])
VALUES = st.sampled_from(
    ["1", "0.5", "1.234", "12.345", "1e3", "-0.0", "-1", "nan", "inf", "1e10", "+2.5", " 3", "4 ", ".5", "1,5", "", "x"]
)
ROWS = st.lists(st.tuples(TIMESTAMPS, NAMES, VALUES).map(",".join) | st.sampled_from(["", "a,b", "a,b,c,d", "\r"]))
GOOD = [f"2024-05-{day:02} {hour:02}:00,fridge,0.1" for day in range(1, 4) for hour in range(24)]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")

    def everything(text, timezone):
        path = folder / "a.csv"
        path.write_text(text, newline="")
        try:
            result = judge(path, Rules(timezone=timezone), UPLOADED, folder)
        except InputRejected as refused:
            return refused.code, refused.problem
        rejected = [row for frame in result.rejected() for row in frame.iter_rows()]
        readings = result.readings().rows()
        return readings, rejected, result.codes, result.warnings, result.notes, str(result.refusal), result.quality

    return everything


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin"])
@settings(max_examples=150, deadline=None)
@given(rows=ROWS, random=st.randoms())
def test_rows_that_are_read_fast_become_what_the_others_would(told, timezone, rows, random):
    rows = [*GOOD, *rows]
    random.shuffle(rows)
    text = "timestamp,appliance,kwh\n" + "\n".join(rows) + "\n"
    fast = told(text, timezone)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "split", lambda *_: None)
        assert told(text, timezone) == fast


def test_of_the_rows_of_an_ordinary_file_all_but_the_bad_ones_are_read_fast(told, monkeypatch):
    others = []
    split_lines = records.split_lines

    def watched(lines, cells):
        others.extend(lines["text"])
        return split_lines(lines, cells)

    monkeypatch.setattr(records, "split_lines", watched)
    readings, rejected, *_ = told("timestamp,appliance,kwh\n" + "\n".join([*GOOD, "x,oven,1", ""]) + "\n", "UTC")
    assert len(readings) == len(GOOD)
    assert [line for line, *_ in rejected] == [len(GOOD) + 2]
    assert others == ["x,oven,1", ""]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(["x,oven,1", "é,,2", "2024-05-09 10:00,\u2028,x"], id="every cell is there"),
        pytest.param(["x,oven,", "é,oven,2"], id="a last cell is empty"),
        pytest.param(["x", "", "é,oven,2", "x,oven,"], id="cells are missing"),
    ],
)
def test_the_text_of_chosen_lines_is_all_that_stands_there(bad):
    every = [line for number, good in enumerate(GOOD) for line in (good, bad[number % len(bad)])]
    chunk = records.Chunk("".join(f"{line}\n" for line in every).encode(), first_line=2)
    cells = records.Cells(",", 3, (0, 1, 2))
    found = records.bare_cells(chunk, cells)
    chosen = pl.Series([number % 2 == 1 for number in range(len(every))])
    assert records.lines_where(chosen, chunk, found, cells).rows() == records.lines(chunk).filter(chosen).rows()
    assert records.lines_where(chosen, chunk, found, cells)["text"].to_list() == every[1::2]


def test_a_byte_order_mark_within_a_file_is_part_of_its_line(told):
    """The lengths of cells would otherwise add up to that of the text by chance."""
    rows = ["\ufeff2024-01-01 00:00,a,1", "", "2024-01-01 01:00,a", "2024-01-01 02:00,a,3", "2024-01-01 03:00,a,é"]
    text = "timestamp,appliance,kwh\n" + "\n".join([*rows, *GOOD]) + "\n"
    readings, rejected, *_ = told(text, "UTC")
    assert len(readings) == len(GOOD) + 1
    assert [(line, text) for line, _, _, text in rejected][-2:] == [(4, rows[2]), (6, rows[4])]
