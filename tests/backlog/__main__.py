"""A backlog worked off by `energy reprocess --all`, whose process is killed while it reads and while it publishes, and
functions under its hands; run again until it says that nothing is left.

    python -m tests.backlog [--files 1000] [--sites 1] [--kills 10] [--seed 1]

Then every file has to be in its site's manifest, once, and every one of its readings in the site's tables, once; and
one more run has to find nothing to do. Exit 1 on anything lost, or there twice.
"""

import argparse
import contextlib
import datetime as dt
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from energy import lake as layout
from energy.manifest import Manifest
from energy.schema import READINGS
from local import LakeFolder, LocalAws

DAYS_A_FILE, HOURS = 2, 24
# Twelve days in all: shorter than what Prophet, which would take most of the time, forecasts from.
BLOCKS = 6
APPLIANCES = ("a", "b")
READINGS_A_FILE = DAYS_A_FILE * HOURS * len(APPLIANCES)
FIRST = dt.datetime(2026, 3, 2)
MOST_RUNS = 10
ENDED_SECONDS = 7200
_AT_WORK = re.compile(r"Read uploads|Publish sites")
_PROCESS = re.compile(r"awslambdaric|local/iam/process[.]py")


@dataclass(frozen=True)
class Ended:
    """How a run ended. `code` is null where it was killed, and `functions_killed` counts those under its hands."""

    code: int | None
    seconds: float
    said: str
    functions_killed: int


@dataclass(frozen=True)
class Published:
    """What is there in the end. `lost` and `twice` name files; a run that was killed has recorded no publication."""

    lost: list[str]
    twice: list[str]
    readings: int
    publications: int


def key(number: int, sites: int) -> str:
    """Where a file lies."""
    return f"raw/site-{number % sites:03}/{number:05}.csv"


def content(number: int, sites: int) -> bytes:
    """Two days of two appliances, which no other file of its site has."""
    place = number // sites
    rows = ["timestamp,appliance,kwh"]
    for hour in range(DAYS_A_FILE * HOURS):
        moment = FIRST + dt.timedelta(days=DAYS_A_FILE * (place % BLOCKS), hours=hour)
        rows += [f"{moment},{_appliance(place, name)},{_kwh(number, hour)}" for name in APPLIANCES]
    return "\n".join([*rows, ""]).encode()


def _appliance(place: int, name: str) -> str:
    return f"meter {place // BLOCKS} {name}"


def _kwh(number: int, hour: int) -> float:
    return (hour * 7 + number * 3) % 11 / 10 + 0.1


def fill(folder: Path, files: int, sites: int) -> None:
    """A lake whose files no event told of."""
    with LocalAws(folder, warm=False) as aws:
        configure = aws.client("s3").put_bucket_notification_configuration
        configure(Bucket=aws.bucket, NotificationConfiguration={})
        for number in range(files):
            aws.put(key(number, sites), content(number, sites))


# ------------------------------------------------------------------------------------------------------------ driving


