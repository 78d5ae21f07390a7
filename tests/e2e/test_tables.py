"""What a person finds in Athena after two uploads: files as the catalog says, views, saved queries, the uploads."""

import collections
import datetime as dt
import gzip
import io
import statistics

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.lake_tables import Lake
from local import LakeFolder, LocalAws

ARROW = {
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
    "string": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "boolean": pa.bool_(),
}
DUCKDB = {
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "string": "VARCHAR",
    "double": "DOUBLE",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
}
FIRST = dt.datetime(2026, 3, 2)
VIEWS = {"site_daily_energy", "monthly_energy", "weekday_hour_energy", "yearly_energy", "forecast_quality"}


def kwh(hour: int, appliance: str) -> float:
    moment = FIRST + dt.timedelta(hours=hour)
    usual = {"oven": 2.0 if moment.hour == 18 else 0.1, "fan": 0.05 * (1 + moment.weekday())}[appliance]
    return 9.0 if (hour, appliance) == (24 * 30 + 3, "oven") else usual


def readings(first_day: int, last_day: int) -> list[tuple[dt.datetime, str, float]]:
    return [
        (FIRST + dt.timedelta(hours=hour), name, kwh(hour, name))
        for hour in range(24 * first_day, 24 * last_day)
        for name in ("oven", "fan")
    ]


def csv(rows) -> bytes:
    return "\r\n".join(["timestamp,appliance,kwh", *(f"{at},{name},{value}" for at, name, value in rows), ""]).encode()


ALL = readings(0, 40)
# What is read once a day says nothing about hours.
DAILY = [(FIRST + dt.timedelta(days=day), "car", 5.0) for day in range(40)]


TARIFF = """
tariff: {currency: EUR, price: 0.3}
plans: {Night: {bands: [{name: night, hours: "00:00-06:00", price: 0.2}, {name: day, price: 0.35}]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The lake after the first 31 days as gzip, the other nine, and a car's days of all 40."""
    path = tmp_path_factory.mktemp("tables") / "lake"
    with LocalAws(lake=path) as aws:
        aws.client("s3").put_object(Bucket=aws.bucket, Key="config/cabin.yaml", Body=TARIFF.encode())
        uploads = {
            "raw/cabin/first.csv.gz": gzip.compress(csv(readings(0, 31))),
            "raw/cabin/second.csv": csv(readings(31, 40)),
            "raw/cabin/car.csv": csv(DAILY),
        }
        for key, content in uploads.items():
            done = aws.wait(aws.put(key, content), timeout_seconds=300)
            assert done.status == "SUCCEEDED", (done.error, done.cause)
    return LakeFolder(path)


@pytest.fixture(scope="module")
def lake(folder):
    with Lake(folder) as lake:
        yield lake


def dicts(lake, sql):
    answer = lake.answer(sql)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def test_every_file_of_a_table_has_the_columns_order_and_types_of_its_glue_table(folder):
    keys = folder.keys()
    written = {key for key in keys if key.endswith(".parquet") and not key.startswith("processed/uploads/")}
    seen = set()
    for table in folder.tables():
        if table.view_sql is not None or table.is_text:
            continue
        assert table.partitions, table.name
        for _, prefix in table.partitions:
            (key,) = [key for key in written if key.startswith(prefix)]
            found = pq.read_schema(folder.path_of(key))
            # Both kinds of Arrow's strings are the same in Parquet.
            types = [pa.string() if field.type == pa.large_string() else field.type for field in found]
            assert list(zip(found.names, types, strict=True)) == [
                (name, ARROW[kind]) for name, kind, _ in table.columns
            ], key
            seen.add(key)
    # What earlier publications left is in none, and lies beside what is.
    assert {key.partition("/pub=")[0] for key in written - seen} <= {key.partition("/pub=")[0] for key in seen}


def test_every_view_has_the_columns_that_the_catalog_tells(folder, lake):
    views = {table.name: table for table in folder.tables() if table.view_sql is not None}
    assert views.keys() == VIEWS
    for name, view in views.items():
        described = [(name, DUCKDB[kind]) for name, kind, _ in view.columns]
        types = ", ".join(f"typeof({column})" for column, _ in described)
        answer = lake.answer(f"SELECT {types} FROM {name} LIMIT 1")
        assert list(answer.rows[0]) == [kind for _, kind in described], name
        assert lake.answer(f"SELECT * FROM {name}").columns == [column for column, _ in described]
        assert view.description
        assert all(comment for _, _, comment in view.columns)


def test_months_and_days_add_up_to_the_uploads(lake):
    months, days = collections.Counter(), collections.Counter()
    for at, name, value in [*ALL, *DAILY]:
        months[f"{at:%Y-%m}", name] += value
        days[at.date()] += value
    found = {(row["month"], row["appliance"]): row for row in dicts(lake, "SELECT * FROM monthly_energy")}
    assert {key: row["kwh"] for key, row in found.items()} == pytest.approx(dict(months))
    april = sum(value for (month, _), value in months.items() if month == "2026-04")
    assert found["2026-04", "car"]["share"] == pytest.approx(months["2026-04", "car"] / april)
    assert (found["2026-03", "fan"]["days"], found["2026-04", "fan"]["days"]) == (30, 10)
    daily = dicts(lake, "SELECT * FROM site_daily_energy")
    assert {row["date"]: row["kwh"] for row in daily} == pytest.approx(dict(days))
    assert {(row["appliances"], row["complete"], row["site"]) for row in daily} == {(3, True, "cabin")}


