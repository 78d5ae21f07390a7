"""Parquet files: the columns of the schema, the same bytes for the same rows, readable by Athena's rules."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import fastparquet
import polars as pl
import pytest

from energy import parquet, resolution
from energy.schema import DAILY, HOURLY, READINGS, TABLES

MIDNIGHT = dt.datetime(2024, 3, 1)
HOURS = pl.DataFrame(
    {"readings": [1], "kwh": [2], "appliance": ["oven"], "timestamp": [MIDNIGHT], "timestamp_utc": [MIDNIGHT]}
)


def test_a_frame_gets_the_order_and_types_of_its_table():
    table = parquet.as_table(HOURS, HOURLY)
    assert table.columns == ["timestamp", "timestamp_utc", "appliance", "kwh", "readings"]
    assert table.dtypes == [pl.Datetime("us"), pl.Datetime("us"), pl.String, pl.Float64, pl.Int64]
    assert table.row(0) == (MIDNIGHT, MIDNIGHT, "oven", 2.0, 1)


def test_missing_and_surplus_columns_are_named():
    with pytest.raises(parquet.TableMismatch, match=r"hourly_energy_data lacks \['kwh'\] and has \['wh'\]"):
        parquet.as_table(HOURS.rename({"kwh": "wh"}), HOURLY)


def test_a_value_that_does_not_fit_is_an_error():
    with pytest.raises(pl.exceptions.InvalidOperationError):
        parquet.as_table(HOURS.with_columns(readings=pl.lit("many")), HOURLY)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_an_empty_table_has_a_file_with_its_columns(table, tmp_path):
    (tmp_path / "t.parquet").write_bytes(parquet.table_bytes(pl.DataFrame(schema=parquet.polars_schema(table)), table))
    kinds = {"string": "VARCHAR", "int": "INTEGER"}
    described = duckdb.sql(f"DESCRIBE SELECT * FROM '{tmp_path}/t.parquet'").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        (column.name, kinds.get(column.type, column.type.upper())) for column in table.columns
    ]
    assert duckdb.sql(f"SELECT count(*) FROM '{tmp_path}/t.parquet'").fetchall() == [(0,)]


def test_rows_come_back_as_they_were():
    days = pl.DataFrame(
        {"date": [MIDNIGHT.date()], "appliance": ["é"], "kwh": [0.1], "coverage": [None], "complete": [False]}
    )
    written = parquet.as_table(days, DAILY)
    assert parquet.from_bytes(parquet.table_bytes(days, DAILY)).equals(written)


# fastparquet's own, in its arithmetic with dates.
@pytest.mark.filterwarnings("ignore:The 'generic' unit for NumPy timedelta:DeprecationWarning")
@pytest.mark.parametrize("number", [3, 2_000])
def test_an_enum_of_texts_is_text_to_every_reader(tmp_path, number):
    names = [f"é {place:04}" for place in range(number)]
    days = pl.DataFrame(
        {"date": MIDNIGHT.date(), "appliance": names * 2, "kwh": 0.1, "coverage": 1.0, "complete": True},
        schema_overrides={"kwh": pl.Float64, "coverage": pl.Float64},
    )
    path = tmp_path / "t.parquet"
    path.write_bytes(parquet.table_bytes(days.with_columns(pl.col("appliance").cast(pl.Enum([*names, "z"]))), DAILY))
    as_texts = pl.read_parquet(path)
    assert as_texts.equals(parquet.as_table(days, DAILY))
    assert as_texts.schema == parquet.polars_schema(DAILY)
    assert pl.concat([as_texts, parquet.from_bytes(parquet.table_bytes(days, DAILY))]).height == 4 * number
    with path.open("rb") as file:
        assert fastparquet.ParquetFile(file).to_pandas()["appliance"].tolist() == names * 2
    (kind,) = duckdb.sql(f"SELECT DISTINCT typeof(appliance) FROM '{path}'").fetchall()
    assert kind == ("VARCHAR",)
    # What is in no row is in no statistics either: a reader skips the group by them.
    ((least, most),) = duckdb.sql(
        f"SELECT stats_min_value, stats_max_value FROM parquet_metadata('{path}') WHERE path_in_schema = 'appliance'"
    ).fetchall()
    assert (least, most) == (names[0], names[-1])


def test_of_many_texts_no_row_group_holds_those_that_it_does_not_need(tmp_path):
    """Else a month of one meter in a file of ten thousand would hold the names of all."""
    names = [f"meter {place:05}" for place in range(10_000)]
    rows = 3 * parquet.ROW_GROUP_ROWS
    frame = pl.DataFrame({"date": MIDNIGHT.date(), "appliance": ["meter 00001"] * rows, "kwh": 0.1, "coverage": 1.0})
    frame = frame.with_columns(pl.col("kwh", "coverage").cast(pl.Float64), complete=pl.lit(True))
    as_enum = parquet.table_bytes(frame.with_columns(pl.col("appliance").cast(pl.Enum(names))), DAILY)
    assert as_enum == parquet.table_bytes(frame, DAILY)


def test_timestamps_are_64_bit_micros_with_statistics_in_row_groups_of_one_size(tmp_path):
    rows = parquet.ROW_GROUP_ROWS + 1
    frame = pl.DataFrame(
        {"t": pl.datetime_range(MIDNIGHT, MIDNIGHT + dt.timedelta(seconds=rows - 1), "1s", eager=True)}
    )
    (tmp_path / "t.parquet").write_bytes(parquet.to_bytes(frame))
    groups = duckdb.sql(
        "SELECT row_group_num_rows, type, compression, stats_min_value IS NOT NULL "
        f"FROM parquet_metadata('{tmp_path}/t.parquet') ORDER BY row_group_id"
    ).fetchall()
    assert groups == [(parquet.ROW_GROUP_ROWS, "INT64", "ZSTD", True), (1, "INT64", "ZSTD", True)]


def test_a_query_of_one_day_reads_little_of_a_month(tmp_path):
    minutes = pl.datetime_range(MIDNIGHT, dt.datetime(2024, 4, 1), "1m", closed="left", eager=True)
    appliances = pl.DataFrame({"appliance": [f"appliance {number}" for number in range(20)]})
    month = appliances.join(pl.DataFrame({"timestamp": minutes, "timestamp_utc": minutes}), how="cross")
    noise = month.select(kwh=(pl.int_range(pl.len()) * 7919 % 1009) / 1000, estimated=pl.lit(False))
    readings = resolution.resolve([("u", month.hstack(noise).sample(fraction=1, shuffle=True, seed=1))])
    path = tmp_path / "readings.parquet"
    path.write_bytes(parquet.table_bytes(readings, READINGS))
    in_day = f"""
        SELECT row_group_id FROM parquet_metadata('{path}') WHERE path_in_schema = 'timestamp'
        AND stats_max_value::TIMESTAMP >= '2024-03-14' AND stats_min_value::TIMESTAMP < '2024-03-15'
    """
    whole, read = duckdb.sql(
        f"SELECT SUM(total_compressed_size), SUM(total_compressed_size) FILTER (row_group_id IN ({in_day})) "
        f"FROM parquet_metadata('{path}')"
    ).fetchall()[0]
    assert 0 < read < 0.1 * whole


def test_how_a_frame_was_put_together_does_not_change_a_byte():
    whole = pl.DataFrame({"a": range(1000), "b": [f"x{n % 7}" for n in range(1000)]})
    pieces = pl.concat([whole[:300], whole[300:301], whole[301:]], rechunk=False)
    assert parquet.to_bytes(pieces) == parquet.to_bytes(whole)


@pytest.mark.slow
def test_the_number_of_cores_does_not_change_a_byte():
    code = """
