"""How long each built handler takes to import, as in a cold start, beside what it may take.

    python -m tools.imports [--times 5]

CPU seconds of a new process with the package, its layers and boto3, less those of a process that imports nothing; the
median of several. Exit 1 where one is over its budget.
"""

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from local.lambda_runtime import bare_runtime

BUILT = Path(__file__).resolve().parents[1] / ".aws-sam" / "build"
# CPU seconds. A new function has to be given one.
BUDGET_SECONDS = {
    "validate": 1.0,
    "aggregate": 1.0,
    "detect_anomalies": 1.0,
    "forecast_prophet": 4.0,
    "forecast_statsforecast": 4.0,
    "generate_report": 1.5,
    "refresh_partitions": 0.5,
    "reconcile": 0.5,
    "collect_garbage": 0.5,
    "explain_failure": 0.5,
    "notify_slack": 0.5,
    "list_backlog": 0.5,
}
# What a handler imports when it is first called belongs to its cold start as well.
FIRST_CALL = {
    "validate": "import polars, energy.intake.judging",
    "aggregate": "import polars, energy.drafting",
    "detect_anomalies": "import polars, energy.anomalies",
    "forecast_prophet": "import pandas, fastparquet, prophet",
    "forecast_statsforecast": "import pandas, fastparquet, statsforecast, statsforecast.models",
    "generate_report": "import altair, jinja2, vl_convert, energy.report",
}


def measured(times: int, built: Path = BUILT) -> Iterator[tuple[str, float]]:
    """The median CPU seconds of each function's imports, by the name of its folder."""
    template: dict[str, Any] = yaml_parse((built / "template.yaml").read_text())
    source: dict[str, Any] = yaml_parse((built.parents[1] / "template.yaml").read_text())
    with tempfile.TemporaryDirectory() as folder:
        runtime = bare_runtime(Path(folder) / "runtime")
        nothing = statistics.median(_cpu_seconds("pass", [runtime]) for _ in range(times))
        for logical_id, found in template["Resources"].items():
            if found["Type"] != "AWS::Serverless::Function":
                continue
            verb = source["Resources"][logical_id]["Properties"]["CodeUri"].rpartition("/")[2]
            layers = [built / layer["Ref"] / "python" for layer in found["Properties"].get("Layers", [])]
            code = "\n".join(["import app", FIRST_CALL.get(verb, "pass"), "assert callable(app.handler)"])
            took = [_cpu_seconds(code, [built / logical_id, *layers, runtime]) for _ in range(times)]
            yield verb, max(0.0, statistics.median(took) - nothing)


def _cpu_seconds(code: str, folders: list[Path]) -> float:
    environment = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "HOME": tempfile.gettempdir(),
        "LAKE_BUCKET": "lake",
        "PATH": os.defpath,
        "POWERTOOLS_METRICS_NAMESPACE": "test",
        "POWERTOOLS_SERVICE_NAME": "test",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # As in Lambda, nothing can be written beside a function: what is not compiled ahead is compiled each time.
    command = [
        sys.executable,
        "-I",
        "-S",
        "-B",
        "-c",
        f"import sys; sys.path[:0] = {[str(each) for each in folders]!r}\n{code}",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    if not (BUILT / "template.yaml").exists():
        sys.exit("Nothing is built yet: make build")
    over = []
    with contextlib.suppress(BrokenPipeError):
        print(f"{'function':<24} {'CPU s':>6} {'budget':>7}   median of {times}")
        for verb, seconds in measured(times):
            budget = BUDGET_SECONDS[verb]
            over += [verb] if seconds > budget else []
            print(f"{verb:<24} {seconds:>6.2f} {budget:>7.2f}{'   over' if seconds > budget else ''}", flush=True)
    sys.exit(bool(over))


if __name__ == "__main__":
    main()
