"""Kills functions' processes while they work, again and again, and compares what is published with a quiet run.

    python -m tests.storm.kills [--kills 200] [--seed 1]

Each round is a new local AWS: uploads to two sites, which overlap, correct and take back each other, while random
invocations get SIGKILL at random moments, and some of their retries as well. Then nothing is killed any more: what
failed is redriven, what was missed is started again, as the daily reconciliation does. Now every table that does not
depend on which forecast survived has to have the bytes of a run in which nothing was killed, and the catalog has to say
what the manifests say. At last each site's last file is uploaded once more, and every table has to. Exit 1 if not.
"""

import argparse
import collections
import contextlib
import datetime as dt
import json
import math
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from energy import lake
from energy.manifest import Manifest
from energy.schema import APPLIANCE_FORECAST, FORECAST, TABLES
from local import Invocation, LocalAws
from tests.storm.pipeline import RECORDS

SITES = ("home", "cabin")
DAYS = 20
FIRST = dt.datetime(2026, 3, 18)
KILLS_A_ROUND = 30
# When a kill comes, from the moment on that an invocation is seen: as many in its first hundredths of a second, where
# short functions are at work, as in its last tenths.
SOON_SECONDS, LATE_SECONDS = 0.01, 1.5
# After this share of kills the function's next invocation is killed too: often it is the retry, the only one there is.
AGAIN, AGAIN_WITHIN_SECONDS = 0.3, 3.0
# Of a round's kills so many hit one function at most; else all would be spent on the first ones.
MOST_SHARE = 0.2
MOST_RECONCILIATIONS = 10
ENDED_SECONDS = 900
KILLED = "Runtime.ExitError"
# Ends of an execution that a redrive changes nothing about.
RAN_TO_THEIR_END = {"UploadRejected", "RejectionNotTold", "ReportMissing", "PublicationConflicted"}
# One model's forecast stands where another was killed, and none where all were.
OF_THE_MODELS_THAT_SURVIVED = {FORECAST.name, APPLIANCE_FORECAST.name}

type Tables = dict[tuple[str, ...], bytes]


