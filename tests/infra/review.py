"""What a security review asks of the template, as questions that a program can answer.

Each takes the rendered template and the definition of the state machine, and returns what it found wrong, in words.
Scanners are blind to most of it: they pass a function that may do anything to one bucket, a public bucket policy, a
rule without a dead-letter queue.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from local.iam.policies import matches_action, matches_text

Template = dict[str, Any]
Finding = str
Check = Callable[[Template, dict[str, Any]], Iterator[Finding]]

MANAGED = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess",
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
}
# Actions that know no resource: of log delivery (Step Functions Developer Guide, "Logging using CloudWatch Logs") and
# of tracing ("X-Ray and Step Functions").
WITHOUT_RESOURCE = {
    *(f"logs:{verb}LogDelivery" for verb in ("Create", "Get", "Update", "Delete")),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
}
AN_UPLOAD = "raw/home/readings.csv"
# What S3 lets one do with an object or its version without changing anything.
READING = re.compile(r"(?i)s3:(get|list|describe|head)\w*")
SECRET = re.compile(r"(?i)secret|token|password|api_?key|webhook")
SECRET_ADDRESS = re.compile(r"_ARN$|_NAME$")
# Keys of OpenAI, of AWS and of Slack, a webhook's address, a private key: whatever the variable is called.
SECRET_VALUE = re.compile(r"\bsk-\w|\b(AKIA|ASIA)[0-9A-Z]{12}|\bxox[a-z]-|hooks\.slack\.com/|-----BEGIN ")
# What each state expects to go wrong; anything else fails the execution at that very state.
EXPECTED = {
    "Validate upload": {"InputRejected", "ObjectMissing"},
    "Forecast with Prophet": {"States.ALL"},
    "Forecast with statsforecast": {"States.ALL"},
    "Forecast with Spark": {"States.ALL"},
    "Read what Spark forecast": {"States.ALL"},
    "Generate report": {"States.ALL"},
    "Refresh partitions": {"ManifestConflict"},
    "Announce": {"States.ALL"},
    "Report rejection": {"States.ALL"},
}
# What may heal by itself, by the service that a task calls; beside it come that service's own stumbles.
_HEALS = {"TransientError", "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "States.Timeout"}
HEALING = {"lambda": _HEALS, "sns": _HEALS, "aws-sdk": _HEALS, "glue": {"States.TaskFailed", "States.Timeout"}}
STUMBLE = re.compile(r"(Lambda|SNS|Glue|S3)\.[A-Z]\w+")
# Alarms on what must not happen even once, and what they compute where that is more than one metric.
AT_ONCE = {"ExecutionsFailed": "failed - FILL(refused, 0)", "ExecutionsTimedOut": None, "ExecutionsAborted": None}
OWN_TRUST = {"lambda.amazonaws.com"}  # what SAM writes; only functions of the account can be given the role


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def of_type(template: Template, *kinds: str) -> dict[str, dict[str, Any]]:
    return {
        name: entry.get("Properties", {}) for name, entry in template["Resources"].items() if entry["Type"] in kinds
    }


def role_statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every identity policy, with the role that has it."""
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in listed(policy["PolicyDocument"]["Statement"]):
                yield name, statement
    for policy in of_type(template, "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy").values():
        for statement in listed(policy["PolicyDocument"]["Statement"]):
            for role in policy.get("Roles", []):
                yield role["Ref"], statement


def allowing(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, one) for name, one in role_statements(template) if one["Effect"] == "Allow")


