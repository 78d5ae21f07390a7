"""Every row of an upload gets a verdict; no file is read in another way than it was meant."""

import datetime as dt
import gzip
import random
from collections import defaultdict
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import parquet, quarantine
from energy.errors import InputRejected
from energy.intake import source
from energy.intake.judging import judge
from energy.intake.rules import REASONS
from energy.site_config import Rules

UPLOADED = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
NASTY = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "nasty"
HEADER = "timestamp,appliance,kwh"

# Rows of which more can be said than their code's sentence.
MORE_EXACT = {
    "2024-03-01,fridge,1": "The timestamp is only a date, though others have a time; write it as 2024-05-01 00:00.",
    f"2024-03-05 10:00,{'x' * 129},1": "The name of the appliance has 129 characters; at most 128 are kept.",
    f"2024-03-05 10:00,fridge,{'1' * 70_000}": "A field has 70000 bytes; at most 65536 are read.",
    '2024-03-05 10:00,fr"id"ge,1': 'A quote (") stands within a field; a field with quotes needs them around it, and '
    "doubled inside.",
}


@pytest.fixture
def judged(tmp_path):
    """Judges text, or bytes, as an uploaded file."""

    def run(content, timezone="UTC", share=0.5, uploaded=UPLOADED, name="a.csv"):
        path = tmp_path / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        rules = Rules(timezone=timezone, rejected_share=share)
        return judge(path, rules, uploaded, tmp_path, name)

    return run


def csv(*rows, header=HEADER):
    return "\n".join([header, *rows]) + "\n"


def good_rows(count=20):
    return [f"2024-03-{1 + n // 24:02d} {n % 24:02d}:00,fridge,0.5" for n in range(count)]


def rejected(result):
    frames = list(result.rejected())
    return (
        pl.concat(frames) if frames else pl.DataFrame(schema={"line": pl.Int64, "code": pl.String, "text": pl.String})
    )


def rejections(result):
    return list(rejected(result).select("line", "code").iter_rows())


def code_of(refused):
    return refused.value.code


