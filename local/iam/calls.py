"""What each call of an AWS API asks of IAM: which actions on which resources, under which condition keys.

https://docs.aws.amazon.com/service-authorization/latest/reference/. A call that is not in the table is no call that
may be made: whoever adds one adds its line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from local.iam.policies import Request

Parameters = Mapping[str, Any]


class UnmappedCall(Exception):
    """A call of which nobody has said what IAM asks for it."""

    def __init__(self, call: str) -> None:
        super().__init__(f"{call} is made, but local/iam/calls.py does not say what it asks of IAM")
        self.call = call


@dataclass(frozen=True)
class Surroundings:
    """What decides beside the call itself. `keys`: KMS keys by the ARN of the bucket, queue or topic they encrypt."""

    region: str
    account: str
    keys: Mapping[str, str] = field(default_factory=dict)
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def requests(call: str, parameters: Parameters, surroundings: Surroundings) -> list[Request]:
    """All that must be allowed for the call (`s3.GetObject`) to be made; UnmappedCall where that is not known."""
    if call not in _CALLS:
        raise UnmappedCall(call)
    asked = _CALLS[call](parameters, surroundings)
    # TLS is AWS's endpoint; the local one has none.
    always = {"aws:securetransport": "true"}
    return [Request(each.action, each.resource, {**always, **each.context}) for each in asked]


def listing(bucket: str, surroundings: Surroundings) -> Request:
    """What S3 asks for before it says that an object is not there: listing the bucket, naming no prefix."""
    return Request("s3:ListBucket", _bucket(bucket, surroundings), {"aws:securetransport": "true"})


# ------------------------------------------------------------------------------------------------------------------ S3


def _bucket(name: str, surroundings: Surroundings) -> str:
    return name if name.startswith("arn:") else f"arn:{surroundings.partition}:s3:::{name}"


def _with_key(
    asked: Request, operation: str, encrypted: str, service: str, surroundings: Surroundings
) -> list[Request]:
    """Beside the action itself that of KMS, where what it touches is encrypted with a key."""
    key = surroundings.keys.get(encrypted)
    if key is None:
        return [asked]
    return [asked, Request(operation, key, {"kms:viaservice": f"{service}.{surroundings.region}.amazonaws.com"})]


def _reading(bucket: str, key: str, version: str | None, surroundings: Surroundings) -> list[Request]:
    """A version asks for GetObjectVersion, and then not for GetObject."""
    arn = _bucket(bucket, surroundings)
    asked = Request("s3:GetObjectVersion" if version else "s3:GetObject", f"{arn}/{key}")
    return _with_key(asked, "kms:Decrypt", arn, "s3", surroundings)


def _writing(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
    arn = _bucket(parameters["Bucket"], surroundings)
    place = f"{arn}/{parameters['Key']}"
    asked = _with_key(Request("s3:PutObject", place), "kms:GenerateDataKey", arn, "s3", surroundings)
    if "IfMatch" in parameters:  # S3 User Guide, "How to prevent object overwrites with conditional writes"
        asked.append(Request("s3:GetObject", place))
    if "Tagging" in parameters:
        asked.append(Request("s3:PutObjectTagging", place))
    if "ACL" in parameters:
        asked.append(Request("s3:PutObjectAcl", place))
    return asked


def _get_object(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
    return _reading(parameters["Bucket"], parameters["Key"], parameters.get("VersionId"), surroundings)


def _copy_object(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
    source = parameters["CopySource"]
    if isinstance(source, str):
        path, _, version = source.partition("?versionId=")
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        source = {"Bucket": bucket, "Key": key, "VersionId": version or None}
    read = _reading(source["Bucket"], source["Key"], source.get("VersionId"), surroundings)
    return read + _writing(parameters, surroundings)


def _deleting(bucket: str, one: Parameters, surroundings: Surroundings) -> Request:
    action = "s3:DeleteObjectVersion" if one.get("VersionId") else "s3:DeleteObject"
    return Request(action, f"{_bucket(bucket, surroundings)}/{one['Key']}")


def _delete_object(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
    return [_deleting(parameters["Bucket"], parameters, surroundings)]


def _delete_objects(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
    return [_deleting(parameters["Bucket"], one, surroundings) for one in parameters["Delete"]["Objects"]]


def _listing(action: str) -> "_Asks":
    def asked(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
        context = {"s3:prefix": parameters["Prefix"]} if "Prefix" in parameters else {}
        if "Delimiter" in parameters:
            context["s3:delimiter"] = parameters["Delimiter"]
        return [Request(action, _bucket(parameters["Bucket"], surroundings), context)]

    return asked


# -------------------------------------------------------------------------------------------------------- the others


def _glue_table(action: str) -> "_Asks":
    """Glue asks for the catalog and the database beside the table."""

    def asked(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
        database = parameters["DatabaseName"]
        table = parameters.get("TableName") or parameters.get("Name")
        places = ("catalog", f"database/{database}", f"table/{database}/{table}")
        return [Request(action, surroundings.arn("glue", place)) for place in places]

    return asked


def _glue_job(action: str) -> "_Asks":
    def asked(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
        return [Request(action, surroundings.arn("glue", f"job/{parameters['JobName']}"))]

    return asked


def _queue(action: str, *with_key: str) -> "_Asks":
    """`with_key`: what it asks of the queue's key, if that is one of the account's."""

    def asked(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
        queue = surroundings.arn("sqs", parameters["QueueUrl"].rsplit("/", 1)[1])
        needed = [_with_key(Request(action, queue), operation, queue, "sqs", surroundings) for operation in with_key]
        return [Request(action, queue), *(request for asked in needed for request in asked[1:])]

    return asked


def _publish(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
    """SNS encrypts in the name of whoever publishes ("Configuring Amazon SNS topic encryption")."""
    topic = parameters["TopicArn"]
    asked = _with_key(Request("sns:Publish", topic), "kms:GenerateDataKey", topic, "sns", surroundings)
    return asked + _with_key(Request("sns:Publish", topic), "kms:Decrypt", topic, "sns", surroundings)[1:]


def _converse(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
    """A profile asks for itself, then for its model in the region where that answers (Bedrock User Guide,
    "Prerequisites for inference profiles"); here in this one.
    """
    profile = surroundings.arn("bedrock", f"inference-profile/{parameters['modelId']}")
    model = parameters["modelId"].partition(".")[2]
    by_profile = {"bedrock:inferenceprofilearn": profile}
    place = f"arn:{surroundings.partition}:bedrock:{surroundings.region}::foundation-model/{model}"
    return [Request("bedrock:InvokeModel", profile), Request("bedrock:InvokeModel", place, by_profile)]


def _on(action: str, parameter: str) -> "_Asks":
    """One action on the ARN that a parameter holds."""

    def asked(parameters: Parameters, surroundings: Surroundings) -> list[Request]:  # noqa: ARG001
        return [Request(action, parameters[parameter])]

    return asked


def _everywhere(action: str) -> "_Asks":
    """An action that knows no resource."""

    def asked(parameters: Parameters, surroundings: Surroundings) -> list[Request]:  # noqa: ARG001
        return [Request(action, "*")]

    return asked


def _invoke(parameters: Parameters, surroundings: Surroundings) -> list[Request]:
    name = parameters["FunctionName"]
    return [
        Request(
            "lambda:InvokeFunction", name if name.startswith("arn:") else surroundings.arn("lambda", f"function:{name}")
        )
    ]


_Asks = Callable[[Parameters, Surroundings], list[Request]]
_CALLS: dict[str, _Asks] = {
    "s3.GetObject": _get_object,
    "s3.HeadObject": _get_object,
    "s3.PutObject": _writing,
    "s3.CopyObject": _copy_object,
    "s3.DeleteObject": _delete_object,
    "s3.DeleteObjects": _delete_objects,
    "s3.ListObjectsV2": _listing("s3:ListBucket"),
    "s3.ListBuckets": _everywhere("s3:ListAllMyBuckets"),
    "s3.ListObjectVersions": _listing("s3:ListBucketVersions"),
    "glue.GetTable": _glue_table("glue:GetTable"),
    "glue.GetPartitions": _glue_table("glue:GetPartitions"),
    "glue.BatchCreatePartition": _glue_table("glue:BatchCreatePartition"),
    "glue.BatchUpdatePartition": _glue_table("glue:BatchUpdatePartition"),
    "glue.BatchDeletePartition": _glue_table("glue:BatchDeletePartition"),
    "glue.StartJobRun": _glue_job("glue:StartJobRun"),
    "glue.GetJobRun": _glue_job("glue:GetJobRun"),
    "sqs.SendMessage": _queue("sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"),
    "sqs.ReceiveMessage": _queue("sqs:ReceiveMessage", "kms:Decrypt"),
    "sqs.DeleteMessage": _queue("sqs:DeleteMessage"),
    "sqs.GetQueueAttributes": _queue("sqs:GetQueueAttributes"),
    "sns.Publish": _publish,
    "stepfunctions.StartExecution": _on("states:StartExecution", "stateMachineArn"),
    "stepfunctions.DescribeExecution": _on("states:DescribeExecution", "executionArn"),
    "stepfunctions.GetExecutionHistory": _on("states:GetExecutionHistory", "executionArn"),
    "secretsmanager.GetSecretValue": _on("secretsmanager:GetSecretValue", "SecretId"),
    "lambda.Invoke": _invoke,
    "bedrock-runtime.Converse": _converse,
}
