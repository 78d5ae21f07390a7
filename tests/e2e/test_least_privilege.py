"""A stack lives through all that can happen to it, each function under its own role: no call is refused, no grant idle.

Calls are judged by local/iam on the policies of template.yaml, as CloudFormation resolves them.
"""

import datetime as dt
import json
import time

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from readings_files import write_csv

from local import LocalAws
from local.iam import Request, decide

_LOG_DELIVERY = [
    "CreateLogDelivery",
    "DeleteLogDelivery",
    "DescribeLogGroups",
    "DescribeResourcePolicies",
    "GetLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "UpdateLogDelivery",
]
_TRACES = ["GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments"]
_OTHER_EXECUTIONS = ["DescribeExecution", "RedriveExecution", "StopExecution"]
# What no call of ours needs: AWS's services use it in the name of the role.
USED_BY_AWS = {
    # Step Functions sets up its log delivery, and sends its traces.
    *(f"{role}/DeliverLogs: logs:{each}" for role in ("PipelineRole", "BacklogRole") for each in _LOG_DELIVERY),
    *(f"{role}/Trace: xray:{each}" for role in ("PipelineRole", "BacklogRole") for each in _TRACES),
    # It hears of the end of an execution that another waits for, and stops it where that is stopped.
    *(f"BacklogRole/HearOfItsEnd: events:{each}" for each in ("DescribeRule", "PutRule", "PutTargets")),
    "BacklogRole/FollowThePipeline: states:StopExecution",
    # It makes an execution of each item of a map.
    "BacklogRole/StartChildren: states:StartExecution",
    *(f"BacklogRole/FollowChildren: states:{each}" for each in _OTHER_EXECUTIONS),
    # Lambda keeps in a queue, which is encrypted, what a function did not get done.
    "ReconcileFunctionRole/#1: sqs:SendMessage",
    "ReconcileFunctionRole/UseQueuesKey: kms:GenerateDataKey",
    "CollectGarbageFunctionRole/#1: sqs:SendMessage",
    "CollectGarbageFunctionRole/UseQueuesKey: kms:Decrypt",
    "CollectGarbageFunctionRole/UseQueuesKey: kms:GenerateDataKey",
    "ExplainFailureFunctionRole/#1: sqs:SendMessage",
    "NotifySlackFunctionRole/#1: sqs:SendMessage",
    "NotifySlackFunctionRole/UseQueuesKey: kms:Decrypt",
    "NotifySlackFunctionRole/UseQueuesKey: kms:GenerateDataKey",
}
# What tests/spark proves, where there is Spark.
BY_SPARK = (
    "CrunchJobRole/",
    "PipelineRole/RunTheJob",
    "PipelineRole/ReadWhatTheJobFound",
    "PipelineRole/DecryptObjects",
)
OPENAI = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:openai-AbCdEf"
SLACK = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:slack-AbCdEf"
GARBAGE = (
    "processed/readings/site=home/month=2020-01/pub=forgotten/readings.parquet",
    "anomalies/table/site=home/pub=forgotten/anomalies.parquet",
    "forecast/total/site=home/pub=forgotten/by=prophet/forecast.parquet",
    "reports/site=home/pub=forgotten/report.html",
    "quarantine/site=home/run=forgotten/rejected.csv",
)


CONFIGURATION = b"""
timezone: Europe/Berlin
tariff: {currency: EUR, price: 0.32, standing_per_month: 12}
plans: {Other: {currency: EUR, price: 0.30}}
co2: {country: DE}
"""


