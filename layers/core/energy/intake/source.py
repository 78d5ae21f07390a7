"""An uploaded file to blocks of clean text: known by its first bytes, unpacked within bounds, decoded without guessing.

Everything streams: a block is a few megabytes, however large the file is.
"""

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from energy.errors import InputRejected

BLOCK_BYTES = 4 << 20
# The upload lies on the disk of 8 GiB, beside 28 bytes for each row that waits to be settled: of the shortest
# rows there are, twice the text. Measured with 2.86 GB (docs/decisions/0021).
MAX_TEXT_BYTES = 2_800_000_000
# Of the job behind "Crunch with Spark": the disk of a G.1X worker has 44 GB free ("Adding jobs", AWS Glue Developer
# Guide); ten thousand meters that are read every quarter of an hour write 13 GB a year.
MAX_SPARK_TEXT_BYTES = 20_000_000_000
# A minute-by-minute year of five appliances is 90 MB of text and packs 20 to 60 times smaller; deflate's own limit is
# 1,032 times. Beyond this, somebody packed something other than readings.
MAX_UNPACKED_RATIO = 200
_RATIO_MATTERS_FROM_BYTES = 10 << 20
# Packers in parallel start a new member every 64 KB; each costs a look at a chunk.
MAX_GZIP_MEMBERS = 100_000
_PACKED_CHUNK_BYTES = 64 << 10
# A longer line is cut, so that memory has a bound; its row has a field that is too large in any case.
MAX_LINE_BYTES = 1 << 20
_START_BYTES = 64 << 10

_GZIP = b"\x1f\x8b"
_OTHER_FORMATS = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"PAR1", "a Parquet file"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"SQLite format", "an SQLite database"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
)
_OTHER_TEXTS = ((b"<", "an HTML or XML page"), (b"{", "a JSON document"), (b"[", "a JSON document"))
# The namespace of Green Button data (NAESB REQ.21, Energy Services Provider Interface).
_ESPI = b"naesb.org/espi"

