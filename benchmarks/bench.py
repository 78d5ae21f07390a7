"""The pipeline's three functions that crunch rows, beside pandas, DuckDB and PySpark at the same work: `make bench`.

    python -m benchmarks.bench [--rows 100000 1000000] [--rounds 5] [--only DuckDB] [--year FILE] [--write]
    python -m benchmarks.bench --limits

Every run is a process of its own, so that its memory and imports are its own. Contestants take turns, and what is
compared are the ratios of runs of one round: other work on the machine slows down both. The functions run as they are
deployed, by their handlers, on a folder that stands for S3; what moving objects took is left out. All have to find the
same rows, hours and unusual hours. --year adds one upload from its arrival to the published report, on the local AWS;
--write keeps everything in benchmarks/results.md. --limits tells instead how large a file each function can take.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import end_to_end, limits, readings_file, results
from benchmarks.contestants import CONTESTANTS
from benchmarks.pipeline import OURS, run_pipeline
from benchmarks.results import Comparison, Figures

ROOT = Path(__file__).resolve().parents[1]
SPARK = "PySpark"
SPARK_PYTHON = ROOT / ".venv-spark" / "bin" / "python"
ROWS = (100_000, 1_000_000, 10_000_000, 30_000_000)
ROUNDS = 5
TIMEOUT_SECONDS = 3600
MEASURED = ROOT / "build" / "bench.json"


@dataclass(frozen=True)
class Missing:
    """A contestant that cannot take part."""

    name: str
    reason: str


def missing() -> list[Missing]:
    """Who cannot take part on this machine, and what would help."""
    if not SPARK_PYTHON.exists():
        return [Missing(SPARK, "it has no environment; make bench sets it up from requirements/spark.txt")]
    if not shutil.which("java"):
        return [Missing(SPARK, "there is no java; version 17 is needed")]
    return []


def one_run(name: str, path: Path, folder: Path) -> tuple[dict[str, int], Figures]:
    """What a contestant found, and its figures."""
    if name == OURS:
        return run_pipeline(path, folder)
    python = str(SPARK_PYTHON) if name == SPARK else sys.executable
    command = [python, "-m", "benchmarks.contestants", name, str(path), str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
        env={**os.environ, "PYSPARK_PYTHON": python},
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return told.pop("found"), told


def compared(rows: int, rounds: int, names: list[str]) -> Comparison:
    """Everybody at a file of so many rows."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = folder / "readings.csv"
        expected = readings_file.write(path, rows)
        found = Comparison(expected["read"], path.stat().st_size, [], [])
        told: dict[str, int] = dict(expected)
        for number in range(rounds):
            for name in _turn(names, number):
                output = folder / "output"
                output.mkdir()
                counts, figures = one_run(name, path, output)
                shutil.rmtree(output)
                wrong = {key: count for key, count in counts.items() if told.setdefault(key, count) != count}
                if wrong:
                    raise SystemExit(f"{name} found {wrong}, not {told}")
                found.runs.append((number, name, figures))
                found.loads.append(os.getloadavg()[0])
                print(f"{rows:>11,} {name:<18}", _in_words(figures), flush=True)
        return found


def _turn(names: list[str], number: int) -> list[str]:
    """Whoever comes first finds the machine as others left it: they take turns."""
    first = number % len(names)
    return names[first:] + names[:first]


def _in_words(figures: Figures) -> str:
    return ", ".join(f"{key} {value:,.2f}" for key, value in figures.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS)
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="of all contestants: five, which takes an hour for all rows"
    )
    parser.add_argument("--only", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    parser.add_argument("--year", type=Path, help="a CSV of a year: from its upload to the published report")
    parser.add_argument("--write", action="store_true", help="keep what was measured in benchmarks/results.md")
    parser.add_argument(
        "--measured", type=Path, default=ROOT / "build" / "bench.json", help="raw figures, to go on with"
    )
    parser.add_argument("--note", help="what a reader of the results has to know")
    parser.add_argument("--limits", action="store_true", help="how large a file each function can take, by itself")
    asked = parser.parse_args()
    if asked.limits:
        print(limits.table(limits.measured()))
        return
    absent = {one.name: one.reason for one in missing()}
    for name in absent.keys() & set(asked.only):
        print(f"{name} does not take part: {absent[name]}.")
    names = [OURS, *(name for name in asked.only if name not in absent)]
    document = json.loads(asked.measured.read_text()) if asked.measured.exists() else {}
    asked.measured.parent.mkdir(parents=True, exist_ok=True)
    for rows in asked.rows:
        found = asdict(compared(rows, asked.rounds, names))
        before = document.get("comparisons", {}).get(str(rows), {"runs": [], "loads": []})
        rounds = 1 + max((number for number, *_ in before["runs"]), default=-1)
        found["runs"] = [*before["runs"], *([number + rounds, *run] for number, *run in found["runs"])]
        found["loads"] = [*before["loads"], *found["loads"]]
        _keep(document, "comparisons", str(rows), found, asked.measured)
    if asked.year:
        _keep(document, "end_to_end", "year", end_to_end.measured(asked.year), asked.measured)
    if asked.note:
        document.setdefault("notes", []).append(asked.note)
        asked.measured.write_text(json.dumps(document, indent=1))
    text = results.markdown(document)
    print(text)
    if asked.write:
        results.write(document, text)


def _keep(document: dict[str, Any], part: str, name: str, found: Any, path: Path) -> None:
    document.setdefault(part, {})[name] = found
    path.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
