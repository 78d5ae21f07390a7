"""What deploys the stack: the sam command's configuration, the make targets, the workflows; as far as moto goes."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import boto3
import pytest
import yaml
from moto import mock_aws
from moto.server import ThreadedMotoServer
from samtranslator.yaml_helper import yaml_parse

from tools.destroy import destroy, left_behind
from tools.overrides import merged
from tools.zips import BUILT, archives

ROOT = Path(__file__).resolve().parents[2]
CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())
PARAMETERS = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}


def overrides(stage: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in CONFIG[stage]["deploy"]["parameters"]["parameter_overrides"].split())


def test_a_guided_deployment_needs_no_answer_but_the_stacks_name():
    assert len(PARAMETERS) >= 7
    assert [name for name, parameter in PARAMETERS.items() if "Default" not in parameter] == []
    assert CONFIG["default"]["deploy"]["parameters"]["resolve_s3"] is True


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_stage_sets_parameters_that_exist_to_what_they_may_be(stage):
    assert overrides(stage)
    for name, value in overrides(stage).items():
        parameter = PARAMETERS[name]
        assert value in [str(each) for each in parameter.get("AllowedValues", [value])], name
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value), name


def test_dev_and_prod_fit_beside_each_other_and_prod_is_asked_for():
    names = {CONFIG[stage]["global"]["parameters"]["stack_name"] for stage in ("default", "dev", "prod")}
    assert len(names) == 3
    databases = [
        overrides(stage).get("DatabaseName", PARAMETERS["DatabaseName"]["Default"]) for stage in ("dev", "prod")
    ]
    assert len(set(databases)) == 2
    assert CONFIG["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


def dry_run(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["make", "--dry-run", *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "CI"} | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_make_deploys_the_archives_whose_digests_it_has_told():
    said = dry_run("deploy", "ENV=prod")
    assert said.index("tools.zips") < said.index("sam deploy")
    assert "--template-file .aws-sam/zips/template.yaml" in said
    assert "--config-env prod" in said
    assert "--no-confirm-changeset" not in said
    assert "--no-confirm-changeset" in dry_run("deploy", "ENV=prod", CI="true")


MAKEFILES = sorted([*(ROOT / "layers").glob("*/Makefile"), *(ROOT / "functions").glob("*/Makefile")])


@pytest.mark.parametrize(
    ("architecture", "machine"), [(None, "x86_64"), ("x86_64", "x86_64"), ("arm64", "aarch64")], ids=str
)
@pytest.mark.parametrize("makefile", MAKEFILES, ids=lambda path: path.parent.name)
def test_packages_are_made_of_wheels_for_the_processor_that_is_asked_for(makefile, architecture, machine):
    (target,) = re.findall(r"^(build-\w+):", makefile.read_text(), re.MULTILINE)
    done = subprocess.run(
        ["make", "--dry-run", "-C", makefile.parent, target, "ARTIFACTS_DIR=/tmp/artifacts"],
        env={name: value for name, value in os.environ.items() if name != "ARCH"}
        | ({"ARCH": architecture} if architecture else {}),
        check=True,
        capture_output=True,
        text=True,
    )
    platforms = re.findall(r"--platform (\S+)", done.stdout)
    assert len(platforms) == 8
    assert all(platform.endswith(f"_{machine}") for platform in platforms), platforms


def test_make_deploys_for_the_processor_that_it_builds_for():
    said = dry_run("deploy", "ARCH=arm64")
    assert "sam build --parameter-overrides Architecture=arm64" in said
    assert "tools.zips --architecture arm64" in said
    assert "tools.overrides dev Architecture=arm64" in said
    assert "arm64" not in dry_run("deploy")
    # What `sam build` hands on to the Makefiles of layers and functions.
    mentions = subprocess.run(
        ["make", "--no-print-directory", "-f", "-", "told", "ARCH=arm64"],
        cwd=ROOT,
        input="include packaging.mk\ntold:\n\t@echo $$ARCH\n",
        check=True,
        capture_output=True,
        text=True,
    )
    assert mentions.stdout.strip() == "arm64"


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_stage_keeps_its_parameters_where_more_are_named(stage):
    found = dict(pair.split("=", 1) for pair in merged(stage, ["Architecture=arm64"]))
    assert found == overrides(stage) | {"Architecture": "arm64"}


def test_a_stage_that_says_otherwise_is_asked_about(tmp_path):
    config = tmp_path / "samconfig.toml"
    config.write_text('version = 0.1\n[dev.deploy.parameters]\nparameter_overrides = "Architecture=arm64"\n')
    assert merged("dev", ["Architecture=arm64"], config) == ["Architecture=arm64"]
    with pytest.raises(ValueError, match="sets Architecture=arm64 for dev, and x86_64 was asked for"):
        merged("dev", ["Architecture=x86_64"], config)
    with pytest.raises(ValueError, match=r"has no stage tset; it has dev$"):
        merged("tset", [], config)


def test_make_destroys_no_data_unless_told():
    assert "tools.destroy energy-analytics-dev" in dry_run("destroy")
    assert "--delete-data" not in dry_run("destroy")
    assert "--delete-data" not in dry_run("destroy", "DATA=no")
    assert "--delete-data" in dry_run("destroy", "DATA=delete", "ENV=dev")


def steps(name: str) -> list[dict]:
    return [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"]]


def test_workflows_may_do_no_more_than_they_need():
    assert set(WORKFLOWS) == {"ci", "deploy"}
    assert WORKFLOWS["ci"]["permissions"] == {"contents": "read"}
    assert WORKFLOWS["deploy"]["permissions"] == {}
    (job,) = WORKFLOWS["deploy"]["jobs"].values()
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert job["environment"] == "${{ inputs.environment }}"
    assert job["if"] == "inputs.environment != 'prod' || github.ref == 'refs/heads/main'"
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        assert "secrets." not in path.read_text()
        assert "pull_request_target" not in path.read_text()


@pytest.mark.parametrize("name", ["ci", "deploy"])
def test_workflows_run_what_exists_and_put_no_input_into_a_shell(name):
    assert len(steps(name)) >= 4
    for step in steps(name):
        if action := step.get("uses"):
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", action)
            continue
        assert "${{" not in step["run"]
        command, *arguments = step["run"].split()
        if command == "make":
            dry_run(arguments[0])
        else:
            assert os.access(ROOT / command, os.X_OK), command


def test_a_deployment_ends_with_the_smoke_test():
    said = [step.get("run", "").split(" ENV=")[0] for step in steps("deploy")]
    assert said[-2:] == ["make deploy", "make smoke"]


STACK = {
    "Resources": {
        "Lake": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "readings"}},
        "Queue": {"Type": "AWS::SQS::Queue"},
    }
}


@pytest.fixture
def stack(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "person")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("cloudformation").create_stack(StackName="energy", TemplateBody=json.dumps(STACK))
        s3 = boto3.client("s3")
        s3.put_bucket_versioning(Bucket="readings", VersioningConfiguration={"Status": "Enabled"})
        for content in (b"1", b"2"):
            s3.put_object(Bucket="readings", Key="raw/a.csv", Body=content)
        s3.delete_object(Bucket="readings", Key="raw/a.csv")
        yield s3


def test_a_destroyed_stack_leaves_its_data(stack):
    assert destroy("energy", False, boto3.client) == ["readings"]
    assert len(stack.list_object_versions(Bucket="readings")["Versions"]) == 2
    assert boto3.client("sqs").list_queues().get("QueueUrls", []) == []


def test_the_key_that_a_lake_was_encrypted_with_is_told_of():
    assert left_behind([], "energy") == []
    (told,) = left_behind(["1234-key"], "energy")
    assert "1234-key" in told
    assert "schedule-key-deletion" in told


def test_a_destroyed_stack_takes_its_data_along_where_that_is_said(stack):
    assert destroy("energy", True, boto3.client) == ["readings"]
    assert stack.list_buckets()["Buckets"] == []


def test_data_is_deleted_only_after_its_name_was_typed():
    done = subprocess.run(
        [sys.executable, "-m", "tools.destroy", "energy", "--delete-data"],
        cwd=ROOT,
        input="enrgy\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "nothing was deleted" in done.stderr


def libraries(folder: str, names: list[str]) -> set[str]:
    """What makes packages large. The core layer keeps its own: programs, compiled modules, thousands of files."""
    package = Path(folder).relative_to(BUILT).parts[:1]
    if package in {(), ("CoreLayer",)}:
        return set()
    return {
        name
        for name in names
        if (Path(folder) / name).is_dir() and name != "python" and not name.endswith(".dist-info")
    }


@pytest.fixture
def light_build(built_template, tmp_path):
    """What was built, without most libraries: archived and uploaded in the same way, they take minutes."""
    folder = tmp_path / ".aws-sam" / "build"
    shutil.copytree(BUILT, folder, ignore=libraries)
    shutil.copytree(ROOT / "statemachine", tmp_path / "statemachine")
    return folder


@pytest.mark.build
def test_sam_uploads_the_very_archives_that_the_digests_are_of(light_build, tmp_path):
    zips = tmp_path / ".aws-sam" / "zips"
    digests = archives(light_build, zips)
    assert (zips / "CoreLayer.zip").stat().st_size > 5 << 20
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        named = {"AWS_ACCESS_KEY_ID": "person", "AWS_SECRET_ACCESS_KEY": "person", "AWS_DEFAULT_REGION": "us-east-1"}
        s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="person",
            aws_secret_access_key="person",
        )
        s3.create_bucket(Bucket="artifacts")
        sam = Path(sys.executable).with_name("sam")
        done = subprocess.run(
            [
                sam,
                "package",
                "--template-file",
                zips / "template.yaml",
                "--s3-bucket",
                "artifacts",
                "--output-template-file",
                tmp_path / "packaged.yaml",
            ],
            cwd=ROOT,
            env={
                **os.environ,
                **named,
                "AWS_ENDPOINT_URL": endpoint,
                "SAM_CLI_TELEMETRY": "0",
                "NO_PROXY": "127.0.0.1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        uploaded = {
            hashlib.sha256(s3.get_object(Bucket="artifacts", Key=each["Key"])["Body"].read()).hexdigest()
            for each in s3.list_objects_v2(Bucket="artifacts")["Contents"]
        }
    finally:
        server.stop()
    # State machines and the job's script go as they are.
    unpacked = {name for name in digests if not (zips / f"{name}.zip").exists()}
    assert unpacked == {"Backlog", "CrunchJob", "Pipeline"}
    assert {digest for name, digest in digests.items() if name not in unpacked} <= uploaded
    packaged = yaml_parse((tmp_path / "packaged.yaml").read_text())["Resources"]
    assert all("artifacts" in json.dumps(packaged[name]["Properties"]) for name in digests)
