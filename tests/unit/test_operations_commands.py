"""What commands for operations say and ask of AWS; tests/e2e/test_operations.py runs them."""

import contextlib
import datetime as dt
from dataclasses import replace

import polars as pl
import pytest
import typer

from cli import executions, forget, reprocess, smoke
from cli.dialect import QueryFailed
from cli.output import Answer
from cli.pipelines import Pipeline
from energy.contracts import Deletion, Upload
from energy.manifest import outdates
from local.history import ExecutionRecord
from local.lake_folder import CatalogTable, LakeFolder

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:energy"
NOW = dt.datetime.now(dt.UTC)
FAILED = ExecutionRecord(
    name="one",
    status="FAILED",
    started=NOW.isoformat(),
    ended=NOW.isoformat(),
    input={"detail": {"object": {"key": "raw/cabin/a.csv"}}},
    error="KeyError",
    cause="'kwh'",
)


class Recorder:
    """Any client: remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict]] = []

    def __getattr__(self, name: str):
        def call(**arguments):
            self.asked.append((name, arguments))
            return {}

        return call


def pipeline(client: Recorder, folder: LakeFolder | None = None) -> Pipeline:
    return Pipeline(lambda service: client, "bucket", "energy_db", MACHINE, "--stack energy", folder)


def test_on_aws_step_functions_redrives_the_same_execution():
    client = Recorder()
    assert executions._again(pipeline(client), FAILED) == "one"
    arn = "arn:aws:states:eu-west-1:123456789012:execution:energy:one"
    assert client.asked == [("redrive_execution", {"executionArn": arn})]


def test_in_a_lake_folder_a_new_execution_has_the_same_input_and_a_name_of_its_own(tmp_path):
    client, folder = Recorder(), LakeFolder(tmp_path)
    assert executions._again(pipeline(client, folder), FAILED) == "one-redrive-1"
    folder.add_executions([FAILED, replace(FAILED, name="one-redrive-1")])
    assert executions._again(pipeline(client, folder), replace(FAILED, name="one-redrive-1")) == "one-redrive-2"
    assert {arguments["input"] for _, arguments in client.asked} == {
        '{"detail": {"object": {"key": "raw/cabin/a.csv"}}}'
    }
    long = replace(FAILED, name="x" * 80)
    assert len(executions._again(pipeline(client, folder), long)) == 80


@pytest.mark.parametrize(
    ("change", "why", "command"),
    [
        ({}, None, " energy redrive one --stack energy"),
        ({"status": "RUNNING"}, "it is RUNNING", ""),
        ({"error": "UploadRejected"}, "it ended with UploadRejected; correct the file", ""),
        ({"error": "ReportMissing"}, "it ended with ReportMissing", " energy reprocess cabin --stack energy"),
        ({"error": "PublicationConflicted"}, "it ended with Publication", " energy reprocess cabin --stack energy"),
        ({"ended": "2026-01-01T00:00:00+00:00"}, "more than a week ago", " energy reprocess cabin --stack energy"),
    ],
)
def test_whether_an_execution_can_go_on_and_what_helps_instead(change, why, command):
    execution = replace(FAILED, **change)
    found = executions._why_not(execution)
    assert found is None if why is None else why in found
    if execution.status != "RUNNING":
        assert executions._commands(execution, "--stack energy") == command


def test_a_lake_folder_keeps_the_newest_executions_and_forgets_those_that_it_shall(tmp_path):
    folder = LakeFolder(tmp_path)
    assert folder.executions() == []
    folder.add_executions([replace(FAILED, name=str(number)) for number in range(510)])
    assert [one.name for one in folder.executions()] == [str(number) for number in range(10, 510)]
    assert folder.forget_executions(lambda one: int(one.name) < 500) == 490
    assert len(folder.executions()) == 10


@pytest.mark.parametrize(
    ("key", "mine"),
    [
        ("raw/cabin/a.csv", True),
        ("raw/cabin/deep/a.csv", True),
        ("raw/a.csv", False),
        ("raw/cabin2/a.csv", False),
        ("config/cabin.yaml", True),
        ("config/cabin2.yaml", False),
        ("manifests/cabin.json", True),
        ("processed/readings/site=cabin/month=2026-03/pub=x/readings.parquet", True),
        ("processed/readings/site=cabin2/month=2026-03/pub=x/readings.parquet", False),
        ("reports/site=cabin/latest.html", True),
        ("pending/site=cabin/x.json", True),
        ("forgotten/2026-03-02T000000Z-abcdef01.json", False),
    ],
)
def test_what_is_of_a_site(key, mine):
    assert forget._is_of_site(key, "cabin") == mine


def test_files_in_no_folder_are_of_the_default_site():
    assert forget._is_of_site("raw/a.csv", "home")
    assert forget._is_of_site("raw/home/a.csv", "home")


def upload(**change) -> Upload:
    known = {
        "bucket": "bucket",
        "key": "raw/cabin/a.csv",
        "version": "v1",
        "version_id": "v1",
        "etag": "e",
        "sequencer": "0A",
        "size": 5,
        "last_modified": NOW,
        "told_at": NOW,
        "recipe": "recipe",
    }
    return Upload(**known | change)


def test_the_same_version_counts_anew_only_where_a_person_wants_it_once_more():
    known, again = upload(), upload(reprocessed=1)
    assert outdates(known, upload())
    assert not outdates(known, again)
    assert outdates(again, again)
    assert outdates(again, known)
    assert not outdates(again, upload(reprocessed=2))
    # Deleted and restored since then: the wish of before is settled.
    assert outdates(upload(sequencer="0C"), again)
    assert known.change_id != again.change_id
    assert known.run_id == again.run_id
    gone = Deletion(bucket="bucket", key=known.key, version="v2", sequencer="0B", told_at=NOW)
    assert not outdates(again, gone)


@pytest.mark.parametrize(
    ("error", "cause", "why"),
    [
        (
            "InputRejected",
            '{"errorMessage": "NOT_CSV: a picture.", "errorType": "InputRejected"}',
            "NOT_CSV: a picture.",
        ),
        ("KeyError", '{"errorMessage": "\'kwh\'"}', "KeyError: 'kwh'"),
        ("States.TaskFailed", '{"Error": "UploadRejected", "Cause": "EMPTY_FILE: nothing."}', "EMPTY_FILE: nothing."),
        ("States.TaskFailed", '{"Error": "KeyError", "Cause": "{\\"errorMessage\\": \\"x\\"}"}', "KeyError: x"),
        ("States.Timeout", "", "States.Timeout"),
    ],
)
def test_why_something_was_not_done_is_told_in_the_words_of_what_failed(error, cause, why):
    assert reprocess._why(error, cause) == why


SITE_TABLE = CatalogTable("energy_db", "daily_energy_data", [("date", "date", "")], [("site", "string", "")])


class Tables:
    """A lake of two tables, of which one has so many rows."""

    def __init__(self, readings: tuple, rows: int | None) -> None:
        self.readings, self.found = readings, rows

    def answer(self, sql: str, most: int | None = None) -> Answer:
        if "SUM(kwh)" in sql:
            return Answer([], [self.readings])
        if self.found is None:
            raise QueryFailed("HIVE_BAD_DATA")
        return Answer([], [(self.found,)])

    def tables(self) -> list[CatalogTable]:
        return [SITE_TABLE, replace(SITE_TABLE, name="raw_files", is_text=True), replace(SITE_TABLE, partition_keys=[])]


@pytest.mark.parametrize(
    ("readings", "rows", "passed"),
    [
        ((2, 3.0), 4, [True, True]),
        ((4, 6.0), 4, [False, True]),
        ((0, None), 0, [False, False]),
        ((2, 3.0), None, [True, False]),
    ],
)
def test_the_smoke_test_notices_what_is_missing_doubled_or_unreadable(readings, rows, passed):
    sample = pl.DataFrame({"kwh": [1.0, 2.0]})
    if readings[1] is None:
        readings = (0, 0.0)
    assert [check.passed for check in smoke._tables(Tables(readings, rows), "smoke", sample)] == passed


@pytest.mark.parametrize("keep", [False, True])
def test_the_smoke_test_takes_its_site_away_even_where_it_fails_itself(monkeypatch, keep):
    deleted = []

    def broken(*_):
        raise RuntimeError("the tables hang")

    def delete(lake, stack, site, console):
        deleted.append(site)
        return smoke.Check("deleted", True, "")

    monkeypatch.setattr("cli.pipelines.opened", lambda *_: contextlib.nullcontext(pipeline(Recorder())))
    monkeypatch.setattr(smoke, "_through", broken)
    monkeypatch.setattr(smoke, "_deleted", delete)
    with pytest.raises(RuntimeError, match="the tables hang"):
        smoke.smoke(stack="energy", keep=keep)
    assert [site.startswith("smoke-") for site in deleted] == ([] if keep else [True])


def test_a_batch_that_is_refused_ends_the_command(capsys):
    client = Recorder()
    client.delete_objects = lambda **_: {"Errors": [{"Key": "raw/a.csv", "Code": "AccessDenied"}]}
    with pytest.raises(typer.Exit):
        forget._delete_versions(pipeline(client), [{"Key": "raw/a.csv", "VersionId": "v1"}])
    assert "raw/a.csv could not be deleted: AccessDenied" in capsys.readouterr().err