class Life:
    """The stack, and what is done to it."""

    def __init__(self, aws, folder):
        self.aws, self.folder = aws, folder

    def ended(self, execution_arn):
        done = self.aws.wait(execution_arn, timeout_seconds=600)
        return done.status if done.status == "SUCCEEDED" else f"{done.error}: {done.cause}"

    def upload(self, key, **readings):
        return self.ended(self.aws.upload(write_csv(self.folder / "readings.csv", **readings), key))

    def invoke(self, function, event=None):
        result = self.aws.invoke(function, event or {})
        assert result.error_type is None, result.payload
        return result.payload

    def unheard(self, key, content):
        """An upload that no event tells of."""
        configure = self.aws.client("s3").put_bucket_notification_configuration
        configure(Bucket=self.aws.bucket, NotificationConfiguration={})
        assert self.aws.put(key, content) is None
        configure(Bucket=self.aws.bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})

    def age(self, days):
        for versions in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[self.aws.bucket].keys.lists():
            for version in versions[1]:
                version.last_modified -= dt.timedelta(days=days)


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    parameters = {
        "Encryption": "aws:kms",
        "SlackWebhookSecretArn": SLACK,
        # Neither can answer here: each is asked, then the rules write.
        "ReportProviders": "bedrock,openai,rules",
        "ReportSeconds": "5",
        "OpenAiSecretArn": OPENAI,
    }
    with LocalAws(skip_retry_waits=True, parameters=parameters) as aws:
        life = Life(aws, tmp_path_factory.mktemp("life"))
        all_of_it(life)
        life.judged = aws.permissions.journal.read()
        yield life


def all_of_it(life):
    aws = life.aws
    aws.put("config/home.yaml", CONFIGURATION)
    # Redriven: all is written, the commit fails, and the same event makes everything write the same again.
    aws.fail_next("refresh_partitions", "InjectedError")
    first = aws.upload(write_csv(life.folder / "march.csv"), "raw/home/march.csv")
    assert life.ended(first).startswith("InjectedError")
    event = json.loads(aws.client("stepfunctions").describe_execution(executionArn=first)["input"])
    assert life.ended(aws.start(event)) == "SUCCEEDED"
    # A second file beside it, then a corrected version of it.
    assert life.upload("raw/home/april.csv", days=2, first_day=dt.date(2026, 4, 1)) == "SUCCEEDED"
    assert life.upload("raw/home/april.csv", days=3, first_day=dt.date(2026, 4, 1)) == "SUCCEEDED"
    # Bad rows; a file that is refused, and told of twice.
    assert aws.wait(aws.put("raw/home/broken.csv", b"\x89PNG\r\n\x1a\n" + bytes(2048))).error == "UploadRejected"
    refused = json.loads(aws.client("stepfunctions").describe_execution(executionArn=aws.executions()[-1])["input"])
    assert aws.wait(aws.start(refused)).error == "UploadRejected"
    # A site that comes and goes; what came back is told as a deletion of the marker.
    assert life.upload("raw/cabin/march.csv", days=2) == "SUCCEEDED"
    assert life.ended(aws.delete("raw/cabin/march.csv")) == "SUCCEEDED"
    marker = aws.client("s3").list_object_versions(Bucket=aws.bucket, Prefix="raw/cabin/")["DeleteMarkers"][0]
    assert life.ended(aws.delete("raw/cabin/march.csv", marker["VersionId"])) == "SUCCEEDED"
    # What no event told of, and what waits in the queue; both fail at first, and are looked after the day after.
    life.unheard("raw/home/unheard.csv", b"")
    aws.fail_next("validate", "InjectedError", times=2)
    queue = next(url for url in aws.client("sqs").list_queues()["QueueUrls"] if "UndeliveredUploads" in url)
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(event))
    life.age(days=1)
    life.invoke("reconcile")
    for execution in aws.executions():
        aws.wait(execution)
    aws.clear_faults()
    life.age(days=1)
    life.invoke("reconcile")
    # A backlog, of which one site fails, and two files cannot be used: this picture, and what nobody has heard of.
    may = write_csv(life.folder / "may.csv", days=2, first_day=dt.date(2026, 5, 1))
    life.unheard("raw/home/may.csv", may.read_bytes())
    life.unheard("raw/hut/picture.csv", b"\x89PNG\r\n\x1a\n")
    life.unheard("raw/flat/march.csv", write_csv(life.folder / "flat.csv", days=2).read_bytes())
    for _ in range(2):  # A list that is made again is compared with the one that is there.
        assert life.invoke("list_backlog", {"find": "uploads", "run": "run-0"})["listed"] >= 3
    aws.fail_next("aggregate", "InjectedError")
    states = aws.client("stepfunctions")
    run = states.start_execution(stateMachineArn=aws.outputs["BacklogArn"], name="run-1", input='{"sites": []}')
    while (ended := states.describe_execution(executionArn=run["executionArn"]))["status"] == "RUNNING":
        time.sleep(0.2)
    assert (ended["status"], ended["error"]) == ("FAILED", "BacklogIncomplete")
    assert "2 files were refused, 1 uploads or sites failed" in ended["cause"]
    # One that dies, of which people are told as of any execution.
    aws.fail_next("list_backlog", "InjectedError")
    died = states.start_execution(stateMachineArn=aws.outputs["BacklogArn"], name="run-2", input='{"sites": []}')
    assert aws.wait(died["executionArn"]).error == "InjectedError"
    # What nothing names, a month later.
    for key in GARBAGE:
        aws.put(key, b"x")
    life.age(days=30)
    assert life.invoke("collect_garbage")["objects"] >= len(GARBAGE)