def test_readings_come_out_sorted_with_local_time_and_instant(judged):
    result = judged(csv("2024-07-01 12:00,oven,1.5", "2024-07-01 12:00,fridge,0.25"), "Europe/Berlin")
    noon, ten = dt.datetime(2024, 7, 1, 12), dt.datetime(2024, 7, 1, 10)
    assert list(result.readings().iter_rows()) == [(noon, ten, "fridge", 0.25, False), (noon, ten, "oven", 1.5, False)]
    assert result.readings().columns == ["timestamp", "timestamp_utc", "appliance", "kwh", "estimated"]
    assert result.rows.model_dump() == {"read": 2, "accepted": 2, "rejected": 0, "duplicates": 0}
    assert result.refusal is None


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2024-03-01 10:00", "2024-03-01T10:00:00"),
        ("2024-03-01T10:00", "2024-03-01T10:00:00"),
        ("2024-03-01T10:00:59", "2024-03-01T10:00:59"),
        ("2024-03-01 10:00:00.25", "2024-03-01T10:00:00.250000"),
        ("2024-03-01 10:00:00.1234567", "2024-03-01T10:00:00.123456"),
        ("2024-03-01T10:00:00Z", "2024-03-01T10:00:00"),
        ("2024-03-01T10:00+02:00", "2024-03-01T08:00:00"),
        ("2024-03-01T10:00:30 -0530", "2024-03-01T15:30:30"),
        ("  2024-03-01 10:00  ", "2024-03-01T10:00:00"),
    ],
)
def test_iso_timestamps_mean_their_instant(judged, written, utc):
    assert judged(csv(f"{written},fridge,1")).readings()["timestamp_utc"].to_list() == [dt.datetime.fromisoformat(utc)]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("2024-02-30 10:00,fridge,1", "BAD_TIMESTAMP"),
        ("2024-03-01 24:00,fridge,1", "BAD_TIMESTAMP"),
        ("2024-03-01 10:00:60,fridge,1", "BAD_TIMESTAMP"),
        ("2024-03-01,fridge,1", "BAD_TIMESTAMP"),
        ("2024-03-01 10:00+15:00,fridge,1", "BAD_TIMESTAMP"),
        ("01/03/2024 10:00,fridge,1", "BAD_TIMESTAMP"),
        (",fridge,1", "BAD_TIMESTAMP"),
        ("٢٠٢٤-03-01 10:00,fridge,1", "BAD_TIMESTAMP"),
        ("1989-12-31 23:00,fridge,1", "IMPLAUSIBLE_TIMESTAMP"),
        ("0001-01-01 00:00,fridge,1", "IMPLAUSIBLE_TIMESTAMP"),
        ("0000-01-01 00:00,fridge,1", "IMPLAUSIBLE_TIMESTAMP"),
        ("2026-11-02 00:01,fridge,1", "FUTURE_TIMESTAMP"),
        ("9999-12-31 23:59,fridge,1", "FUTURE_TIMESTAMP"),
        ("2024-03-05 10:00,,1", "MISSING_APPLIANCE"),
        ("2024-03-05 10:00,   ,1", "MISSING_APPLIANCE"),
        ("2024-03-05 10:00,\u200b\ufeff,1", "MISSING_APPLIANCE"),
        (f"2024-03-05 10:00,{'x' * 129},1", "FIELD_TOO_LARGE"),
        (f"2024-03-05 10:00,fridge,{'1' * 70_000}", "FIELD_TOO_LARGE"),
        ("2024-03-05 10:00,fri\x07dge,1", "CONTROL_CHARS"),
        ("2024-03-05 10:00,fri\0dge,1", "CONTROL_CHARS"),
        ("2024-03-05 10:00,fridge", "RAGGED_ROW"),
        ("2024-03-05 10:00,fridge,0,5", "RAGGED_ROW"),
        ('2024-03-05 10:00,fr"id"ge,1', "RAGGED_ROW"),
        ("2024-03-05 10:00,fridge,", "MISSING_VALUE"),
        ("2024-03-05 10:00,fridge,n/a", "MISSING_VALUE"),
        ("2024-03-05 10:00,fridge,Null", "MISSING_VALUE"),
        ("2024-03-05 10:00,fridge,NaN", "NON_FINITE"),
        ("2024-03-05 10:00,fridge,-Infinity", "NON_FINITE"),
        ("2024-03-05 10:00,fridge,1e999", "NON_FINITE"),
        ("2024-03-05 10:00,fridge,-0.1", "NEGATIVE"),
        ("2024-03-05 10:00,fridge,1e10", "IMPLAUSIBLE"),
        ("2024-03-05 10:00,fridge,0x1F", "BAD_NUMBER"),
        ("2024-03-05 10:00,fridge,1_000", "BAD_NUMBER"),
        ("2024-03-05 10:00,fridge,١٢", "BAD_NUMBER"),
        ('2024-03-05 10:00,fridge,"0,5"', "BAD_NUMBER"),
        ("2024-03-05 10:00,fridge,0.5 kWh", "BAD_NUMBER"),
        ("2024-03-05 10:00,fridge,50%", "BAD_NUMBER"),
        ("Timestamp, Appliance ,KWH", "REPEATED_HEADER"),
    ],
)
def test_a_bad_row_is_set_apart_with_its_line_and_code(judged, row, code):
    result = judged(csv(*good_rows(), row, "2024-03-09 10:00,oven,1"))
    assert rejections(result) == [(22, code)]
    assert rejected(result)["text"].to_list() == [row]
    assert rejected(result)["reason"].to_list() == [MORE_EXACT.get(row, REASONS[code])]
    assert result.rows.accepted == 21


@pytest.mark.parametrize("number", ["0.5", ".5", "+0.5", "5e-1", "0.50", " 0.5 ", '"0.5"', ' "0.5" '])
def test_numbers_as_people_write_them(judged, number):
    assert judged(csv(f"2024-03-01 10:00,fridge,{number}")).readings()["kwh"].to_list() == [0.5]


def test_minus_zero_is_zero(judged):
    assert str(judged(csv("2024-03-01 10:00,fridge,-0.0")).readings()["kwh"][0]) == "0.0"