Encoding = Literal["utf-8", "utf-16", "cp1252"]
# Letters of cp1252 beyond ASCII; everything else up there is punctuation, a sign or a space.
_LETTER = rb"\x83\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xaa\xb5\xba\xc0-\xd6\xd8-\xf6\xf8-\xff"
_NOT_CP1252 = re.compile(
    rb"[\x81\x8d\x8f\x90\x9d]"  # bytes that cp1252 does not use
    rb"|[0-9][" + _LETTER + rb"]+[0-9]"  # letters within a number
    rb"|[" + _LETTER + rb"]{4}"  # no western word has so many accents in a row: another alphabet
    # A character as UTF-8 writes it: the file is damaged UTF-8, not cp1252.
    rb"|[\xc2\xc3][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)


@dataclass(frozen=True)
class Source:
    """A file whose nature is known. `warnings`: by code, what had to be said about how it is read."""

    path: Path
    is_packed: bool
    encoding: Encoding
    has_only_cr: bool
    is_xml: bool
    warnings: dict[str, str] = field(default_factory=dict)
    most_bytes: int = MAX_TEXT_BYTES

    @property
    def is_plain(self) -> bool:
        """Whether the text is the file's own bytes, but for a byte order mark and the ends of lines."""
        return self.encoding == "utf-8" and not (self.is_packed or self.has_only_cr or self.is_xml)

    def raw(self) -> Iterator[bytes]:
        """The file's own bytes, unpacked."""
        return _raw(self.path, self.is_packed, self.most_bytes)

    def blocks(self) -> Iterator[bytes]:
        """The text as UTF-8, without byte order mark, each line ended by \\n; each call reads the file again.

        Lines of more than MAX_LINE_BYTES are cut. InputRejected where a packed file turns out damaged or too large.
        """
        text = _with_newlines(_as_utf8(self.raw(), self.encoding), self.has_only_cr)
        # A feed may be one long line: its parser needs no lines.
        return text if self.is_xml else _bounded(text)


def open_source(path: Path, name: str = "", most_bytes: int | None = None) -> Source:
    """What a file is, by a look at all of it; InputRejected if it is no text that can be read in one way only.

    `name` is the object's name: it only decides whether packed content is worth a warning. FILE_TOO_LARGE if it has
    more than `most_bytes` of text, or than a Lambda has room for.
    """
    most_bytes = most_bytes or MAX_TEXT_BYTES
    size = path.stat().st_size
    if size > most_bytes:
        raise _too_large(f"The file has {size / 1e6:,.0f} MB", most_bytes)
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP
    warnings = {}
    if is_packed and name and not name.lower().endswith(".gz"):
        warnings["GZIP_BY_MAGIC"] = "The file is packed with gzip although its name does not end in .gz."
    start = next(_raw(path, is_packed, most_bytes), b"")
    is_xml = _refuse_other_formats(start)
    encoding, has_only_cr = _surveyed(path, is_packed, start, most_bytes)
    if encoding != "utf-8":
        told = {"utf-16": "UTF-16, by its byte order mark", "cp1252": "not UTF-8 but Windows-1252 (western Europe)"}
        warnings["TRANSCODED"] = f"The text is {told[encoding]}; read as such."
    if has_only_cr:
        warnings["OLD_MAC_NEWLINES"] = "Lines end with CR alone, as on an old Macintosh; read as line ends."
    return Source(path, is_packed, encoding, has_only_cr, is_xml, warnings, most_bytes)


def _refuse_other_formats(start: bytes) -> bool:
    """Whether it is Green Button XML; NOT_CSV for any other format known by its first bytes."""
    if start.startswith(_GZIP):
        raise _not_csv("gzip packed within gzip")
    for magic, label in _OTHER_FORMATS:
        if start.startswith(magic):
            raise _not_csv(label)
    text = start[:_START_BYTES].removeprefix(codecs.BOM_UTF8)
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = text[: len(text) // 2 * 2].decode("utf-16", "replace").encode()
    text = text.lstrip()
    if text.startswith(b"<") and _ESPI in text:
        return True
    for magic, label in _OTHER_TEXTS:
        if text.startswith(magic):
            raise _not_csv(label)
    return False


def _not_csv(label: str) -> InputRejected:
    return InputRejected(
        "NOT_CSV", f"By its first bytes the file is {label}, not CSV text. Save it as CSV and upload it."
    )


def _surveyed(path: Path, is_packed: bool, start: bytes, most_bytes: int) -> tuple[Encoding, bool]:
    """The encoding that all bytes agree with, and whether CR alone ends the lines."""
    is_utf16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not is_utf16:
        _refuse_nul_bytes(start)
    has_text = has_lf = has_cr = False
    damage: tuple[int, int] | None = None
    decoder = codecs.getincrementaldecoder("utf-16" if is_utf16 else "utf-8")()
    position = 0
    for block in _raw(path, is_packed, most_bytes):
        text = block.removeprefix(codecs.BOM_UTF8) if not position else block
        if is_utf16:
            text = _decoded(decoder, block, position).encode("utf-8", "surrogatepass")
        elif damage is None:
            damage = _first_damage(decoder, block, position)
        has_text = has_text or bool(text.strip())
        has_lf = has_lf or b"\n" in text
        has_cr = has_cr or b"\r" in text
        position += len(block)
    if is_utf16:
        _decoded(decoder, b"", position, final=True)
    elif damage is None:
        damage = _first_damage(decoder, b"", position, final=True)
    if not has_text:
        raise InputRejected("EMPTY_FILE", "The file has no content. Upload a file with a header and readings.")
    if damage:
        _refuse_unless_cp1252(_raw(path, is_packed, most_bytes), damage)
    encoding: Encoding = "utf-16" if is_utf16 else "cp1252" if damage else "utf-8"
    return encoding, has_cr and not has_lf


def _refuse_nul_bytes(start: bytes) -> None:
    head = start[:_START_BYTES]
    if b"\0" in head.lstrip().split(b"\n", 1)[0]:
        raise InputRejected(
            "NUL_BYTES",
            f"The header has a NUL byte at offset {head.index(0)}: UTF-16 without a byte order mark, or no text. "
            "Save the file as CSV in UTF-8.",
        )


def _first_damage(
    decoder: codecs.IncrementalDecoder, block: bytes, position: int, final: bool = False
) -> tuple[int, int] | None:
    """Offset and value of the first byte that is not UTF-8; null where all is well so far."""
    held = decoder.getstate()[0]
    if not held and block.isascii():
        return None
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError as error:
        return position - len(held) + error.start, error.object[error.start]
    return None


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, position: int, final: bool = False) -> str:
    held = len(decoder.getstate()[0])
    try:
        return decoder.decode(block, final)
    except UnicodeDecodeError as error:
        raise _bad_encoding(
            "UTF-16, as its byte order mark says,", position - held + error.start, error.object[error.start]
        ) from error


def _refuse_unless_cp1252(blocks: Iterable[bytes], damage: tuple[int, int]) -> None:
    """BAD_ENCODING unless all bytes beyond ASCII stand where western text has its letters and signs."""
    before = b""
    for block in blocks:
        if _NOT_CP1252.search(before + block):
            raise _bad_encoding("UTF-8", *damage)
        before = block[-8:]


def _bad_encoding(expected: str, offset: int, value: int) -> InputRejected:
    return InputRejected(
        "BAD_ENCODING",
        f"The text is not {expected} from byte {offset} on (0x{value:02x}). Save the file as CSV in UTF-8.",
    )


def _as_utf8(blocks: Iterable[bytes], encoding: Encoding) -> Iterator[bytes]:
    if encoding == "utf-8":
        is_first = True
        for block in blocks:
            yield block.removeprefix(codecs.BOM_UTF8) if is_first else block
            is_first = False
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "replace")