@dataclass
class Killer:
    """Kills up to `most` invocations, each once, and not too many of one function: some die in each."""

    aws: LocalAws
    chance: random.Random
    most: int
    _killed: dict[str, str] = field(default_factory=dict)
    _done: threading.Event = field(default_factory=threading.Event)
    _again: tuple[str, float] = ("", 0.0)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Kills meanwhile."""
        thread = threading.Thread(target=self._kill_them, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    def _kill_them(self) -> None:
        while not self._done.wait(0.005) and len(self._killed) < self.most:
            if working := self._working():
                victim = min(working, key=lambda one: (*self._turn(one), self.chance.random()))
                self._done.wait(SOON_SECONDS * (LATE_SECONDS / SOON_SECONDS) ** self.chance.random())
                if victim in self._working():
                    self._kill(victim)

    def _kill(self, victim: Invocation) -> None:
        # It may have been put to rest in this very moment.
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim.pid, signal.SIGKILL)
        self._killed[victim.request_id] = victim.function
        again = self.chance.random() < AGAIN
        self._again = (victim.function, time.monotonic() + AGAIN_WITHIN_SECONDS) if again else ("", 0.0)

    def _working(self) -> list[Invocation]:
        return [
            one for one in self.aws.working() if one.request_id not in self._killed and self._times(one) < self._most
        ]

    @property
    def _most(self) -> int:
        """Of one function."""
        return math.ceil(MOST_SHARE * self.most)

    def _times(self, one: Invocation) -> int:
        return list(self._killed.values()).count(one.function)

    def _turn(self, one: Invocation) -> tuple[bool, int]:
        function, until = self._again
        is_again = function == one.function and time.monotonic() < until
        return not is_again, self._times(one)


@dataclass(frozen=True)
class Published:
    """What the manifests of the sites name: their uploads, and the bytes of their tables by table and partition."""

    uploads: dict[str, set[str]]
    tables: Tables


@dataclass(frozen=True)
class Round:
    """What a round left once it had recovered, and once each site's last file had come again; how the executions ended
    at first, how many were retried, how many were redriven or started by the reconciliation; the kills that hit an
    invocation, by state; and what else is not as it has to be.
    """

    recovered: Published
    again: Published
    ended: collections.Counter[str]
    retried: int
    restarted: int
    killed: collections.Counter[str]
    stray: list[str]


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
        with Killer(aws, chance, kills).at_work():
            _upload_all(aws)
            ended = _ended(aws)
        # From here on nothing is killed.
        retried = sum(_was_retried(aws, arn) for arn in aws.executions())
        killed = _killed(aws)
        restarted = _recover(aws)
        recovered, stray = _published(aws), _stray(aws)
        for site in SITES:
            last = aws.wait(aws.put(f"raw/{site}/3.csv", content(3, 10, DAYS)) or "", ENDED_SECONDS)
            if last.status != "SUCCEEDED":
                raise AssertionError(f"{last.error}: {last.cause}")
        again, stray = _published(aws), stray + _stray(aws)
        return Round(recovered, again, ended, retried, restarted, killed, stray)


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


def _killed(aws: LocalAws) -> collections.Counter[str]:
    """How often a process died at work, as the executions tell, by state."""
    return collections.Counter(
        change.state
        for arn in aws.executions()
        for change in aws.follow(arn)
        if change.status == "failed" and (change.detail or "").startswith(KILLED)
    )


def _recover(aws: LocalAws) -> int:
    """What a person does about failed executions, then what the daily reconciliation does; how many were started."""
    started = 0
    for arn in aws.executions():
        done = aws.wait(arn)
        if done.status != "SUCCEEDED" and done.error not in RAN_TO_THEIR_END:
            # moto knows no redrive; the same input from the first state on has to come to the same.
            found = aws.client("stepfunctions").describe_execution(executionArn=arn)
            redriven = aws.wait(aws.start(json.loads(found["input"])), ENDED_SECONDS)
            if redriven.status != "SUCCEEDED":
                raise AssertionError(f"{redriven.error}: {redriven.cause}")
            started += 1
    for _ in range(MOST_RECONCILIATIONS):
        answer = aws.invoke("reconcile", {"grace_minutes": 0})
        if answer.error_type is not None:
            raise AssertionError(answer.payload)
        if not answer.payload["started"]["count"]:
            return started
        started += answer.payload["started"]["count"]
        _ended(aws)
    raise AssertionError(f"{MOST_RECONCILIATIONS} reconciliations left something to start")


def _published(aws: LocalAws) -> Published:
    manifests = [_manifest(aws, site) for site in SITES]
    s3 = aws.client("s3")
    tables = {}
    for name, partition in ((name, one) for found in manifests for name, held in found.tables.items() for one in held):
        key = partition.prefix + TABLES[name].file_name
        tables[name, *partition.values] = s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read()
    return Published({found.site: set(found.uploads) for found in manifests}, tables)


def _manifest(aws: LocalAws, site: str) -> Manifest:
    body = aws.client("s3").get_object(Bucket=aws.bucket, Key=lake.manifest_key(site))["Body"].read()
    return Manifest.model_validate_json(body)


def _stray(aws: LocalAws) -> list[str]:
    """Tables that the catalog finds elsewhere than the manifests, and what still waits to be published."""
    wanted: dict[str, dict[tuple[str, ...], str]] = {name: {} for name in TABLES}
    for manifest in (_manifest(aws, site) for site in SITES):
        for name, partitions in manifest.tables.items():
            wanted[name] |= {tuple(one.values): f"s3://{aws.bucket}/{one.prefix}" for one in partitions}
    found = []
    for name, locations in wanted.items():
        pages = aws.client("glue").get_paginator("get_partitions").paginate(DatabaseName="energy_db", TableName=name)
        partitions = [one for page in pages for one in page["Partitions"]]
        if {tuple(one["Values"]): one["StorageDescriptor"]["Location"] for one in partitions} != locations:
            found.append(f"the catalog's {name}")
    waiting = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix="pending/").get("Contents", [])
    return found + [one["Key"] for one in waiting]


def different(quiet: Published, killed: Published, but: set[str]) -> list[str]:
    """The sites whose uploads, and the tables' partitions that are not the same, `but` these tables."""
    keys = {key for key in quiet.tables.keys() | killed.tables.keys() if key[0] not in but}
    tables = ["/".join(key) for key in sorted(keys) if quiet.tables.get(key) != killed.tables.get(key)]
    sites = quiet.uploads.keys() | killed.uploads.keys()
    return [site for site in sorted(sites) if quiet.uploads.get(site) != killed.uploads.get(site)] + tables


def wrong(quiet: Round, killed: Round) -> list[str]:
    """All that is not as in a quiet run."""
    recovered = different(quiet.recovered, killed.recovered, but=RECORDS | OF_THE_MODELS_THAT_SURVIVED)
    return recovered + different(quiet.again, killed.again, but=RECORDS) + killed.stray


def main() -> None:
    """Prints a line for each round and the sum of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    quiet = play(0, random.Random(0))
    print(f"quiet: {len(quiet.recovered.tables)} files, {dict(quiet.ended)}", flush=True)
    total: collections.Counter[str] = collections.Counter()
    retried = restarted = other = number = 0
    while total.total() < arguments.kills:
        number += 1
        wanted = min(KILLS_A_ROUND, arguments.kills - total.total())
        found = play(wanted, random.Random(f"{arguments.seed}/{number}"))
        differences = wrong(quiet, found)
        total += found.killed
        retried += found.retried
        restarted += found.restarted
        other += bool(differences)
        print(
            f"round {number}: {found.killed.total()} invocations killed, {found.retried} executions retried, ended "
            f"{dict(found.ended)}, {found.restarted} started again, different: {differences or 'nothing'}",
            flush=True,
        )
        if not found.killed:
            sys.exit("no invocation could be killed")
    took = time.monotonic() - began
    print(f"{total.total()} invocations killed: {dict(total.most_common())}")
    print(f"{retried} executions retried, {restarted} redriven or started by the reconciliation, {took:.0f} s")
    print(f"rounds that published other bytes than the quiet run: {other} of {number}")
    sys.exit(other > 0)


if __name__ == "__main__":
    main()