def test_lines_are_counted_as_an_editor_counts_them(judged):
    content = csv(
        "", '2024-03-01 10:00,"big', 'fridge",1', "", "x,fridge,1", '2024-03-01 11:00,"a, ""b""",2', "y,fridge,1"
    )
    result = judged("\n" + content, share=0.9)
    assert rejections(result) == [(7, "BAD_TIMESTAMP"), (9, "BAD_TIMESTAMP")]
    assert result.readings()["appliance"].to_list() == ["big fridge", 'a, "b"']


def test_columns_may_come_in_any_order_and_case_with_others_between(judged):
    result = judged(csv('note "a, b",1,2024-03-01 10:00,x,Oven', header=" Note , kWh ,TIMESTAMP,extra,Appliance"))
    assert result.rows.rejected == 1, "a quote within a field without quotes is not guessed about"
    result = judged(csv('"a, b",1,2024-03-01 10:00,x,Oven', header=" Note , kWh ,TIMESTAMP,extra,Appliance"))
    assert result.readings().select("appliance", "kwh").row(0) == ("Oven", 1.0)
    assert result.notes["EXTRA_COLUMNS"].startswith("2 column(s) were ignored: 'Note', 'extra'")


def test_one_name_for_one_appliance_however_it_is_spaced_or_composed(judged):
    result = judged(csv("2024-03-01 10:00,Ku\u0308che  1,1", "2024-03-01 11:00, K\u00fcche 1 ,2"))
    assert set(result.readings()["appliance"]) == {"K\u00fcche 1"}
    result = judged(csv("2024-03-01 10:00,AC,1", "2024-03-01 11:00,A\u200bC,2", "2024-03-01 12:00,\u2060A\u00adC ,3"))
    assert set(result.readings()["appliance"]) == {"AC"}


def test_the_repeated_hour_is_kept_in_file_order_per_appliance(judged):
    rows = [f"2024-10-27 {t},{a},{v}" for a, v in (("a", 1), ("b", 2)) for t in ("01:30", "02:30", "02:30", "03:30")]
    result = judged(csv(*rows), "Europe/Berlin")
    hours = [dt.datetime(2024, 10, 26, 23, 30) + dt.timedelta(hours=n) for n in range(4)]
    assert result.readings().filter(pl.col("appliance") == "b")["timestamp_utc"].to_list() == hours
    assert result.rows.accepted == 8
    assert "AMBIGUOUS_LOCAL_TIME" in result.warnings


QUARTERS = [f"02:{minute:02d}" for minute in (0, 15, 30, 45)]
AUTUMN = [
    *(
        f"2024-10-27 {time},a,{kwh}"
        for kwh, time in enumerate([f"0{h}:{m:02d}" for h in (0, 1) for m in (0, 15, 30, 45)])
    ),
    *(f"2024-10-27 {time},a,{kwh}" for kwh, time in enumerate(QUARTERS, 10)),
    *(f"2024-10-27 {time},a,{kwh}" for kwh, time in enumerate(QUARTERS, 20)),
    *(f"2024-10-27 {time},a,{kwh}" for kwh, time in enumerate(["03:00", "03:15", "03:30"], 30)),
]
# From midnight of summer time on, which is 22:00 of the day before in UTC.
AUTUMN_KWH = [*range(8), 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32]


def by_quarter(result):
    """kWh by the number of quarter hours since local midnight."""
    midnight = dt.datetime(2024, 10, 26, 22)
    return {
        (utc - midnight) // dt.timedelta(minutes=15): kwh
        for utc, kwh in result.readings().select("timestamp_utc", "kwh").iter_rows()
    }


@pytest.mark.parametrize(
    ("rows", "duplicates"),
    [
        (AUTUMN, 0),
        (AUTUMN[::-1], 0),
        (AUTUMN * 2, 19),
        ((AUTUMN * 2)[::-1], 19),
        ([row for row in AUTUMN for _ in range(2)], 19),
        ([*AUTUMN, AUTUMN[9]], 1),
        ([*AUTUMN, AUTUMN[14]], 1),
    ],
    ids=[
        "oldest first",
        "newest first",
        "twice",
        "twice, newest first",
        "rows doubled",
        "one again",
        "later one again",
    ],
)
def test_both_autumn_hours_are_told_apart_however_the_file_repeats_itself(judged, rows, duplicates):
    result = judged(csv(*rows), "Europe/Berlin")
    assert by_quarter(result) == dict(enumerate(AUTUMN_KWH))
    assert (result.rows.rejected, result.rows.duplicates) == (0, duplicates)


