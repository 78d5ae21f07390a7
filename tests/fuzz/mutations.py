"""Files that nobody would write on purpose, made from files that somebody would. Equal seeds give equal files."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT.parent / "shared" / "data" / "nasty", ROOT / "tests" / "samples")
# Larger files are cut: a mutation of a small file is judged sooner, and as odd.
SEED_BYTES = 24 << 10
MUTATIONS_A_FILE = (1, 1, 1, 2, 3, 6)

HOSTILE = [
    *(b'"', b'""', b'"""', b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\n\n\n", b"\0", b"\x1a", b"\x7f", b"\x0b"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf"),
    *(b"\x1f\x8b", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", b"PK\x03\x04", b"PAR1", b"\x89PNG", b"%PDF", b"BZh9"),
    *(
        "\u202e".encode(),
        "\u200b".encode(),
        "\u2028".encode(),
        "\u0085".encode(),
        "e\u0301".encode(),
        "\uff11\uff12".encode(),
    ),
    *(b"1e308", b"1e999", b"-1e-999", b"9" * 400, b"0x1F", b"1_000", b"nan", b"inf", b"-0", b".", b"-", b"e", b"+"),
    *(b"1,234", b"1.234", b"1.234,5", b"1,234.5", b"1 234", b"1'234", b"0,5", b"5 kWh", b"50%", b"#REF!", b"=1+1"),
    *(b"2024-02-30", b"24:00", b"23:59:60", b"0000-00-00 00:00", b"9999-12-31 23:59:59", b"-0001-01-01", b"T", b"Z"),
    *(b"+14:00", b"-99:99", b"01/02/2024 10:00", b"31/12/2024 10:00", b"45292.5", b"1704067200", b"1704067200000"),
    *(b"2024-03-31 02:30", b"2024-10-27 02:30", b"2024-W01-1", b"AM", b"PM", b"1e3", b"2024-05-01"),
    *(b"timestamp,appliance,kwh\n", b"timestamp", b"kwh", b"appliance", b"wh", b"sep=;\n", b"#", b"<", b">", b"&"),
    *(b"<?xml version='1.0'?>", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"]]>", b"{", b"[", b"]", b"null", b"\\"),
    *(
        b"x" * 200,
        b"x" * 70_000,
        b"," * 1_200,
        b'"' * 500,
        b" " * 1_000,
        b"\n" * 500,
        b"a\n" * 200,
        "ü".encode("cp1252"),
    ),
]


def seeds() -> list[bytes]:
    """The files to begin with, in a fixed order."""
    files = [path for folder in FOLDERS for path in sorted(folder.rglob("*")) if path.is_file()]
    kept = [path for path in files if path.suffix not in {".json", ".md", ".py", ".yaml"}]
    return [path.read_bytes()[:SEED_BYTES] for path in kept] + [small(n) for n in range(12)]


