"""An uploaded file to text: what it is by its first bytes, unpacked within bounds, decoded without guessing."""

import codecs
import zlib
from dataclasses import dataclass
from pathlib import Path

from energy.errors import InputRejected

# A file is judged as a whole, in memory: about 330 bytes a row and 2.8 times its text (measured: 2.1 GB for 4.6 million
# rows in 180 MB, 3.4 GB for 8.6 million). Within both limits it was 2.5 GB, of the 3 GB of a function.
MAX_TEXT_BYTES = 180_000_000
MAX_LINES = 5_500_000
# A minute-by-minute year of five appliances is 90 MB of text and packs 20 to 60 times smaller; deflate's own limit is
# 1,032 times. Beyond this, somebody packed something other than readings.
MAX_UNPACKED_RATIO = 200
_RATIO_MATTERS_FROM_BYTES = 10 << 20
_CHUNK_BYTES = 64 << 10
# Packers in parallel start a new member every 64 KB; each costs a look at a chunk.
MAX_GZIP_MEMBERS = 100_000
_HEADER_BYTES = 64 << 10

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


@dataclass(frozen=True)
class UploadText:
    """The text of an upload, with newlines as \\n, and what had to be said about how it was read."""

    text: str
    warnings: dict[str, str]


def read_text(path: Path, name: str = "") -> UploadText:
    """The text of a CSV file, packed or not; InputRejected if it is no text that can be read in one way only.

    `name` is the object's name: it only decides whether packed content is worth a warning.
    """
    _refuse_too_large(path.stat().st_size)
    content, warnings = path.read_bytes(), {}
    if content.startswith(_GZIP):
        content = _unpacked(content)
        if content.startswith(_GZIP):
            raise _not_csv("gzip packed within gzip")
        if name and not name.lower().endswith(".gz"):
            warnings["GZIP_BY_MAGIC"] = "The file is packed with gzip although its name does not end in .gz."
    _refuse_other_formats(content)
    _refuse_too_many_lines(content)
    text, transcoded = _decoded(content)
    if transcoded:
        warnings["TRANSCODED"] = transcoded
    if not text.strip("\r\n \t"):
        raise InputRejected("EMPTY_FILE", "The file has no content. Upload a file with a header and readings.")
    if "\r" in text and "\n" not in text:
        warnings["OLD_MAC_NEWLINES"] = "Lines end with CR alone, as on an old Macintosh; read as line ends."
        text = text.replace("\r", "\n")
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    return UploadText(text, warnings)


def _refuse_other_formats(content: bytes) -> None:
    for magic, label in _OTHER_FORMATS:
        if content.startswith(magic):
            raise _not_csv(label)
    start = content[:200].removeprefix(codecs.BOM_UTF8).lstrip()
    for magic, label in _OTHER_TEXTS:
        if start.startswith(magic):
            raise _not_csv(label)


def _not_csv(label: str) -> InputRejected:
    return InputRejected(
        "NOT_CSV", f"By its first bytes the file is {label}, not CSV text. Save it as CSV and upload it."
    )


def _decoded(content: bytes) -> tuple[str, str | None]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16"), "The file is UTF-16, by its byte order mark; read as such."
        except UnicodeDecodeError as error:
            raise _bad_encoding("UTF-16, as its byte order mark says,", content, error) from error
    if b"\0" in content[:_HEADER_BYTES].lstrip().split(b"\n", 1)[0]:
        raise InputRejected(
            "NUL_BYTES",
            f"The header has a NUL byte at offset {content.index(0)}: UTF-16 without a byte order mark, or no text. "
            "Save the file as CSV in UTF-8.",
        )
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode("utf-8"), None
    except UnicodeDecodeError:
        try:
            content.decode("utf-8")  # again with the mark, so that the offset counts from the file's first byte
        except UnicodeDecodeError as error:
            raise _bad_encoding("UTF-8", content, error) from error
        raise


def _bad_encoding(expected: str, content: bytes, error: UnicodeDecodeError) -> InputRejected:
    return InputRejected(
        "BAD_ENCODING",
        f"The text is not {expected} from byte {error.start} on (0x{content[error.start]:02x}). "
        "Save the file as CSV in UTF-8.",
    )


def _unpacked(content: bytes) -> bytes:
    """All members of a gzip file, stopped as soon as a limit is passed. Zeros may fill up its end, as gzip allows."""
    parts: list[bytes] = []
    size = members = position = 0
    while position < len(content) and content[position : position + 1] != b"\0":
        member = zlib.decompressobj(wbits=31)
        members += 1
        while not member.eof:
            packed = member.unconsumed_tail
            if not packed:
                packed = content[position : position + _CHUNK_BYTES]
                position += len(packed)
            try:
                part = member.decompress(packed, _CHUNK_BYTES)
            except zlib.error as error:
                where = "after the end of the packed data" if members > 1 else "in the packed data"
                raise _bad_gzip(f"is damaged {where}") from error
            if not part and not packed and not member.eof:
                raise _bad_gzip("ends too early")
            parts.append(part)
            size += len(part)
            _refuse_bomb(size, len(content), members)
        position -= len(member.unused_data)
    if content[position:].strip(b"\0"):
        raise _bad_gzip("is damaged after the end of the packed data")
    return b"".join(parts)


def _bad_gzip(what: str) -> InputRejected:
    return InputRejected("BAD_GZIP", f"The gzip file {what}; nothing of it was used. Pack it again and upload it.")


def _refuse_bomb(size: int, packed_size: int, members: int) -> None:
    ratio = size / packed_size
    if members > MAX_GZIP_MEMBERS:
        raise InputRejected(
            "DECOMPRESSION_LIMIT",
            f"The gzip file has more than {MAX_GZIP_MEMBERS:,} members. Pack it again in one piece.",
        )
    if size > _RATIO_MATTERS_FROM_BYTES and ratio > MAX_UNPACKED_RATIO:
        raise InputRejected(
            "DECOMPRESSION_LIMIT",
            f"Unpacking stopped at {size:,} bytes, {ratio:,.0f} times the packed size; the limit is "
            f"{MAX_UNPACKED_RATIO} times. Upload the file unpacked or in parts.",
        )
    _refuse_too_large(size, "Unpacked, the file has more than ")


def _refuse_too_large(size: int, found: str = "The file has ") -> None:
    if size > MAX_TEXT_BYTES:
        raise InputRejected(
            "FILE_TOO_LARGE",
            f"{found}{size / 1e6:,.1f} MB; at most {MAX_TEXT_BYTES / 1e6:,.0f} MB are read. "
            "Split it, for example by month, and upload the parts.",
        )


def _refuse_too_many_lines(content: bytes) -> None:
    lines = max(content.count(b"\n"), content.count(b"\r"))
    if lines > MAX_LINES:
        raise InputRejected(
            "FILE_TOO_LARGE",
            f"The file has {lines:,} lines; at most {MAX_LINES:,} are read. "
            "Split it, for example by month, and upload the parts.",
        )
