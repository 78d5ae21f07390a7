"""Small tables written without polars are read by everybody as the schema says."""

import datetime as dt
import io

import duckdb
import polars as pl
import pytest

from energy import parquet_rows
from energy.schema import APPLIANCE_FORECAST, DAILY, FORECAST, MODEL_NAMES

POLARS = {"timestamp": pl.Datetime("us"), "double": pl.Float64, "string": pl.String}
DUCKDB = {"timestamp": "TIMESTAMP", "double": "DOUBLE", "string": "VARCHAR"}


def row(appliance="Kühlschrank 2", **models):
    return {
        "appliance": appliance,
        "ds": dt.datetime(2024, 2, 29),
        "yhat": 1.5,
        "yhat_lower": 0.0,
        "yhat_upper": 3.25,
        "level": 0.8,
        "yhat_lower_95": 0.0,
        "yhat_upper_95": 4.5,
        "method": "window_average",
        "reason": "3 complete days",
        **dict.fromkeys(MODEL_NAMES),
        **models,
    }


@pytest.mark.parametrize("table", [FORECAST, APPLIANCE_FORECAST])
@pytest.mark.parametrize("rows", [[], [row()], [row("A", prophet=1.0), row("B", prophet=float("nan"))]])
def test_polars_and_duckdb_see_the_schema(table, rows, tmp_path):
    content = parquet_rows.write(rows, table)
    frame = pl.read_parquet(io.BytesIO(content))
    assert dict(frame.schema) == {column.name: POLARS[column.type] for column in table.columns}
    (tmp_path / "t.parquet").write_bytes(content)
    seen = duckdb.sql(f"DESCRIBE SELECT * FROM '{tmp_path}/t.parquet'").fetchall()
    assert [(name, kind) for name, kind, *_ in seen] == [(c.name, DUCKDB[c.type]) for c in table.columns]
    physical = duckdb.sql(f"SELECT type, converted_type FROM parquet_schema('{tmp_path}/t.parquet') WHERE name = 'ds'")
    assert physical.fetchall() == [("INT64", "TIMESTAMP_MICROS")]


def test_values_and_nulls_come_back():
    rows = [row(), row("B", prophet=2.0, auto_ets=float("nan"))]
    found = pl.read_parquet(io.BytesIO(parquet_rows.write(rows, APPLIANCE_FORECAST))).to_dicts()
    assert found == [rows[0], rows[1] | {"auto_ets": None}]


def test_columns_follow_the_schema_whatever_the_order_of_the_rows():
    shuffled = dict(sorted(row().items()))
    assert parquet_rows.write([shuffled], APPLIANCE_FORECAST) == parquet_rows.write([row()], APPLIANCE_FORECAST)


# fastparquet's own, in its arithmetic with dates.
@pytest.mark.filterwarnings("ignore:The 'generic' unit for NumPy timedelta:DeprecationWarning")
def test_what_polars_wrote_is_read():
    written = io.BytesIO()
    pl.DataFrame(
        {
            "date": [dt.date(2024, 2, 29), dt.date(2024, 3, 1)],
            "appliance": ["Kühlschrank", "AC"],
            "kwh": [1.25, None],
            "coverage": [1.0, 0.5],
            "complete": [True, False],
        }
    ).write_parquet(written, compression="zstd")
    first, second = parquet_rows.read(written.getvalue())
    assert list(first) == DAILY.column_names
    assert (first["date"].date(), first["appliance"], first["kwh"], first["complete"]) == (
        dt.date(2024, 2, 29),
        "Kühlschrank",
        1.25,
        True,
    )
    assert second["kwh"] != second["kwh"]
    assert not second["complete"]
