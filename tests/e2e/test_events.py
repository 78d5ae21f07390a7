"""The recorded events: every function runs with its own, and answers with what the next state was given."""

import json
import re
from pathlib import Path

import pytest

from local import LocalAws
from local.record_events import (
    EVENTS,
    failing_execution,
    failure_event,
    payloads,
    s3_event,
    sample_lake,
    scheduled_event,
    topic_event,
)

ROOT = Path(__file__).resolve().parents[2]
ORDER = [
    "validate",
    "aggregate",
    "detect_anomalies",
    "forecast_prophet",
    "forecast_statsforecast",
    "generate_report",
    "refresh_partitions",
]
# Called by a schedule, whose event says nothing to them.
DAILY = {"collect_garbage": "CollectGarbageSchedule", "reconcile": "ReconcileSchedule"}
TELLING = ["explain_failure", "notify_slack"]
# Asked by the state machine that works off a backlog, and by people.
LISTING = ["list_backlog"]


def event(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What each function answers to its recorded event, run one after the other on the sample alone."""
    folder = tmp_path_factory.mktemp("sample")
    sample_lake(folder)
    with LocalAws(folder) as aws:
        results = {verb: aws.invoke(verb, event(verb)) for verb in ORDER}
    return {verb: result.payload for verb, result in results.items() if result.error_type is None}


def test_every_function_has_an_event():
    functions = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
    assert functions == sorted([*ORDER, *DAILY, *TELLING, *LISTING])
    assert {path.stem for path in EVENTS.glob("*.json")} == {*functions, "s3_event", "env"}


@pytest.mark.parametrize("verb", ORDER)
def test_the_function_runs_with_its_recorded_event(answers, verb):
    assert verb in answers


def test_each_answer_is_what_the_next_state_was_given(answers):
    assert answers["validate"] == event("aggregate")["validated"]
    assert answers["aggregate"] == event("detect_anomalies")["publication"] == event("forecast_prophet")["publication"]
    assert answers["forecast_prophet"] == event("forecast_statsforecast")["prophet"]
    assert answers["detect_anomalies"] == event("generate_report")["anomalies"]
    assert answers["forecast_statsforecast"] == event("generate_report")["forecast"]["result"]
    assert answers["generate_report"] == event("refresh_partitions")["report"]
    assert answers["refresh_partitions"]["report_key"] == event("refresh_partitions")["report"]["html_key"]


def test_what_is_called_beside_the_state_machine_runs_with_its_recorded_event(tmp_path):
    """The topic's function alone needs a secret and Slack: tests/infra/test_packages.py calls it."""
    sample_lake(tmp_path)
    with LocalAws(tmp_path) as aws:
        assert failure_event(failing_execution(aws), aws.state_machine_arn) == event("explain_failure")
        explained = aws.invoke("explain_failure", event("explain_failure"))
        assert explained.payload == {"subject": "Energy readings: FAILED raw/sample.csv"}
        assert topic_event(*aws.notifications()[-1], aws.outputs["TopicArn"]) == event("notify_slack")
        for verb, rule in DAILY.items():
            assert scheduled_event(rule) == event(verb)
            result = aws.invoke(verb, event(verb))
            assert result.error_type is None, result.payload
        assert aws.invoke("list_backlog", event("list_backlog")).payload["looked_at"] == 1


def test_the_state_machine_still_calls_the_functions_as_recorded(tmp_path):
    sample_lake(tmp_path)
    assert s3_event() == event("s3_event")
    with LocalAws(tmp_path) as aws:
        execution = aws.wait(aws.start(event("s3_event"), name="recorded"))
        called = payloads(execution, aws.verbs)
    assert execution.status == "SUCCEEDED", execution.cause
    assert called == {verb: event(verb) for verb in ORDER}


def test_the_commands_beside_the_events_name_functions_and_files_that_exist():
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short functions as plain values."""

    Loader.add_multi_constructor("!", lambda *_: None)
    resources = yaml.load((ROOT / "template.yaml").read_text(), Loader)["Resources"]
    commands = re.findall(r"sam local invoke (\w+) +-e (\S+)", (EVENTS / "README.md").read_text())
    assert len(commands) == 6
    for function, file in commands:
        assert resources[function]["Properties"]["CodeUri"] == f"functions/{Path(file).stem}"
        assert (ROOT / file).is_file()
