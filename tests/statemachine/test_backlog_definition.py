"""The state machine that works off a backlog, read as JSON and judged as the pipeline is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from test_definition import CRASHED_OR_TIMED_OUT, DOMAIN_ERRORS, ROOT, TEMPLATE, THROTTLED_OR_STUMBLED, reached
from test_definition import MACHINE as PIPELINE

DEFINITION = ROOT / "statemachine" / "backlog.asl.json"
MACHINE: dict[str, Any] = json.loads(DEFINITION.read_text())
THROTTLED = THROTTLED_OR_STUMBLED | {
    "aws-sdk:s3:putObject": {"S3.S3Exception", "S3.SdkClientException"},
    "states:startExecution.sync:2": {"StepFunctions.ThrottlingException", "StepFunctions.SdkClientException"},
}


def machines(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The machine itself and what its maps do with each item."""
    yield machine
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            yield from machines(state["ItemProcessor"])


def all_states() -> dict[str, dict[str, Any]]:
    return {name: state for machine in machines(MACHINE) for name, state in machine["States"].items()}


TASKS = {name: state for name, state in all_states().items() if state["Type"] == "Task"}
MAPS = {name: state for name, state in all_states().items() if state["Type"] == "Map"}


def test_the_machine_has_the_states_that_the_design_names():
    assert list(MAPS) == ["Read uploads", "Publish sites"]
    assert set(TASKS) == {
        "List uploads",
        "Process large upload",
        "Validate upload",
        "Note upload",
        "List sites",
        "Publish site",
        "Note site",
        "Count failures",
        "Tell people",
    }


def test_every_state_is_there_and_reachable():
    for machine in machines(MACHINE):
        assert reached(machine) == set(machine["States"])
    assert len(all_states()) == sum(len(machine["States"]) for machine in machines(MACHINE)) >= 18


@pytest.mark.parametrize("name", TASKS)
def test_a_task_ends_in_time_and_retries_what_may_heal_and_nothing_else(name):
    task = TASKS[name]
    stumbled, transient, crashed = task["Retry"]
    assert set(stumbled["ErrorEquals"]) >= THROTTLED[task["Resource"].removeprefix("arn:aws:states:::")]
    assert transient["ErrorEquals"] == ["TransientError"]
    assert set(crashed["ErrorEquals"]) == CRASHED_OR_TIMED_OUT
    assert [each["MaxAttempts"] for each in task["Retry"]] == [6, 4, 1]
    assert all(each["JitterStrategy"] == "FULL" and each["BackoffRate"] == 2 for each in task["Retry"])
    assert not {error for each in task["Retry"] for error in each["ErrorEquals"]} & (DOMAIN_ERRORS | {"States.ALL"})
    function = re.fullmatch(r"\$\{(\w+)Arn}", task["Arguments"].get("FunctionName", ""))
    own_seconds = TEMPLATE["Resources"][function[1]]["Properties"]["Timeout"] if function else 0
    assert own_seconds < task["TimeoutSeconds"] <= MACHINE["TimeoutSeconds"]


def test_an_execution_of_the_pipeline_is_outwaited():
    assert TASKS["Process large upload"]["TimeoutSeconds"] > PIPELINE["TimeoutSeconds"]
    assert TASKS["Publish site"]["TimeoutSeconds"] > PIPELINE["TimeoutSeconds"]
    assert MACHINE["TimeoutSeconds"] > 10 * PIPELINE["TimeoutSeconds"]


def test_one_item_that_fails_stops_no_other_and_is_noted():
    for name, state in MAPS.items():
        assert state["ToleratedFailurePercentage"] == 100, name
        assert state["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        working = [TASKS[each] for each in state["ItemProcessor"]["States"] if "Catch" in TASKS.get(each, {})]
        assert working
        for task in working:
            assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
            noted = [catcher for catcher in task["Catch"] if "Assign" in catcher]
            assert {"what", "site", "key", "error", "cause"} == set(noted[-1]["Assign"]["failure"]["told"])
            assert all(catcher["Next"].startswith("Note ") for catcher in noted)
    caught = {error for each in TASKS["Validate upload"]["Catch"] for error in each["ErrorEquals"]}
    assert caught - {"States.ALL"} <= DOMAIN_ERRORS


def test_both_maps_together_never_have_more_functions_at_work_than_the_parameter_says():
    """They come one after the other, and an execution of the pipeline has two functions at work at most."""
    assert MAPS["Read uploads"]["MaxConcurrency"] == "{% $number('${BacklogConcurrency}') %}"
    assert MAPS["Publish sites"]["MaxConcurrency"] == "{% $max([1, $floor($number('${BacklogConcurrency}') / 2)]) %}"
    assert max(len(state.get("Branches", [])) for state in PIPELINE["States"].values()) == 2
    # Beside it half of what a new account has in all is left to uploads that come meanwhile.
    assert TEMPLATE["Parameters"]["BacklogConcurrency"]["Default"] == 5


def test_every_choice_has_a_default_and_every_rule_says_why():
    comments = [MACHINE["Comment"]]
    for state in all_states().values():
        if state["Type"] == "Choice":
            assert state["Default"]
        comments += [entry["Comment"] for entry in state.get("Choices", []) + state.get("Catch", [])]
    assert len(comments) >= 9
    assert all(len(comment.split()) >= 5 for comment in comments)


def test_placeholders_are_exactly_the_substitutions_of_the_template():
    placeholders = set(re.findall(r"\$\{(\w+)}", DEFINITION.read_text()))
    assert placeholders == set(TEMPLATE["Resources"]["Backlog"]["Properties"]["DefinitionSubstitutions"])


def test_it_is_a_state_machine_to_a_parser_of_the_language():
    AmazonStateLanguageParser.parse(DEFINITION.read_text())


def test_what_is_large_for_the_pipeline_is_large_for_the_backlog():
    (rule,) = all_states()["Large upload?"]["Choices"]
    (pipelines,) = PIPELINE["States"]["Large upload?"]["Choices"]
    assert rule["Condition"].partition("> ")[2] == pipelines["Condition"].partition("> ")[2]
