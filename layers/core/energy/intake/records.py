"""Blocks of text to records: one row each, with the physical line that it starts in and the cells that matter.

Cells follow RFC 4180 with any one-character delimiter. Blank lines are no records, but count as lines. A chunk is cut
between records, so that no result depends on where.
"""

import codecs
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from energy.errors import InputRejected
from energy.intake.source import MAX_LINE_BYTES

# A chunk ends with the block in which it has so many bytes, or lines.
CHUNK_BYTES = 16 << 20
CHUNK_LINES = 1_000_000
# A record may go over several lines where a field in quotes has them; longer than this, a quote was never closed.
MAX_RECORD_BYTES = 1 << 20
HEAD_LINES = 100
_HEAD_BYTES = 4 << 20

# What is neither tab nor newline, and no text. Newlines stand in quoted fields.
_CONTROL_BYTES = bytes(code for code in (*range(32), 127) if code not in (9, 10))
CONTROL = r"[\x00-\x08\x0b-\x1f\x7f]"
_CONTROL_PATTERN = re.compile(CONTROL)
_BLANK = r"^[ \t]*$"
LINE = {"line": pl.Int64, "text": pl.String}


@dataclass(frozen=True)
class Chunk:
    """Whole records as bytes, each line ended by a newline. `first_line` is the physical line that it starts with."""

    content: bytes
    first_line: int


@dataclass(frozen=True)
class Extent:
    """Where a chunk lies in a file, in bytes, from `start` to before `end`."""

    start: int
    end: int
    first_line: int


def head_lines(blocks: Iterable[bytes]) -> tuple[str, ...]:
    """The first physical lines, at most 100, without their ends."""
    start = b""
    for block in blocks:
        start += block
        if start.count(b"\n") >= HEAD_LINES or len(start) > _HEAD_BYTES:
            break
    return tuple(line.decode("utf-8", "ignore") for line in start.split(b"\n", HEAD_LINES)[:HEAD_LINES])


def chunks(blocks: Iterable[bytes], skip_lines: int) -> Iterator[Chunk]:
    """The text below its first `skip_lines` lines, in chunks; MALFORMED_CSV if a quote is never closed."""
    line, newlines = 1, 0
    waiting: list[bytes] = []
    size = 0
    for block in _below(blocks, skip_lines):
        waiting.append(block)
        size += len(block)
        newlines += _newlines(block)
        if size < CHUNK_BYTES and newlines < CHUNK_LINES:
            continue
        content, rest = _cut(waiting)
        waiting, size, left = [rest], len(rest), _newlines(rest)
        newlines, ended = left, newlines - left
        if size > MAX_RECORD_BYTES and _is_open(rest):
            raise _never_closed(skip_lines + line + ended)
        if content:
            yield Chunk(content, skip_lines + line)
            line += ended
    content = b"".join(waiting)
    if content:
        if not content.endswith(b"\n"):
            content += b"\n"
        yield Chunk(content, skip_lines + line)


def extents(blocks: Iterable[bytes], skip_lines: int) -> list[Extent] | None:
    """Where the chunks of a file lie whose text is its bytes; None if it has lines too long to be read as they are.

    MALFORMED_CSV as `chunks`.
    """
    size, ends_with_newline = 0, True

    def counted() -> Iterator[bytes]:
        nonlocal size, ends_with_newline
        for block in blocks:
            size += len(block)
            ends_with_newline = block.endswith(b"\n")
            yield block

    found, below = [], 0
    for chunk in chunks(counted(), skip_lines):
        if _has_long_line(chunk.content):
            return None
        found.append((below, below + len(chunk.content), chunk.first_line))
        below += len(chunk.content)
    # The last chunk has a newline that the file may not end with.
    header = size - below + (not ends_with_newline)
    return [Extent(header + start, min(header + end, size), line) for start, end, line in found]


def chunk_of(content: bytes, first_line: int) -> Chunk:
    """The chunk that lies at an extent: its bytes in the file."""
    content = content.replace(b"\r\n", b"\n")
    return Chunk(content if content.endswith(b"\n") else content + b"\n", first_line)


def _has_long_line(content: bytes) -> bool:
    position = 0
    while len(content) - position > MAX_LINE_BYTES:
        position = content.rfind(b"\n", position, position + MAX_LINE_BYTES) + 1
        if not position:
            return True
    return False


