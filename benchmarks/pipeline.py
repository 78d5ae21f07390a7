"""The functions that crunch rows, run one after the other as the state machine runs them, each in a new process."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from energy import parquet
from energy.anomaly_hours import MEAN_2STD
from energy.schema import ANOMALIES

ROOT = Path(__file__).resolve().parents[1]
OURS = "this pipeline"
SITE = "bench"
KEY = f"raw/{SITE}/readings.csv"
THREADS = "POLARS_MAX_THREADS"
VERBS = ("validate", "aggregate", "detect_anomalies")

Figures = dict[str, float]


class FunctionFailed(Exception):
    """A function that did not return; `said` is the end of what it wrote."""

    def __init__(self, verb: str, code: int, said: str) -> None:
        super().__init__(f"{verb} ended with {code}: {said}")
        self.verb = verb


@dataclass
class Lake:
    """A folder that stands for a bucket, with one upload. `figures` of the functions that ran, by verb.

    `lift_limits`: the functions take what they would refuse as too large.
    """

    folder: Path
    lift_limits: bool = False
    figures: dict[str, Figures] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def upload(self, path: Path, config: str | None = None) -> None:
        """Puts a file there, and the configuration of its site."""
        raw = self.folder / KEY
        raw.parent.mkdir(parents=True)
        os.link(path, raw)
        if config:
            place = self.folder / "config" / f"{SITE}.yaml"
            place.parent.mkdir()
            place.write_text(config)

    def invoke(self, verb: str, prefix: Sequence[str] = ()) -> None:
        """Runs a function; `prefix` is the command that starts its command. FunctionFailed."""
        event, answer = self.folder / f"{verb}.event.json", self.folder / f"{verb}.answer.json"
        event.write_text(json.dumps(self._event(verb)))
        paths = map(str, (self.folder, event, answer))
        lifted = ["--lift-limits"] if self.lift_limits else []
        command = [*prefix, sys.executable, "-m", "benchmarks.function", verb, *paths, *lifted]
        environment = {name: value for name, value in os.environ.items() if name != THREADS}
        if threads := deployed(verb, THREADS):
            environment[THREADS] = threads
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise FunctionFailed(verb, done.returncode, done.stderr[-2000:])
        self.figures[verb] = json.loads(done.stdout.splitlines()[-1])
        self.answers[verb] = json.loads(answer.read_text())

    def _event(self, verb: str) -> Mapping[str, Any]:
        if verb == "validate":
            size = (self.folder / KEY).stat().st_size
            told = {"key": KEY, "size": size, "etag": "e", "version-id": "v", "sequencer": "01"}
            return {"bucket": {"name": "lake"}, "object": told}
        if verb == "aggregate":
            return {"validated": self.answers["validate"]}
        return {"publication": self.answers["aggregate"]}


def deployed(verb: str, setting: str) -> str:
    """One of a function's own settings as it stands in template.yaml; nothing where it has none of that name."""
    block = re.search(rf"CodeUri: functions/{verb}\n((?: {{6}}.*\n)*)", (ROOT / "template.yaml").read_text())
    found = re.search(rf'\b{setting}: "?(\w+)', block[1]) if block else None
    return found[1] if found else ""


def run_pipeline(path: Path, folder: Path) -> tuple[dict[str, int], Figures]:
    """What the functions found in a file, and their figures together: seconds added up, the most memory of any."""
    lake = Lake(folder)
    lake.upload(path)
    for verb in VERBS:
        lake.invoke(verb)
    each = lake.figures.values()
    together = {name: sum(one[name] for one in each) for name in ("wall", "cpu", "imports")}
    by_verb = {f"{verb} {name}": one[name] for verb, one in lake.figures.items() for name in ("wall", "cpu", "peak")}
    return _found(lake), {**together, "peak": max(one["peak"] for one in each), **by_verb}


def _found(lake: Lake) -> dict[str, int]:
    hours = sum(pl.scan_parquet(file).select(pl.len()).collect().item() for file in _files(lake, "processed/hourly"))
    found = pl.concat(
        [parquet.from_bytes(file.read_bytes()) for file in _files(lake, ANOMALIES.area, ANOMALIES.file_name)]
    )
    by_mean = found["method"].str.contains(MEAN_2STD, literal=True).sum()
    return {**lake.answers["validate"]["rows"], "hours": int(hours), "mean_2std": int(by_mean)}


def _files(lake: Lake, area: str, name: str = "*.parquet") -> list[Path]:
    return sorted((lake.folder / area).rglob(name))
