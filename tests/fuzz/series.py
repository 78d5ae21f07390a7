"""Judges many mutated files; whatever is neither a verdict nor a refusal is a defect, and its file is kept.

python -m tests.fuzz --files 100000 --seed 1
"""

import argparse
import contextlib
import multiprocessing
import os
import sys
import time
from collections import Counter
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.fuzz.mutations import mutated, seeds

KEPT = Path("build") / "fuzz"
# A signal reaches Python between two steps alone: what hangs within one is ended by the parent, later.
SECONDS_A_FILE = 10
SECONDS_TO_KILL = 30
BATCH = 20


def work(share: range, seed: int, inbox: Queue, at: object) -> None:
    """Judges the files of a share; tells the outcomes of each batch. `at`: the number being judged."""
    from tests.fuzz.outcome import outcome_of

    originals = seeds()
    told: list[tuple[int, str, str]] = []
    for number in share:
        at.value = number
        name, content = mutated(originals, seed, number)
        told.append((number, *outcome_of(name, content, SECONDS_A_FILE)))
        if len(told) == BATCH:
            inbox.put(told)
            told = []
    inbox.put(told)
    at.value = -1


class Worker:
    """A process and its share of the numbers. What hangs is ended, told, and left out."""

    def __init__(self, share: range, seed: int, inbox: Queue) -> None:
        self.seed, self.inbox = seed, inbox
        self._start(share)

    def _start(self, share: range) -> None:
        self.share = share
        self.at = multiprocessing.get_context("spawn").Value("q", share.start)
        self.seen, self.since = share.start, time.monotonic()
        self.process = multiprocessing.get_context("spawn").Process(
            target=work, args=(share, self.seed, self.inbox, self.at), daemon=True
        )
        self.process.start()

    def looked_after(self) -> list[tuple[int, str, str]]:
        """Outcomes that the process could not tell itself: it hangs, or it is gone."""
        now = self.at.value
        if now != self.seen:
            self.seen, self.since = now, time.monotonic()
        if now == -1:
            return []
        gone = not self.process.is_alive()
        if not gone and time.monotonic() - self.since < SECONDS_TO_KILL:
            return []
        if not gone:
            self.process.kill()
            self.process.join()
        left = range(now + self.share.step, self.share.stop, self.share.step)
        lost = (now - self.share.start) // self.share.step % BATCH
        outcomes = [(now, "DEFECT died" if gone else "DEFECT hang", f"exit code {self.process.exitcode}")]
        outcomes += [(now - self.share.step * n, "lost with its batch", "") for n in range(1, lost + 1)]
        self._start(left)
        return outcomes


def run(files: int, seed: int, processes: int, console: Console) -> list[tuple[int, str, str]]:
    """(number, outcome, detail) of every file, in the order of numbers."""
    inbox = multiprocessing.get_context("spawn").Queue()
    workers = [Worker(range(first, files, processes), seed, inbox) for first in range(processes)]
    outcomes: list[tuple[int, str, str]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("fuzz", total=files)
        while len(outcomes) < files:
            with contextlib.suppress(Empty):
                outcomes += inbox.get(timeout=1)
            for worker in workers:
                outcomes += worker.looked_after()
            defects = sum(outcome.startswith("DEFECT") for _, outcome, _ in outcomes)
            progress.update(task, completed=len(outcomes), description=f"fuzz, {defects} defects")
    return sorted(outcomes)


def keep(outcomes: list[tuple[int, str, str]], seed: int) -> None:
    """Writes the files of defects, each with what was found."""
    KEPT.mkdir(parents=True, exist_ok=True)
    originals = seeds()
    for number, outcome, detail in outcomes:
        name, content = mutated(originals, seed, number)
        (KEPT / f"{seed}-{number}-{name}").write_bytes(content)
        (KEPT / f"{seed}-{number}.txt").write_text(f"{outcome}\n{detail}\n")


def main() -> None:
    """Exits with 1 on any defect."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    # Small files gain nothing from threads, and processes share the machine.
    os.environ["POLARS_MAX_THREADS"] = "1"
    started = time.monotonic()
    console = Console(stderr=True)
    outcomes = run(arguments.files, arguments.seed, arguments.processes, console)
    elapsed = time.monotonic() - started
    defects = [found for found in outcomes if found[1].startswith("DEFECT")]
    table = Table("Outcome", "Files", title=f"{len(outcomes):,} files, seed {arguments.seed}, {elapsed:,.0f} s")
    table.columns[1].justify = "right"
    for outcome, count in sorted(Counter(outcome for _, outcome, _ in outcomes).items()):
        table.add_row(outcome, f"{count:,}")
    Console(width=100).print(table)
    keep(defects, arguments.seed)
    for number, outcome, detail in defects[:20]:
        print(f"{number}: {outcome}: {detail.strip().splitlines()[-1] if detail.strip() else ''}")
    if defects:
        sys.exit(f"{len(defects)} defects; their files are in {KEPT}")
