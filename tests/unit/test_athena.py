"""Athena's answers, as boto3 gives them, and what they cost."""

import datetime as dt
import decimal

import boto3
import pytest
import typer
from botocore.stub import Stubber

from cli import athena, stack
from cli.athena import Athena, cost_usd
from cli.dialect import QueryFailed
from cli.output import Answer

RUN = "c3a9b2"


@pytest.fixture
def stubs(monkeypatch):
    """Athena and Glue, which answer what a test puts in; the stack "energy" has its outputs."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    clients = {name: boto3.client(name) for name in ("athena", "glue", "cloudformation")}
    stubbed = {name: Stubber(client) for name, client in clients.items()}
    outputs = [{"OutputKey": "WorkGroup", "OutputValue": "energy"}, {"OutputKey": "DatabaseName", "OutputValue": "db"}]
    described = {"StackName": "energy", "CreationTime": dt.datetime(2026, 1, 1), "StackStatus": "CREATE_COMPLETE"}
    stubbed["cloudformation"].add_response("describe_stacks", {"Stacks": [{**described, "Outputs": outputs}]})
    monkeypatch.setattr(boto3, "client", lambda name, **_: clients[name])
    monkeypatch.setattr(athena.time, "sleep", lambda seconds: None)
    for each in stubbed.values():
        each.activate()
    return stubbed


def started(stubs, sql, *states, statistics=None, reason=None):
    """Athena takes the query and is in these states one after the other."""
    stubs["athena"].add_response(
        "start_query_execution",
        {"QueryExecutionId": RUN},
        {"QueryString": sql, "WorkGroup": "energy", "QueryExecutionContext": {"Database": "db"}},
    )
    for state in states:
        status = {"State": state} | ({"StateChangeReason": reason} if reason else {})
        execution = {"Status": status, "Statistics": statistics or {}}
        stubs["athena"].add_response("get_query_execution", {"QueryExecution": execution}, {"QueryExecutionId": RUN})


def page(columns, *rows, more=None):
    """A page of results: column name to Athena's type, and texts."""
    info = [{"Name": name, "Type": kind} for name, kind in columns.items()]
    data = [{"Data": [{} if text is None else {"VarCharValue": text} for text in row]} for row in rows]
    found = {"ResultSet": {"ResultSetMetadata": {"ColumnInfo": info}, "Rows": data}}
    return found | ({"NextToken": more} if more else {})


COLUMNS = {
    "appliance": "varchar",
    "kwh": "double",
    "n": "bigint",
    "ok": "boolean",
    "day": "date",
    "at": "timestamp",
    "price": "decimal",
}


def test_an_answer_has_the_types_of_its_columns(stubs):
    sql = "SELECT * FROM t"
    started(
        stubs,
        sql,
        "QUEUED",
        "RUNNING",
        "SUCCEEDED",
        statistics={"DataScannedInBytes": 3, "TotalExecutionTimeInMillis": 1500},
    )
    first = ("oven", "1.5", "3", "true", "2026-03-01", "2026-03-01 18:00:00.000", "0.30")
    stubs["athena"].add_response("get_query_results", page(COLUMNS, tuple(COLUMNS), first, more="2"))
    stubs["athena"].add_response("get_query_results", page(COLUMNS, (None,) * 7))
    tables = Athena("energy")
    answer = tables.answer(sql)
    value = ("oven", 1.5, 3, True, dt.date(2026, 3, 1), dt.datetime(2026, 3, 1, 18), decimal.Decimal("0.30"))
    assert answer == Answer(list(COLUMNS), [value, (None,) * 7])
    assert tables.told() == "Athena scanned 0.00 MB in 1.5 s: about $0.00005."


def test_no_more_rows_are_fetched_than_are_wanted(stubs):
    started(stubs, "SELECT 1", "SUCCEEDED")
    stubs["athena"].add_response("get_query_results", page({"n": "integer"}, ("n",), ("1",), ("2",), more="more"))
    assert Athena("energy").answer("SELECT 1", most=2).rows == [(1,), (2,)]