@pytest.mark.parametrize("whole_file", [False, True])
def test_an_hour_reported_once_is_not_counted_twice_for_a_row_that_is_there_twice(judged, whole_file):
    once = AUTUMN[:12] + AUTUMN[16:]
    rows = once * 2 if whole_file else [*once, once[9]]
    result = judged(csv(*rows), "Europe/Berlin")
    kwh = [*range(8), 10, 11, 12, 13]
    assert by_quarter(result) == dict(enumerate(kwh)) | {16: 30, 17: 31, 18: 32}
    assert (result.rows.rejected, result.rows.duplicates) == (0, len(rows) - 15)
    assert "AMBIGUOUS_LOCAL_TIME" in result.warnings


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_equal_values_in_both_autumn_hours_are_two_readings(judged, copies):
    times = ["01:00", "01:30", "02:00", "02:30", "02:00", "02:30", "03:00", "03:30"]
    result = judged(csv(*(f"2024-10-27 {time},a,0.0" for time in times * copies)), "Europe/Berlin")
    assert result.rows.accepted == 8
    assert result.rows.duplicates == 8 * (copies - 1)


def test_a_bad_row_takes_no_place_in_the_repeated_hour(judged):
    rows = ["2024-10-27 01:30,a,1", "2024-10-27 02:30,a,-1", "2024-10-27 02:30,a,2", "2024-10-27 02:30,a,3"]
    result = judged(csv(*rows, "2024-10-27 03:30,a,4"), "Europe/Berlin")
    assert rejections(result) == [(3, "NEGATIVE")]
    hours = [dt.datetime(2024, 10, 26, 23, 30) + dt.timedelta(hours=n) for n in range(4)]
    assert list(result.readings().select("timestamp_utc", "kwh").iter_rows()) == list(
        zip(hours, [1, 2, 3, 4], strict=True)
    )


def test_an_offset_decides_in_the_repeated_hour(judged):
    result = judged(csv("2024-10-27T02:30+01:00,a,1", "2024-10-27T02:30+02:00,a,2"), "Europe/Berlin")
    assert list(result.readings().select("timestamp", "kwh").iter_rows()) == [
        (dt.datetime(2024, 10, 27, 2, 30), 2.0),
        (dt.datetime(2024, 10, 27, 2, 30), 1.0),
    ]
    assert "AMBIGUOUS_LOCAL_TIME" not in result.warnings


def test_a_time_that_clocks_skipped_is_rejected(judged):
    result = judged(csv(*good_rows(), "2024-03-31 02:30,fridge,1"), "Europe/Berlin")
    assert rejections(result) == [(22, "NONEXISTENT_LOCAL_TIME")]


def test_the_same_reading_twice_is_counted_once(judged):
    result = judged(csv(*good_rows(), "2024-03-01T00:00Z,fridge,0.50"))
    assert result.rows.model_dump() == {"read": 21, "accepted": 20, "rejected": 0, "duplicates": 1}
    assert "DUPLICATE_READING" in result.warnings


def test_readings_that_contradict_each_other_are_all_rejected(judged):
    rows = ["2024-03-01 00:00,fridge,0.5", "2024-03-01 00:00,fridge,0.6", "2024-03-01 00:00,fridge,0.5"]
    result = judged(csv(*good_rows()[1:], *rows))
    assert rejections(result) == [(line, "CONFLICTING_READING") for line in (21, 22, 23)]
    assert result.rows.accepted == 19


def test_a_month_knows_the_appliances_that_it_has_readings_of_and_no_others(judged):
    result = judged(csv(*good_rows(), "2024-04-01 00:00,oven,0.5", "2024-04-01 01:00,attic,x", "2024-03-01 00:00,Car"))
    months = {}
    result.each_month(lambda month, rows: months.update({month: rows}))
    assert {month: rows["appliance"].dtype for month, rows in months.items()} == {
        "2024-03": pl.Enum(["fridge"]),
        "2024-04": pl.Enum(["oven"]),
    }
    for month, rows in months.items():
        assert result.month(month).equals(rows.with_columns(pl.col("appliance").cast(pl.String)))


