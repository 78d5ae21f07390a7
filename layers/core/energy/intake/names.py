"""One name for one appliance, however it is spelled."""

import re
import unicodedata
from collections.abc import Iterable

_SPACE = re.compile(r"\s+")


def tidy(name: str) -> str:
    """A name as it is shown: Unicode form NFC, no characters that nobody sees, single spaces, none around."""
    # Category "format": zero-width spaces and joiners, marks of direction, soft hyphens.
    visible = "".join(c for c in name if unicodedata.category(c) != "Cf")
    return _SPACE.sub(" ", unicodedata.normalize("NFC", visible)).strip()


def identity(name: str) -> str:
    """What two spellings of one appliance share: they differ by Unicode form, case or space alone."""
    return unicodedata.normalize("NFC", tidy(name).casefold())


def shown(spellings: Iterable[str]) -> str:
    """The spelling that stands for all of them: the last in the order of code points, whatever order they come in."""
    return max(spellings)