def drive(
    folder: Path, until: str = "", kill_after_seconds: float = 0, kills: int = 0, chance: random.Random | None = None
) -> Ended:
    """`energy reprocess --all`; killed so long after it has said what matches `until`. Meanwhile so many of its
    functions are killed.
    """
    began = time.monotonic()
    command = [sys.executable, "-u", "-m", "cli.main", "reprocess", "--all", "--lake", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, done, killed = list[str](), threading.Event(), list[int]()
    killer = threading.Thread(target=_kill_functions, args=(process.pid, kills, chance, done, killed), daemon=True)
    with process:
        for line in process.stdout or ():
            said.append(line)
            # Before that only lists are made, whose second death would end the run before it has begun.
            if _AT_WORK.search(line) and killer.ident is None:
                killer.start()
            if until and re.search(until, line):
                until = ""
                threading.Timer(kill_after_seconds, process.kill).start()
        code = process.wait(ENDED_SECONDS)
    done.set()
    if killer.is_alive():
        killer.join()
    return Ended(None if code < 0 else code, time.monotonic() - began, "".join(said), len(killed))


def _kill_functions(
    pid: int, most: int, chance: random.Random | None, done: threading.Event, killed: list[int]
) -> None:
    chance = chance or random.Random(0)
    while len(killed) < most and not done.wait(chance.uniform(0.5, 2.0)):
        if functions := sorted(set(_functions(pid)) - set(killed)):
            killed.append(chance.choice(functions))
            with contextlib.suppress(ProcessLookupError):
                os.kill(killed[-1], signal.SIGKILL)


def _at_least(number: int) -> str:
    """A pattern of numbers that are as long as this one and not smaller in their first digit, or longer."""
    text = f"{number:,}"
    return rf"(?:[{text[0]}-9][\d,]{{{len(text) - 1}}}|[\d,]{{{len(text) + 1},}})"


def _functions(pid: int) -> Iterator[int]:
    """Processes that a process has started to run functions in."""
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                if _PROCESS.search(Path(f"/proc/{child}/cmdline").read_text()):
                    yield int(child)


# ----------------------------------------------------------------------------------------------------------- comparing


def published(folder: Path, files: int, sites: int) -> Published:
    """What the manifests name, and the readings of the tables that they name."""
    lake = LakeFolder(folder)
    expected = {key(number, sites): number for number in range(files)}
    manifests = [
        Manifest.model_validate_json(lake.path_of(each).read_bytes())
        for each in lake.keys()  # noqa: SIM118 - no mapping
        if each.startswith(layout.MANIFESTS_PREFIX)
    ]
    named = [each for manifest in manifests for each in manifest.uploads]
    anew = [held.upload.key for manifest in manifests for held in manifest.uploads.values() if held.upload.reprocessed]
    found = pl.concat(
        pl.read_parquet(lake.path_of(partition.prefix + READINGS.file_name))
        .select("timestamp", "appliance", "kwh")
        .with_columns(site=pl.lit(manifest.site))
        for manifest in manifests
        for partition in manifest.tables[READINGS.name]
    )
    wanted = pl.concat(
        pl.read_csv(content(number, sites), schema_overrides={"timestamp": pl.Datetime("us")}).with_columns(
            site=pl.lit(layout.site_of_key(each)), file=pl.lit(each)
        )
        for each, number in expected.items()
    )
    same = ["site", "appliance", "timestamp", "kwh"]
    missing = wanted.join(found.with_columns(pl.col("timestamp").cast(pl.Datetime("us"))), on=same, how="anti")
    lost = {*(expected.keys() - set(named)), *missing["file"].unique().to_list()}
    twice = {each for each in named if named.count(each) > 1} | set(anew)
    if found.height > wanted.height:
        twice.add(f"{found.height - wanted.height} readings too many")
    publications = sum(any(visit.state == "Announce" for visit in one.states) for one in lake.executions())
    return Published(sorted(lost), sorted(twice), found.height, publications)


def play(folder: Path, files: int, kills: int, chance: random.Random) -> Iterator[Ended]:
    """All runs: killed while it reads, killed while it publishes, and then until all is well; the last one more."""
    yield drive(folder, rf"Read uploads: {_at_least(files // 3)} of", kills=kills, chance=chance)
    yield drive(folder, r"Read uploads: .* 0 left", 2, kills, chance)
    for number in range(MOST_RUNS):
        run = drive(folder, kills=0 if number else kills, chance=chance)
        yield run
        if run.code == 0:
            break
    yield drive(folder)


def main() -> int:
    """Prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--sites", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backlog-") as folder:
        lake = Path(folder) / "lake"
        fill(lake, asked.files, asked.sites)
        print(f"{asked.files:,} files of {asked.sites} sites", flush=True)
        runs = play(lake, asked.files, asked.kills, random.Random(asked.seed))
        for run in runs:
            ended = "killed" if run.code is None else f"exit {run.code}"
            print(
                f"  {run.seconds:.0f} s, {ended}, {run.functions_killed} functions killed: {run.said.splitlines()[-1]}"
            )
        found = published(lake, asked.files, asked.sites)
    idle = is_idle(run, asked.files)
    print(f"lost: {found.lost or 'none'}; twice: {found.twice or 'none'}; at last nothing to do: {idle}")
    print(
        f"{found.readings:,} readings of {asked.files * READINGS_A_FILE:,}; {found.publications} publications recorded"
    )
    return int(bool(found.lost or found.twice) or not idle)


def is_idle(run: Ended, files: int) -> bool:
    """Whether a run found all files published."""
    return run.code == 0 and run.said.rstrip().endswith(f"{files:,} uploads: {files:,} published.")


if __name__ == "__main__":
    sys.exit(main())
