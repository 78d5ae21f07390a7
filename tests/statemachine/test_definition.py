"""The definition of the state machine, read as JSON: what no execution has to happen for to be seen."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonata
import pytest
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException
from samtranslator.yaml_helper import yaml_parse

from energy import errors

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = ROOT / "statemachine" / "energy_pipeline.asl.json"
MACHINE: dict[str, Any] = json.loads(DEFINITION.read_text())
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())

# Errors of the domain that may well be caught, but that the same input would only meet again.
DOMAIN_ERRORS = {
    name
    for name, member in vars(errors).items()
    if isinstance(member, type) and issubclass(member, errors.EnergyError) and member is not errors.TransientError
}
THROTTLED_OR_STUMBLED = {
    "lambda:invoke": {
        "Lambda.TooManyRequestsException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.SnapStartNotReadyException",
        "Lambda.SnapStartTimeoutException",
    },
    "glue:startJobRun.sync": {
        "Glue.ThrottlingException",
        "Glue.InternalServiceException",
        "Glue.OperationTimeoutException",
        "Glue.SdkClientException",
    },
    "aws-sdk:s3:getObject": {"S3.S3Exception", "S3.SdkClientException"},
    "sns:publish": {"SNS.ThrottledException", "SNS.InternalErrorException", "SNS.SdkClientException"},
}
CRASHED_OR_TIMED_OUT = {
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Lambda.Unknown",
    "States.Timeout",
}
# Glue runs so many jobs of a kind, and so many workers of an account, at once: whoever waits for his turn waits longer.
OCCUPIED = {"Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"}


def machines(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The machine itself and every branch in it."""
    yield machine
    for state in machine["States"].values():
        for branch in state.get("Branches", []):
            yield from machines(branch)


def all_states() -> dict[str, dict[str, Any]]:
    return {name: state for machine in machines(MACHINE) for name, state in machine["States"].items()}


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: state for name, state in all_states().items() if state["Type"] == kind}


def targets(state: dict[str, Any]) -> set[str]:
    """The states that may follow."""
    followers = [state.get("Next"), state.get("Default")]
    followers += [rule["Next"] for rule in state.get("Choices", [])]
    followers += [catcher["Next"] for catcher in state.get("Catch", [])]
    return {name for name in followers if name}


def reached(machine: dict[str, Any]) -> set[str]:
    """The states that an execution can come to, but for those of branches."""
    found: set[str] = set()
    waiting = {machine["StartAt"]}
    while waiting:
        found |= waiting
        waiting = {follower for name in waiting for follower in targets(machine["States"][name])} - found
    return found


def caught() -> set[str]:
    return {
        name for state in all_states().values() for catcher in state.get("Catch", []) for name in catcher["ErrorEquals"]
    }


TASKS = of_type("Task")


def test_the_machine_has_the_states_that_the_design_names():
    assert set(TASKS) == {
        "Validate upload",
        "Aggregate readings",
        "Crunch with Spark",
        "Read what Spark found",
        "Detect anomalies",
        "Forecast with Prophet",
        "Forecast with statsforecast",
        "Forecast with Spark",
        "Read what Spark forecast",
        "Generate report",
        "Refresh partitions",
        "Announce",
        "Report rejection",
    }
    assert set(of_type("Choice")) == {
        "Anything to read?",
        "Large upload?",
        "Anything usable?",
        "Anomalies found already?",
        "Anything new?",
        "Anything left to publish?",
        "Anything to announce?",
        "Many appliances?",
        "Did Prophet forecast?",
        "Another round?",
        "Was the report written?",
    }
    assert set(of_type("Parallel")) == {"Analyse"}
    assert set(of_type("Fail")) == {"UploadRejected", "RejectionNotTold", "Publication conflicted", "ReportMissing"}
    assert set(of_type("Succeed")) == {"Already published", "Gone already", "Nothing to read", "Published"}


def test_every_target_is_a_state_of_the_same_machine():
    checked = 0
    for machine in machines(MACHINE):
        assert machine["StartAt"] in machine["States"]
        for name, state in machine["States"].items():
            assert targets(state) <= set(machine["States"]), name
            checked += len(targets(state))
    assert checked >= 20


def test_every_state_is_reachable():
    for machine in machines(MACHINE):
        assert reached(machine) == set(machine["States"])


def test_state_names_are_unique_across_branches():
    names = [name for machine in machines(MACHINE) for name in machine["States"]]
    assert len(names) == len(set(names)) >= 18


@pytest.mark.parametrize("name", TASKS)
def test_a_task_ends_in_time(name):
    """Step Functions must outwait the function's own timeout, or it would start a second one beside it."""
    task = TASKS[name]
    function = re.fullmatch(r"\$\{(\w+)Arn}", task["Arguments"].get("FunctionName", ""))
    own_seconds = TEMPLATE["Resources"][function.group(1)]["Properties"]["Timeout"] if function else 0
    if "JobName" in task["Arguments"]:
        minutes = TEMPLATE["Resources"]["CrunchJob"]["Properties"]["Timeout"]
        own_seconds = 60 * task["Arguments"].get("Timeout", minutes)
    assert own_seconds < task["TimeoutSeconds"] <= MACHINE["TimeoutSeconds"]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_retries_what_may_heal_and_nothing_else(name):
    task = TASKS[name]
    stumbled, transient, crashed = task["Retry"]
    is_job = "JobName" in task["Arguments"]
    assert set(stumbled["ErrorEquals"]) >= THROTTLED_OR_STUMBLED[task["Resource"].removeprefix("arn:aws:states:::")]
    assert (stumbled["MaxAttempts"], stumbled["MaxDelaySeconds"]) == (6, 60)
    if is_job:
        assert set(transient["ErrorEquals"]) == OCCUPIED
        assert transient["MaxAttempts"] == 8
    else:
        assert transient["ErrorEquals"] == ["TransientError"]
        assert transient["MaxAttempts"] == 4
    # Whatever a job fails of has this name: a lost worker and a site's wrong configuration.
    assert set(crashed["ErrorEquals"]) == ({"States.TaskFailed", "States.Timeout"} if is_job else CRASHED_OR_TIMED_OUT)
    assert crashed["MaxAttempts"] == 1
    assert all(retrier["JitterStrategy"] == "FULL" and retrier["BackoffRate"] == 2 for retrier in task["Retry"])
    retried = {error for retrier in task["Retry"] for error in retrier["ErrorEquals"]}
    assert not retried & (DOMAIN_ERRORS | {"States.ALL"})
    assert is_job or "States.TaskFailed" not in retried


