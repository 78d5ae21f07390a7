"""What the local AWS keeps apart from the process that it runs in."""

import importlib
import sys

import pytest

from local.environment import left_out


@pytest.fixture
def library(tmp_path, monkeypatch):
    """The name of a library that is there and was not imported yet."""
    (tmp_path / "grammar_of_addresses.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield "grammar_of_addresses"
    sys.modules.pop("grammar_of_addresses", None)


def test_a_library_is_left_out_inside_the_block_and_only_there(library):
    with left_out(library), pytest.raises(ImportError):
        importlib.import_module(library)
    assert importlib.import_module(library)


def test_a_library_that_is_in_use_stays(library):
    found = importlib.import_module(library)
    with left_out(library):
        assert importlib.import_module(library) is found
    assert sys.modules[library] is found