def resource_policies(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy that belongs to a resource: of buckets, queues, topics, keys; and whom roles trust."""
    kinds = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
    for name, policy in of_type(template, *kinds).items():
        yield name, policy["PolicyDocument"]
    for name, key in of_type(template, "AWS::KMS::Key").items():
        yield name, key["KeyPolicy"]
    for name, role in of_type(template, "AWS::IAM::Role").items():
        yield name, role["AssumeRolePolicyDocument"]


def text_of(value: Any) -> str:
    """A resource as one text; references become their names."""
    if isinstance(value, str):
        return value
    if "Fn::Sub" in value:
        sub = value["Fn::Sub"]
        return sub if isinstance(sub, str) else sub[0]
    if "Fn::GetAtt" in value:
        got = value["Fn::GetAtt"]
        return "${" + (got if isinstance(got, str) else ".".join(got)) + "}"
    if "Ref" in value:
        return "${" + value["Ref"] + "}"
    if "Fn::Join" in value:
        between, parts = value["Fn::Join"]
        return between.join(map(text_of, parts))
    raise ValueError(f"the review cannot read {json.dumps(value)}")


def lake_keys(statement: dict[str, Any]) -> list[str]:
    """The patterns of keys in buckets that a statement is about; `*` where it names no bucket."""
    texts = [text_of(resource) for resource in listed(statement.get("Resource", "*"))]
    keys = [text.partition("/")[2] or text for text in texts]
    return ["*" if key.startswith(("arn:aws:s3:::", "*")) else key for key in keys]


# ------------------------------------------------------------------------------------------------------------ the roles


def managed_policies_are_for_logs_and_traces(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T1"""
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for arn in role.get("ManagedPolicyArns", []):
            if text_of(arn) not in MANAGED:
                yield f"{name} has the managed policy {text_of(arn)}"


def actions_are_named(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T2"""
    for name, statement in allowing(template):
        if "NotAction" in statement:
            yield f"{name} is allowed all but some actions"
        yield from (f"{name} may {action}" for action in listed(statement.get("Action", [])) if "*" in action)


def resources_are_named(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T3"""
    for name, statement in allowing(template):
        named = {text_of(one) for one in listed(statement.get("Resource", []))}
        everywhere = "NotResource" in statement or named & {"*", "arn:aws:s3:::*"}
        for action in listed(statement.get("Action", [])):
            if everywhere and action not in WITHOUT_RESOURCE:
                yield f"{name} may {action} on everything"


def nobody_writes_uploads(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T4"""
    for name, statement in allowing(template):
        writes = [
            action
            for action in listed(statement.get("Action", ["*"]))
            if action == "*" or (action.lower().startswith("s3:") and not READING.fullmatch(action))
        ]
        if writes and ("NotResource" in statement or any(matches_text(key, AN_UPLOAD) for key in lake_keys(statement))):
            yield f"{name} may {writes[0]} {AN_UPLOAD}"


# Whoever stands in for another writes the same: their runs never meet, or write the same bytes.
STAND_INS = (
    {"CrunchJobRole", "ForecastProphetFunctionRole", "ForecastStatsforecastFunctionRole"},
    {"CrunchJobRole", "ValidateFunctionRole"},
    {"CrunchJobRole", "AggregateFunctionRole"},
    {"CrunchJobRole", "DetectAnomaliesFunctionRole"},
)


def prefixes_have_one_writer(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T5: but for those who stand in for another."""
    writers: dict[str, set[str]] = {}
    for name, statement in allowing(template):
        if any(matches_action(action, "s3:PutObject") for action in listed(statement.get("Action", []))):
            for key in lake_keys(statement):
                writers.setdefault(key, set()).add(name)
    for key, names in writers.items():
        others = {
            other
            for pattern, found in writers.items()
            for other in found - names
            if pattern != key and matches_text(key, pattern.replace("*", "x"))
        }
        together = names | others
        if len(together) > 1 and together not in STAND_INS:
            yield f"{key} is written by {', '.join(sorted(together))}"
        if key in {"*", ""}:
            yield f"{', '.join(sorted(names))} may write everywhere"


# ------------------------------------------------------------------------------------------------ what others may do


def only_over_tls(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T6: whatever is asked, of all that the resource holds. A topic can be asked nothing but to publish."""
    policies = {
        "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket", "s3:*", ("${NAME.Arn}", "${NAME.Arn}/*")),
        "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues", "sqs:*", ("${NAME.Arn}",)),
        "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics", "sns:Publish", ("${NAME}",)),
    }
    for kind, (policy_kind, member, action, resources) in policies.items():
        for name in of_type(template, kind):
            whole = {resource.replace("NAME", name) for resource in resources}
            statements = [
                statement
                for policy in of_type(template, policy_kind).values()
                if "${" + name + "}" in map(text_of, listed(policy[member]))
                for statement in policy["PolicyDocument"]["Statement"]
            ]
            if not any(_refuses_http(statement, action, whole) for statement in statements):
                yield f"{name} takes unencrypted connections"


def _refuses_http(statement: dict[str, Any], action: str, resources: set[str]) -> bool:
    return (
        statement["Effect"] == "Deny"
        and statement["Principal"] in ("*", {"AWS": "*"})
        and listed(statement["Action"]) == [action]
        and resources <= set(map(text_of, listed(statement["Resource"])))
        and statement["Condition"].keys() == {"Bool"}
        and str(statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")).lower() == "false"
    )


def services_come_from_this_account(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T16. Of CloudWatch AWS documents no condition in a key's policy; there the topic's policy decides."""
    for name, document in resource_policies(template):
        for statement in listed(document["Statement"]):
            principal = statement.get("Principal", {})
            if statement["Effect"] != "Allow":
                continue
            if principal == "*" or (isinstance(principal, dict) and "*" in listed(principal.get("AWS", []))):
                yield f"{name} lets everybody in"
            services = listed(principal.get("Service", [])) if isinstance(principal, dict) else []
            keys = {key for keys in statement.get("Condition", {}).values() for key in keys}
            known = {"aws:SourceAccount", "aws:SourceArn", "kms:EncryptionContext:aws:logs:arn"}
            alarms = statement.get("Sid") == "EncryptForAlarms" and services == ["cloudwatch.amazonaws.com"]
            if services and not keys & known and not set(map(text_of, services)) <= OWN_TRUST and not alarms:
                yield f"{name} lets {', '.join(map(text_of, services))} in for any account"
    for name, permission in of_type(template, "AWS::Lambda::Permission").items():
        if not {"SourceArn", "SourceAccount"} & permission.keys():
            yield f"{name} lets {permission['Principal']} in for any account"


# ----------------------------------------------------------------------------------------- what starts, and what fails


def events_are_kept(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T7"""
    rule = of_type(template, "AWS::Events::Rule")["UploadRule"]
    told = rule["EventPattern"]["detail"]["object"]
    if rule["EventPattern"]["detail"].get("bucket") != {"name": [{"Ref": "LakeBucket"}]}:
        yield "UploadRule listens to buckets of others"
    if told.get("key") != [{"prefix": "raw/"}]:
        yield "UploadRule is not for raw/ alone"
    if {"numeric": [">", 0]} not in told.get("size", []):
        yield "UploadRule starts runs for empty objects"
    for name, one in of_type(template, "AWS::Events::Rule").items():
        for target in one["Targets"]:
            if "DeadLetterConfig" not in target:
                yield f"{name} forgets what it cannot deliver"
    if "RetryPolicy" not in rule["Targets"][0]:
        yield "UploadRule does not say how often it tries"


def the_state_machine_is_seen(template: Template, definition: dict[str, Any]) -> Iterator[Finding]:
    """T8"""
    for name, machine in of_type(template, "AWS::StepFunctions::StateMachine").items():
        logging = machine.get("LoggingConfiguration", {})
        if logging.get("Level") != "ALL" or not logging.get("Destinations"):
            yield f"{name} does not log all"
        if logging.get("IncludeExecutionData") is not False:
            yield f"{name} logs what readings say of people"
        if machine.get("TracingConfiguration") != {"Enabled": True}:
            yield f"{name} is not traced"
        if machine.get("StateMachineType") != "STANDARD":
            yield f"{name} cannot be redriven"
    if not definition.get("TimeoutSeconds"):
        yield "an execution may run for ever"


def tasks_end_retry_and_are_caught(_: Template, definition: dict[str, Any]) -> Iterator[Finding]:
    """T9. What no Catch expects fails the execution at that very state, where a redrive goes on: so not every task has
    one, and none stands behind States.ALL. What may heal is tried again, by the names that services give it.
    """
    count = 0
    for name, state in _states(definition):
        if state["Type"] != "Task":
            continue
        count += 1
        if not state.get("TimeoutSeconds"):
            yield f"{name} has no TimeoutSeconds"
        if len(state.get("Retry", [])) != 3:
            yield f"{name} has not the three blocks of Retry"
        retried = {error for block in state.get("Retry", []) for error in block["ErrorEquals"]}
        stumbles = {error for error in retried if STUMBLE.fullmatch(error)}
        healing = HEALING[state["Resource"].split(":::")[1].split(":")[0]]
        if not stumbles or retried - stumbles != healing:
            yield f"{name} does not try again what may heal, and that alone"
        caught = {error for block in state.get("Catch", []) for error in block["ErrorEquals"]}
        if missing := EXPECTED.get(name, set()) - caught:
            yield f"{name} does not catch {', '.join(sorted(missing))}"
        for block in ("Retry", "Catch"):
            named = [one["ErrorEquals"] for one in state.get(block, [])]
            if any("States.ALL" in names for names in named[:-1]) or (named and {"States.ALL"} < set(named[-1])):
                yield f"{name}: States.ALL is not alone and last in {block}"
    if count < 9:
        yield f"only {count} tasks were found"


def _states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        for branch in state.get("Branches", []):
            yield from _states(branch)


def failures_raise_alarms(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T10"""
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    watched: dict[str, set[str]] = {}
    for name, alarm in alarms.items():
        if alarm.get("AlarmActions") != [{"Ref": "Notifications"}] or alarm.get("ActionsEnabled") is False:
            yield f"{name} does not tell the stack's topic"
        of_math = (one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one)
        for metric in (alarm, *of_math):
            if "MetricName" in metric:
                dimensions = {text_of(one["Value"]) for one in metric.get("Dimensions", [])}
                watched.setdefault(metric["MetricName"], set()).update(dimensions)
        waiting = alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
        if (waiting or name in AT_ONCE) and not _goes_off_at_once(alarm, AT_ONCE.get(name)):
            yield f"{name} lets some of it pass"
    for metric in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"):
        if "${Pipeline}" not in watched.get(metric, set()):
            yield f"nobody is told of {metric}"
    for name in of_type(template, "AWS::SQS::Queue"):
        if "${" + name + ".QueueName}" not in watched.get("ApproximateNumberOfMessagesVisible", set()):
            yield f"nobody is told of what waits in {name}"


def _goes_off_at_once(alarm: dict[str, Any], expression: str | None) -> bool:
    """At more than none, in the first period in which there is one."""
    computed = [one["Expression"] for one in alarm.get("Metrics", []) if "Expression" in one]
    statistics = {one["MetricStat"]["Stat"] for one in alarm.get("Metrics", []) if "MetricStat" in one}
    return (
        (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")
        and alarm["EvaluationPeriods"] == 1
        and (statistics or {alarm.get("Statistic")}) <= {"Sum", "Maximum"}
        and computed == ([expression] if expression else [])
    )


# ------------------------------------------------------------------------------------------------------ what is kept


def data_outlives_the_stack(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T11"""
    for name, entry in template["Resources"].items():
        key_of_data = name == "LakeKey"
        if entry["Type"] == "AWS::S3::Bucket" or key_of_data:
            for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
                if entry.get(policy) != "Retain":
                    yield f"{name} has no {policy} Retain"


def versions_are_kept_and_end(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T12"""
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        rules = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
        if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield f"{name} keeps no versions"
        if not any("AbortIncompleteMultipartUpload" in rule for rule in rules):
            yield f"{name} keeps unfinished uploads"
        if not any("NoncurrentVersionExpiration" in rule for rule in rules):
            yield f"{name} keeps every version for ever"
        for rule in rules:
            ends = {key for key in rule if key.startswith(("Expiration", "NoncurrentVersionExpiration"))}
            if name == "LakeBucket" and ends and "raw/".startswith(rule.get("Prefix", "")[:4]):
                yield f"{name} lets uploads expire by {rule['Id']}"


def buckets_are_private(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T13"""
    blocks = {"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"}
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if {key for key, value in block.items() if value is True} != blocks:
            yield f"{name} may be made public"
        if bucket.get("OwnershipControls") != {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}:
            yield f"{name} knows access lists"
        if not bucket.get("BucketEncryption"):
            yield f"{name} does not say how it is encrypted"


def logs_and_messages_are_encrypted_and_end(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T14"""
    for name, keeper in of_type(template, "AWS::SQS::Queue", "AWS::SNS::Topic").items():
        if text_of(keeper.get("KmsMasterKeyId", "")) not in {"${StackKey}", "${StackKey.Arn}"}:
            yield f"{name} is not encrypted with a key of one's own"
    groups = of_type(template, "AWS::Logs::LogGroup")
    for name, group in groups.items():
        if not group.get("KmsKeyId"):
            yield f"{name} is not encrypted with a key of one's own"
        if not group.get("RetentionInDays"):
            yield f"{name} is kept for ever"
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        if function.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref") not in groups:
            yield f"{name} logs into a group that Lambda makes, without an end"


def no_secret_is_in_the_environment(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T15: only where a secret lies."""
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        for variable, value in function.get("Environment", {}).get("Variables", {}).items():
            told = text_of(value) if not isinstance(value, int | float) else str(value)
            if SECRET.search(variable) and not SECRET_ADDRESS.search(variable):
                yield f"{name} has {variable} in its environment"
            if SECRET_VALUE.search(told):
                yield f"{name} has a secret as its {variable}"
            if "{{resolve:" in told:
                yield f"{name} has a secret resolved into {variable}"


def functions_run_what_is_tested(template: Template, _: dict[str, Any]) -> Iterator[Finding]:
    """T17"""
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        if function.get("Runtime") != "python3.13":
            yield f"{name} runs {function.get('Runtime')}"
        if function.get("TracingConfig") != {"Mode": "Active"}:
            yield f"{name} is not traced"


CHECKS: dict[str, Check] = {
    "T1": managed_policies_are_for_logs_and_traces,
    "T2": actions_are_named,
    "T3": resources_are_named,
    "T4": nobody_writes_uploads,
    "T5": prefixes_have_one_writer,
    "T6": only_over_tls,
    "T7": events_are_kept,
    "T8": the_state_machine_is_seen,
    "T9": tasks_end_retry_and_are_caught,
    "T10": failures_raise_alarms,
    "T11": data_outlives_the_stack,
    "T12": versions_are_kept_and_end,
    "T13": buckets_are_private,
    "T14": logs_and_messages_are_encrypted_and_end,
    "T15": no_secret_is_in_the_environment,
    "T16": services_come_from_this_account,
    "T17": functions_run_what_is_tested,
}