def _cut(blocks: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Whole records, and the rest."""
    last = blocks[-1].rfind(b"\n") + 1
    if last and not any(b'"' in block for block in blocks):
        return b"".join([*blocks[:-1], blocks[-1][:last]]), blocks[-1][last:]
    content = b"".join(blocks)
    end = _last_record_end(content)
    return content[:end], content[end:]


def _newlines(content: bytes) -> int:
    """How many there are; polars finds them far faster than `bytes.count` where there are many."""
    lines = _scan(content, ["line"], "\0", None).select(pl.len()).collect().item() if content else 0
    return int(lines) - (not content.endswith(b"\n") and bool(content))


def _below(blocks: Iterable[bytes], skip_lines: int) -> Iterator[bytes]:
    left = skip_lines
    for block in blocks:
        position = 0
        while left and (found := block.find(b"\n", position)) >= 0:
            position = found + 1
            left -= 1
        if not left:
            yield block[position:] if position else block


def _is_open(content: bytes) -> bool:
    return content.count(b'"') % 2 == 1


def _last_record_end(content: bytes) -> int:
    """Where the last record that is surely complete ends; 0 where none is. Quotes inside of quotes are doubled."""
    end = content.rfind(b"\n") + 1
    quotes = content.count(b'"', 0, end)
    while end and quotes % 2:
        earlier = content.rfind(b"\n", 0, content.rfind(b'"', 0, end)) + 1
        quotes -= content.count(b'"', earlier, end)
        end = earlier
    return end


def _never_closed(line: int) -> InputRejected:
    return InputRejected(
        "MALFORMED_CSV",
        f'A quote (") in line {line} is never closed as it should be. Correct it and upload again.',
    )


@dataclass(frozen=True)
class Cells:
    """How many columns a record has to have (`ragged`: or any other number), and the positions that are wanted."""

    delimiter: str
    columns: int
    wanted: Sequence[int]
    ragged: bool = False


def name_of(position: int) -> str:
    """The column of a cell in the frame of records."""
    return f"cell_{position}"


def split(chunk: Chunk, cells: Cells) -> pl.DataFrame:
    """line, text, `fields_ok` (as many as there are columns), `quotes_ok`, and a column for each wanted cell.

    MALFORMED_CSV if a quote is never closed, or closed lines later in the wrong place.
    """
    records = lines(chunk)
    if b'"' not in chunk.content:
        return _bare(chunk.content, records, cells)
    records = _joined(records)
    records = records.filter(~pl.col("text").str.contains(_BLANK))
    if b'="' not in chunk.content:
        return _with_quotes(records, cells)
    # Spreadsheets keep the zeros of a number by ="0012": a field like any other, without the formula around.
    delimiter = re.escape(cells.delimiter)
    bare = pl.col("text").str.replace_all(rf'(^|{delimiter})="([^"{delimiter}]*)"', "${1}${2}")
    split_up = _with_quotes(records.with_columns(bare), cells).drop("text")
    return split_up.join(records.select("line", "text"), on="line", how="left", maintain_order="left")


def split_lines(lines: pl.DataFrame, cells: Cells) -> pl.DataFrame:
    """The same of lines (line, text) without a quote in them."""
    return _bare(("\n".join(lines["text"]) + "\n").encode() if lines.height else b"", lines, cells)


def bare_cells(chunk: Chunk, cells: Cells) -> pl.DataFrame | None:
    """The wanted cells and the last of each line, without any further look; null where lines may be more than that.

    A line with fewer cells than there are columns has an empty last one.
    """
    content = chunk.content
    # The reader of polars passes over a byte order mark in front, also where it is a text's own.
    if content.startswith(codecs.BOM_UTF8):
        return None
    if b'"' in content or b"\r" in content or (len(cells.wanted) < cells.columns and has_control_characters(chunk)):
        return None
    names = [name_of(position) for position in range(cells.columns)]
    scan = _scan(content, names, cells.delimiter, None, cut_long=False)
    try:
        return scan.select(name_of(position) for position in sorted({*cells.wanted, cells.columns - 1})).collect()
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
        # Some line has more cells, or the first has fewer.
        return None


def lines_where(chosen: pl.Series, chunk: Chunk, found: pl.DataFrame, cells: Cells) -> pl.DataFrame:
    """`lines` of those that are chosen, by the `bare_cells` of the chunk, where these are all there is."""
    numbers, picked = chosen.arg_true(), found.filter(chosen)
    every_column_is_there = found.width == cells.columns
    if every_column_is_there and (picked.to_series(-1) != "").all():
        text = picked.select(pl.concat_str(pl.all(), separator=cells.delimiter)).to_series().to_list()
        return _numbered(numbers, text, chunk)
    # Where a last cell is empty, it may be one that is not there: then lines are longer than their cells.
    sizes = found.select(pl.sum_horizontal(pl.all().str.len_bytes().cast(pl.Int64)) + found.width).to_series()
    ends = sizes.cum_sum()
    if ends[-1] != len(chunk.content):
        return lines(chunk).filter(chosen)
    spans = zip(ends.gather(numbers), sizes.gather(numbers), strict=True)
    return _numbered(numbers, [chunk.content[end - size : end - 1].decode() for end, size in spans], chunk)


def _numbered(numbers: pl.Series, text: list[str], chunk: Chunk) -> pl.DataFrame:
    return pl.DataFrame({"line": numbers.cast(pl.Int64) + chunk.first_line, "text": text}, schema=LINE)


def has_control_characters(chunk: Chunk) -> bool:
    """Whether any line has to be looked at for them."""
    return len(chunk.content.translate(None, _CONTROL_BYTES)) != len(chunk.content)


def has_controls(text: str) -> bool:
    """Whether there are any control characters in a text."""
    return _CONTROL_PATTERN.search(text) is not None


def lines(chunk: Chunk) -> pl.DataFrame:
    """line and text of each physical line."""
    absent = next((code for code in _CONTROL_BYTES if code and bytes([code]) not in chunk.content), None)
    if absent is None:
        # Every control character is there: no text, but told as one.
        text = pl.DataFrame({"text": chunk.content[:-1].decode().split("\n")})
    else:
        # Cells separated by what is nowhere are lines, and the reader finds them fastest.
        text = _scan(chunk.content, ["text"], chr(absent), None).collect()
    return text.with_row_index("line", offset=chunk.first_line).with_columns(pl.col("line").cast(pl.Int64))


def _bare(content: bytes, records: pl.DataFrame, cells: Cells) -> pl.DataFrame:
    """Records without a quote in them: the reader of polars splits them, and only doubtful ones are counted out."""
    if records.is_empty():
        columns = dict.fromkeys((name_of(position) for position in cells.wanted), pl.String)
        return records.hstack(pl.DataFrame(schema={"fields_ok": pl.Boolean, **columns, "quotes_ok": pl.Boolean}))
    found = _read(content, records.height, cells, quote=None)
    records = pl.concat([records, found], how="horizontal")
    text, overflow, last = pl.col("text"), pl.col("overflow"), pl.col("last")
    doubtful = (overflow != "") | (last == "") | text.str.ends_with(cells.delimiter)
    records = records.with_columns(doubtful=doubtful)
    if not records["doubtful"].any():
        return _finished(records.with_columns(fields_ok=pl.lit(True)))
    counts = (
        records.filter("doubtful")
        .select("line", "text", fields=text.str.count_matches(cells.delimiter, literal=True) + 1)
        .with_columns(fields_ok=pl.col("fields") == cells.columns, blank=text.str.contains(_BLANK))
    )
    counted = records.join(counts.select("line", "fields_ok", "blank"), on="line", how="left", maintain_order="left")
    counted = counted.filter(~pl.col("blank").fill_null(False)).drop("blank")
    return _finished(counted.with_columns(fields_ok=pl.col("fields_ok").fill_null(True) | cells.ragged))


def _finished(records: pl.DataFrame) -> pl.DataFrame:
    if "quotes_ok" not in records.columns:
        records = records.with_columns(quotes_ok=pl.lit(True))
    return records.drop("doubtful", "overflow", "last", strict=False)


def _read(content: bytes, rows: int, cells: Cells, quote: str | None) -> pl.DataFrame:
    """The wanted cells, `last` (of the columns) and `overflow` (the one beyond) of lines that are one record each."""
    names = [name_of(position) for position in range(cells.columns)] + ["overflow"]
    wanted = sorted({*cells.wanted, cells.columns - 1, cells.columns})
    # A first line with every column, so that a short one does not decide how many there are.
    ruler = cells.delimiter.join("x" * len(names)).encode() + b"\n"
    scan = _scan(ruler + content, names, cells.delimiter, quote)
    found = scan.select(names[position] for position in wanted).collect().slice(1)
    if found.height != rows:
        raise AssertionError(f"{found.height} records were read of {rows}")
    found = found.with_columns(last=pl.col(names[-2]))
    return found if cells.columns - 1 in cells.wanted else found.drop(names[-2])


def _scan(content: bytes, names: list[str], separator: str, quote: str | None, cut_long: bool = True) -> pl.LazyFrame:
    return pl.scan_csv(
        io.BytesIO(content),
        has_header=False,
        schema=dict.fromkeys(names, pl.String),
        separator=separator,
        quote_char=quote,
        truncate_ragged_lines=cut_long,
        empty_string_is_null=False,
    )


def _joined(lines: pl.DataFrame) -> pl.DataFrame:
    """Physical lines to records: a line that leaves a quote open continues in the next."""
    quotes = pl.col("text").str.count_matches('"', literal=True)
    starts = (quotes.cum_sum() - quotes) % 2 == 0
    if (lines.select(quotes.sum()).item() % 2) == 1:
        raise _never_closed(lines.filter(starts)["line"][-1])
    if lines.select(starts.all()).item():
        return lines
    return (
        lines.group_by(starts.cum_sum().alias("record"), maintain_order=True)
        .agg(pl.col("line").first(), pl.col("text").str.join("\n"))
        .drop("record")
    )


def _with_quotes(records: pl.DataFrame, cells: Cells) -> pl.DataFrame:
    """Records, some with quotes: well-formed ones to the reader, those with space around their quotes one by one."""
    text = pl.col("text")
    has_quote = text.str.contains('"', literal=True)
    bare_records, records = records.filter(~has_quote), records.filter(has_quote)
    delimiter = re.escape(cells.delimiter)
    bare = rf'[^"{delimiter}]*'
    quoted = r'"(?:[^"]|"")*"'
    strict = rf"^(?:{quoted}|{bare})(?:{delimiter}(?:{quoted}|{bare}))*$"
    padded = rf"[ \t]*{quoted}[ \t]*|{bare}"
    loose = rf"^(?:{padded})(?:{delimiter}(?:{padded}))*$"
    records = records.with_columns(
        form=pl.when(text.str.contains(strict)).then(pl.lit(0)).when(text.str.contains(loose)).then(1).otherwise(2)
    )
    broken = records.filter(pl.col("form") == 2)
    spilled = broken.filter(text.str.contains("\n", literal=True))
    if not spilled.is_empty():
        raise _never_closed(spilled["line"][0])
    each = rf"(?:^|{delimiter})(?:{padded})"
    parts = [
        _by_reader(bare_records, cells, each),
        _by_reader(records.filter(pl.col("form") == 0).drop("form"), cells, each),
        _one_by_one(records.filter(pl.col("form") == 1).drop("form"), cells, each),
        _one_by_one(broken.drop("form"), cells, each).with_columns(quotes_ok=pl.lit(False), fields_ok=pl.lit(False)),
    ]
    columns = parts[0].columns
    return pl.concat([part.select(columns) for part in parts]).sort("line")


def _by_reader(records: pl.DataFrame, cells: Cells, each: str) -> pl.DataFrame:
    # A newline within quotes is a space to every rule there is.
    lines = records["text"].str.replace_all("\n", " ", literal=True)
    content = ("\n".join(lines) + "\n").encode() if len(lines) else b""
    found = pl.concat([records, _read(content, records.height, cells, quote='"')], how="horizontal").with_columns(
        quotes_ok=pl.lit(True)
    )
    fields = pl.col("text").str.extract_all(each).list.len()
    doubtful = (pl.col("overflow") != "") | (pl.col("last") == "") | pl.col("text").str.ends_with(cells.delimiter)
    return _finished(
        found.with_columns(
            fields_ok=pl.lit(True)
            if cells.ragged
            else pl.when(doubtful).then(fields == cells.columns).otherwise(pl.lit(True))
        )
    )


def _one_by_one(records: pl.DataFrame, cells: Cells, each: str) -> pl.DataFrame:
    fields = pl.col("text").str.extract_all(each)
    delimiter = cells.delimiter
    return records.with_columns(
        (fields.list.len() == cells.columns).alias("fields_ok") | cells.ragged,
        *(
            _unquoted(fields.list.get(position, null_on_oob=True), delimiter).alias(name_of(position))
            for position in cells.wanted
        ),
        quotes_ok=pl.lit(True),
    )


def _unquoted(field: pl.Expr, delimiter: str) -> pl.Expr:
    bare = field.str.strip_prefix(delimiter).str.strip_chars(" \t")
    inner = bare.str.slice(1, bare.str.len_chars().cast(pl.Int64) - 2).str.replace_all('""', '"', literal=True)
    return pl.when(bare.str.starts_with('"')).then(inner).otherwise(bare)
