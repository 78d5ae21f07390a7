"""Kills functions' processes while they work, again and again, and compares what is published with a quiet run.

    python -m tests.storm.kills [--kills 200] [--seed 1]

Each round is a new local AWS: uploads to two sites, which overlap, correct and take back each other, while random
invocations get SIGKILL at random moments. Then nothing is killed any more: what was missed is started again, as the
daily reconciliation does, and each site's last file is uploaded once more. Every table has to have the bytes of a run
in which nothing was killed. Exit 1 if one has not.
"""

import argparse
import collections
import datetime as dt
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from energy import lake
from energy.manifest import Manifest
from energy.schema import TABLES
from local import LocalAws
from tests.storm.pipeline import RECORDS

SITES = ("home", "cabin")
DAYS = 20
FIRST = dt.datetime(2026, 3, 18)
KILLS_A_ROUND = 21
FUNCTIONS = 7
# Kills come within one of these times of an invocation that is seen: short functions are at work as well as long ones.
WITHIN_SECONDS = (0.02, 0.1, 1.5)
MOST_RECONCILIATIONS = 10
ENDED_SECONDS = 900

type Tables = dict[tuple[str, ...], bytes]


@dataclass
class Killer:
    """Kills up to `most` invocations; `killed` counts them by function."""

    aws: LocalAws
    chance: random.Random
    most: int
    killed: collections.Counter[str] = field(default_factory=collections.Counter)
    _done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Kills meanwhile."""
        thread = threading.Thread(target=self._kill, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    def _kill(self) -> None:
        verbs = self.aws.verbs
        while not self._done.wait(0.005) and self.killed.total() < self.most:
            # Not all of those that come first, or take long: some functions are seen late and seldom.
            working = [one for one in self.aws.working() if self.killed[verbs[one.function]] < self.most / FUNCTIONS]
            if not working:
                continue
            victim = self.chance.choice(sorted(working, key=lambda one: one.request_id))
            time.sleep(self.chance.uniform(0, self.chance.choice(WITHIN_SECONDS)))
            if victim in self.aws.working():
                # What has ended by itself a moment ago is not killed.
                with suppress(ProcessLookupError):
                    os.kill(victim.pid, signal.SIGKILL)
                    self.killed[verbs[victim.function]] += 1


@dataclass(frozen=True)
class Round:
    """What a round left: its tables, how the executions ended, and how many were killed by function."""

    tables: Tables
    uploads: dict[str, set[str]]
    ended: collections.Counter[str]
    retried: int
    killed: collections.Counter[str]


def content(number: int, first_day: int, days: int) -> bytes:
    """Hourly readings that no other number has."""
    rows = ["timestamp,appliance,kwh"]
    for hour in range(24 * first_day, 24 * (first_day + days)):
        moment = FIRST + dt.timedelta(hours=hour)
        rows += [f"{moment},{name},{(hour * 7 + number * 3 + place) % 11 / 10}" for place, name in enumerate("AB")]
    return "\n".join([*rows, ""]).encode()


def play(kills: int, chance: random.Random) -> Round:
    """A round with up to so many kills."""
    with LocalAws(skip_retry_waits=True) as aws:
        killer = Killer(aws, chance, kills)
        with killer.at_work():
            _upload_all(aws)
            ended = _ended(aws)
        # From here on nothing is killed.
        for _ in range(MOST_RECONCILIATIONS):
            answer = aws.invoke("reconcile", {"grace_minutes": 0})
            if answer.error_type is not None:
                raise AssertionError(answer.payload)
            if not answer.payload["started"]["count"]:
                break
            _ended(aws)
        else:
            raise AssertionError(f"{MOST_RECONCILIATIONS} reconciliations left something to start")
        for site in SITES:
            last = aws.wait(aws.put(f"raw/{site}/3.csv", content(3, 10, DAYS)) or "", ENDED_SECONDS)
            if last.status != "SUCCEEDED":
                raise AssertionError(f"{last.error}: {last.cause}")
        manifests = {site: _manifest(aws, site) for site in SITES}
        retried = sum(_was_retried(aws, arn) for arn in aws.executions())
        uploads = {site: set(manifest.uploads) for site, manifest in manifests.items()}
        tables = {key: body for manifest in manifests.values() for key, body in _tables(aws, manifest).items()}
        return Round(tables, uploads, ended, retried, killer.killed)


def _upload_all(aws: LocalAws) -> None:
    """Of files within one second that of the greater number counts, as it does of files one after the other."""
    for site in SITES:
        for number in range(4):
            aws.put(f"raw/{site}/{number}.csv", content(number, number * 5, DAYS))
    time.sleep(1.1)
    for site in SITES:
        aws.put(f"raw/{site}/0.csv", content(4, 2, DAYS))
        aws.delete(f"raw/{site}/1.csv")


def _ended(aws: LocalAws) -> collections.Counter[str]:
    """How all executions ended, once they have."""
    return collections.Counter(
        done.error or done.status for done in (aws.wait(arn, ENDED_SECONDS) for arn in aws.executions())
    )


def _was_retried(aws: LocalAws, arn: str) -> bool:
    history = aws.wait(arn).history
    scheduled = [event["type"] for event in history].count("TaskScheduled")
    entered = [event["type"] for event in history].count("TaskStateEntered")
    return scheduled > entered


def _manifest(aws: LocalAws, site: str) -> Manifest:
    body = aws.client("s3").get_object(Bucket=aws.bucket, Key=lake.manifest_key(site))["Body"].read()
    return Manifest.model_validate_json(body)


def _tables(aws: LocalAws, manifest: Manifest) -> Tables:
    s3 = aws.client("s3")
    found = {}
    for name, partitions in manifest.tables.items():
        for partition in partitions if name not in RECORDS else []:
            key = partition.prefix + TABLES[name].file_name
            found[name, *partition.values] = s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read()
    return found


def different(quiet: Round, killed: Round) -> list[str]:
    """The tables' partitions that are not the same."""
    keys = sorted(quiet.tables.keys() | killed.tables.keys())
    return ["/".join(key) for key in keys if quiet.tables.get(key) != killed.tables.get(key)]


def main() -> None:
    """Prints a line for each round and the sum of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    quiet = play(0, random.Random(0))
    print(f"quiet: {len(quiet.tables)} files, {dict(quiet.ended)}", flush=True)
    total: collections.Counter[str] = collections.Counter()
    retried, wrong, number = 0, 0, 0
    while total.total() < arguments.kills:
        number += 1
        wanted = min(KILLS_A_ROUND, arguments.kills - total.total())
        found = play(wanted, random.Random(f"{arguments.seed}/{number}"))
        differences = different(quiet, found) + [site for site in SITES if found.uploads[site] != quiet.uploads[site]]
        total += found.killed
        retried += found.retried
        wrong += bool(differences)
        print(
            f"round {number}: {found.killed.total()} kills, {found.retried} executions retried, ended "
            f"{dict(found.ended)}, different: {differences or 'nothing'}",
            flush=True,
        )
    took = time.monotonic() - began
    print(f"{total.total()} kills ({dict(total.most_common())}), {retried} executions retried, {took:.0f} s")
    print(f"rounds that published other bytes than the quiet run: {wrong} of {number}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