def test_what_is_no_select_has_no_row_of_names(stubs):
    started(stubs, "SHOW TABLES", "SUCCEEDED")
    stubs["athena"].add_response("get_query_results", page({"tab_name": "string"}, ("daily",), ("hourly",)))
    assert Athena("energy").answer("SHOW TABLES").rows == [("daily",), ("hourly",)]


def test_a_query_that_fails_says_why(stubs):
    started(stubs, "SELECT x", "RUNNING", "FAILED", reason="COLUMN_NOT_FOUND: line 1:8: x")
    with pytest.raises(QueryFailed, match=r"Athena: COLUMN_NOT_FOUND: line 1:8: x \(query c3a9b2, failed\)"):
        Athena("energy").answer("SELECT x")


def test_an_interrupted_query_is_stopped(stubs, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(athena.time, "sleep", interrupted)
    started(stubs, "SELECT 1", "RUNNING")
    stubs["athena"].add_response("stop_query_execution", {}, {"QueryExecutionId": RUN})
    with pytest.raises(KeyboardInterrupt):
        Athena("energy").answer("SELECT 1")
    stubs["athena"].assert_no_pending_responses()


def test_a_refusal_ends_the_command_with_its_sentence(stubs, capsys):
    stubs["athena"].add_client_error("start_query_execution", "AccessDeniedException", "not yours")
    with pytest.raises(typer.Exit):
        Athena("energy").answer("SELECT 1")
    assert "(AccessDeniedException)" in capsys.readouterr().err


def test_a_stack_without_the_output_is_of_another_version(stubs, capsys):
    with pytest.raises(typer.Exit):
        stack.output("energy", "WorkGroup", "Nothing")
    assert capsys.readouterr().err == "The stack energy has no output Nothing: deploy this version of it first.\n"


def glue_table(name, **others):
    return {
        "Name": name,
        "StorageDescriptor": {"Columns": [{"Name": "kwh", "Type": "double", "Comment": "kWh"}]},
        **others,
    }


def test_tables_are_those_of_the_catalog_and_their_rows_are_counted_at_once(stubs):
    tables = [
        glue_table("raw_energy_data", PartitionKeys=[{"Name": "site", "Type": "string"}], Description="one reading"),
        glue_table("monthly", ViewOriginalText="/* Presto View: eyJvcmlnaW5hbFNxbCI6ICJTRUxFQ1QgMSJ9 */"),
    ]
    for _ in range(2):
        stubs["glue"].add_response("get_tables", {"TableList": tables}, {"DatabaseName": "db"})
    found = Athena("energy")
    assert [(table.name, table.view_sql, table.description) for table in found.tables()] == [
        ("monthly", "SELECT 1", ""),
        ("raw_energy_data", None, "one reading"),
    ]
    started(stubs, "SELECT 'raw_energy_data' AS name, COUNT(*) AS found FROM raw_energy_data", "SUCCEEDED")
    counted = page({"name": "varchar", "found": "bigint"}, ("name", "found"), ("raw_energy_data", "12"))
    stubs["athena"].add_response("get_query_results", counted)
    assert found.rows() == {("db", "raw_energy_data"): 12}


def test_saved_queries_are_those_of_the_workgroup(stubs):
    stubs["athena"].add_response("list_named_queries", {"NamedQueryIds": ["b", "a"]}, {"WorkGroup": "energy"})
    for name in ("second", "first"):
        query = {"Name": name, "Database": "db", "QueryString": f"SELECT '{name}'", "WorkGroup": "energy"}
        stubs["athena"].add_response("get_named_query", {"NamedQuery": query})
    assert [(query.name, query.sql) for query in Athena("energy").saved_queries()] == [
        ("first", "SELECT 'first'"),
        ("second", "SELECT 'second'"),
    ]


@pytest.mark.parametrize(
    ("scanned_bytes", "megabytes_charged"), [(0, 10), (1, 10), (10 * 2**20, 10), (10 * 2**20 + 1, 11), (2**40, 2**20)]
)
def test_athena_charges_by_megabytes_begun_and_for_ten_at_least(scanned_bytes, megabytes_charged):
    assert cost_usd(scanned_bytes) == pytest.approx(5 * megabytes_charged / 2**20)
