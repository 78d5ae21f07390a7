"""Run by the tests in the job's own environment: many files through one Spark session.

Reads lines of {"event", "execution", "round"} and writes a line for each: what became of it, or which error it met.
"""

import json
import os
import sys
from collections.abc import Iterable
from unittest import mock

from energy.intake import records
from energy.settings import Settings
from jobs import crunch


def divide_small_files(part_bytes: int) -> None:
    """Files of a few kilobytes have several parts, as larger ones have."""
    extents = records.extents

    def of_small_parts(blocks: Iterable[bytes], skip_lines: int) -> list[records.Extent] | None:
        content = b"".join(blocks)
        small = (content[start : start + part_bytes] for start in range(0, len(content), part_bytes))
        with mock.patch.object(records, "CHUNK_BYTES", part_bytes):
            return extents(small, skip_lines)

    records.extents = of_small_parts


def main() -> None:
    divide_small_files(int(sys.argv[1]))
    environment = {
        name.upper(): os.environ[name.upper()] for name in Settings.model_fields if name.upper() in os.environ
    }
    spark = crunch.session(environment)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            done = crunch.crunch(spark, asked["event"], asked["execution"], asked["round"]).model_dump(mode="json")
        except Exception as error:  # noqa: BLE001 - the test compares it with what the functions raise
            done = {"error": type(error).__name__, "message": str(error)}
        print("CRUNCHED " + json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