def test_there_are_domain_errors_that_must_not_be_retried():
    assert len(DOMAIN_ERRORS) >= 6


def test_caught_errors_exist():
    known = {name for name in vars(errors) if isinstance(vars(errors)[name], type)} | {"States.ALL"}
    assert caught() == {"InputRejected", "ManifestConflict", "ObjectMissing", "SiteTooLarge", "States.ALL"}
    assert caught() <= known


def test_states_all_stands_alone_and_last():
    checked = 0
    for name, state in all_states().items():
        catchers = state.get("Catch", [])
        for position, catcher in enumerate(catchers):
            if "States.ALL" in catcher["ErrorEquals"]:
                assert catcher["ErrorEquals"] == ["States.ALL"], name
                assert position == len(catchers) - 1, name
                checked += 1
    assert checked == 7


def test_every_choice_has_a_default():
    assert all(choice["Default"] for choice in of_type("Choice").values())


def test_the_machine_every_choice_rule_and_every_catch_say_why():
    comments = [MACHINE["Comment"]]
    for state in all_states().values():
        comments += [entry["Comment"] for entry in state.get("Choices", []) + state.get("Catch", [])]
    assert len(comments) >= 12
    assert all(len(comment.split()) >= 5 for comment in comments)


def test_failures_have_a_name_of_their_own_and_a_cause():
    for name, state in of_type("Fail").items():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", state["Error"]), name
        assert state["Cause"].startswith("{% "), name


def test_placeholders_are_exactly_the_substitutions_of_the_template():
    placeholders = set(re.findall(r"\$\{(\w+)}", DEFINITION.read_text()))
    assert placeholders == set(TEMPLATE["Resources"]["Pipeline"]["Properties"]["DefinitionSubstitutions"])
    assert len(placeholders) == 12


def test_messages_fit_what_sns_takes_as_a_subject():
    """At most 100 ASCII characters; a site name has at most 63."""
    subjects = [task["Arguments"]["Subject"] for task in TASKS.values() if "Subject" in task["Arguments"]]
    assert len(subjects) == 2
    for subject in subjects:
        literal = re.sub(r"\$validated\.site", "s" * 63, subject)
        assert literal.isascii()
        assert len(literal) <= 100 + len("{% '' &  %}")


def test_it_is_a_state_machine_to_a_parser_of_the_language():
    AmazonStateLanguageParser.parse(DEFINITION.read_text())


def test_the_parser_refuses_a_broken_one():
    broken = json.loads(DEFINITION.read_text())
    broken["States"]["Announce"]["Type"] = "Tusk"
    with pytest.raises(ASLParserException):
        AmazonStateLanguageParser.parse(json.dumps(broken))


def announcement(report: dict[str, object], changes: list[str], readings: int = 5) -> list[str]:
    """The message of "Announce", line by line."""
    state = MACHINE["States"]["Announce"]
    expression = jsonata.Jsonata(state["Arguments"]["Message"].removeprefix("{%").removesuffix("%}"))
    frame = expression.create_frame()
    publication = {"changes": changes, "readings": readings}
    known = {"publication": publication, "validated": {"site": "home"}, "report": report}
    for name, value in known.items():
        frame.bind(name, value)
    return str(expression.evaluate(None, frame)).splitlines()


def test_the_announcement_has_the_link_first_and_twenty_lines_at_most() -> None:
    key = "reports/site=home/pub=p/text=t/report.html"
    # The longest message that a report has, and more changes than anyone reads.
    told = "\n".join(f"line {number}" for number in range(12))
    lines = announcement(
        {"result": {"html_key": key, "message": told}, "error": None}, [f"raw/{n}.csv" for n in range(50)]
    )
    assert lines[0].startswith("Report: https://console.aws.amazon.com/s3/object/")
    assert lines[0].endswith("?prefix=reports%2Fsite%3Dhome%2Fpub%3Dp%2Ftext%3Dt%2Freport.html")
    assert lines[1].endswith(key)
    assert lines[-1] == "and 47 more"
    assert len(lines) <= 20


def test_the_announcement_says_why_there_is_no_report() -> None:
    assert announcement({"result": None, "error": "no ink"}, ["raw/a.csv"]) == [
        "No report for home: no ink",
        "",
        "raw/a.csv",
    ]
    assert announcement({"result": None, "error": None}, ["raw/a.csv: deleted"], readings=0) == [
        "Site home: no reading is left; its tables are empty.",
        "",
        "raw/a.csv: deleted",
    ]
