"""A lake on moto, in this process: what a handler sees of AWS."""

import importlib.util
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from energy import catalog, executions, notices, secrets_manager, settings, store
from energy.schema import TABLES

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "lake"


@pytest.fixture
def lake_on_moto(monkeypatch):
    """The S3 client of an empty, versioned lake; `energy.store` and `energy.catalog` talk to the same."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "LAKE_BUCKET": BUCKET,
        "POWERTOOLS_METRICS_NAMESPACE": "Energy",
        "POWERTOOLS_SERVICE_NAME": "test",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    _forget()
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield s3
    _forget()


@pytest.fixture
def glue_on_moto(lake_on_moto):
    """The Glue client of an account that has the lake's database and tables."""
    glue = boto3.client("glue")
    glue.create_database(DatabaseInput={"Name": "energy_db"})
    for table in TABLES.values():
        glue.create_table(
            DatabaseName="energy_db",
            TableInput={
                "Name": table.name,
                "StorageDescriptor": {
                    "Columns": [{"Name": c.name, "Type": c.type} for c in table.columns],
                    "Location": f"s3://{BUCKET}/{table.area}/",
                },
                "PartitionKeys": [{"Name": c.name, "Type": c.type} for c in table.partition_keys],
            },
        )
    return glue


@pytest.fixture
def load_handler():
    """Loads functions/<verb>/app.py under a name of its own and returns its handler."""

    def load(verb):
        spec = importlib.util.spec_from_file_location(f"{verb}_app", ROOT / "functions" / verb / "app.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.handler

    return load


class Context:
    """What the Lambda runtime passes besides the event."""

    function_name = "test"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:test"
    aws_request_id = "request"


@pytest.fixture
def context():
    """A Lambda context."""
    return Context()


def _forget():
    settings.settings.cache_clear()
    store.client.cache_clear()
    catalog.client.cache_clear()
    executions.client.cache_clear()
    executions.queue_client.cache_clear()
    notices.topic_client.cache_clear()
    secrets_manager.client.cache_clear()
    secrets_manager.secret.cache_clear()


@pytest.fixture
def validated(lake_on_moto, load_handler, context):
    """Uploads text and validates it."""
    handler = load_handler("validate")

    def run(content, key="raw/a.csv", sequencer="0A"):
        answer = lake_on_moto.put_object(Bucket="lake", Key=key, Body=content.encode())
        found = {"key": key, "size": len(content), "etag": answer["ETag"].strip('"'), "sequencer": sequencer}
        return handler({"bucket": {"name": "lake"}, "object": found | {"version-id": answer["VersionId"]}}, context)

    return run


@pytest.fixture
def aggregate(load_handler, context):
    handler = load_handler("aggregate")
    return lambda output: handler({"validated": output}, context)
