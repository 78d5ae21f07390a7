"""The template passes the review, with either encryption; and each fault that is planted in it is found."""

import copy
import json
from pathlib import Path

import pytest

from tests.infra.rendering import rendered
from tests.infra.review import CHECKS, of_type

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = (
    {},
    {
        "Encryption": "aws:kms",
        "Architecture": "arm64",
        "ReservedConcurrency": 2,
        "NotificationEmail": "someone@example.org",
        "SlackWebhookSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf",
        "ReportProviders": "bedrock,openai,rules",
        "OpenAiSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:openai-AbCdEf",
    },
)


@pytest.fixture(scope="module")
def definition():
    return json.loads((ROOT / "statemachine" / "energy_pipeline.asl.json").read_text())


@pytest.fixture(scope="module")
def templates(transformed_template):
    return [rendered(transformed_template, **parameters) for parameters in VARIANTS]


@pytest.mark.parametrize("check", CHECKS)
def test_the_template_passes(templates, definition, check):
    assert [finding for template in templates for finding in CHECKS[check](template, definition)] == []


def test_parameters_are_put_in(templates):
    plain, chosen = templates
    for logical_id in ("LakeKey", "AskBedrock", "ReadOpenAiKey", "NotifySlackFunction"):
        assert logical_id not in plain["Resources"]
        assert logical_id in chosen["Resources"]
    assert len(chosen["Resources"]) - len(plain["Resources"]) >= 8
    for template, algorithm in ((plain, "AES256"), (chosen, "aws:kms")):
        (rule,) = of_type(template, "AWS::S3::Bucket")["LakeBucket"]["BucketEncryption"][
            "ServerSideEncryptionConfiguration"
        ]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == algorithm
    reserved = {p.get("ReservedConcurrentExecutions") for p in of_type(chosen, "AWS::Lambda::Function").values()}
    assert reserved == {2}
    assert all("ReservedConcurrentExecutions" not in p for p in of_type(plain, "AWS::Lambda::Function").values())
    assert "Fn::If" not in json.dumps(templates)


# --------------------------------------------------------------------------------------------------------- the faults


def lake_resource(key):
    return {"Fn::Sub": "${LakeBucket.Arn}/" + key}


def joined_resource(key):
    return {"Fn::Join": ["/", [{"Fn::GetAtt": ["LakeBucket", "Arn"]}, key]]}


class Fault:
    """The template and the definition, to be spoilt."""

    def __init__(self, template, definition):
        self.resources = template["Resources"]
        self.states = definition["States"]
        self.definition = definition

    def of(self, name):
        return self.resources[name]["Properties"]

    def allow(self, role, action, resource, **more):
        statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
        self.of(role)["Policies"].append({"PolicyName": "fault", "PolicyDocument": {"Statement": [statement]}})

    def attach(self, arn):
        self.of("ValidateFunctionRole")["ManagedPolicyArns"].append(arn)

    def statements(self, name):
        return self.of(name)["PolicyDocument"]["Statement"]

    def drop(self, name, *path):
        *before, last = path
        place = self.of(name)
        for step in before:
            place = place[step]
        del place[last]

    def drop_tls(self, name):
        self.statements(name)[:] = [one for one in self.statements(name) if one["Effect"] != "Deny"]

    def put(self, name, value, *path):
        *before, last = path
        place = self.of(name)
        for step in before:
            place = place[step]
        place[last] = value

    def rule(self, name, prefix):
        rules = self.of(name)["LifecycleConfiguration"]["Rules"]
        rules.append({"Id": "Fault", "Status": "Enabled", "Prefix": prefix, "ExpirationInDays": 30})

    def without(self, name, key):
        rules = self.of(name)["LifecycleConfiguration"]["Rules"]
        for rule in rules:
            rule.pop(key, None)

    def keep(self, name, policy):
        self.resources[name][policy] = "Delete"

    def narrow_tls(self, name, **to):
        for statement in self.statements(name):
            if statement["Effect"] == "Deny":
                statement.update(to)

    def forget_to_catch(self, *names):
        for name in names:
            del self.states[name]["Catch"]

    def retry_nothing_real(self, name):
        for block in self.states[name]["Retry"]:
            block["ErrorEquals"] = ["X"]

    def variable(self, name, value):
        self.of("GenerateReportFunction")["Environment"]["Variables"][name] = value


