"""Arrows between the folders, doors to the outside, and what each handler may load."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from energy import errors
from energy.errors import EnergyError

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "layers" / "core" / "energy"
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
DOORS = {
    "store.py": {"boto3", "botocore"},
    "catalog.py": {"boto3", "botocore"},
    "executions.py": {"boto3", "botocore"},
    "notices.py": {"boto3"},
    "settings.py": {"os"},
    "secrets_manager.py": {"boto3"},
    # langchain makes the client; how long it may wait is said in botocore's words.
    "report/providers/bedrock.py": {"botocore"},
}
HEAVY = {
    "altair",
    "fastparquet",
    "langchain_aws",
    "langchain_core",
    "langchain_openai",
    "langsmith",
    "numba",
    "numpy",
    "openai",
    "pandas",
    "polars",
    "prophet",
    "pyarrow",
    "scipy",
    "statsforecast",
    "vl_convert",
}
MAY_LOAD = {"validate": {"polars"}, "aggregate": {"polars"}, "detect_anomalies": {"polars"}}


def imported_names(path: Path) -> set[str]:
    """Every module that a file imports, dotted, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported_names(path)}


def test_there_is_a_function_for_every_task_for_each_daily_chore_and_for_telling_people():
    assert FUNCTIONS == [
        "aggregate",
        "collect_garbage",
        "detect_anomalies",
        "explain_failure",
        "forecast_prophet",
        "forecast_statsforecast",
        "generate_report",
        "list_backlog",
        "notify_slack",
        "reconcile",
        "refresh_partitions",
        "validate",
    ]


def test_core_imports_neither_the_functions_nor_the_shells():
    for path in CORE.rglob("*.py"):
        assert not roots(path) & {"app", "cli", "functions", "jobs", "local"}, path


def test_functions_import_only_core_and_powertools():
    for verb in FUNCTIONS:
        foreign = roots(ROOT / "functions" / verb / "app.py") - {"aws_lambda_powertools", "energy"}
        assert foreign <= set(sys.stdlib_module_names), (verb, foreign)


def test_only_the_doors_touch_aws_and_the_environment():
    for path in CORE.rglob("*.py"):
        allowed = DOORS.get(path.relative_to(CORE).as_posix(), set())
        assert not (roots(path) & {"boto3", "botocore"}) - allowed, path
        if "os" not in allowed:
            assert not re.search(r"\bos\.(environ|getenv)\b", path.read_text()), path


def test_handlers_are_at_most_forty_lines_and_catch_nothing():
    for verb in FUNCTIONS:
        source = (ROOT / "functions" / verb / "app.py").read_text()
        assert len(source.splitlines()) <= 40, verb
        assert not any(isinstance(node, ast.Try) for node in ast.walk(ast.parse(source))), verb


def test_every_error_is_an_energy_error_that_writes_its_own_message():
    found = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(found) >= 8
    assert all(issubclass(error, EnergyError) and error.__doc__ for error in found)


@pytest.mark.parametrize("verb", FUNCTIONS)
def test_importing_a_handler_loads_no_library_that_it_must_not(verb):
    loaded = modules_after_import("app", ROOT / "functions" / verb)
    assert "energy.observability" in loaded
    roots_loaded = {name.split(".")[0] for name in loaded}
    assert not roots_loaded & (HEAVY - MAY_LOAD.get(verb, set())), verb


def test_importing_the_contracts_and_the_doors_is_light():
    loaded = modules_after_import("energy.contracts, energy.store, energy.catalog, energy.schema, energy.lake", CORE)
    assert not {name.split(".")[0] for name in loaded} & HEAVY


def modules_after_import(modules: str, folder: Path) -> set[str]:
    code = f"import {modules}, sys, json; print(json.dumps(sorted(sys.modules)))"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'layers' / 'core'}",
        "POWERTOOLS_METRICS_NAMESPACE": "Energy",
        "POWERTOOLS_SERVICE_NAME": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))