import datetime as dt, hashlib, random
import polars as pl
from energy import anomalies, parquet, quality, summary
from tests.unit.whole_history import history
chance = random.Random(1)
start = dt.datetime(2024, 3, 1)
times = [start + dt.timedelta(minutes=n) for n in range(40_000)]
rows = {"timestamp": times * 3, "timestamp_utc": times * 3,
        "appliance": [name for name in "abc" for _ in times], "kwh": [chance.random() for _ in range(120_000)],
        "estimated": [chance.random() < 0.1 for _ in range(120_000)]}
readings = pl.DataFrame(rows, schema_overrides={"timestamp": pl.Datetime("us"), "timestamp_utc": pl.Datetime("us")})
readings = readings.filter(pl.Series([chance.random() < 0.9 for _ in range(120_000)]))
tables = history(readings, "UTC")
told = quality.quality_table(tables.parts, tables, [], {}, "UTC")
found = anomalies.find(tables.hourly, tables.daily, "UTC")
frames = [tables.appliances, tables.hourly, tables.profile, tables.daily, told, found.hours, found.events, found.limits]
written = b"".join(parquet.to_bytes(frame) for frame in frames)
document = summary.readings_summary(tables, told, "home", "UTC", 1).model_dump_json()
print(hashlib.sha256(written + document.encode()).hexdigest())
"""
    root, core = Path(__file__).parents[2], Path(parquet.__file__).parents[1]
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{root}:{core}", "POLARS_MAX_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "5")
    }
    assert len(digests) == 1
