"""What runs once a day: when, and what it may see, start and delete."""

from fnmatch import fnmatchcase

import pytest

from energy import lake
from energy.schema import TABLES
from tests.infra.test_template import actions, bucket_keys, function_roles, keys_allowed, listed, statements

# Lambda keeps in a queue what was not done.
FAILED_CHORES = {
    "sqs:SendMessage": [{"Fn::GetAtt": ["FailedChores", "Arn"]}],
    "kms:Decrypt": [{"Fn::GetAtt": ["StackKey", "Arn"]}],
    "kms:GenerateDataKey": [{"Fn::GetAtt": ["StackKey", "Arn"]}],
}
DAILY = {"ReconcileFunction": "ReconcileSchedule", "CollectGarbageFunction": "CollectGarbageSchedule"}


@pytest.mark.parametrize(("function", "schedule"), DAILY.items())
def test_it_runs_once_a_day_and_only_its_schedule_may_call_it(resources, function, schedule):
    rule = resources[schedule]["Properties"]
    assert rule["ScheduleExpression"] == "rate(1 day)"
    assert [target["Arn"] for target in rule["Targets"]] == [{"Fn::GetAtt": [function, "Arn"]}]
    permissions = [
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Permission" and resource["Properties"]["FunctionName"] == {"Ref": function}
    ]
    assert [permission["SourceArn"] for permission in permissions] == [{"Fn::GetAtt": [schedule, "Arn"]}]
    assert permissions[0]["Principal"] == "events.amazonaws.com"


def allowed(resources, function):
    """What a role may do outside of S3's objects: action to resources."""
    return {
        action: listed(statement["Resource"])
        for statement in statements(function_roles(resources)[function])
        for action in actions(statement)
        if not bucket_keys(statement) and not action.startswith("s3:")
    }


def listable(resources, function, action):
    """The prefixes that a role may list; null where any."""
    (statement,) = [s for s in statements(function_roles(resources)[function]) if action in actions(s)]
    if "Condition" not in statement:
        return None
    return set(listed(statement["Condition"]["StringLike"]["s3:prefix"]))


def test_reconciliation_starts_the_pipeline_empties_its_queue_and_nothing_else(resources):
    execution = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${Pipeline.Name}:*"
    queue = [{"Fn::GetAtt": ["UndeliveredUploads", "Arn"]}]
    assert allowed(resources, "ReconcileFunction") == {
        "states:StartExecution": [{"Ref": "Pipeline"}],
        "states:DescribeExecution": [{"Fn::Sub": execution}],
        "sqs:ReceiveMessage": queue,
        "sqs:DeleteMessage": queue,
        "sqs:GetQueueAttributes": queue,
        **FAILED_CHORES,
    }
    assert listable(resources, "ReconcileFunction", "s3:ListBucketVersions") == {"raw/*"}
    assert not keys_allowed(function_roles(resources)["ReconcileFunction"], "s3:DeleteObject")


def test_the_collection_of_garbage_sees_nothing_of_readings_and_lists_what_it_looks_at(resources):
    function = "CollectGarbageFunction"
    assert allowed(resources, function) == FAILED_CHORES
    assert listable(resources, function, "s3:ListBucket") == {
        f"{area}*" for area in (*lake.WRITTEN_PREFIXES, "pending/")
    }
    assert listable(resources, function, "s3:ListBucketVersions") == {"manifests/*", "raw/*"}
    assert keys_allowed(function_roles(resources)[function], "s3:GetObjectVersion") == {"manifests/*"}
    assert keys_allowed(function_roles(resources)[function], "s3:GetObject") == {"quarantine/*/problems.json"}


def test_what_runs_and_publications_write_can_be_deleted_and_nothing_else(resources):
    role = function_roles(resources)["CollectGarbageFunction"]
    deletable = keys_allowed(role, "s3:DeleteObject")
    garbage = [
        lake.upload_readings_key("home", "u", "r", "2024-01"),
        lake.upload_quality_key("home", "u", "r"),
        lake.quarantine_key("home", "r", "rejected.csv"),
        lake.readings_prefix("home", "2024-01", "p") + "readings.parquet",
        *(lake.table_prefix(table.area, "home", "p") + "x.parquet" for table in TABLES.values()),
        *(lake.publication_document_key(area, "home", "p", "x") for area in ("processed", "anomalies", "forecast")),
        "forecast/history/site=home/month=2024-01/pub=p/history.parquet",
        "reports/site=home/pub=p/report.html",
    ]
    kept = [
        "raw/home/a.csv",
        "raw/processed/x/site=home/pub=p/a.csv",
        lake.site_config_key("home"),
        lake.manifest_key("home"),
        lake.latest_report_key("home"),
        lake.pending_prefix("home") + "r.json",
        "athena-results/x.csv",
    ]
    assert [key for key in garbage if not any(fnmatchcase(key, pattern) for pattern in deletable)] == []
    assert [key for key in kept if any(fnmatchcase(key, pattern) for pattern in deletable)] == []
