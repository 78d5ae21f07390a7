"""One upload from its arrival to the published report, on the local AWS as `make run` has it, with warm functions."""

import itertools
import time
from pathlib import Path
from typing import Any

from local import LocalAws
from local.history import visits

RUNS = 3


def measured(path: Path) -> dict[str, Any]:
    """Seconds of an upload, by state too; the median run of several, each of another site of one stack."""
    runs = []
    with LocalAws() as aws:
        for number in range(RUNS + 1):
            began = time.perf_counter()
            done = aws.wait(aws.upload(path, f"raw/year-{number}/{path.name}"), timeout_seconds=900)
            took = time.perf_counter() - began
            if done.status != "SUCCEEDED":
                raise SystemExit(f"{done.error}: {done.cause}")
            states = [[one.state, one.seconds] for one in visits(done.history)]
            runs.append({"seconds": took, "states": states})
    # The first one warms the functions up.
    warm = sorted(runs[1:], key=lambda run: run["seconds"])
    middle = warm[len(warm) // 2]
    rows = sum(1 for _ in itertools.islice(path.open("rb"), 1, None))
    return {
        "rows": rows,
        "seconds": middle["seconds"],
        "first_seconds": runs[0]["seconds"],
        "states": middle["states"],
        "runs": len(warm),
        "spread": [warm[0]["seconds"], warm[-1]["seconds"]],
    }
