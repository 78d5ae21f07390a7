"""How long an upload takes to be judged and written by month, beside pandas and DuckDB at the same work.

Every run is a fresh process, so that its memory and imports are its own; contestants take turns, and the table has
medians. Time is that of the work without imports, CPU that of all threads. All must accept the same rows.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import readings_file  # noqa: E402
from benchmarks.contestants import CONTESTANTS  # noqa: E402

OURS = "validation"
FUNCTION_MEGABYTES = 3008
# Few repetitions of what takes long.
REPETITIONS = {100_000: 5, 1_000_000: 5, 10_000_000: 3}

# What is aimed at: the other's figure over ours, at 10⁷ rows and more.
AIMS = (
    ("pandas", "wall", 5.0, "pandas takes at least 5 times as long"),
    ("pandas", "cpu", 3.0, "pandas takes at least 3 times the CPU"),
    ("DuckDB", "cpu", 1.5, "DuckDB takes at least 1.5 times the CPU"),
    ("bare parse", "cpu", 1 / 8, "at most 8 times the CPU of parsing the columns and nothing else"),
)
MOST_MEGABYTES = 700

Figures = dict[str, float]


def one_run(name: str, path: Path, folder: Path) -> tuple[dict[str, int], Figures]:
    """Rows and figures of one contestant in a process of its own."""
    output = folder / "output"
    output.mkdir()
    command = [sys.executable, str(ROOT / "benchmarks" / "contestants.py"), name, str(path), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    shutil.rmtree(output)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    told = json.loads(done.stdout)
    return told.pop("rows"), told


def measured(
    rows: int, repetitions: int, names: list[str], quoted: bool, console: Console
) -> tuple[int, dict[str, Figures]]:
    """Rows in the file, and each contestant's medians."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = folder / "readings.csv"
        expected = readings_file.write(path, rows, quoted)
        console.print(f"{expected['read']:,} rows, {path.stat().st_size / 1e6:,.0f} MB: {expected}")
        runs: dict[str, list[Figures]] = {name: [] for name in names}
        for number in range(repetitions):
            # Whoever comes first finds the file cold: they take turns.
            for name in names[number % len(names) :] + names[: number % len(names)]:
                found, figures = one_run(name, path, folder)
                if any(found[count] != expected[count] for count in found):
                    raise SystemExit(f"{name} found {found}, not {expected}")
                runs[name].append(figures)
                console.print(f"  {name}: " + ", ".join(f"{key} {value:,.2f}" for key, value in figures.items()))
        return expected["read"], {
            name: {key: statistics.median(run[key] for run in found) for key in found[0]}
            for name, found in runs.items()
        }


def comparison(results: dict[int, dict[str, Figures]]) -> Table:
    measures = ("Wall s", "CPU s", "Peak MB", "Imports, CPU s", "Rows a second")
    table = Table("Rows", "Who", *measures, *("Wall", "CPU", "Peak"), caption="The last three: times ours.")
    for column in table.columns[2:]:
        column.justify = "right"
    for rows, medians in results.items():
        for name, found in medians.items():
            ratios = [f"{found[key] / medians[OURS][key]:.2f}" for key in ("wall", "cpu", "peak")]
            figures = [
                f"{found['wall']:.2f}",
                f"{found['cpu']:.2f}",
                f"{found['peak']:,.0f}",
                f"{found['imports']:.2f}",
            ]
            table.add_row(f"{rows:,}", name, *figures, f"{rows / found['wall']:,.0f}", *ratios)
        table.add_section()
    return table


def aims(medians: dict[str, Figures]) -> Table:
    table = Table("Aim", "Found", "Met")
    for name, key, least, meaning in AIMS:
        if name not in medians:
            continue
        ratio = medians[name][key] / medians[OURS][key]
        table.add_row(
            meaning, f"{ratio:.2f}" if ratio >= 1 else f"1/{1 / ratio:.1f}", "yes" if ratio >= least else "no"
        )
    peak = medians[OURS]["peak"]
    table.add_row(f"at most {MOST_MEGABYTES} MB", f"{peak:,.0f} MB", "yes" if peak <= MOST_MEGABYTES else "no")
    return table


def memory(rows: int, quoted: bool, console: Console) -> bool:
    """Tells the most memory that validation alone holds at once, and whether a function has as much."""
    read, medians = measured(rows, 1, [OURS], quoted, console)
    found = medians[OURS]
    fits = found["peak"] < FUNCTION_MEGABYTES
    console.print(
        f"{read:,} rows: at most {found['peak']:,.0f} MB of the {FUNCTION_MEGABYTES:,} MB that a function has; "
        f"{found['wall']:.1f} s, {found['cpu']:.1f} s of CPU. It {'fits' if fits else 'does not fit'}."
    )
    return fits


def main() -> None:
    """Exits with 1 if the memory is not enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(REPETITIONS))
    parser.add_argument("--repetitions", type=int, help="of each contestant; by default fewer of large files")
    parser.add_argument("--only", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    parser.add_argument("--quoted", action="store_true", help="appliances stand in quotes")
    parser.add_argument("--memory", type=int, metavar="ROWS", help="only tell the memory of validating so many rows")
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    arguments = parser.parse_args()
    console = Console(width=120)
    if arguments.memory:
        sys.exit(not memory(arguments.memory, arguments.quoted, console))

    names = [OURS, *(name for name in arguments.only if name != OURS)]
    results = {}
    for wanted in arguments.rows:
        repetitions = arguments.repetitions or REPETITIONS.get(wanted, 3 if wanted > 1_000_000 else 5)
        rows, medians = measured(wanted, repetitions, names, arguments.quoted, console)
        results[rows] = medians
    tables = [comparison(results), aims(results[max(results)])]
    console.print(*tables)
    if arguments.output:
        with arguments.output.open("w") as file:
            Console(file=file, width=120).print(*tables)


if __name__ == "__main__":
    main()