@pytest.mark.parametrize(("bad", "refused"), [(9, False), (10, True), (11, True)])
def test_half_bad_rows_refuse_the_file_and_are_still_shown(judged, bad, refused):
    result = judged(csv(*good_rows(20 - bad), *(f"x{n},fridge,1" for n in range(bad))))
    assert bool(result.refusal) is refused
    assert rejected(result).height == bad
    if refused:
        assert result.refusal.code == "TOO_MANY_BAD_ROWS"
        assert f"line {22 - bad}" in result.refusal.problem


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2024-03-01T,fridge,1", "'2024-03-01T': The timestamp is not written as the file's other timestamps are"),
        ("2024-03-01 10:00,fridge,1\u202f23", "'1\\u202f23': The reading is not a number"),
        ("2024-03-01 10:00,fri\x1b[31mdge,1", "'2024-03-01 10:00,fri\\x1b[31mdge,1': The row contains"),
        ("2024-03-01 10:00,fridge," + "9" * 60, f"'{'9' * 40} …': The reading is beyond any meter"),
    ],
)
def test_a_refusal_quotes_what_is_wrong(judged, row, said):
    problem = judged(csv(*[row] * 10, *good_rows(2))).refusal.problem
    assert problem.startswith(
        "10 of 12 rows are bad (83%); a file is not used if at least half of its rows are, or all."
    )
    assert f"The first is line 2, {said}" in problem


