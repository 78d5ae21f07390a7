"""What one upload, and one day without any, take of what AWS bills: measured on the local AWS.

    python benchmarks/cost.py [--write]

The CPU seconds of each function, started cold as it will be where uploads are hours apart; requests to S3 and Glue by
the functions; state transitions; bytes kept and logged; custom metrics. --write replaces cli/data/measured.json.
Seconds on the clock would be those of this machine and whatever else it does; CPU seconds are not.
"""

import argparse
import collections
import datetime as dt
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from moto.moto_server.werkzeug_app import DomainDispatcherApplication

import energy
from cli import synthetic
from local import LocalAws

DAYS, SITE = 30, "home"
ROUNDS = 3
WRITES = {"PUT", "POST", "DELETE"}
TARGET = Path(__file__).resolve().parents[1] / "cli" / "data" / "measured.json"
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    rounds = [measure() for _ in range(ROUNDS)]
    functions = {
        verb: round(statistics.median(each["cpu_seconds"][verb] for each in rounds), 2)
        for verb in rounds[0]["cpu_seconds"]
    }
    document = {
        "measured_on": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "code_version": energy.__version__,
        "command": "python benchmarks/cost.py --write",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "upload": f"{DAYS} days of hourly readings of 4 appliances; every function started cold; median of {ROUNDS}",
        **rounds[0],
        "cpu_seconds": functions,
    }
    text = json.dumps(document, indent=1) + "\n"
    print(text)
    if arguments.write:
        TARGET.write_text(text)


def measure() -> dict[str, Any]:
    """One upload in a new local AWS, then what runs once a day."""
    requests: collections.Counter[str] = collections.Counter()
    cpu: dict[str, float] = {}
    dispatch = DomainDispatcherApplication.__call__

    def counted(self: Any, environ: Any, start_response: Any) -> Any:
        who = environ.get("HTTP_AUTHORIZATION", "")
        if "Credential=function/" in who:
            service = who.split("Credential=", 1)[1].split("/")[3]
            lists = "list-type=" in environ["QUERY_STRING"] or "versions" in environ["QUERY_STRING"]
            kind = "write" if environ["REQUEST_METHOD"] in WRITES or lists else "read"
            requests[f"{service}_{kind}"] += 1
        return dispatch(self, environ, start_response)

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(DomainDispatcherApplication, "__call__", counted),
        LocalAws(warm=False, skip_retry_waits=True) as aws,
    ):
        path = Path(folder) / "readings.csv"
        path.write_bytes(synthetic.to_csv(synthetic.readings(dt.date(2026, 3, 2), DAYS, 42, 0.1).drop("is_anomaly")))
        done = aws.wait(aws.upload(path, f"raw/{path.name}"), timeout_seconds=900)
        if done.status != "SUCCEEDED":
            raise AssertionError(f"{done.error}: {done.cause}")
        of_upload = dict(requests)
        for sandbox in aws._runtime._all:
            cpu[aws.verbs[sandbox._function.name]] = _cpu_seconds(sandbox._process.pid)
        logged = sum(len(aws.log(verb).encode()) for verb in cpu)
        metrics = {name for verb in cpu for name in _metrics(aws.log(verb))}
        requests.clear()
        daily = [verb for verb in aws.verbs.values() if verb in {"reconcile", "collect_garbage"}]
        for verb in daily:
            answer = aws.invoke(verb, {})
            if answer.error_type is not None:
                raise AssertionError(answer.payload)
        for sandbox in aws._runtime._all:
            cpu.setdefault(aws.verbs[sandbox._function.name], _cpu_seconds(sandbox._process.pid))
        versions = aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=aws.bucket)
        stored = sum(each["Size"] for page in versions for each in page.get("Versions", []))
        return {
            "cpu_seconds": cpu,
            "daily": daily,
            "requests_an_upload": dict(sorted(of_upload.items())),
            "requests_a_day": dict(sorted(requests.items())),
            "transitions_an_upload": sum(event["type"].endswith("StateEntered") for event in done.history),
            "history_events": len(done.history),
            "bytes_stored_an_upload": stored,
            "bytes_logged_an_upload": logged,
            "custom_metrics": len(metrics),
        }


def _cpu_seconds(pid: int) -> float:
    """Of a process and the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(each) for each in fields[11:15]) / _TICKS


def _metrics(log: str) -> set[tuple[str, ...]]:
    """Namespace, name and dimensions' values of the metrics that a log announces in CloudWatch's embedded format."""
    found = set()
    for line in log.splitlines():
        if '"_aws"' not in line:
            continue
        document = json.loads(line[line.index("{") :])
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for dimensions in directive["Dimensions"]:
                values = [f"{name}={document[name]}" for name in dimensions]
                found |= {(directive["Namespace"], metric["Name"], *values) for metric in directive["Metrics"]}
    return found


if __name__ == "__main__":
    main()