@pytest.fixture(scope="module")
def judged(life):
    """All that was asked of the roles in that life."""
    return life.judged


def test_no_role_was_refused_anything_and_no_call_was_unknown(judged):
    assert len(judged) > 500
    assert [one for one in judged if not one.allowed] == []


def test_every_role_was_at_work(life, judged):
    roles = {role.name for role in life.aws.permissions.roles.values()}
    assert {one.role for one in judged} == roles - {"CrunchJobRole"}


def test_every_grant_was_needed(life, judged):
    idle = {one for one in life.aws.permissions.unused(judged) if not str(one).startswith(BY_SPARK)}
    assert sorted({str(one).partition(" on ")[0] for one in idle}) == sorted(USED_BY_AWS)


# ------------------------------------------------------------------------------------------------- what nobody may do

LAKE = "arn:aws:s3:::energy-lakebucket-local"
HERE = "eu-central-1:123456789012"
FUNCTIONS = (
    "Validate",
    "Aggregate",
    "DetectAnomalies",
    "ForecastProphet",
    "ForecastStatsforecast",
    "GenerateReport",
    "RefreshPartitions",
    "Reconcile",
    "ListBacklog",
    "CollectGarbage",
    "ExplainFailure",
    "NotifySlack",
)
# Nobody: an upload is a person's, so is the configuration; a version once written stays; nobody widens what he may do.
BY_NOBODY = (
    ("s3:PutObject", f"{LAKE}/raw/home/march.csv"),
    ("s3:DeleteObject", f"{LAKE}/raw/home/march.csv"),
    ("s3:DeleteObjectVersion", f"{LAKE}/raw/home/march.csv"),
    ("s3:PutObject", f"{LAKE}/config/home.yaml"),
    ("s3:DeleteObjectVersion", f"{LAKE}/manifests/home.json"),
    ("s3:PutObject", f"{LAKE}/athena-results/x.csv"),
    ("s3:PutBucketPolicy", LAKE),
    ("s3:PutLifecycleConfiguration", LAKE),
    ("s3:PutObject", "arn:aws:s3:::another-bucket/processed/uploads/x"),
    ("s3:GetObject", "arn:aws:s3:::another-bucket/processed/uploads/x"),
    ("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/energy-ValidateFunctionRole-LOCAL"),
    ("iam:PassRole", "arn:aws:iam::123456789012:role/energy-PipelineRole-LOCAL"),
    ("sts:AssumeRole", "arn:aws:iam::123456789012:role/energy-PipelineRole-LOCAL"),
    ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{HERE}:function:energy-ValidateFunction-LOCAL"),
    ("states:UpdateStateMachine", f"arn:aws:states:{HERE}:stateMachine:energy-Pipeline-LOCAL"),
    ("kms:ScheduleKeyDeletion", f"arn:aws:kms:{HERE}:key/any"),
    ("glue:DeleteTable", f"arn:aws:glue:{HERE}:table/energy_db/raw_energy_data"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:another-AbCdEf"),
    ("sns:Publish", f"arn:aws:sns:{HERE}:another-topic"),
)
# What one may and the others may not.
BY_OTHERS = (
    ("Validate", "s3:PutObject", f"{LAKE}/manifests/home.json"),
    ("Validate", "s3:PutObject", f"{LAKE}/processed/readings/site=home/month=2026-03/pub=p/readings.parquet"),
    ("Validate", "s3:DeleteObject", f"{LAKE}/pending/site=home/x.json"),
    ("Validate", "s3:GetObject", f"{LAKE}/reports/site=home/latest.html"),
    ("Aggregate", "s3:GetObject", f"{LAKE}/raw/home/march.csv"),
    ("Aggregate", "s3:PutObject", f"{LAKE}/manifests/home.json"),
    ("Aggregate", "s3:PutObject", f"{LAKE}/processed/uploads/site=home/upload=u/run=r/quality.parquet"),
    ("Aggregate", "s3:PutObject", f"{LAKE}/anomalies/table/site=home/pub=p/anomalies.parquet"),
    ("DetectAnomalies", "s3:GetObject", f"{LAKE}/raw/home/march.csv"),
    ("DetectAnomalies", "s3:GetObject", f"{LAKE}/processed/readings/site=home/month=2026-03/pub=p/readings.parquet"),
    ("DetectAnomalies", "s3:PutObject", f"{LAKE}/forecast/total/site=home/pub=p/by=prophet/forecast.parquet"),
    ("DetectAnomalies", "s3:ListBucket", LAKE),
    ("ForecastProphet", "s3:PutObject", f"{LAKE}/anomalies/table/site=home/pub=p/anomalies.parquet"),
    ("ForecastProphet", "s3:GetObject", f"{LAKE}/processed/uploads/site=home/upload=u/run=r/quality.parquet"),
    ("ForecastStatsforecast", "s3:PutObject", f"{LAKE}/reports/site=home/pub=p/report.html"),
    ("ForecastStatsforecast", "glue:BatchUpdatePartition", f"arn:aws:glue:{HERE}:table/energy_db/forecast_data"),
    ("GenerateReport", "s3:PutObject", f"{LAKE}/reports/site=home/latest.html"),
    ("GenerateReport", "s3:GetObject", f"{LAKE}/processed/readings/site=home/month=2026-03/pub=p/readings.parquet"),
    ("GenerateReport", "s3:GetObject", f"{LAKE}/raw/home/march.csv"),
    ("RefreshPartitions", "s3:PutObject", f"{LAKE}/reports/site=home/pub=p/report.html"),
    ("RefreshPartitions", "s3:DeleteObject", f"{LAKE}/manifests/home.json"),
    ("RefreshPartitions", "glue:BatchDeletePartition", f"arn:aws:glue:{HERE}:table/another_db/raw_energy_data"),
    ("RefreshPartitions", "glue:UpdateTable", f"arn:aws:glue:{HERE}:table/energy_db/raw_energy_data"),
    ("Reconcile", "s3:GetObject", f"{LAKE}/raw/home/march.csv"),
    ("Reconcile", "states:StartExecution", f"arn:aws:states:{HERE}:stateMachine:another"),
    ("Reconcile", "states:StopExecution", f"arn:aws:states:{HERE}:execution:energy-Pipeline-LOCAL:x"),
    ("Reconcile", "sqs:DeleteMessage", f"arn:aws:sqs:{HERE}:energy-UndeliveredNotices-LOCAL"),
    ("ListBacklog", "s3:GetObject", f"{LAKE}/raw/home/march.csv"),
    ("ListBacklog", "s3:PutObject", f"{LAKE}/backlog/notes/run=r/x.failed.json"),
    ("ListBacklog", "s3:PutObject", f"{LAKE}/pending/site=home/x.json"),
    ("ListBacklog", "states:StartExecution", f"arn:aws:states:{HERE}:stateMachine:energy-Pipeline-LOCAL"),
    ("CollectGarbage", "s3:DeleteObject", f"{LAKE}/manifests/home.json"),
    ("CollectGarbage", "s3:DeleteObject", f"{LAKE}/reports/site=home/latest.html"),
    ("CollectGarbage", "s3:DeleteObject", f"{LAKE}/pending/site=home/x.json"),
    ("CollectGarbage", "s3:GetObject", f"{LAKE}/processed/readings/site=home/month=2026-03/pub=p/readings.parquet"),
    ("ExplainFailure", "states:GetExecutionHistory", f"arn:aws:states:{HERE}:execution:another:x"),
    ("ExplainFailure", "s3:GetObject", f"{LAKE}/manifests/home.json"),
    ("NotifySlack", "sns:Publish", f"arn:aws:sns:{HERE}:energy-Notifications-LOCAL"),
    ("NotifySlack", "s3:GetObject", f"{LAKE}/reports/site=home/latest.html"),
)


def verdicts(life, role, action, resource):
    """Whether it is allowed, whatever is known besides; the permissions of the service itself are no matter."""
    (found,) = [one for one in life.aws.permissions.roles.values() if one.name == role]
    through = f"{action.split(':')[0]}.eu-central-1.amazonaws.com"
    return [
        decide(found, Request(action, resource, context)).allowed
        for context in ({}, {"aws:securetransport": "true", "kms:viaservice": through})
    ]


def test_what_is_forbidden_is_denied(life):
    roles = [f"{name}FunctionRole" for name in FUNCTIONS] + [
        "CrunchJobRole",
        "PipelineRole",
        "BacklogRole",
        "UploadRuleRole",
    ]
    assert sorted(roles) == sorted(role.name for role in life.aws.permissions.roles.values())
    table = [(role, *call) for role in roles for call in BY_NOBODY]
    table += [(f"{name}FunctionRole", action, resource) for name, action, resource in BY_OTHERS]
    table += [
        (
            "PipelineRole",
            "lambda:InvokeFunction",
            f"arn:aws:lambda:{HERE}:function:energy-CollectGarbageFunction-LOCAL",
        ),
        ("PipelineRole", "s3:GetObject", f"{LAKE}/manifests/home.json"),
        ("BacklogRole", "states:StartExecution", f"arn:aws:states:{HERE}:stateMachine:another"),
        ("BacklogRole", "lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:energy-AggregateFunction-LOCAL"),
        ("BacklogRole", "s3:GetObject", f"{LAKE}/raw/home/march.csv"),
        ("BacklogRole", "s3:PutObject", f"{LAKE}/backlog/lists/run=r/uploads-x.json"),
        ("UploadRuleRole", "states:StartExecution", f"arn:aws:states:{HERE}:stateMachine:another"),
    ]
    assert len(table) >= 16 * 19 + 46
    assert [call for call in table if any(verdicts(life, *call))] == []


def test_the_names_in_the_table_are_those_of_the_stack(life):
    """A table of forbidden calls on things that are not there would forbid nothing."""
    assert life.aws.permissions.surroundings.arn("s3", "").startswith(f"arn:aws:s3:{HERE}")
    assert life.aws.bucket == LAKE.rpartition(":")[2]
    resources = " ".join(str(role.policies) for role in life.aws.permissions.roles.values())
    made = " ".join(map(str, life.aws.client("lambda").get_paginator("list_functions").paginate()))
    made += " ".join(life.aws.client("sqs").list_queues()["QueueUrls"])
    for name in ("energy-CollectGarbageFunction-LOCAL", "energy-UndeliveredNotices-LOCAL"):
        assert name in made
    for name in (
        "stateMachine:energy-Pipeline-LOCAL",
        "energy-Notifications-LOCAL",
        "table/energy_db/",
        f"{LAKE}/raw/*",
    ):
        assert name in resources


def test_listing_garbage_is_for_its_prefixes_only(life):
    (role,) = [one for one in life.aws.permissions.roles.values() if one.name == "CollectGarbageFunctionRole"]
    for prefix, expected in (("processed/readings/", True), ("raw/", False), ("config/", False)):
        assert decide(role, Request("s3:ListBucket", LAKE, {"s3:prefix": prefix})).allowed is expected


def test_a_function_that_oversteps_fails_as_on_aws(life):
    """Not by the table: by the function itself, which is told to look where it may not."""
    event = {
        "validated": {"key": "raw/x", "site": "home", "run_id": "r", "timezone": "UTC"},
        "publication": {"site": "home", "daily_key": "raw/home/march.csv", "pub": "p"},
    }
    result = life.aws.invoke("forecast_prophet", event)
    assert result.error_type == "ClientError"
    assert "not authorized to perform: s3:GetObject" in result.payload["errorMessage"]
    assert f"on resource: {LAKE}/raw/home/march.csv" in result.payload["errorMessage"]
