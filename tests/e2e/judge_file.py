"""Judges one file in a process of its own, and tells the verdict and what it took. Run by the tests of hostile files.

python tests/e2e/judge_file.py FILE SCRATCH
"""

import datetime as dt
import json
import re
import sys
import time
from pathlib import Path

from energy import parquet
from energy.errors import InputRejected
from energy.intake.judging import judge
from energy.site_config import Rules


def peak_megabytes() -> float:
    """The most memory that this process has held at once.

    Not `ru_maxrss`: that also knows the memory of the process which started this one.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def main() -> None:
    path, scratch = (Path(argument) for argument in sys.argv[1:])
    uploaded_at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    # Of the processor: what else runs on this machine does not count.
    started = time.process_time()
    outcome = {}
    try:
        judged = judge(path, Rules(), uploaded_at, scratch, path.name)
    except InputRejected as refused:
        outcome = {"verdict": "reject", "codes": [refused.code], "message": str(refused)}
    else:
        if judged.refusal is None:
            for month in judged.months:
                parquet.to_bytes(judged.month(month))
        rejected = sum(frame.height for frame in judged.rejected())
        codes = [judged.refusal.code] if judged.refusal else [*judged.codes, *judged.warnings]
        message = str(judged.refusal) if judged.refusal else ""
        outcome = {"verdict": judged.verdict, "codes": codes, "message": message, "rejected": rejected}
        outcome["rows"] = judged.rows.model_dump()
    seconds = time.process_time() - started
    print(json.dumps({**outcome, "seconds": seconds, "megabytes": peak_megabytes()}))


if __name__ == "__main__":
    main()
