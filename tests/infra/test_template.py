"""The template: who may do what, what starts a run, and that tables are the tables of the code."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jsonata
import pytest
import sqlglot
from moto.events.models import EventPattern

from energy.schema import DATABASE, TABLES
from energy.settings import Settings
from tests.infra.conftest import MANAGED_POLICIES
from tests.infra.review import WITHOUT_RESOURCE
from tools.imports import BUDGET_SECONDS

ROOT = Path(__file__).resolve().parents[2]
NASTY = ROOT.parent / "shared" / "data" / "nasty" / "expected.json"

TABLE_AREAS = {
    *("readings", "appliances", "hourly", "profile", "daily", "quality", "accuracy", "costs", "bills"),
    "documents",
}
# What each state may write, and read beside what it writes; the bucket's keys, `*` as in IAM.
WRITES = {
    "ValidateFunction": {"processed/uploads/*", "quarantine/*", "pending/*"},
    "AggregateFunction": {f"processed/{area}/*" for area in TABLE_AREAS},
    "DetectAnomaliesFunction": {"anomalies/*"},
    "ForecastProphetFunction": {"forecast/*"},
    "ForecastStatsforecastFunction": {"forecast/*"},
    "GenerateReportFunction": {"reports/site=*/pub=*/*"},
    "RefreshPartitionsFunction": {"manifests/*", "reports/site=*/latest.html"},
    "ReconcileFunction": set(),
    "ListBacklogFunction": {"backlog/lists/*"},
    "CollectGarbageFunction": set(),
    "ExplainFailureFunction": set(),
    "NotifySlackFunction": set(),
}
READS = {
    "ValidateFunction": {"raw/*", "manifests/*", "config/*"},
    "AggregateFunction": {"manifests/*", "config/*", "processed/uploads/*", "pending/*", "forecast/history/*"},
    "DetectAnomaliesFunction": {"processed/hourly/*", "processed/daily/*", "processed/documents/*"},
    "ForecastProphetFunction": {"processed/daily/*", "processed/documents/*"},
    "ForecastStatsforecastFunction": {"processed/daily/*", "processed/documents/*"},
    "GenerateReportFunction": {"processed/documents/*", "anomalies/documents/*", "forecast/documents/*"},
    "RefreshPartitionsFunction": {"processed/documents/*", "reports/*", "pending/*"},
    "ReconcileFunction": {"manifests/*", "config/*", "quarantine/*/problems.json"},
    "ListBacklogFunction": {"manifests/*", "config/*", "pending/*", "quarantine/*/problems.json"},
    "CollectGarbageFunction": {"quarantine/*/problems.json"},
    "ExplainFailureFunction": set(),
    "NotifySlackFunction": set(),
}
DELETES = {
    "RefreshPartitionsFunction": {"pending/*", "reports/site=*/latest.html"},
    "CollectGarbageFunction": {
        "processed/*/site=*",
        "anomalies/*site=*/pub=*",
        "forecast/*/site=*/pub=*",
        "reports/site=*/pub=*",
        "quarantine/site=*/run=*",
    },
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def of_type(resources: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: entry["Properties"] for name, entry in resources.items() if entry["Type"] == kind}


def statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        statement for policy in role.get("Policies", []) for statement in listed(policy["PolicyDocument"]["Statement"])
    ]


def actions(statement: dict[str, Any]) -> list[str]:
    return listed(statement["Action"])


def bucket_keys(statement: dict[str, Any]) -> set[str]:
    """The patterns of keys in the lake that a statement is about."""
    texts = [resource.get("Fn::Sub", "") for resource in listed(statement["Resource"]) if isinstance(resource, dict)]
    return {text.removeprefix("${LakeBucket.Arn}/") for text in texts if text.startswith("${LakeBucket.Arn}/")}


def keys_allowed(role: dict[str, Any], action: str) -> set[str]:
    return {key for statement in statements(role) if action in actions(statement) for key in bucket_keys(statement)}


def function_roles(resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: resources[properties["Role"]["Fn::GetAtt"][0]]["Properties"]
        for name, properties in of_type(resources, "AWS::Lambda::Function").items()
    }


# ------------------------------------------------------------------------------------------------------------ tables


def test_glue_tables_are_the_tables_of_the_code(resources):
    inputs = [table["TableInput"] for table in of_type(resources, "AWS::Glue::Table").values()]
    tables = {table["Name"]: table for table in inputs if table["Parameters"].get("classification") == "parquet"}
    assert set(tables) == set(TABLES)
    assert len(tables) >= 14
    # Beside them lie the uploads as text, and the views.
    others = {table["Name"]: table["TableType"] for table in inputs if table["Name"] not in tables}
    assert sorted(others.values()) == ["EXTERNAL_TABLE"] + ["VIRTUAL_VIEW"] * 5

    def described(columns):
        return [(column["Name"], column["Type"], column["Comment"]) for column in columns]

    for name, table in TABLES.items():
        storage = tables[name]["StorageDescriptor"]
        assert described(storage["Columns"]) == [(column.name, column.type, column.comment) for column in table.columns]
        assert described(tables[name]["PartitionKeys"]) == [
            (column.name, column.type, column.comment) for column in table.partition_keys
        ]
        assert storage["Location"] == {"Fn::Sub": f"s3://${{LakeBucket}}/{table.area}/"}
        assert storage["SerdeInfo"]["SerializationLibrary"].endswith("ParquetHiveSerDe")
        assert tables[name]["Description"] == table.row


def test_the_uploads_are_a_table_of_lines_whatever_they_hold(resources):
    (table,) = [
        table["TableInput"]
        for table in of_type(resources, "AWS::Glue::Table").values()
        if table["TableInput"]["Name"] == "raw_files"
    ]
    storage = table["StorageDescriptor"]
    assert storage["Location"] == {"Fn::Sub": "s3://${LakeBucket}/raw/"}
    assert [column["Name"] for column in storage["Columns"]] == ["line"]
    # What one group of Hive's RegexSerDe does not match is null: this one matches every line.
    pattern = storage["SerdeInfo"]["Parameters"]["input.regex"]
    for line in ("", "a,b", '"\x01|\t;', "\x85\u2028"):
        assert re.fullmatch(pattern, line)[1] == line


def views(resources):
    """By name: Glue's description of each view, and Athena's own in it, as CloudFormation makes it."""
    found = {}
    for resource in of_type(resources, "AWS::Glue::Table").values():
        described = resource["TableInput"]
        if described["TableType"] == "VIRTUAL_VIEW":
            text, values = described["ViewOriginalText"]["Fn::Sub"]
            assert text == "/* Presto View: ${View} */"
            found[described["Name"]] = described, json.loads(values["View"]["Fn::Base64"]["Fn::Sub"])
    return found


def test_views_are_kept_as_athena_keeps_them(resources):
    assert len(views(resources)) == 5
    types = {"string": "varchar"}
    for described, presto in views(resources).values():
        assert described["Parameters"] == {"presto_view": "true", "comment": "Presto View"}
        assert described["ViewExpandedText"] == "/* Presto View */"
        assert described["PartitionKeys"] == []
        assert (presto["catalog"], presto["schema"]) == ("awsdatacatalog", "${DatabaseName}")
        columns = described["StorageDescriptor"]["Columns"]
        assert presto["columns"] == [
            {"name": column["Name"], "type": types.get(column["Type"], column["Type"])} for column in columns
        ]
        query = sqlglot.parse_one(presto["originalSql"], read="athena")
        assert query.named_selects == [column["Name"] for column in columns]
        # Views read tables, so that none waits for another.
        of_query = {common.alias for common in query.find_all(sqlglot.exp.CTE)}
        assert {table.name for table in query.find_all(sqlglot.exp.Table)} - of_query <= set(TABLES)


def test_saved_queries_read_the_tables_in_the_workgroup(resources):
    known = {*TABLES, *views(resources), "raw_files"}
    queries = of_type(resources, "AWS::Athena::NamedQuery").values()
    assert len(queries) >= 9
    for query in queries:
        assert query["Database"] == {"Ref": "Database"}
        assert query["WorkGroup"] == {"Ref": "WorkGroup"}
        (parsed,) = sqlglot.parse(query["QueryString"], read="athena")
        of_query = {common.alias for common in parsed.find_all(sqlglot.exp.CTE)}
        assert {table.name for table in parsed.find_all(sqlglot.exp.Table)} - of_query <= known


def test_the_imports_of_every_function_have_a_budget(source):
    functions = of_type(source["Resources"], "AWS::Serverless::Function")
    assert {properties["CodeUri"] for properties in functions.values()} == {
        f"functions/{verb}" for verb in BUDGET_SECONDS
    }


def test_the_database_is_called_what_queries_call_it(source):
    assert source["Parameters"]["DatabaseName"]["Default"] == DATABASE


# ------------------------------------------------------------------------------------------------------------- roles


def test_every_function_writes_its_own_prefixes_and_nothing_else(resources):
    assert {name: keys_allowed(role, "s3:PutObject") for name, role in function_roles(resources).items()} == WRITES


def test_every_function_reads_what_its_state_needs_and_nothing_else(resources):
    readable = {name: keys_allowed(role, "s3:GetObject") for name, role in function_roles(resources).items()}
    own = {name: WRITES[name] - {"reports/site=*/latest.html"} for name in WRITES}
    assert readable == {name: READS[name] | own[name] for name in READS}


def test_the_job_may_do_what_the_functions_may_for_which_it_stands(resources):
    stood_for = ("ValidateFunction", "AggregateFunction", "DetectAnomaliesFunction", "ForecastStatsforecastFunction")
    role = resources["CrunchJobRole"]["Properties"]
    own = "crunched/*"
    assert keys_allowed(role, "s3:PutObject") == {own}.union(*(WRITES[name] for name in stood_for))
    read = {own}.union(*(READS[name] | WRITES[name] for name in stood_for))
    # Aggregation reads what was forecast before; whoever forecasts may read all of that.
    assert keys_allowed(role, "s3:GetObject") == read - {"forecast/history/*"}
    assert not keys_allowed(role, "s3:DeleteObject")


def test_the_job_runs_the_versions_of_the_layers_on_the_newest_glue(resources):
    job = resources["CrunchJob"]["Properties"]
    assert job["GlueVersion"] == "5.1"
    assert job["MaxRetries"] == 0
    arguments = job["DefaultArguments"]
    assert arguments["--job-bookmark-option"] == "job-bookmark-disable"
    locked = locked_versions(ROOT / "requirements" / "spark.txt")
    installed = dict(one.split("==") for one in arguments["--additional-python-modules"].split(","))
    assert installed == {name: locked[name] for name in installed}
    for layer in ("core", "polars"):
        for name, version in locked_versions(ROOT / "layers" / layer / "requirements.txt").items():
            assert locked.get(name, version) == version, name
    forecasting = locked_versions(ROOT / "functions" / "forecast_statsforecast" / "requirements.txt")
    for name in ("statsforecast", "coreforecast", "statsmodels", "fastparquet"):
        assert installed[name] == forecasting[name], name
    assert {"polars", "pydantic", "pyyaml", "tzdata"} <= set(installed)
    settings = {name for name in arguments if name.removeprefix("--") in Settings.model_fields}
    assert settings == {
        f"--{name.lower()}"
        for name in ("LAKE_BUCKET", "GLUE_DATABASE", "SITE_TIMEZONE", "MAX_REJECTED_SHARE", "REPORT_LANGUAGE")
    }


def locked_versions(requirements: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", requirements.read_text(), re.MULTILINE))


def test_the_state_machine_may_run_its_job_and_no_other(resources):
    statements_of_glue = [
        statement
        for statement in statements(resources["PipelineRole"]["Properties"])
        if any(action.startswith("glue:") for action in actions(statement))
    ]
    (statement,) = statements_of_glue
    assert set(actions(statement)) == {"glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"}
    assert statement["Resource"]["Fn::Sub"].endswith(":job/${CrunchJob}")


def test_nothing_but_results_what_waited_and_the_latest_report_can_be_deleted(resources):
    deletable = {name: keys_allowed(role, "s3:DeleteObject") for name, role in function_roles(resources).items()}
    assert {name: keys for name, keys in deletable.items() if keys} == DELETES


def test_no_role_of_the_stack_can_write_an_upload(resources):
    """So that no result can ever start another run, however the rule may be edited."""
    roles = of_type(resources, "AWS::IAM::Role")
    assert len(roles) == 16
    for name, role in roles.items():
        for statement in statements(role):
            if any(re.match("s3:(?!Get|List)", action) for action in actions(statement)):
                keys = bucket_keys(statement)
                assert keys, name
                assert not any(fnmatchcase("raw/home/readings.csv", key) or key.startswith("raw") for key in keys), name


def test_no_action_is_a_wildcard_and_resources_are_named(resources):
    checked = 0
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        for statement in statements(role):
            for action in actions(statement):
                assert "*" not in action, name
                if "*" in listed(statement["Resource"]):
                    assert action in WITHOUT_RESOURCE, f"{name}: {action}"
                checked += 1
    assert checked >= 40


def test_the_report_may_ask_the_models_that_are_configured_and_no_other(resources):
    """Policies of their own, so that a stack that asks nobody allows nothing."""
    asking = ("AskBedrock", "ReadOpenAiKey")
    policies = {name: one for name, one in resources.items() if name in asking}
    assert {name: one["Condition"] for name, one in policies.items()} == {
        "AskBedrock": "AsksBedrock",
        "ReadOpenAiKey": "AsksOpenAi",
    }
    assert all(one["Properties"]["Roles"] == [{"Ref": "GenerateReportFunctionRole"}] for one in policies.values())
    profile, model = policies["AskBedrock"]["Properties"]["PolicyDocument"]["Statement"]
    (key,) = policies["ReadOpenAiKey"]["Properties"]["PolicyDocument"]["Statement"]
    assert [actions(one) for one in (profile, model)] == [["bedrock:InvokeModel"]] * 2
    assert profile["Resource"]["Fn::Sub"].endswith(":inference-profile/${BedrockModelId}")
    text, parts = model["Resource"]["Fn::Sub"]
    assert text.endswith(":foundation-model/${Vendor}.${Model}")
    names = parts["Vendor"]["Fn::Select"], parts["Model"]["Fn::Select"]
    profile_id = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
    assert [profile_id.split(".")[place] for place, _ in names] == ["anthropic", "claude-haiku-4-5-20251001-v1:0"]
    assert model["Condition"]["ArnEquals"]["bedrock:InferenceProfileArn"] == profile["Resource"]
    assert (actions(key), key["Resource"]) == (["secretsmanager:GetSecretValue"], {"Ref": "OpenAiSecretArn"})


@pytest.mark.parametrize(
    "name", ["ReportProviders", "ReportSeconds", "BedrockModelId", "OpenAiModel", "OpenAiSecretArn"]
)
def test_the_template_and_the_code_agree_on_who_writes(name, source):
    """So that a function without these variables, as on a laptop, does as a new stack does."""
    parameter = source["Parameters"][name]
    defaults = Settings(lake_bucket="lake")
    variable = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("open_ai", "openai")
    given = Settings.model_validate({"lake_bucket": "lake", variable: parameter["Default"]})
    assert getattr(given, variable) == getattr(defaults, variable)
    for value in parameter.get("AllowedValues", []):
        assert Settings.model_validate({"lake_bucket": "lake", variable: value}).report_providers[-1] == "rules"
    variables = source["Resources"]["GenerateReportFunction"]["Properties"]["Environment"]["Variables"]
    assert variables[variable.upper()] == {"Ref": name}
    assert variables["LANGSMITH_TRACING"] == "false"


def test_managed_policies_are_for_logs_and_traces_only(resources):
    attached = {
        arn for role in of_type(resources, "AWS::IAM::Role").values() for arn in role.get("ManagedPolicyArns", [])
    }
    assert attached <= set(MANAGED_POLICIES.values())


def test_each_function_has_a_role_of_its_own(resources):
    functions = of_type(resources, "AWS::Lambda::Function")
    assert set(functions) == set(WRITES)
    assert len({json.dumps(properties["Role"]) for properties in functions.values()}) == len(WRITES) == 12


def test_every_statement_gives_its_reason():
    """A comment stands right above every statement that allows something."""
    lines = (Path(__file__).resolve().parents[2] / "template.yaml").read_text().splitlines()
    allowing = [number for number, line in enumerate(lines) if line.strip() == "Effect: Allow"]
    allowing = [number for number in allowing if "- Sid:" in lines[number - 1]]
    assert len(allowing) >= 25
    for number in allowing:
        assert lines[number - 2].strip().startswith("#"), f"line {number}"


# -------------------------------------------------------------------------------------------------- what starts a run


def starts_a_run(resources, key: str, size: int = 1, bucket: str = "lake", kind: str = "Object Created") -> bool:
    pattern = json.loads(json.dumps(resources["UploadRule"]["Properties"]["EventPattern"]))
    assert pattern["detail"]["bucket"]["name"] == [{"Ref": "LakeBucket"}]
    pattern["detail"]["bucket"]["name"] = ["lake"]
    event = {
        "source": "aws.s3",
        "detail-type": kind,
        "detail": {"bucket": {"name": bucket}, "object": {"key": key, "size": size}, "reason": "PutObject"},
    }
    if kind == "Object Deleted":
        del event["detail"]["object"]["size"]
    return EventPattern("", pattern).matches_event(event) and not passed_over(event)


def passed_over(event) -> bool:
    """Whether the first state of the state machine ends the execution at once."""
    machine = json.loads((ROOT / "statemachine" / "energy_pipeline.asl.json").read_text())
    (choice,) = machine["States"][machine["StartAt"]]["Choices"]
    assert machine["States"][choice["Next"]]["Type"] == "Succeed"
    condition = choice["Condition"].removeprefix("{%").removesuffix("%}").replace("$states.input", "$event")
    expression = jsonata.Jsonata(condition)
    expression.assign("event", event)
    return expression.evaluate(None)


def test_every_key_of_the_catalogue_gets_its_verdict(resources):
    if not NASTY.exists():
        pytest.skip("the catalogue of nasty keys is not on this machine")
    verdicts = json.loads(NASTY.read_text())["keys"]
    assert len(verdicts) >= 18
    empty = {"raw/", "raw/sub/", "raw/zero.csv"}
    starts = {key: starts_a_run(resources, key, size=0 if key in empty else 100) for key in verdicts}
    expected = {key: not verdict.startswith(("skip", "never")) for key, verdict in verdicts.items()}
    assert starts == expected


@pytest.mark.parametrize(
    "key",
    [
        "raw/x.csv",
        "raw/home/x.CSV",
        "raw/x.csv.gz",
        "raw/a/b/c.txt",
        "raw/x.tsv",
        "raw/x.xml",
        "raw/x.json",
        "raw/x.xlsx",
        "raw/x",
        "raw/X.Csv",
        "raw/.hidden-folder/x.csv",
        "raw/tmp.csv",
    ],
)
def test_readings_and_what_people_take_for_readings_start_a_run(resources, key):
    assert starts_a_run(resources, key)


@pytest.mark.parametrize(
    "key",
    [
        "raw/x.csv.tmp",
        "raw/.DS_Store",
        "raw/_SUCCESS",
        "raw/home/x.csv.PART",
        "raw/home/",
        "rawx/x.csv",
        "x.csv",
        "processed/raw/x.csv",
        "processed/readings/site=home/month=2024-01/pub=a/readings.parquet",
        "reports/site=home/pub=a/report.json",
        "quarantine/site=home/run=a/rejected.csv",
        "manifests/home.json",
        "athena-results/a.csv",
    ],
)
def test_nothing_else_starts_one(resources, key):
    assert not starts_a_run(resources, key)


def test_deletions_of_uploads_start_a_run(resources):
    assert starts_a_run(resources, "raw/x.csv", kind="Object Deleted")
    assert not starts_a_run(resources, "pending/site=home/x.json", kind="Object Deleted")
    assert not starts_a_run(resources, "raw/x.csv.tmp", kind="Object Deleted")


def test_empty_objects_other_buckets_and_other_news_start_none(resources):
    assert not starts_a_run(resources, "raw/x.csv", size=0)
    assert not starts_a_run(resources, "raw/x.csv", bucket="another")
    assert not starts_a_run(resources, "raw/x.csv", kind="Object Tags Added")


def test_an_event_that_cannot_be_delivered_is_kept(resources):
    (target,) = resources["UploadRule"]["Properties"]["Targets"]
    assert target["Arn"] == {"Ref": "Pipeline"}
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
    for rule in ("UploadRule", "FailureRule"):
        (target,) = resources[rule]["Properties"]["Targets"]
        queue_id = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
        queue = resources[queue_id]["Properties"]
        assert queue["KmsMasterKeyId"] == {"Fn::GetAtt": ["StackKey", "Arn"]}
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
        policies = of_type(resources, "AWS::SQS::QueuePolicy").values()
        (policy,) = [policy for policy in policies if {"Ref": queue_id} in policy["Queues"]]
        allowed = policy["PolicyDocument"]["Statement"][0]
        assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ({"status": "FAILED", "error": "States.Runtime"}, True),
        ({"status": "FAILED", "error": "ReportMissing"}, True),
        ({"status": "FAILED"}, True),
        ({"status": "TIMED_OUT"}, True),
        ({"status": "ABORTED"}, True),
        # The state machine has told of it, with the reason.
        ({"status": "FAILED", "error": "UploadRejected"}, False),
        ({"status": "FAILED", "error": "BacklogIncomplete"}, False),
        ({"status": "FAILED", "error": "RejectionNotTold"}, True),
        ({"status": "SUCCEEDED", "output": '{"site":"home","not_announced":"SNS.NotFoundException"}'}, True),
        ({"status": "SUCCEEDED", "output": '{"site":"home"}'}, False),
        ({"status": "SUCCEEDED"}, False),
        ({"status": "RUNNING"}, False),
    ],
)
def test_an_execution_that_ended_red_is_told_to_people_once(resources, ended, told):
    rule = resources["FailureRule"]["Properties"]
    pattern = json.loads(json.dumps(rule["EventPattern"]))
    assert pattern["detail"]["stateMachineArn"] == [{"Ref": "Pipeline"}, {"Ref": "Backlog"}]
    pattern["detail"]["stateMachineArn"] = ["pipeline"]
    event = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"stateMachineArn": "pipeline", **ended},
    }
    assert EventPattern("", pattern).matches_event(event) is told
    assert [target["Arn"] for target in rule["Targets"]] == [{"Fn::GetAtt": ["ExplainFailureFunction", "Arn"]}]


# ------------------------------------------------------------------------------------------- the bucket and the rest


def test_the_lake_is_kept_private_encrypted_and_versioned(resources):
    bucket = resources["LakeBucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = bucket["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["NotificationConfiguration"]["EventBridgeConfiguration"] == {"EventBridgeEnabled": True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert all(properties["PublicAccessBlockConfiguration"].values())
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]


def test_no_lifecycle_rule_touches_uploads_or_current_results(resources):
    rules = resources["LakeBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert len(rules) >= 7
    for rule in rules:
        expires = {name for name in rule if name.endswith(("Expiration", "ExpirationInDays"))}
        if expires:
            assert not rule["Prefix"].startswith("raw")
            assert "raw/".find(rule["Prefix"]) != 0
        if "ExpirationInDays" in rule:
            assert rule["Prefix"] in {"athena-results/", "crunched/", "backlog/"}


def test_buckets_queues_and_topics_refuse_unencrypted_connections(resources):
    kinds = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
    policies = [policy for kind in kinds for policy in of_type(resources, kind).values()]
    assert len(policies) == 6
    for policy in policies:
        denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]
        assert all(s["Principal"] == "*" for s in denied)


def test_every_function_runs_python_3_13_with_the_core_layer_and_logs_that_end(resources):
    for name, properties in of_type(resources, "AWS::Lambda::Function").items():
        assert properties["Runtime"] == "python3.13", name
        assert properties["Architectures"] == [{"Ref": "Architecture"}], name
        assert properties["Handler"] == "app.handler", name
        assert properties["Layers"][0]["Ref"].startswith("CoreLayer"), name
        logs = resources[properties["LoggingConfig"]["LogGroup"]["Ref"]]
        assert logs["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}, name


def test_only_the_functions_that_go_through_rows_carry_polars(resources):
    carrying = {
        name
        for name, properties in of_type(resources, "AWS::Lambda::Function").items()
        if any(layer["Ref"].startswith("PolarsLayer") for layer in properties["Layers"])
    }
    assert carrying == {"ValidateFunction", "AggregateFunction", "DetectAnomaliesFunction"}


def test_the_state_machine_is_redrivable_traced_and_logged_without_data(resources):
    machine = resources["Pipeline"]["Properties"]
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_queries_cannot_send_their_results_elsewhere_or_scan_without_limit(resources):
    configuration = resources["WorkGroup"]["Properties"]["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["BytesScannedCutoffPerQuery"] == {"Ref": "QueryScanLimitBytes"}
    assert configuration["ResultConfiguration"]["OutputLocation"] == {"Fn::Sub": "s3://${LakeBucket}/athena-results/"}


def test_every_parameter_is_described_grouped_and_bounded(source):
    parameters = source["Parameters"]
    groups = source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(parameters)
    for name, parameter in parameters.items():
        assert parameter["Description"].endswith("."), name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter), name


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (
            "SiteTimezone",
            ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"],
            ["", "Europe/", "a b", "../x"],
        ),
        *(
            (
                parameter,
                ["", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-AbCdEf"],
                ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:openai", "sk-1", "openai-AbCdEf"],
            )
            for parameter in ("OpenAiSecretArn", "SlackWebhookSecretArn")
        ),
        ("NotificationEmail", ["", "someone@example.org"], ["someone", "a@b", "a b@c.de"]),
        ("DatabaseName", ["energy_db", "e"], ["Energy", "1db", "energy-db"]),
    ],
)
def test_patterns_admit_what_is_right_and_refuse_the_rest(source, parameter, good, bad):
    pattern = re.compile(source["Parameters"][parameter]["AllowedPattern"])
    assert all(pattern.fullmatch(value) for value in good)
    assert not any(pattern.fullmatch(value) for value in bad)


def test_outputs_say_how_to_go_on(source):
    assert set(source["Outputs"]) == {
        "BucketName",
        "UploadCommand",
        "StateMachineArn",
        "ConsoleUrl",
        "TopicArn",
        "WorkGroup",
        "DatabaseName",
        "DashboardUrl",
        "ReconcileFunctionName",
        "CollectGarbageFunctionName",
        "BacklogArn",
        "ListBacklogFunctionName",
    }
    assert all(output["Description"] for output in source["Outputs"].values())


def test_settings_of_the_code_are_set_by_the_template(source):
    shared = set(source["Globals"]["Function"]["Environment"]["Variables"])
    # The functions of the state machine cannot know it: it is made of them.
    own = {
        variable
        for function in ("ReconcileFunction", "GenerateReportFunction", "ExplainFailureFunction", "NotifySlackFunction")
        for variable in source["Resources"][function]["Properties"]["Environment"]["Variables"]
    }
    assert {name.upper() for name in Settings.model_fields} <= shared | own
    assert {"LAKE_BUCKET", "SITE_TIMEZONE", "MAX_REJECTED_SHARE"} <= shared
