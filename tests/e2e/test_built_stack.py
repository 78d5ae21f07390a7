"""What `sam build` made of the small stack, run with nothing beside it but what Lambda itself brings."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local import LocalAws

SMALL = Path(__file__).parent / "small_stack"


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    stack = tmp_path_factory.mktemp("built") / "stack"
    shutil.copytree(SMALL, stack, ignore=shutil.ignore_patterns(".aws-sam", "__pycache__"))
    sam = Path(sys.executable).with_name("sam")
    subprocess.run(
        [sam, "build"],
        cwd=stack,
        check=True,
        capture_output=True,
        env=os.environ | {"SAM_CLI_TELEMETRY": "0", "PATH": f"{sam.parent}{os.pathsep}{os.environ['PATH']}"},
    )
    for source in ("functions", "layers"):  # only what was built can run
        shutil.rmtree(stack / source)
    with LocalAws(template=stack / "template.yaml", built=True, skip_retry_waits=True) as aws:
        yield aws


def test_a_built_function_runs_with_its_built_layer(aws):
    assert aws.invoke("double", {"number": 4}).payload["number"] == 8


def test_a_built_stack_runs_its_state_machine(aws):
    done = aws.wait(aws.put("raw/home/march.csv", b"12345"), timeout_seconds=60)
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert done.output["left"]["number"] == 10


@pytest.mark.parametrize("module", ["boto3", "botocore", "urllib3", "sqlite3"])
def test_the_bare_runtime_has_what_lambda_brings(aws, module):
    assert aws.invoke("fragile", {"do": "import", "module": module}).payload == {"imported": module}


@pytest.mark.parametrize("module", ["polars", "pandas", "numpy", "pydantic", "energy", "moto", "pytest", "local"])
def test_the_bare_runtime_has_nothing_else(aws, module):
    result = aws.invoke("fragile", {"do": "import", "module": module})
    assert result.error_type == "ModuleNotFoundError"


def test_a_stack_that_was_not_built_says_so(tmp_path):
    (tmp_path / "template.yaml").write_text((SMALL / "template.yaml").read_text())
    code = "import pathlib, sys, local; local.LocalAws(template=pathlib.Path(sys.argv[1]), built=True).__enter__()"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "template.yaml")],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "run `make build` first" in done.stderr
