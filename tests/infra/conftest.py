"""The template as CloudFormation will see it, without AWS and without a network."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / ".aws-sam" / "build"
MANAGED_POLICIES = {
    "AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "AWSXRayDaemonWriteAccess": "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess": "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
}


class ManagedPolicies:
    """What SAM would ask IAM for."""

    def load(self) -> dict[str, str]:
        return MANAGED_POLICIES


def transformed() -> dict[str, Any]:
    """template.yaml after SAM's transform; code lies at a made-up place in S3, as after `sam package`."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    for resource in template["Resources"].values():
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = "s3://artifacts/code"
    return transform(template, {}, ManagedPolicies())


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    """template.yaml as written."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@pytest.fixture(scope="session")
def transformed_template() -> dict[str, Any]:
    """template.yaml after SAM's transform."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        return transformed()


@pytest.fixture(scope="session")
def resources(transformed_template) -> dict[str, dict[str, Any]]:
    """The stack's resources by logical id."""
    return transformed_template["Resources"]


@pytest.fixture(scope="session")
def built_template() -> dict[str, Any]:
    """The built template, after a build of what has changed since the last one."""
    environment = {
        **os.environ,
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    build = [Path(sys.executable).parent / "sam", "build"]
    BUILT.parent.mkdir(exist_ok=True)
    # Workers share what was built: the first one builds, and none builds anew beneath the others' feet.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
    with (BUILT.parent / "build.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if not run or lock.read() != run:
            lock.truncate(0)
            done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-3000:]
            lock.write(run)
    return yaml_parse((BUILT / "template.yaml").read_text())