def test_a_file_without_a_good_row_is_refused_however_small(judged):
    assert judged(csv("x,fridge,1"), share=1.0).refusal.code == "TOO_MANY_BAD_ROWS"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b"\xef\xbb\xbf\r\n \r\n", "EMPTY_FILE"),
        (b"timestamp,appliance,kwh\n\n", "NO_ROWS"),
        (b"time,appliance,kwh\n2024-03-01 10:00,a,1\n", "MISSING_COLUMN"),
        (b"timestamp,appliance,kw h\n2024-03-01 10:00,a,1\n", "MISSING_COLUMN"),
        (b"timestamp,appliance,kwh [Wh]\n2024-03-01 10:00,a,1\n", "MISSING_COLUMN"),
        (b"timestamp,appliance,kwh,KWH\n2024-03-01 10:00,a,1,1\n", "DUPLICATE_COLUMN"),
        (b"2024-03-01 10:00,a,1\n", "MISSING_HEADER"),
        (b'timestamp,appliance,kwh\n2024-03-01 10:00,"a,1\n', "MALFORMED_CSV"),
        (b'timestamp,appliance,kwh\n2024-03-01 10:00,5" a,1\n2024-03-01 10:00,6" a,1\n', "MALFORMED_CSV"),
        (b"times\rtamp,appliance,kwh\n2024-03-01 10:00,a,1\n", "MALFORMED_CSV"),
        (b"t\0i\0m\0e\0", "NUL_BYTES"),
        (b"timestamp,appliance,kwh\n2024-03-01 10:00,caf\x81,1\n", "BAD_ENCODING"),
        (b"\xff\xfet\0i\0m", "BAD_ENCODING"),
        (b"PK\x03\x04abc", "NOT_CSV"),
        (b"PAR1abc", "NOT_CSV"),
        (b"  <!DOCTYPE html>", "NOT_CSV"),
        (b'\xef\xbb\xbf[{"timestamp": 1}]', "NOT_CSV"),
        (b"\x1f\x8bgarbage", "BAD_GZIP"),
        (gzip.compress(b"timestamp", mtime=0)[:-3], "BAD_GZIP"),
        (gzip.compress(gzip.compress(b"timestamp", mtime=0), mtime=0), "NOT_CSV"),
        (b"timestamp,appliance,kwh\n45352.5,a,1\n45353.5,a,1\n", "BAD_TIMESTAMP_FORMAT"),
        (b"timestamp,appliance,kwh\n01/02/2024 10:00,a,1\n", "AMBIGUOUS_DATE"),
        (b"timestamp,appliance,kwh\n2024-02-01 10:00,a,5 Wh\n", "BAD_NUMBER"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(judged, content, code):
    with pytest.raises(InputRejected) as refused:
        judged(content)
    assert code_of(refused) == code
    assert refused.value.problem.endswith(".")
    assert "Traceback" not in refused.value.problem


def test_where_the_problem_is_gets_named(judged):
    with pytest.raises(InputRejected, match=r"byte 40 .*0x81"):
        judged(csv("2024-03-01 10:00,").encode().rstrip()[:37] + b"caf\x81,1\n")
    with pytest.raises(InputRejected, match="line 3"):
        judged(csv("2024-03-01 10:00,a,1", '2024-03-01 11:00,"a,1', "2024-03-01 12:00,a,1"))


def test_packed_files_read_the_same_in_one_piece_or_many(judged):
    text = csv(*good_rows()).encode()
    plain = judged(text)
    pieces = b"".join(gzip.compress(text[start : start + 100]) for start in range(0, len(text), 100))
    for packed in (gzip.compress(text), pieces, pieces + b"\0" * 512):
        assert judged(packed, name="a.csv.gz").readings().equals(plain.readings())


def test_unpacking_ends_at_every_length_of_a_cut_file(judged):
    packed = gzip.compress(csv(*(f"2024-03-01 10:00,a{n},{random.Random(n).random()}" for n in range(3_000))).encode())
    for length in range(20, len(packed), len(packed) // 50):
        with pytest.raises(InputRejected) as refused:
            judged(packed[:length])
        assert code_of(refused) == "BAD_GZIP"


def test_a_bomb_is_stopped_while_unpacking(judged):
    with pytest.raises(InputRejected) as refused:
        judged(gzip.compress(b"timestamp,appliance,kwh\n" + b"\n" * 200_000_000, 1))
    assert code_of(refused) == "DECOMPRESSION_LIMIT"


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_more_than_memory_has_room_for_is_refused_before_it_is_read(judged, monkeypatch, packed):
    text = csv(*good_rows(200)).encode()
    monkeypatch.setattr(source, "MAX_TEXT_BYTES", len(text))
    content = gzip.compress(text) if packed else text
    assert judged(content).rows.accepted == 200
    monkeypatch.setattr(source, "MAX_TEXT_BYTES", len(text) - 1)
    with pytest.raises(InputRejected, match=r"file has (more than )?0 MB; at most 0 MB are read\. Split it") as refused:
        judged(content)
    assert code_of(refused) == "FILE_TOO_LARGE"


@pytest.mark.parametrize(
    "rows", [["2024-03-01 10:00,AC,1,5"] * 3, ["2024-03-01 10:00,AC,1,5"] * 2 + ['2024-03-01 11:00,"a",2,x']]
)
def test_decimal_commas_beside_another_column_are_not_read_as_whole_numbers(judged, rows):
    with pytest.raises(InputRejected, match=r"'1,5' may be one number with a decimal comma") as refused:
        judged(csv(*rows, header=f"{HEADER},note"))
    assert code_of(refused) == "AMBIGUOUS_NUMBER"


@pytest.mark.parametrize("cells", [["1,5", "1.0,5"], ["1,a", "2,5"], ["1,", "2,5"], ["1,5", "2,x"]])
def test_whole_numbers_beside_another_column_are_read_where_the_file_tells_them_apart(judged, cells):
    result = judged(csv(*(f"2024-03-01 1{n}:00,AC,{cell}" for n, cell in enumerate(cells)), header=f"{HEADER},note"))
    assert result.readings()["kwh"].to_list() == [float(cell.split(",")[0]) for cell in cells]


def test_a_header_is_told_what_it_lacks(judged):
    with pytest.raises(InputRejected) as refused:
        judged(csv("2024-03-01 10:00,AC,1", header="Zeit,Gerät,kwh"))
    assert refused.value.problem == (
        "The header in line 1 lacks timestamp, appliance; it names 'Zeit, Gerät, kwh'. "
        "Name the columns timestamp, appliance, kwh (wh, mwh, power_w or power_kw instead of kwh are converted), or "
        "say which is which under readings: columns in config/<site>.yaml."
    )


@pytest.mark.parametrize("encode", [str.encode, lambda t: ("\ufeff" + t).encode(), lambda t: t.encode("utf-16")])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encoding_and_newlines_do_not_change_the_readings(judged, encode, newline):
    text = csv(*good_rows(), '2024-03-05 10:00,"a ""b"", c",1')
    assert judged(encode(text.replace("\n", newline))).readings().equals(judged(text).readings())


CELLS = st.one_of(
    st.sampled_from(
        ["2024-03-01 10:00", "2024-03-01T10:00Z", "a", "b", "1", "2.5", "", "-1", "nan", '"x\ny"', "é", "\t"]
    ),
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=6),
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=12), st.booleans())
def test_no_row_is_ever_lost(tmp_path_factory, rows, padded):
    path = tmp_path_factory.mktemp("any") / "upload"
    good = good_rows(len(rows) * 3) if padded else []
    path.write_bytes(csv(*good, *(",".join(row) for row in rows)).encode())
    try:
        result = judge(path, Rules(timezone="Europe/Berlin", rejected_share=0.5), UPLOADED, path.parent)
    except InputRejected:
        return
    counts = result.rows
    assert counts.read == counts.accepted + counts.rejected + counts.duplicates
    assert counts.duplicates >= 0
    assert counts.accepted == result.readings().height
    assert counts.rejected == rejected(result).height
    assert result.readings()["kwh"].is_finite().all()
    assert (result.readings()["kwh"] >= 0).all()
    assert not result.readings().select("appliance", "timestamp_utc").is_duplicated().any()
    assert rejected(result)["line"].is_sorted()