def small(number: int) -> bytes:
    """A few days of good readings, each number in another dialect."""
    delimiter = ",;\t|"[number % 4]
    stamp = ("2024-03-{:02d} {:02d}:00:00", "2024-10-{:02d}T{:02d}:30Z", "{:02d}.05.2024 {:02d}:15")[number % 3]
    rows = [
        delimiter.join([stamp.format(day + 26 - number, hour), name, f"{0.1 * hour + day:.4f}"])
        for day in range(1, 3)
        for hour in range(0, 24, 2)
        for name in ("fridge", '"heater, old"', "Küche")
    ]
    newline = ("\n", "\r\n", "\r")[number // 4]
    encoding = ("utf-8", "utf-8-sig", "utf-16", "cp1252")[number % 4 if number > 5 else 0]
    return newline.join([delimiter.join(["timestamp", "appliance", "kwh"]), *rows, ""]).encode(encoding)


def mutated(originals: list[bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Name and content of file `number` of the series `seed`."""
    chance = random.Random(f"{seed}:{number}")
    content = chance.choice(originals)
    was_packed = content.startswith(b"\x1f\x8b") and chance.random() < 0.7
    if was_packed:
        content = _unpacked(content)
    for _ in range(chance.choice(MUTATIONS_A_FILE)):
        content = chance.choice(MUTATIONS)(chance, content)
    packed = was_packed or chance.random() < 0.1
    if packed:
        content = gzip.compress(content, compresslevel=1, mtime=0)
        if chance.random() < 0.2:
            content = chance.choice(MUTATIONS)(chance, content)
    name = "upload.csv.gz" if packed and chance.random() < 0.9 else "upload.csv"
    return name, content


def _unpacked(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)[:SEED_BYTES]
    except (OSError, EOFError):
        return content


def _place(chance: random.Random, content: bytes) -> int:
    # Often near the beginning: there is the header.
    end = len(content) if chance.random() < 0.7 else min(len(content), 120)
    return chance.randint(0, end)


def _slice(chance: random.Random, content: bytes) -> tuple[int, int]:
    start = _place(chance, content)
    return start, start + chance.choice([1, 2, 5, 20, 200, 2_000])


def _flip(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8])):
        if changed:
            changed[min(_place(chance, content), len(changed) - 1)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _insert(chance: random.Random, content: bytes) -> bytes:
    place = _place(chance, content)
    return content[:place] + chance.choice(HOSTILE) + content[place:]


def _insert_often(chance: random.Random, content: bytes) -> bytes:
    token = chance.choice(HOSTILE[:60])
    for _ in range(chance.choice([2, 5, 20])):
        place = _place(chance, content)
        content = content[:place] + token + content[place:]
    return content


def _delete(chance: random.Random, content: bytes) -> bytes:
    start, end = _slice(chance, content)
    return content[:start] + content[end:]


def _repeat(chance: random.Random, content: bytes) -> bytes:
    start, end = _slice(chance, content)
    return content[:end] + content[start:end] * chance.choice([1, 2, 10]) + content[end:]


def _swap_lines(chance: random.Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def _shuffle_lines(chance: random.Random, content: bytes) -> bytes:
    header, *lines = content.split(b"\n")
    chance.shuffle(lines)
    return b"\n".join([header, *lines])


def _double(_: random.Random, content: bytes) -> bytes:
    return content + content


def _truncate(chance: random.Random, content: bytes) -> bytes:
    return content[: _place(chance, content)]


def _replace_cell(chance: random.Random, content: bytes) -> bytes:
    for delimiter in (b",", b";", b"\t"):
        cells = content.split(delimiter)
        if len(cells) > 3:
            cells[chance.randrange(len(cells))] = chance.choice(HOSTILE)
            return delimiter.join(cells)
    return content


def _replace_all(chance: random.Random, content: bytes) -> bytes:
    """The same small change everywhere: what a faulty export does."""
    changes = [(b",", b";"), (b".", b","), (b"\n", b"\r"), (b"\n", b"\r\n"), (b"-", b"/"), (b":", b"."), (b" ", b"T")]
    changes += [(b"2024-", b"24-"), (b"Z", b"+01:00"), (b"Z", b""), (b"kwh", b"wh"), (b",0.", b",1,0"), (b'"', b"")]
    old, new = chance.choice(changes)
    return content.replace(old, new)


def _recode(chance: random.Random, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    return text.encode(
        chance.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "utf-7", "utf-8-sig"]), "replace"
    )


def _reencode_twice(_: random.Random, content: bytes) -> bytes:
    return content.decode("latin-1").encode("utf-8")


MUTATIONS: list[Callable[[random.Random, bytes], bytes]] = [
    *(_flip, _insert, _insert, _insert_often, _delete, _repeat, _swap_lines, _shuffle_lines, _double, _truncate),
    *(_replace_cell, _replace_cell, _replace_all, _recode, _reencode_twice),
]
