"""Long lists in short answers: counted whole, shown as far as they fit."""

import json
from collections.abc import Iterable
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

# A function's answer stays below 32 KB, as what the states of the state machine hand to each other.
MOST_BYTES = 7 << 10


Entry = TypeVar("Entry", bound=BaseModel | str)


class Listed(BaseModel, Generic[Entry]):
    """`count` is how many there are, `shown` the first of them."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    shown: list[Entry] = []


def listed(entries: Iterable[Entry], most_bytes: int = MOST_BYTES) -> Listed[Entry]:
    """All entries counted; of the first as many as `most_bytes` of JSON hold."""
    count, room, shown = 0, most_bytes, list[Entry]()
    for entry in entries:
        count += 1
        plain = entry if isinstance(entry, str) else entry.model_dump(mode="json")
        room -= len(json.dumps(plain)) + 2
        if room >= 0:
            shown.append(entry)
    return Listed(count=count, shown=shown)
