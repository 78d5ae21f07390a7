"""`energy cost`: a bill of small numbers, worked out by hand, and what the files that it is made of say."""

import datetime as dt
import json
import re

import pytest
from typer.testing import CliRunner

from cli import cost
from cli.main import app

PRICES = {
    "region": "nowhere",
    "as_of": "2026-01",
    "note": "",
    "prices": {name: {"usd": 1.0, "free": 0} for name in json.loads((cost.DATA / "prices.json").read_text())["prices"]},
}
MEASURED = {
    "measured_on": "2026-01-01",
    "upload": "one",
    "cpu_seconds": {"validate": 2.0, "refresh_partitions": 0.5, "reconcile": 1.0},
    "daily": ["reconcile"],
    "requests_an_upload": {"s3_read": 3, "s3_write": 4, "glue_write": 1},
    "requests_a_day": {"s3_write": 2},
    "transitions_an_upload": 15,
    "history_events": 10,
    "bytes_stored_an_upload": 1_000_000,
    "bytes_logged_an_upload": 4_000,
    "custom_metrics": 7,
}


def function(folder: str, memory_mb: object, **more: object) -> dict:
    properties = {"CodeUri": f"functions/{folder}", "MemorySize": memory_mb}
    return {"Type": "AWS::Serverless::Function", "Properties": properties, **more}


TEMPLATE = {
    "Parameters": {"WithKey": {"Default": "no"}, "Alarms": {"Default": "yes"}, "Memory": {"Default": 2048}},
    "Conditions": {
        "HasKey": {"Fn::Equals": [{"Ref": "WithKey"}, "yes"]},
        "HasAlarms": {"Fn::And": [{"Fn::Not": [{"Condition": "HasKey"}]}, {"Fn::Equals": [{"Ref": "Alarms"}, "yes"]}]},
    },
    "Resources": {
        "Validate": function("validate", {"Ref": "Memory"}),
        "Refresh": function("refresh_partitions", 512),
        "Reconcile": function("reconcile", 1769),
        "Slack": function("notify", 128, Condition="HasKey"),
        "Key": {"Type": "AWS::KMS::Key", "Condition": "HasKey"},
        "OtherKey": {"Type": "AWS::KMS::Key"},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Condition": "HasAlarms", "Properties": {"MetricName": "Errors"}},
        "ShareAlarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {"Metrics": [{"Expression": "a / b"}, {"MetricStat": "a"}, {"MetricStat": "b"}]},
        },
    },
}


def lines(uploads: int, text: str = "rules") -> dict[str, cost.Line]:
    template = cost.Template(TEMPLATE)
    seconds = cost.measured_seconds(MEASURED, template)
    found = cost.bill(cost.Prices(PRICES), MEASURED, template, seconds, uploads, 100, text)
    return {line.what: line for line in found}


def test_functions_with_less_than_a_vcpu_take_longer_and_wait_for_their_requests():
    seconds = cost.measured_seconds(MEASURED, cost.Template(TEMPLATE))
    # Eight requests of an upload, 0.03 s each, over two functions; two of a day in one.
    assert seconds == pytest.approx(
        {"validate": 2.0 + 0.12, "refresh_partitions": 0.5 * 1769 / 512 + 0.12, "reconcile": 1.0 + 0.06}
    )


def test_memory_is_paid_by_time_at_uploads_and_once_a_day():
    a_day = 30.4 * 1.06 * 1769 / 1024
    an_upload = 2.12 * 2 + (0.5 * 1769 / 512 + 0.12) / 2
    assert lines(0)["Lambda: memory by time"].amount == pytest.approx(a_day)
    assert lines(10)["Lambda: memory by time"].amount == pytest.approx(a_day + 10 * an_upload)


def test_other_positions_are_counted():
    found = lines(10)
    assert found["Step Functions: transitions"].amount == 150
    assert found["S3: writes and lists"].amount == pytest.approx(10 * 4 + 30.4 * 2 + 10)
    assert found["S3: reads"].amount == 30
    assert found["S3: kept after 12 months"].amount == pytest.approx(0.12)
    assert found["CloudWatch: metrics, by the hour"].amount == pytest.approx(7 * 10 / 730)
    assert found["CloudWatch: logs"].amount == pytest.approx(10 * (4000 + 6000) / 1e9)
    assert not [what for what in found if "Bedrock" in what]
    assert lines(10, "bedrock")["Bedrock: tokens asked"].amount == 10 * 4000


def test_only_what_is_deployed_by_default_is_counted():
    template = cost.Template(TEMPLATE)
    assert set(template.memory_mb) == {"validate", "refresh_partitions", "reconcile"}
    assert (template.count("AWS::KMS::Key"), template.alarm_metrics()) == (1, 3)


def test_what_is_free_every_month_is_left_out_beside_the_list_price():
    prices = cost.Prices({**PRICES, "prices": {"thing": {"usd": 2.0, "free": 10}}})
    assert prices.line("thing", "Things", 12, "") == cost.Line("Things", 12, "", 24.0, 4.0)
    assert prices.line("thing", "Things", 3, "").usd_beyond_free == 0


def test_every_price_has_a_date_and_a_source():
    document = json.loads((cost.DATA / "prices.json").read_text())
    assert dt.date.fromisoformat(f"{document['as_of']}-01") <= dt.datetime.now(dt.UTC).date()
    assert all(each["source"].startswith("https://aws.amazon.com/") for each in document["prices"].values())
    assert all(each["usd"] > 0 <= each["free"] for each in document["prices"].values())


def test_every_function_of_the_template_was_measured():
    measured = json.loads((cost.DATA / "measured.json").read_text())
    not_by_an_upload = {"explain_failure", "notify_slack", "list_backlog"}
    assert set(measured["cpu_seconds"]) == set(cost.Template.read().memory_mb) - not_by_an_upload


def test_the_readme_says_what_comes_out():
    section = (cost.ROOT / "README.md").read_text().split("### What it costs")[1].split("###")[0]
    said = [float(number) for number in re.findall(r"\d+\.\d\d", section)]
    bill, with_model = (
        json.loads(CliRunner().invoke(app, ["cost", "--text", text, "--json"]).stdout) for text in ("rules", "bedrock")
    )
    usd = {line["what"]: line["usd"] for line in bill["lines"]}
    watching = [usd["CloudWatch: dashboards"], usd["CloudWatch: alarms"], usd["KMS: keys"]]
    model = with_model["usd"] - bill["usd"]
    found = [bill["usd"], bill["usd_beyond_free"], *watching, bill["usd"] - sum(watching), bill["specified_usd"], model]
    assert said == pytest.approx(found, rel=0.1)


def test_the_bill_of_the_specification_stays_below_it():
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["cost", "--json"])
    bill = json.loads(done.stdout)
    assert done.exit_code == 0
    assert bill["usd"] == pytest.approx(sum(line["usd"] for line in bill["lines"]), abs=1e-4)
    assert 0.5 < bill["usd_beyond_free"] < bill["specified_usd"] == 3.5
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["cost", "--text", "bedrock"])
    assert "The specification estimates 3.50 USD" in shown.stdout
    assert "Bedrock: tokens asked" in shown.stdout