READINGS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["fridge", "oven"]), st.integers(0, 3)), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(READINGS, st.randoms(use_true_random=False), st.sampled_from(["2024-03-30", "2024-10-26", "2024-05-01"]))
def test_the_order_of_rows_does_not_change_a_byte(tmp_path_factory, readings, chance, day):
    path = tmp_path_factory.mktemp("order") / "upload"
    start = dt.datetime.fromisoformat(day)
    # With an offset, or else the repeated hour would be told by the order.
    rows = [f"{start + dt.timedelta(hours=hour)}Z,{appliance},{kwh / 4}" for hour, appliance, kwh in readings]
    path.write_text(csv(*rows))
    first = judge(path, Rules(timezone="Europe/Berlin", rejected_share=1.0), UPLOADED, path.parent)
    chance.shuffle(rows)
    path.write_text(csv(*rows))
    second = judge(path, Rules(timezone="Europe/Berlin", rejected_share=1.0), UPLOADED, path.parent)
    assert parquet.to_bytes(first.readings()) == parquet.to_bytes(second.readings())
    assert first.rows == second.rows


@settings(max_examples=60, deadline=None)
@given(READINGS)
def test_every_count_agrees_with_a_plain_loop(tmp_path_factory, readings):
    path = tmp_path_factory.mktemp("counts") / "upload"
    start = dt.datetime(2024, 10, 26)
    path.write_text(csv(*(f"{start + dt.timedelta(hours=h)}Z,{name},{kwh / 4}" for h, name, kwh in readings)))
    values = defaultdict(list)
    for hour, name, kwh in readings:
        values[hour, name].append(kwh)
    conflicts = [found for found in values.values() if len(set(found)) > 1]
    rows = judge(path, Rules(timezone="Europe/Berlin", rejected_share=1.0), UPLOADED, path.parent).rows
    assert rows.rejected == sum(len(found) for found in conflicts)
    assert rows.accepted == len(values) - len(conflicts)
    assert rows.duplicates == sum(len(found) - 1 for found in values.values() if len(set(found)) == 1)


def test_quarantined_rows_open_safely_in_a_spreadsheet(tmp_path):
    texts = ["=1+1", "+1", "-1", "@a", "\tx", "\rx", 'a "b", c', "two\nlines"]
    frame = pl.DataFrame({"line": range(8), "code": ["X"] * 8, "reason": ["r"] * 8, "text": texts})
    quarantine.write_rejected(tmp_path / "rejected.csv", [frame.head(3), frame.tail(5)])
    read = pl.read_csv(tmp_path / "rejected.csv", infer_schema=False)["text"].to_list()
    assert read == ["'=1+1", "'+1", "'-1", "'@a", "'\tx", "'\rx", 'a "b", c', "two\nlines"]
