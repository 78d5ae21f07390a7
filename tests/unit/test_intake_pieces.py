"""However a file is cut, put by and settled, the same comes out: nothing depends on sizes that nobody sees."""

import datetime as dt
import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy import parquet, resolution
from energy.errors import InputRejected
from energy.intake import outcome, records, source, spool
from energy.intake.judging import judge
from energy.schema import READINGS
from energy.site_config import Rules

UPLOADED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SPOOLED = {"number": pl.Int64, "month": pl.Int32, "later": pl.Datetime("us"), "estimated": pl.Boolean}
AT = dt.datetime(2024, 10, 27, 1)


@pytest.fixture
def told(tmp_path):
    """Everything that a file amounts to, as comparable values."""

    def run(text, zone="UTC"):
        path = tmp_path / "a.csv"
        path.write_text(text)
        for left in tmp_path.glob("*.arrow"):
            left.unlink()
        result = judge(path, Rules(timezone=zone), UPLOADED, tmp_path)
        rejected = pl.concat([*result.rejected(), pl.DataFrame(schema={"line": pl.Int64})], how="diagonal")
        months = {}
        result.each_month(lambda month, rows: months.update({month: _file(rows)}))
        said = (result.verdict, result.rows, result.codes, result.warnings, result.notes, result.quality)
        return months, rejected.rows(), said, result.refusal and str(result.refusal)

    return run


def _file(rows):
    return parquet.table_bytes(resolution.of_upload(rows, "an upload"), READINGS)


def mixed(seed):
    """Two months of four appliances with bad rows, repetitions, contradictions, and both autumn hours."""
    chance = random.Random(seed)
    rows = []
    for hour in range(24 * 40):
        wall = dt.datetime(2024, 10, 5) + dt.timedelta(hours=hour)
        rows += [f"{wall:%Y-%m-%d %H:%M},{name},{chance.randrange(1, 900) / 1000}" for name in ("oven", "Fridge", "tv")]
        if wall == dt.datetime(2024, 10, 27, 2):
            rows += [f"{wall:%Y-%m-%d %H:%M},{name},1.5" for name in ("oven", "Fridge", "tv")]
    for _ in range(60):
        place = chance.randrange(len(rows))
        row = rows[place]
        rows.insert(place, chance.choice([row, row + "1", "x,oven,1", row.replace("2024", "1924"), '"a', "fridge"][:4]))
    return "timestamp,appliance,kwh\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Adelaide"])
def test_sizes_that_nobody_sees_change_nothing(told, monkeypatch, seed, zone):
    text = mixed(seed)
    expected = told(text, zone)
    assert len(expected[0]) == 2
    assert expected[1]
    monkeypatch.setattr(source, "BLOCK_BYTES", 1_000)
    monkeypatch.setattr(records, "CHUNK_BYTES", 3_000)
    assert told(text, zone) == expected
    monkeypatch.setattr(spool, "BYTES_IN_MEMORY", 2_500)
    assert told(text, zone) == expected
    monkeypatch.setattr(outcome, "PIECE_ROWS", 300)
    assert told(text, zone) == expected


@pytest.mark.parametrize(
    ("first", "last"),
    [
        # The day past the twelfth, the decimal comma and the majority of timestamps come only at the end.
        ([f"0{d}/0{m}/2024 00:00;a;0,5" for m in range(1, 7) for d in range(1, 9)], ["13/01/2024 00:00;a;0,5"]),
        ([f"2024-01-0{d} 0{h}:00;a;1" for d in range(1, 9) for h in range(9)], ["2024-02-01 00:00;a;1,25"]),
        (["01/02/2024 00:00;a;1"] * 3, [f"2024-01-0{d} 0{h}:00;a;1" for d in range(1, 9) for h in range(9)]),
        ([f"2024-01-0{d} 0{h}:00;a;1.5" for d in range(1, 9) for h in range(9)], ["2024-02-01 00:00;a;1,25"] * 2),
    ],
)
def test_what_only_the_end_of_a_file_proves_holds_for_all_of_it(told, monkeypatch, first, last):
    text = "timestamp;appliance;kwh\n" + "\n".join(first + last) + "\n"
    expected = told(text)
    monkeypatch.setattr(source, "BLOCK_BYTES", 64)
    monkeypatch.setattr(records, "CHUNK_BYTES", 64)
    assert told(text) == expected


def test_a_quote_that_is_never_closed_names_its_line_however_the_file_is_cut(tmp_path, monkeypatch):
    rows = [f"2024-01-01 {n // 60:02d}:{n % 60:02d},a,1" for n in range(500)]
    rows[300] = rows[300].replace(",a", ',"a')
    path = tmp_path / "a.csv"
    path.write_text("timestamp,appliance,kwh\n" + "\n".join(rows) + "\n")
    for size in (1 << 20, 500):
        monkeypatch.setattr(source, "BLOCK_BYTES", size)
        monkeypatch.setattr(records, "CHUNK_BYTES", size)
        with pytest.raises(InputRejected, match=r"MALFORMED_CSV: A quote .* in line 302 is never closed"):
            judge(path, Rules(), UPLOADED, tmp_path)


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\0", b'"', b"#", b","])).map(b"".join))
def test_line_ends_are_counted_as_python_counts_them(content):
    assert records._newlines(content) == content.count(b"\n")


def test_a_spool_gives_back_what_was_put_by(tmp_path, monkeypatch):
    frames = [
        pl.DataFrame(
            {"number": [1, 2], "month": [5, 5], "later": [None, None], "estimated": [False, False]}, schema=SPOOLED
        ),
        pl.DataFrame({"number": [3], "month": [6], "later": [AT], "estimated": [True]}, schema=SPOOLED),
        pl.DataFrame(
            {"number": [4, 4], "month": [5, 6], "later": [None, AT], "estimated": [None, True]}, schema=SPOOLED
        ),
    ]
    for most in (1, 1_000):
        monkeypatch.setattr(spool, "BYTES_IN_MEMORY", most)
        kept = spool.Spool(tmp_path, f"kept-{most}")
        for frame in frames:
            kept.put(1, frame)
        assert_frame_equal(kept.whole(1), pl.concat(frames))
        assert kept.rows(1) == 5
    kept.drop(1)
    assert not kept.keys()


def test_a_spool_counts_bytes_so_that_few_long_texts_are_many(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "BYTES_IN_MEMORY", 1_000)
    kept = spool.Spool(tmp_path, "kept")
    short, long = pl.DataFrame({"text": ["a", "b", "c"]}), pl.DataFrame({"text": ["d", "e" * 2_000]})
    kept.put(1, short)
    assert not list(tmp_path.iterdir())
    kept.put(1, long)
    assert len(list(tmp_path.iterdir())) == 2
    assert_frame_equal(kept.whole(1), pl.concat([short, long]))


def test_a_spool_keeps_frames_whose_columns_all_have_one_value(tmp_path):
    kept = spool.Spool(tmp_path, "kept")
    frame = pl.DataFrame({"month": [5, 5, 5], "estimated": [True, True, True]}, schema_overrides={"month": pl.Int32})
    kept.put(1, frame)
    assert_frame_equal(kept.whole(1), frame)
