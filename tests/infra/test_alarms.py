"""What the alarms and the dashboard look at is what the functions write."""

import ast
import json
import re
from pathlib import Path

import pytest

from tests.infra.rendering import rendered
from tests.infra.review import listed, of_type, text_of

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "EnergyAnalytics"


@pytest.fixture(scope="module")
def template(transformed_template):
    return rendered(transformed_template)


def written() -> dict[str, set[str]]:
    """The metrics that each function writes, by its service name."""
    found = {}
    shared = names(ROOT / "layers" / "core" / "energy" / "observability.py")
    assert shared == {"UploadsRefused"}
    for app in (ROOT / "functions").glob("*/app.py"):
        found[app.parent.name] = names(app) | (shared if app.parent.name == "validate" else set())
    return found


def names(path: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    added = [call for call in calls if getattr(call.func, "attr", None) == "add_metric"]
    return {call.args[0].value for call in added}


def alarm_metrics(template):
    """(alarm, namespace, metric, dimensions) of every metric that an alarm looks at."""
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        parts = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
        for metric in parts or [alarm]:
            dimensions = {one["Name"]: text_of(one["Value"]) for one in metric.get("Dimensions", [])}
            yield name, metric["Namespace"], metric["MetricName"], dimensions


def dashboard(template):
    (board,) = of_type(template, "AWS::CloudWatch::Dashboard").values()
    return json.loads(text_of(board["DashboardBody"]))


def dashboard_metrics(template):
    for widget in dashboard(template)["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], str):
                namespace, name, *rest = (part for part in metric if isinstance(part, str))
                yield widget["properties"]["title"], namespace, name, dict(zip(rest[::2], rest[1::2], strict=True))


def test_every_metric_of_our_own_is_written_by_the_function_that_it_is_looked_for_at(template):
    known = written()
    looked_at = [*alarm_metrics(template), *dashboard_metrics(template)]
    ours = [one for one in looked_at if one[1] == NAMESPACE]
    assert len(ours) >= 20
    for place, _, metric, dimensions in ours:
        assert dimensions.keys() == {"stack", "service"}, place
        assert dimensions["stack"] == "${AWS::StackName}", place
        assert metric in known[dimensions["service"]], f"{place}: {dimensions['service']} writes no {metric}"


def test_services_are_called_as_the_folders_of_the_functions(source):
    for name, resource in source["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            variables = resource["Properties"]["Environment"]["Variables"]
            assert f"functions/{variables['POWERTOOLS_SERVICE_NAME']}" == resource["Properties"]["CodeUri"], name


def test_namespace_and_stack_reach_the_functions(source):
    variables = source["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == NAMESPACE
    assert variables["STACK_NAME"] == {"Ref": "AWS::StackName"}


def test_what_aws_counts_is_looked_for_by_its_own_dimensions(template):
    expected = {"AWS/States": {"StateMachineArn"}, "AWS/SQS": {"QueueName"}, "AWS/Lambda": {"FunctionName"}}
    for place, namespace, metric, dimensions in [*alarm_metrics(template), *dashboard_metrics(template)]:
        if namespace == NAMESPACE or (namespace, metric) == ("AWS/Lambda", "Throttles"):
            continue
        assert dimensions.keys() == expected[namespace], place


def test_every_resource_that_is_looked_at_is_there(template):
    resources = template["Resources"]
    looked_at = [*alarm_metrics(template), *dashboard_metrics(template)]
    mentioned = {match for *_, dimensions in looked_at for match in re.findall(r"\$\{(\w+)[.}]", str(dimensions))}
    assert mentioned - {"AWS"} <= set(resources)
    (first, *_) = dashboard(template)["widgets"]
    alarms = {text.removeprefix("${").removesuffix(".Arn}") for text in first["properties"]["alarms"]}
    assert alarms == set(of_type(template, "AWS::CloudWatch::Alarm"))


def test_the_time_limits_in_the_alarm_are_those_of_the_functions(template):
    alarm = of_type(template, "AWS::CloudWatch::Alarm")["FunctionsNearTimeout"]
    (expression,) = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
    divided = dict(re.findall(r"(\w+) / (\d+)", expression))
    functions = of_type(template, "AWS::Lambda::Function")
    machine = json.loads((ROOT / "statemachine" / "energy_pipeline.asl.json").read_text())
    called = set(re.findall(r"\$\{(\w+Function)Arn\}", json.dumps(machine)))
    called |= {"ReconcileFunction", "CollectGarbageFunction"}
    limits = {}
    for one in alarm["Metrics"]:
        if "MetricStat" in one:
            (dimension,) = one["MetricStat"]["Metric"]["Dimensions"]
            limits[dimension["Value"]["Ref"]] = int(divided.pop(one["Id"]))
    assert divided == {}
    assert limits == {name: functions[name]["Timeout"] * 1000 for name in called}


@pytest.mark.parametrize("name", ["UploadsStopped"])
def test_silence_of_what_counts_every_day_is_told(template, name):
    alarm = of_type(template, "AWS::CloudWatch::Alarm")[name]
    assert alarm["TreatMissingData"] == "missing"
    assert alarm["InsufficientDataActions"] == [{"Ref": "Notifications"}]
    assert alarm["Threshold"] == 35


def test_silence_elsewhere_is_well(template):
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        if name != "UploadsStopped":
            assert alarm["TreatMissingData"] == "notBreaching", name


def test_no_alarm_looks_back_further_than_cloudwatch_does(template):
    """Seven days; one day where a period is shorter than an hour (API reference, "PutMetricAlarm")."""
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        periods = [one["MetricStat"]["Period"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
        period = max(periods or [alarm["Period"]])
        assert period * alarm["EvaluationPeriods"] <= (7 * 86400 if period >= 3600 else 86400), name
        assert len(periods) <= 10, name
        assert len(set(periods)) <= 1, name


def test_every_alarm_is_explained_in_the_operations_manual(template):
    manual = (ROOT / "docs" / "operations.md").read_text()
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        assert f"| `{name}` |" in manual, name
        assert alarm["AlarmName"] == {"Fn::Sub": f"${{AWS::StackName}}-{name}"}
        assert alarm["AlarmDescription"].endswith("."), name


def test_widgets_do_not_cover_each_other(template):
    taken = set()
    for widget in dashboard(template)["widgets"]:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"]["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_saved_queries_ask_every_function_s_log(template):
    queries = of_type(template, "AWS::Logs::QueryDefinition")
    assert len(queries) == 4
    others = {"PipelineLogs", "BacklogLogs", "CrunchLogs", "CrunchErrorLogs"}  # which hold no line of Powertools
    groups = {name for name in of_type(template, "AWS::Logs::LogGroup") if name not in others}
    for name, query in queries.items():
        assert {text_of(one).strip("${}") for one in listed(query["LogGroupNames"])} == groups, name