def test_the_hours_of_a_week_are_those_of_what_is_read_by_the_hour(lake):
    hours = collections.defaultdict(lambda: collections.defaultdict(float))
    for at, _, value in ALL:
        hours[at.isoweekday(), at.hour][at.date()] += value
    found = {(row["weekday"], row["hour"]): row["mean_kwh"] for row in dicts(lake, "SELECT * FROM weekday_hour_energy")}
    assert found == pytest.approx({key: statistics.fmean(each.values()) for key, each in hours.items()})


def test_plans_are_compared_on_the_same_readings(lake):
    found = {row["plan"]: row for row in saved(lake, "plans_compared")}
    used = sum(value for _, _, value in [*ALL, *DAILY])
    at_night = sum(value for at, _, value in ALL if at.hour < 6) + sum(value / 4 for _, _, value in DAILY)
    assert found["current plan"]["total_cost"] == pytest.approx(used * 0.3, abs=0.02)
    assert found["Night"]["total_cost"] == pytest.approx(at_night * 0.2 + (used - at_night) * 0.35, abs=0.02)


def test_a_year_costs_what_the_days_so_far_would(lake):
    of_a_day = sum(value for _, name, value in ALL if name == "oven") / 40
    found = {row["appliance"]: row for row in saved(lake, "cost_of_ownership")}
    assert found["oven"]["kwh_a_year"] == pytest.approx(of_a_day * 365.25)
    assert found["oven"]["cost_a_year"] == pytest.approx(of_a_day * 365.25 * 0.30)
    assert list(found) == sorted(found, key=lambda name: -found[name]["cost_a_year"])


def saved(lake, name):
    (sql,) = [query.sql for query in lake.saved_queries() if query.name == name]
    return dicts(lake, sql)


def test_every_saved_query_answers(lake):
    names = [query.name for query in lake.saved_queries()]
    assert len(names) == len(set(names)) == 9
    assert all(query.description for query in lake.saved_queries())
    for name in names:
        assert saved(lake, name), name


def test_the_saved_queries_say_what_happened(lake):
    totals = {row["appliance"]: row["total_kwh"] for row in saved(lake, "energy_by_appliance")}
    assert totals == pytest.approx(
        {name: sum(value for _, each, value in [*ALL, *DAILY] if each == name) for name in ("oven", "fan", "car")}
    )
    assert saved(lake, "average_by_hour")[0]["hour"] in (0, 18)
    assert len(saved(lake, "next_seven_days")) == 7
    unusual = [(row["appliance"], row["timestamp"], row["kwh"]) for row in saved(lake, "anomalies_of_last_month")]
    assert unusual[0] == ("oven", FIRST + dt.timedelta(hours=24 * 30 + 3), 9.0)
    last_reading = max(at for at, *_ in ALL)
    assert all(last_reading - dt.timedelta(days=31) < at <= last_reading for _, at, _ in unusual)
    first_place = [row for row in saved(lake, "busiest_hours_by_weekday") if row["place"] == 1]
    assert [(row["weekday"], row["hour"]) for row in first_place if row["weekday"] not in {3}] == [
        (weekday, 18) for weekday in (1, 2, 4, 5, 6, 7)
    ]
    judged = saved(lake, "forecast_against_actual")
    assert {row["ds"] for row in judged} >= {FIRST + dt.timedelta(days=day) for day in range(31, 38)}
    for row in judged:
        assert row["error_kwh"] == pytest.approx(row["yhat"] - row["actual_kwh"])
    quality = {
        row["horizon_days"]: row for row in dicts(lake, "SELECT * FROM forecast_quality WHERE appliance IS NULL")
    }
    errors = [abs(row["error_kwh"]) for row in judged if row["horizon_days"] == 1]
    assert quality[1]["mae_kwh"] == pytest.approx(statistics.fmean(errors))


def test_raw_files_are_the_uploads_line_by_line(folder, lake):
    files = {row["file"]: row["lines"] for row in saved(lake, "lines_by_file")}
    bucket = "s3://energy-lakebucket-local/raw/cabin/"
    assert files == {bucket + "first.csv.gz": 1489, bucket + "second.csv": 433, bucket + "car.csv": 41}
    lines = dicts(lake, "SELECT line, \"$path\" AS file FROM raw_files WHERE line LIKE '%,oven,9.0'")
    assert lines == [{"line": "2026-04-01 03:00:00,oven,9.0", "file": bucket + "first.csv.gz"}]
    assert (
        lake.answer("SELECT * FROM raw_files WHERE line LIKE 'timestamp,%'").rows == [("timestamp,appliance,kwh",)] * 3
    )


def test_every_row_tells_its_file(folder, lake):
    found = dicts(lake, 'SELECT "$path" AS file, month, COUNT(*) AS n FROM raw_energy_data GROUP BY 1, 2 ORDER BY 2')
    assert [row["month"] for row in found] == ["2026-03", "2026-04"]
    for row in found:
        key = row["file"].removeprefix("s3://energy-lakebucket-local/")
        assert pl.read_parquet(io.BytesIO(folder.path_of(key).read_bytes())).height == row["n"]
    answer = lake.answer("SELECT * FROM daily_energy_data WHERE \"$path\" LIKE '%daily.parquet'")
    assert "$path" not in answer.columns
    assert len(answer.rows) == 120


def test_the_rows_that_are_told_are_those_of_the_files(folder, lake):
    rows = {name: found for (_, name), found in lake.rows().items()}
    assert rows["raw_energy_data"] == len(ALL) + len(DAILY)
    assert rows.keys() == {table.name for table in folder.tables() if table.partition_keys}
    for table in folder.tables():
        if table.partitions:
            files = [str(path) for _, prefix in table.partitions for path in folder.files_below(prefix)]
            assert duckdb.sql(f"SELECT COUNT(*) FROM read_parquet({files})").fetchall() == [(rows[table.name],)]
