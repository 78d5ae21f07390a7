"""How long an upload takes to be judged and written, beside reading the same file and checking nothing.

Every contestant reads the same file, in turn, several times; the table has medians. Ratios are to polars' plain read.
"""

import argparse
import datetime as dt
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import polars as pl
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "core")]

from cli import synthetic  # noqa: E402
from energy import parquet  # noqa: E402
from energy.judging import judge  # noqa: E402

# Past any reading of the files, so that none counts as lying in the future.
UPLOADED_AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FIRST_DAY = dt.date(1995, 1, 1)
READINGS_A_DAY = 24 * len(synthetic.BASE_KWH)


def validated(path: Path) -> int:
    """Every row judged, accepted ones as Parquet by month: what "Validate upload" does between its calls of S3."""
    accepted = judge(path, "UTC", UPLOADED_AT, max_rejected_share=0.5).accepted
    months = accepted.with_columns(month=pl.col("timestamp").dt.strftime("%Y-%m"))
    for month in months.partition_by("month", include_key=False):
        parquet.to_bytes(month)
    return accepted.height


def read_by_polars(path: Path) -> int:
    return pl.scan_csv(path, try_parse_dates=True).collect().height


def read_by_pandas(path: Path) -> int:
    return len(pd.read_csv(path, parse_dates=["timestamp"]))


CONTESTANTS: dict[str, Callable[[Path], int]] = {
    "validate and write": validated,
    "polars, read only": read_by_polars,
    "pandas, read only": read_by_pandas,
}


def seconds(contestant: Callable[[Path], int], path: Path, rows: int) -> float:
    started = time.perf_counter()
    found = contestant(path)
    elapsed = time.perf_counter() - started
    if found != rows:
        raise SystemExit(f"{contestant.__name__} found {found:,} of {rows:,} rows")
    return elapsed


def measured(rows: int, repetitions: int) -> tuple[int, dict[str, float]]:
    """The number of rows, rounded up to whole days, and each contestant's median."""
    days = -(-rows // READINGS_A_DAY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "readings.csv"
        frame = synthetic.readings(FIRST_DAY, days, seed=42, noise=0.1)
        path.write_bytes(synthetic.to_csv(frame.drop("is_anomaly")))
        times: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
        # The first round warms caches and imports up, and does not count.
        for round_number in range(repetitions + 1):
            for name, contestant in CONTESTANTS.items():
                elapsed = seconds(contestant, path, frame.height)
                if round_number:
                    times[name].append(elapsed)
    return frame.height, {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()

    table = Table("Rows", "What", "Median s", "Rows a second", "Ratio")
    for column in table.columns[2:]:
        column.justify = "right"
    for wanted in arguments.rows:
        rows, medians = measured(wanted, arguments.repetitions)
        for name, median in medians.items():
            ratio = median / medians["polars, read only"]
            table.add_row(f"{rows:,}", name, f"{median:.3f}", f"{rows / median:,.0f}", f"{ratio:.1f}")
        table.add_section()
    Console().print(table)
    if arguments.output:
        with arguments.output.open("w") as file:
            Console(file=file, width=100).print(table)


if __name__ == "__main__":
    main()
