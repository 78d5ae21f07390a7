"""Small tables of the lake as rows, where there is neither polars nor pyarrow: Parquet by pandas and fastparquet."""

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from energy.schema import Table

_DTYPES = {"timestamp": "datetime64[us]", "double": "float64", "string": "object", "bigint": "int64"}


def read(content: bytes) -> list[dict[str, Any]]:
    """The rows of one file. Dates come as midnights, null doubles as NaN, null strings as None."""
    import fastparquet

    rows: list[dict[str, Any]] = fastparquet.ParquetFile(io.BytesIO(content)).to_pandas().to_dict("records")
    return rows


def write(rows: Sequence[Mapping[str, object]], table: Table) -> bytes:
    """One file with exactly the table's columns, in its order; None and NaN are null, no rows are fine.

    Timestamps are INT64 microseconds, which Athena, DuckDB and polars agree on. Equal rows give equal bytes.
    """
    import fastparquet
    import pandas as pd

    columns = {
        column.name: pd.Series([row[column.name] for row in rows], dtype=_DTYPES[column.type])
        for column in table.columns
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        fastparquet.write(
            str(path),
            pd.DataFrame(columns),
            compression="SNAPPY",
            write_index=False,
            has_nulls=True,
            object_encoding={column.name: "utf8" for column in table.columns if column.type == "string"},
            times="int64",
            stats=False,
        )
        return path.read_bytes()
