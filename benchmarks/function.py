"""One invocation of a deployed function in a process of its own, its bucket being a folder.

    python -m benchmarks.function VERB LAKE EVENT ANSWER [--lift-limits]

EVENT and ANSWER are files. Prints the figures of the invocation: `wall` and `cpu` seconds without imports and without
transfers of objects, `transfer_wall` and `transfer_cpu`, `imports` in CPU seconds, and the `peak` of memory in MB.
"""

import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from benchmarks.contestants import cpu_seconds, peak_megabytes
from benchmarks.folder_s3 import FolderS3

ROOT = Path(__file__).resolve().parents[1]
BUCKET = "lake"
SETTINGS = {
    "LAKE_BUCKET": BUCKET,
    "POWERTOOLS_METRICS_NAMESPACE": "EnergyAnalytics",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_SERVICE_NAME": "benchmark",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
CONTEXT = SimpleNamespace(
    function_name="benchmark",
    memory_limit_in_mb=3008,
    invoked_function_arn="arn:aws:lambda:benchmark",
    aws_request_id="1",
)


def main() -> None:
    verb, lake, event, answer = sys.argv[1], *map(Path, sys.argv[2:5])
    os.environ |= SETTINGS
    sys.path.insert(0, str(ROOT / "functions" / verb))
    import app
    import polars  # noqa: F401 # of the functions measured all use it, some only once they work

    from energy import store

    if "--lift-limits" in sys.argv:
        _lift_limits()
    s3 = FolderS3(lake)
    store.client = lambda: s3  # type: ignore[assignment]
    asked = json.loads(event.read_bytes())
    imports = cpu_seconds()
    began = time.perf_counter()
    found = app.handler(asked, CONTEXT)
    wall, cpu = time.perf_counter() - began, cpu_seconds() - imports
    answer.write_text(json.dumps(found))
    figures = {"wall": wall - s3.wall, "cpu": cpu - s3.cpu, "transfer_wall": s3.wall, "transfer_cpu": s3.cpu}
    print(json.dumps({**figures, "imports": imports, "peak": peak_megabytes()}))


def _lift_limits() -> None:
    from energy import drafting
    from energy.intake import source

    source.MAX_TEXT_BYTES = drafting.MAX_MONTH_READINGS = drafting.MAX_HOURS = 1 << 62


if __name__ == "__main__":
    main()