AGGREGATE = "AggregateFunctionRole"
FAULTS = [
    ("T1", lambda fault: fault.attach("arn:aws:iam::aws:policy/AmazonS3FullAccess")),
    ("T1", lambda fault: fault.attach("arn:aws:iam::aws:policy/AdministratorAccess")),
    ("T1", lambda fault: fault.attach("arn:aws:iam::aws:policy/AWSXrayFullAccess")),
    ("T1", lambda fault: fault.attach("arn:aws:iam::aws:policy/AWSXRayFullAccess")),
    ("T2", lambda fault: fault.allow(AGGREGATE, "s3:*", lake_resource("processed/*"))),
    ("T2", lambda fault: fault.allow(AGGREGATE, ["s3:Put*"], lake_resource("processed/quality/*"))),
    ("T3", lambda fault: fault.allow(AGGREGATE, "glue:GetTable", "*")),
    ("T3", lambda fault: fault.allow(AGGREGATE, ["s3:GetObject"], ["arn:aws:s3:::*"])),
    ("T3", lambda fault: fault.allow(AGGREGATE, "logs:DeleteResourcePolicy", "*")),
    ("T3", lambda fault: fault.allow(AGGREGATE, "xray:DeleteSamplingRule", "*")),
    ("T3", lambda fault: fault.put("AskBedrock", "*", "PolicyDocument", "Statement", 0, "Resource")),
    ("T3", lambda fault: fault.put("ReadOpenAiKey", "*", "PolicyDocument", "Statement", 0, "Resource")),
    ("T4", lambda fault: fault.allow(AGGREGATE, "s3:PutObject", lake_resource("raw/*"))),
    ("T4", lambda fault: fault.allow(AGGREGATE, "s3:PutObjectAcl", lake_resource("raw/*"))),
    ("T4", lambda fault: fault.allow(AGGREGATE, "s3:PutObject", joined_resource("raw/*"))),
    ("T4", lambda fault: fault.allow(AGGREGATE, "s3:DeleteObject", lake_resource("*"))),
    ("T4", lambda fault: fault.allow(AGGREGATE, "s3:putobject", lake_resource("ra?/home/*"))),
    ("T5", lambda fault: fault.allow(AGGREGATE, "s3:PutObject", lake_resource("anomalies/*"))),
    ("T5", lambda fault: fault.allow(AGGREGATE, "s3:PutObject", lake_resource("forecast/site=home/*"))),
    ("T6", lambda fault: fault.drop_tls("LakeBucketPolicy")),
    ("T6", lambda fault: fault.drop_tls("NotificationsPolicy")),
    ("T6", lambda fault: fault.drop_tls("FailedChoresPolicy")),
    ("T6", lambda fault: fault.narrow_tls("LakeBucketPolicy", Action="s3:ListBucket")),
    ("T6", lambda fault: fault.narrow_tls("LakeBucketPolicy", Resource={"Fn::GetAtt": ["LakeBucket", "Arn"]})),
    ("T6", lambda fault: fault.narrow_tls("FailedChoresPolicy", Action="sqs:PurgeQueue")),
    ("T7", lambda fault: fault.drop("UploadRule", "EventPattern", "detail", "bucket")),
    ("T7", lambda fault: fault.put("UploadRule", [{"prefix": ""}], "EventPattern", "detail", "object", "key")),
    ("T7", lambda fault: fault.drop("UploadRule", "EventPattern", "detail", "object", "size")),
    ("T7", lambda fault: fault.drop("UploadRule", "Targets", 0, "DeadLetterConfig")),
    ("T7", lambda fault: fault.drop("UploadRule", "Targets", 0, "RetryPolicy")),
    ("T7", lambda fault: fault.drop("ReconcileSchedule", "Targets", 0, "DeadLetterConfig")),
    ("T8", lambda fault: fault.put("Pipeline", "ERROR", "LoggingConfiguration", "Level")),
    ("T8", lambda fault: fault.put("Pipeline", True, "LoggingConfiguration", "IncludeExecutionData")),
    ("T8", lambda fault: fault.drop("Pipeline", "TracingConfiguration")),
    ("T8", lambda fault: fault.put("Pipeline", "EXPRESS", "StateMachineType")),
    ("T8", lambda fault: fault.definition.pop("TimeoutSeconds")),
    ("T9", lambda fault: fault.states["Generate report"].pop("TimeoutSeconds")),
    ("T9", lambda fault: fault.states["Aggregate readings"]["Retry"].pop()),
    ("T9", lambda fault: fault.states["Validate upload"]["Catch"].insert(0, {"ErrorEquals": ["States.ALL"]})),
    ("T9", lambda fault: fault.forget_to_catch("Validate upload")),
    ("T9", lambda fault: fault.forget_to_catch("Generate report")),
    ("T9", lambda fault: fault.retry_nothing_real("Aggregate readings")),
    ("T10", lambda fault: fault.put("ExecutionsFailed", 1_000_000, "Threshold")),
    ("T10", lambda fault: fault.put("UndeliveredNoticesWaiting", 1_000_000, "Threshold")),
    ("T10", lambda fault: fault.put("ExecutionsFailed", "failed * 0", "Metrics", 0, "Expression")),
    ("T10", lambda fault: fault.put("ExecutionsTimedOut", ["arn:aws:sns:eu-west-1:210987654321:x"], "AlarmActions")),
    ("T10", lambda fault: fault.drop("ExecutionsFailed", "AlarmActions")),
    ("T10", lambda fault: fault.resources.pop("ExecutionsTimedOut")),
    ("T10", lambda fault: fault.resources.pop("UndeliveredUploadsWaiting")),
    ("T11", lambda fault: fault.keep("LakeBucket", "DeletionPolicy")),
    ("T11", lambda fault: fault.keep("LakeBucket", "UpdateReplacePolicy")),
    ("T11", lambda fault: fault.keep("LakeKey", "DeletionPolicy")),
    ("T12", lambda fault: fault.put("LakeBucket", {"Status": "Suspended"}, "VersioningConfiguration")),
    ("T12", lambda fault: fault.without("LakeBucket", "AbortIncompleteMultipartUpload")),
    ("T12", lambda fault: fault.without("AccessLogs", "NoncurrentVersionExpiration")),
    ("T12", lambda fault: fault.rule("LakeBucket", "raw/")),
    ("T12", lambda fault: fault.rule("LakeBucket", "")),
    ("T13", lambda fault: fault.put("LakeBucket", False, "PublicAccessBlockConfiguration", "BlockPublicPolicy")),
    ("T13", lambda fault: fault.drop("AccessLogs", "PublicAccessBlockConfiguration", "IgnorePublicAcls")),
    ("T13", lambda fault: fault.drop("LakeBucket", "OwnershipControls")),
    ("T13", lambda fault: fault.drop("AccessLogs", "BucketEncryption")),
    ("T14", lambda fault: fault.drop("ValidateLogs", "KmsKeyId")),
    ("T14", lambda fault: fault.drop("PipelineLogs", "RetentionInDays")),
    ("T14", lambda fault: fault.drop("NotifySlackFunction", "LoggingConfig")),
    ("T14", lambda fault: fault.drop("UndeliveredUploads", "KmsMasterKeyId")),
    ("T14", lambda fault: fault.put("Notifications", "alias/aws/sns", "KmsMasterKeyId")),
    ("T15", lambda fault: fault.variable("OPENAI_API_KEY", "sk-1")),
    ("T15", lambda fault: fault.variable("COLOUR", "sk-proj-abcdefghijklmnop")),
    ("T15", lambda fault: fault.variable("SETTING", "{{resolve:secretsmanager:x}}")),
    ("T16", lambda fault: fault.statements("NotificationsPolicy")[0].pop("Condition")),
    ("T16", lambda fault: fault.statements("LakeBucketPolicy").append({"Effect": "Allow", "Principal": "*"})),
    ("T16", lambda fault: fault.drop("PipelineRole", "AssumeRolePolicyDocument", "Statement", 0, "Condition")),
    ("T16", lambda fault: fault.drop("ReconcilePermission", "SourceArn")),
    ("T17", lambda fault: fault.put("ValidateFunction", "python3.8", "Runtime")),
    ("T17", lambda fault: fault.put("ReconcileFunction", {"Mode": "PassThrough"}, "TracingConfig")),
]


@pytest.mark.parametrize(("check", "spoil"), FAULTS, ids=[f"{name}-{n}" for n, (name, _) in enumerate(FAULTS)])
def test_a_planted_fault_is_found(templates, definition, check, spoil):
    template, machine = copy.deepcopy(templates[1]), copy.deepcopy(definition)
    spoil(Fault(template, machine))
    assert list(CHECKS[check](template, machine))


def test_every_check_has_its_fault():
    assert {name for name, _ in FAULTS} == set(CHECKS) == {f"T{number}" for number in range(1, 18)}
