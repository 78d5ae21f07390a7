"""Files made to exhaust the machine: each gets an answer, soon, and in the memory that a function has."""

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
HEADER = b"timestamp,appliance,kwh\n"
ROW = b"2024-05-01 00:00:00,fridge,0.5\n"
SECONDS = 30
# What Lambda gives a function at most in an account that never asked for more.
FUNCTION_MEGABYTES = 3008
MB = 1 << 20


def good_rows(count=20):
    return b"".join(b"2024-05-%02d %02d:00:00,fridge,0.5\n" % (1 + n // 24, n % 24) for n in range(count))


def bomb(piece, times):
    """`piece` so many times, packed: the packed form of a large piece, repeated, as gzip allows."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    check = 0
    for _ in range(times):
        check = zlib.crc32(piece, check)
    size = len(piece) * times
    end = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()
    trailer = check.to_bytes(4, "little") + (size % (1 << 32)).to_bytes(4, "little")
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + first + again * (times - 1) + end + trailer


def gzip_bomb():
    """2 GB of one row in about 5 MB."""
    piece = HEADER + ROW * ((8 * MB - len(HEADER)) // len(ROW))
    return bomb(piece, 256)


def bomb_of_newlines():
    return bomb(b"\n" * (8 * MB), 256)


def many_members():
    return gzip.compress(HEADER + ROW) + gzip.compress(b"", 9) * 400_000


def many_members_with_rows():
    return gzip.compress(HEADER) + b"".join(
        gzip.compress(b"2024-05-01 00:00:00,a%d,0.5\n" % n, 1) for n in range(100_000)
    )


def one_large_field():
    return HEADER + good_rows() + b"2024-05-02 00:00:00," + b"x" * (100 * MB) + b",0.5\n"


def one_large_field_in_quotes():
    return HEADER + good_rows() + b'2024-05-02 00:00:00,"' + b"x" * (100 * MB) + b'",0.5\n'


def many_lines_in_one_field():
    return HEADER + good_rows() + b'2024-05-02 00:00:00,"' + b"x\n" * (20 * MB) + b'",0.5\n'


def million_appliances():
    rows = b"".join(b"2024-05-01 00:00:00,appliance %d,0.5\n" % n for n in range(1_000_000))
    return HEADER + rows


def million_spellings():
    """One appliance by a million spellings: in case and in spaces."""
    rows = []
    for n in range(1_000_000):
        letters = "".join(c.upper() if n >> bit & 1 else c for bit, c in enumerate("washing machine cellar"))
        rows.append(b"20%02d-05-01 %02d:%02d:00,%s,0.5\n" % (n % 24, n // 24 % 24, n // 576 % 60, letters.encode()))
    return HEADER + b"".join(rows)


def wide_table():
    header = b"timestamp,appliance,kwh," + b",".join(b"c%d" % n for n in range(5_000)) + b"\n"
    return header + (ROW[:-1] + b",1" * 5_000 + b"\n") * 2_000


def wide_rows():
    return HEADER + good_rows() + (b"2024-05-02 00:00:00,fridge,0.5" + b",1" * 5_000 + b"\n") * 5_000


def wide_rows_of_large_fields():
    header = b"timestamp,appliance,kwh," + b",".join(b"c%d" % n for n in range(900)) + b"\n"
    field = b"," + b"y" * (60 << 10)
    return header + (ROW[:-1] + field * 900 + b"\n") * 4


def quotes():
    return HEADER + b'"' * (50 * MB)


def lines_of_quotes():
    return HEADER + b'""\n' * (16 * MB)


def quotes_out_of_step():
    """A quote too many at the beginning: what is within quotes and what is not changes places."""
    return HEADER + good_rows() + b'2024-05-02 00:00:00,"fridge,0.5\n' + b'2024-05-02 00:00:00,"oven",0.5\n' * 1_500_000


def quotes_out_of_step_to_the_end():
    return HEADER + b'"' + b'""\n' * (12 * MB)


def quotes_that_open_in_every_line():
    return HEADER + good_rows() + b'2024-05-02 00:00:00,"fridge,0.5\n' * 1_000_000


def commas():
    return HEADER + b"," * (100 * MB)


def header_of_commas():
    return b"timestamp,appliance,kwh" + b"," * (100 * MB) + b"\n" + ROW


def newlines():
    return HEADER + b"\n" * (20 * MB) + good_rows()


def newlines_only():
    return b"\r\n" * (20 * MB)


def old_newlines():
    return HEADER.replace(b"\n", b"\r") + b"\r" * (20 * MB) + good_rows().replace(b"\n", b"\r")


def rows_of_one_letter():
    return HEADER + b"x\n" * (5 * MB)


def half_of_all_rows_bad():
    good = b"".join(
        b"20%02d-%02d-%02d %02d:%02d:00,fridge,0.5\n"
        % (n // 483_840 % 24, n // 40_320 % 12 + 1, n // 1_440 % 28 + 1, n // 60 % 24, n % 60)
        for n in range(1_000_000)
    )
    return HEADER + good + b"2024-05-02 00:00:00,fridge,one\n" * 990_000


def the_same_row():
    return HEADER + ROW * 3_000_000


def one_reading_in_conflict():
    return HEADER + b"".join(b"2024-05-01 00:00:00,fridge,%d\n" % n for n in range(1_000_000))


def the_repeated_hour_again_and_again():
    return HEADER + b"".join(b"2024-10-27 02:30:00,fridge,%d\n" % (n % 9) for n in range(1_000_000))


def years_of_months():
    """A reading in each month of 36 years, of a thousand appliances."""
    return HEADER + b"".join(
        b"%d-%02d-01 00:00:00,a%d,0.5\n" % (year, month, n)
        for n in range(1_000)
        for year in range(1990, 2026)
        for month in range(1, 13)
    )


def wide_characters():
    return ("timestamp,appliance,kwh\n" + "\U0001f50c" * (20 * MB)).encode("utf-16")


def combining_marks():
    return HEADER + good_rows() + b"2024-05-02 00:00:00," + b"e" + "\u0301\u0323".encode() * (5 * MB) + b",0.5\n"


def digits():
    return HEADER + good_rows() + b"2024-05-02 00:00:00,fridge," + b"9" * (50 * MB) + b"\n"


def zeros():
    return bytes(200 * MB)


FEED = '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:espi="http://naesb.org/espi"'


def xml_entities():
    """Entities of entities: three gigabytes in a few lines."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    start = f'<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY e0 "energy">{entities}]>'
    return f"{start}{FEED}><title>&e9;</title></feed>".encode()


def xml_depth():
    return FEED.encode() + b">" + b"<entry>" * 3_000_000


def xml_text():
    return FEED.encode() + b"><title>" + b"x" * (100 * MB)


def xml_siblings():
    return FEED.encode() + b">" + b"<entry><content/></entry>" * 2_000_000 + b"</feed>"


def xml_attributes():
    attributes = b" ".join(b'a%d="%d"' % (n, n) for n in range(1_000_000))
    return FEED.encode() + b" " + attributes + b"/>"


# The verdict, and the code that says why where there is one to expect.
CASES = [
    (gzip_bomb, "reject", "DECOMPRESSION_LIMIT"),
    (bomb_of_newlines, "reject", "DECOMPRESSION_LIMIT"),
    (many_members, None, None),
    (many_members_with_rows, None, None),
    (one_large_field, None, None),
    (one_large_field_in_quotes, None, None),
    (many_lines_in_one_field, "reject", "MALFORMED_CSV"),
    (million_appliances, "reject", "TOO_MANY_APPLIANCES"),
    (million_spellings, None, None),
    (wide_table, "reject", "TOO_MANY_COLUMNS"),
    (wide_rows, "reject", "TOO_MANY_BAD_ROWS"),
    (wide_rows_of_large_fields, None, None),
    (quotes, None, None),
    (lines_of_quotes, "reject", None),
    (quotes_out_of_step, "reject", "MALFORMED_CSV"),
    (quotes_out_of_step_to_the_end, "reject", "MALFORMED_CSV"),
    (quotes_that_open_in_every_line, "reject", "MALFORMED_CSV"),
    (commas, "reject", None),
    (header_of_commas, "reject", None),
    (newlines, "accept", None),
    (newlines_only, "reject", "EMPTY_FILE"),
    (old_newlines, "accept_warn", "OLD_MAC_NEWLINES"),
    (rows_of_one_letter, "reject", "TOO_MANY_BAD_ROWS"),
    (half_of_all_rows_bad, "partial", "BAD_NUMBER"),
    (the_same_row, "accept_warn", "DUPLICATE_READING"),
    (one_reading_in_conflict, "reject", "TOO_MANY_BAD_ROWS"),
    (the_repeated_hour_again_and_again, "reject", "TOO_MANY_BAD_ROWS"),
    (years_of_months, None, None),
    (wide_characters, "reject", None),
    (combining_marks, "partial", "FIELD_TOO_LARGE"),
    (digits, "partial", "FIELD_TOO_LARGE"),
    (zeros, "reject", "NUL_BYTES"),
    (xml_entities, "reject", None),
    (xml_depth, "reject", None),
    (xml_text, "reject", None),
    (xml_siblings, "reject", None),
    (xml_attributes, "reject", None),
]


@pytest.mark.parametrize(("make", "verdict", "code"), [pytest.param(*case, id=case[0].__name__) for case in CASES])
def test_a_hostile_file_is_answered_soon_and_in_little_memory(tmp_path, make, verdict, code):
    content = make()
    path = tmp_path / ("upload.csv.gz" if content.startswith(b"\x1f\x8b") else "upload.csv")
    path.write_bytes(content)
    del content
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "e2e" / "judge_file.py"), str(path), str(scratch)],
        capture_output=True,
        text=True,
        timeout=3 * SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    outcome = json.loads(done.stdout)
    print({**outcome, "message": outcome["message"][:300]})
    assert outcome["codes"] or outcome["verdict"] == "accept"
    assert len(outcome["message"]) < 2_000
    assert verdict in (None, outcome["verdict"])
    assert code is None or code in outcome["codes"]
    assert outcome["seconds"] < SECONDS
    assert outcome["megabytes"] < FUNCTION_MEGABYTES