def _with_newlines(blocks: Iterable[bytes], has_only_cr: bool) -> Iterator[bytes]:
    if has_only_cr:
        for block in blocks:
            yield block.replace(b"\r", b"\n")
        return
    held = b""
    for block in blocks:
        text = held + block if held else block
        held = b""
        if text.endswith(b"\r"):
            text, held = text[:-1], b"\r"
        yield text.replace(b"\r\n", b"\n") if b"\r" in text else text
    if held:
        yield held


def _bounded(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines of at most MAX_LINE_BYTES. Where a line is cut within quotes they are closed."""
    room, is_cut, is_open = MAX_LINE_BYTES, False, False
    for block in blocks:
        # What lies from `kept` to `position` is good as it is.
        parts, kept, position, size = [], 0, 0, len(block)
        while position < size:
            if is_cut:
                end = block.find(b"\n", position)
                if end < 0:
                    kept = position = size
                    break
                kept, position, room, is_cut, is_open = end, end, MAX_LINE_BYTES, False, False
            end = position + room
            if end >= size:
                last = block.rfind(b"\n", position)
                line = max(last + 1, position)
                is_open = (is_open and last < 0) != (block.count(b'"', line) % 2 == 1)
                room = (MAX_LINE_BYTES if last >= 0 else room) - (size - line)
                break
            last = block.rfind(b"\n", position, end + 1)
            if last >= 0:
                position, room, is_open = last + 1, MAX_LINE_BYTES, False
                continue
            while end > position and block[end] & 0xC0 == 0x80:  # within a character
                end -= 1
            parts.append(block[kept:end])
            if is_open != (block.count(b'"', position, end) % 2 == 1):
                parts.append(b'"')
            kept, position, is_cut = end, end, True
        yield b"".join([*parts, block[kept:]]) if parts or kept else block


def _raw(path: Path, is_packed: bool, most_bytes: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        if is_packed:
            yield from _unpacked(iter(lambda: file.read(_PACKED_CHUNK_BYTES), b""), path.stat().st_size, most_bytes)
        else:
            yield from iter(lambda: file.read(BLOCK_BYTES), b"")


def _unpacked(packed: Iterator[bytes], packed_size: int, most_bytes: int) -> Iterator[bytes]:
    """All members of a gzip file, stopped as soon as a limit is passed. Zeros may fill up its end, as gzip allows."""
    size = members = given = 0
    rest = next(packed, b"")
    waiting: list[bytes] = []
    while rest:
        member, members = zlib.decompressobj(wbits=31), members + 1
        _refuse_many(members)
        while not member.eof:
            try:
                part = member.decompress(rest, BLOCK_BYTES)
            except zlib.error as error:
                where = "after the end of the packed data" if members > 1 else "in the packed data"
                raise _bad_gzip(f"is damaged {where}") from error
            rest = member.unconsumed_tail
            size += len(part)
            _refuse_bomb(size, packed_size, most_bytes)
            if part:
                waiting.append(part)
            if size - given >= BLOCK_BYTES:
                yield b"".join(waiting)
                waiting, given = [], size
            if not rest and not member.eof:
                rest = next(packed, b"")
                if not rest:
                    raise _bad_gzip("ends too early")
        rest = member.unused_data or next(packed, b"")
        if rest.startswith(b"\0"):
            if rest.strip(b"\0") or any(more.strip(b"\0") for more in packed):
                raise _bad_gzip("is damaged after the end of the packed data")
            break
    if waiting:
        yield b"".join(waiting)


def _bad_gzip(what: str) -> InputRejected:
    return InputRejected("BAD_GZIP", f"The gzip file {what}; nothing of it was used. Pack it again and upload it.")


def _refuse_many(members: int) -> None:
    if members > MAX_GZIP_MEMBERS:
        raise InputRejected(
            "DECOMPRESSION_LIMIT",
            f"The gzip file has more than {MAX_GZIP_MEMBERS:,} members. Pack it again in one piece.",
        )


def _refuse_bomb(size: int, packed_size: int, most_bytes: int) -> None:
    ratio = size / packed_size
    if size > _RATIO_MATTERS_FROM_BYTES and ratio > MAX_UNPACKED_RATIO:
        raise InputRejected(
            "DECOMPRESSION_LIMIT",
            f"Unpacking stopped at {size:,} bytes, {ratio:,.0f} times the packed size; the limit is "
            f"{MAX_UNPACKED_RATIO} times. Upload the file unpacked or in parts.",
        )
    if size > most_bytes:
        raise _too_large(f"Unpacked, the file has more than {most_bytes / 1e6:,.0f} MB", most_bytes)


def _too_large(found: str, most_bytes: int) -> InputRejected:
    return InputRejected(
        "FILE_TOO_LARGE",
        f"{found}; at most {most_bytes / 1e6:,.0f} MB are read. Split it, for example by month, and upload the parts.",
    )
