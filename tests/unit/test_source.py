"""Bytes of an upload to blocks of UTF-8 lines."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputRejected
from energy.intake import source

LINES = st.lists(st.text('aé€,;"0 😀', max_size=12), min_size=1, max_size=8).map(lambda lines: ["timestamp", *lines])


def text_of(path: Path) -> bytes:
    opened = source.open_source(path)
    first = b"".join(opened.blocks())
    assert b"".join(opened.blocks()) == first, "a source can be read again"
    return first


@given(
    lines=LINES,
    written=st.tuples(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), st.sampled_from(["\n", "\r\n", "\r"])),
    zeros_after_packed=st.none() | st.integers(0, 3),
    block_bytes=st.integers(4, 40),
)
def test_encoding_newlines_packing_and_blocks_do_not_change_the_text(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    written: tuple[str, str],
    zeros_after_packed: int | None,
    block_bytes: int,
) -> None:
    encoding, newline = written
    content = "".join(line + newline for line in lines).encode(encoding)
    if zeros_after_packed is not None:
        half = len(content) // 2
        content = gzip.compress(content[:half]) + gzip.compress(content[half:]) + b"\0" * zeros_after_packed
    path = tmp_path_factory.mktemp("source") / "upload"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK_BYTES", block_bytes)
        assert text_of(path) == "".join(line + "\n" for line in lines).encode()


@pytest.mark.parametrize("tail", [b"\0x", b"garbage"])
def test_garbage_after_packed_data_is_refused(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "upload.csv.gz"
    path.write_bytes(gzip.compress(b"timestamp,kwh\n") + tail)
    with pytest.raises(InputRejected, match="damaged after the end"):
        source.open_source(path)


@pytest.mark.parametrize("word", ["Kühlschrank", "sèche-linge", "Køleskab", "Tvättmaskin"])
def test_western_names_in_windows_1252_are_read(tmp_path: Path, word: str) -> None:
    path = tmp_path / "upload.csv"
    path.write_bytes(f"appliance\n{word}\n".encode("cp1252"))
    assert text_of(path) == f"appliance\n{word}\n".encode()


@pytest.mark.parametrize("damaged", [b"K\xc3\xbchl \xff", b"1\xb52", b"x\x81", "холодильник".encode("cp1251")])
def test_text_that_is_no_western_text_is_refused(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "upload.csv"
    path.write_bytes(b"appliance\n" + damaged + b"\n")
    with pytest.raises(InputRejected, match="not UTF-8 from byte 1"):
        source.open_source(path)
