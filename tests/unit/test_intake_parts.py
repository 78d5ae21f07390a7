"""A file judged in parts, each by itself and put together after, as Spark does it: the same as in one pass."""

import datetime as dt
import pickle

import polars as pl
import pytest

from energy.errors import InputRejected
from energy.intake import records
from energy.intake.form import Evidence
from energy.intake.judging import file_of, prove
from energy.intake.reading import Appliances, Pass
from energy.intake.source import MAX_LINE_BYTES, open_source
from energy.intake.spool import Spool
from energy.site_config import Rules

UPLOADED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HEADER = b"timestamp,appliance,kwh\n"


def extents(content: bytes, part_bytes: int, monkeypatch) -> list[records.Extent] | None:
    monkeypatch.setattr(records, "CHUNK_BYTES", part_bytes)
    blocks = [content[start : start + part_bytes] for start in range(0, len(content), part_bytes)]
    return records.extents(blocks, 1)


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_extents_are_whole_records_and_all_of_them(monkeypatch, newline, end):
    rows = [b"2024-05-01 %02d:00:00,AC,%d" % (hour, hour) for hour in range(24)]
    rows[7] = b'2024-05-01 07:00:00,"A' + newline + b'C",7'
    content = newline.join((HEADER[:-1], *rows)) + end
    found = extents(content, 64, monkeypatch)
    assert len(found) > 5
    chunks = [records.chunk_of(content[one.start : one.end], one.first_line) for one in found]
    text = b"".join(chunk.content for chunk in chunks)
    assert text == b"\n".join(row.replace(b"\r\n", b"\n") for row in rows) + b"\n"
    assert all(chunk.content.count(b'"') % 2 == 0 for chunk in chunks)
    line = 2
    for chunk in chunks:
        assert chunk.first_line == line
        line += chunk.content.count(b"\n")


def test_lines_that_would_be_cut_have_no_extents(monkeypatch):
    long = HEADER + b"2024-05-01 00:00:00,AC,1\n" + b"x" * (MAX_LINE_BYTES + 1) + b"\n"
    assert extents(long, 1 << 22, monkeypatch) is None
    assert extents(HEADER + b"x" * (MAX_LINE_BYTES - 1) + b"\n", 1 << 22, monkeypatch) is not None


def test_a_quote_that_is_never_closed_is_found_with_its_line(monkeypatch):
    content = HEADER + b'2024-05-01 00:00:00,"AC,1\n' + b"2024-05-01 01:00:00,AC,1\n" * 60_000
    with pytest.raises(InputRejected, match=r"^MALFORMED_CSV: .* line 2 "):
        extents(content, 1 << 16, monkeypatch)


def test_passes_over_parts_add_up_to_a_pass_over_all(tmp_path):
    rows = [
        f"2024-05-{1 + n % 28:02} {n % 24:02}:00:00,{('AC', 'ac ', 'Fridge')[n % 3]},{n % 7 - 1}" for n in range(90)
    ]
    path = tmp_path / "upload"
    path.write_bytes(HEADER + "\n".join(rows).encode())
    file = file_of(open_source(path), Rules(), UPLOADED, tmp_path)
    (chunk,) = file.chunks()
    evidence = Evidence(file.layout, file.rules.readings)
    prove(evidence, file.read(chunk))
    form = evidence.form()
    whole = Pass(file, form)
    whole.read(0, file.read(chunk))

    together, proved = Pass(file, form), Evidence(file.layout, file.rules.readings)
    candidates = []
    lines = chunk.content.splitlines(keepends=True)
    for first in (0, 40, 70):
        last = {0: 40, 40: 70, 70: 90}[first]
        part = records.Chunk(b"".join(lines[first:last]), chunk.first_line + first)
        done, told = Pass(file, form), Evidence(file.layout, file.rules.readings)
        found = file.read(part)
        prove(told, found)
        done.read(0, found)
        candidates += [(done, done.candidates.whole(month)) for month in done.candidates.keys()]  # noqa: SIM118
        proved.absorb(told)
        numbers = together.absorb(done)
        assert [together.appliances.shown()[number] for number in numbers] == done.appliances.shown()
        pickle.dumps((done, told))  # as they travel

    assert proved.form() == form
    assert (together.rows_read, together.codes, together.first_lines) == (90, whole.codes, whole.first_lines)
    assert together.first_rejected == whole.first_rejected
    assert (together.naive, together.stated, together.repeated) == (whole.naive, whole.stated, whole.repeated)
    assert set(together.appliances.shown()) == set(whole.appliances.shown())
    assert together.appliances.normalised() == whole.appliances.normalised() == [["AC", "ac"]]
    by_name = {name: n for n, name in enumerate(together.appliances.shown())}
    of_whole = {name: n for n, name in enumerate(whole.appliances.shown())}
    rejected = {name: together.rejected_by_appliance[number] for name, number in by_name.items()}
    assert rejected == {name: whole.rejected_by_appliance[number] for name, number in of_whole.items()}
    assert sum(frame.height for _, frame in candidates) == whole.candidates.whole(2024 * 12 + 4).height


def test_too_many_appliances_of_several_parts_are_refused():
    first, second = Appliances(3), Appliances(3)
    first.codes(pl.Series(["a", "b"]), 128)
    second.codes(pl.Series(["b", "c", "d"]), 128)
    with pytest.raises(InputRejected, match=r"^TOO_MANY_APPLIANCES: .* more than 3 "):
        first.absorb(second)


def test_spellings_are_told_in_one_order():
    """Whatever the order in which a hash gives them: what is told of a file must be the same bytes each time."""
    found = Appliances(10)
    for names in (["Zoo", "b", "A"], ["ZOO", "B", "a"]):
        found.codes(pl.Series(names), 128)
    assert found.normalised() == [["A", "a"], ["B", "b"], ["ZOO", "Zoo"]]


def test_a_key_that_another_spool_takes_over_is_forgotten_there(tmp_path, monkeypatch):
    monkeypatch.setattr("energy.intake.spool.BYTES_IN_MEMORY", 16)
    one, other = Spool[int](tmp_path, "one"), Spool[int](tmp_path, "other")
    for key in (1, 2, 1):
        one.put(key, pl.DataFrame({"n": [key, key]}))
    other.take(one, 1)
    assert (one.keys(), other.keys(), other.rows(1)) == ([2], [1], 4)
    given: dict[int, list[int]] = {}
    other.each(lambda key, frame: given.update({key: frame["n"].to_list()}))
    assert given == {1: [1, 1, 1, 1]}


def test_the_core_and_the_jobs_are_python_that_glue_knows():
    """Glue 5.1 has Python 3.11; the grammar of this Python can be asked for that of an older one."""
    import ast
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    files = [*(root / "layers" / "core" / "energy").rglob("*.py"), *(root / "jobs").rglob("*.py")]
    assert len(files) > 100
    for path in files:
        ast.parse(path.read_text(), str(path), feature_version=(3, 11))
