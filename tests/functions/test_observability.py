"""What the functions write about themselves: log lines that can be put together, metrics that CloudWatch can read.

In processes of their own, as on Lambda: Powertools reads the environment once.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = """
import contextlib
from aws_lambda_powertools.metrics import MetricUnit
from energy.errors import InputRejected
from energy.observability import logger, metrics, observed
class Context:
    function_name, memory_limit_in_mb, aws_request_id = "f", 128, "request"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
context = Context()
"""
VALIDATE = {"bucket": {"name": "lake"}, "object": {"key": "raw/home/a.csv", "version-id": "v1"}, "execution": "run-1"}
LATER = {
    "execution": "run-1",
    "validated": {"key": "raw/home/a.csv", "site": "home", "run_id": "r", "upload": {"version": "v1"}},
    "publication": {"site": "home", "run_id": "r", "pub": "p"},
}


def lines(code: str) -> tuple[list[dict], str]:
    """What a function writes to its log, line by line, and what it warns of."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "layers" / "core"),
        "POWERTOOLS_METRICS_NAMESPACE": "EnergyAnalytics",
        "POWERTOOLS_SERVICE_NAME": "validate",
        "LAKE_BUCKET": "lake",
        "STACK_NAME": "energy",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code], env=environment, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def emf(found: list[dict]) -> list[tuple]:
    """The metrics among the lines: namespace, name to value, and the dimensions that they are written under."""
    metrics = []
    for line in found:
        if "_aws" in line:
            (directive,) = line["_aws"]["CloudWatchMetrics"]
            names = [metric["Name"] for metric in directive["Metrics"]]
            dimensions = [{name: line[name] for name in each} for each in directive["Dimensions"]]
            metrics.append((directive["Namespace"], {name: line[name] for name in names}, dimensions))
    return metrics


def test_metrics_are_lines_that_cloudwatch_reads_with_two_dimensions():
    found, warned = lines(f"""
@observed
def handler(event, context):
    metrics.add_metric("RowsAccepted", MetricUnit.Count, 7)
    return {{}}
for _ in range(2):  # a warm function like a cold one
    handler({VALIDATE!r}, context)
""")
    written = ("EnergyAnalytics", {"RowsAccepted": [7.0]}, [{"stack": "energy", "service": "validate"}])
    assert emf(found) == [written, written]
    assert warned == ""


def test_metrics_are_written_where_the_handler_fails_and_refusals_are_counted():
    found, _ = lines(f"""
@observed
def handler(event, context):
    metrics.add_metric("RowsRejected", MetricUnit.Count, 3)
    raise InputRejected("NOT_CSV", "it is a picture")
with contextlib.suppress(InputRejected):
    handler({VALIDATE!r}, context)
""")
    ((_, values, _),) = emf(found)
    assert values == {"RowsRejected": [3.0], "UploadsRefused": [1.0]}


def test_log_lines_say_what_they_are_about_and_forget_it_before_the_next_event():
    found, warned = lines(f"""
@observed
def handler(event, context):
    logger.info("at work")
    return {{}}
handler({LATER!r}, context)
handler({{}}, context)
""")
    first, second = found
    told = {
        "execution": "run-1",
        "upload": "raw/home/a.csv",
        "version": "v1",
        "site": "home",
        "run_id": "r",
        "pub": "p",
    }
    assert told.items() <= first.items()
    assert (second["message"], second["service"]) == ("at work", "validate")
    assert not told.keys() & second.keys()
    # A handler without metrics writes none, and nobody is warned of it.
    assert emf(found) == []
    assert warned == ""


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (VALIDATE, {"execution": "run-1", "upload": "raw/home/a.csv", "version": "v1"}),
        ({"publication": {"site": "home", "pub": ""}}, {"site": "home"}),
        (
            {"validated": {"key": "raw/a", "upload": None, "deletion": {"version": "m"}}},
            {"upload": "raw/a", "version": "m"},
        ),
        ({"dry_run": True}, {}),
        ({"validated": None, "object": "odd", "execution": 7}, {}),
    ],
)
def test_an_event_says_what_it_is_about_as_far_as_it_does(lake_on_moto, event, expected):
    from energy.observability import correlation  # reads the environment of a function

    assert correlation(event) == expected
