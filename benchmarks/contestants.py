"""The same work by several hands: judge every row, set bad ones apart, drop repetitions, write Parquet by month.

Each run is a process of its own: python benchmarks/contestants.py NAME FILE FOLDER. Timestamps are read as UTC by all.
Every contestant rejects rows without a time, a name or a number from 0 to 10⁹ and writes them with line and reason,
keeps one of equal rows and none of contradicting ones, and writes the rest sorted by time and appliance, zstd, a file
each month.
"""

import datetime as dt
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

Rows = dict[str, int]
MOST_KWH = 1e9


def validation() -> Callable[[Path, Path], Rows]:
    """This product: what "Validate upload" does between its calls of S3."""
    from energy import parquet
    from energy.intake.judging import judge
    from energy.site_config import Rules

    def run(path: Path, folder: Path) -> Rows:
        scratch = folder / "scratch"
        scratch.mkdir()
        judged = judge(path, Rules(), dt.datetime(2026, 1, 1, tzinfo=dt.UTC), scratch, path.name)
        for month in judged.months:
            (folder / f"{month}.parquet").write_bytes(parquet.to_bytes(judged.month(month)))
        with (folder / "rejected.csv").open("wb") as file:
            for number, frame in enumerate(judged.rejected()):
                frame.write_csv(file, include_header=number == 0)
        return judged.rows.model_dump()

    return run


def pandas() -> Callable[[Path, Path], Rows]:
    """pandas as a careful person writes it; its Parquet is written by pyarrow."""
    import pandas as pd
    import pyarrow  # noqa: F401

    def run(path: Path, folder: Path) -> Rows:
        text = pd.read_csv(path, dtype=str, keep_default_na=False)
        time_read = pd.to_datetime(text["timestamp"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
        kwh = pd.to_numeric(text["kwh"], errors="coerce")
        name = text["appliance"].str.strip()
        reason = pd.Series(pd.NA, index=text.index, dtype="string")
        reason[~kwh.between(0, MOST_KWH)] = "BAD_NUMBER"
        reason[name == ""] = "MISSING_APPLIANCE"
        reason[time_read.isna()] = "BAD_TIMESTAMP"
        good = pd.DataFrame({"timestamp": time_read, "appliance": name, "kwh": kwh})[reason.isna()]
        key = ["timestamp", "appliance"]
        unique = good.drop_duplicates()
        conflicts = unique.duplicated(key, keep=False)
        contradicted = good.merge(unique[conflicts][key].drop_duplicates(), on=key) if conflicts.any() else good[:0]
        accepted = unique[~conflicts].sort_values(key)
        bad = text[reason.notna()].assign(reason=reason)
        bad.index += 2
        bad.to_csv(folder / "rejected.csv", index_label="line")
        for month, rows in accepted.groupby(accepted["timestamp"].dt.strftime("%Y-%m")):
            rows.to_parquet(folder / f"{month}.parquet", engine="pyarrow", compression="zstd", index=False)
        rejected = len(bad) + len(contradicted)
        duplicates = len(text) - len(accepted) - rejected
        return {"read": len(text), "accepted": len(accepted), "rejected": rejected, "duplicates": duplicates}

    return run


def duckdb() -> Callable[[Path, Path], Rows]:
    """DuckDB in SQL; it may put on disk what does not fit."""
    import duckdb as database

    def run(path: Path, folder: Path) -> Rows:
        connection = database.connect(config={"temp_directory": str(folder / "temp")})
        connection.execute(
            f"""
            CREATE TEMP TABLE parsed AS
            SELECT row_number() OVER () + 1 AS line, timestamp AS time_text, appliance, kwh AS kwh_text,
                   try_strptime(timestamp, '%Y-%m-%d %H:%M:%S') AS time, trim(appliance) AS name,
                   TRY_CAST(kwh AS DOUBLE) AS energy,
                   CASE WHEN time IS NULL THEN 'BAD_TIMESTAMP'
                        WHEN name = '' OR name IS NULL THEN 'MISSING_APPLIANCE'
                        WHEN energy IS NULL OR NOT isfinite(energy) OR energy < 0 OR energy > {MOST_KWH}
                        THEN 'BAD_NUMBER' END AS reason
            FROM read_csv($file, all_varchar = true, header = true, delim = ',', quote = '"')
            """,
            {"file": str(path)},
        )
        connection.execute(
            f"""
            COPY (SELECT line, reason, time_text, appliance, kwh_text
                  FROM parsed WHERE reason IS NOT NULL ORDER BY line)
            TO '{folder / "rejected.csv"}' (FORMAT csv)
            """
        )
        connection.execute(
            """
            CREATE TEMP TABLE readings AS
            SELECT time AS timestamp, name AS appliance, min(energy) AS kwh, min(energy) <> max(energy) AS contradicted,
                   count(*) AS copies
            FROM parsed WHERE reason IS NULL GROUP BY ALL
            """
        )
        connection.execute(
            f"""
            COPY (SELECT timestamp, appliance, kwh, strftime(timestamp, '%Y-%m') AS month FROM readings
                  WHERE NOT contradicted ORDER BY timestamp, appliance)
            TO '{folder / "months"}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (month))
            """
        )
        (read, bad) = connection.execute("SELECT count(*), count(reason) FROM parsed").fetchone() or (0, 0)
        (accepted, contradicted) = connection.execute(
            "SELECT count(*) FILTER (NOT contradicted), coalesce(sum(copies) FILTER (contradicted), 0) FROM readings"
        ).fetchone() or (0, 0)
        rejected = bad + int(contradicted)
        return {
            "read": read,
            "accepted": accepted,
            "rejected": rejected,
            "duplicates": read - accepted - rejected,
        }

    return run


def bare_parse() -> Callable[[Path, Path], Rows]:
    """polars parses the three columns and forgets them: no rule, nothing set apart, nothing written."""
    import polars as pl

    def run(path: Path, _: Path) -> Rows:
        columns = dict.fromkeys(("timestamp", "appliance", "kwh"), pl.String)
        parsed = pl.scan_csv(path, schema=columns).select(
            pl.col("timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False),
            "appliance",
            pl.col("kwh").cast(pl.Float64, strict=False),
        )
        found = parsed.select(pl.len(), pl.col("timestamp").max(), pl.col("appliance").max(), pl.col("kwh").sum())
        return {"read": found.collect(engine="streaming").item(0, 0)}

    return run


CONTESTANTS: dict[str, Callable[[], Callable[[Path, Path], Rows]]] = {
    "validation": validation,
    "pandas": pandas,
    "DuckDB": duckdb,
    "bare parse": bare_parse,
}


def peak_megabytes() -> float:
    """The most memory that this process has held at once (Linux), as `ru_maxrss` also knows that of its parent."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def main() -> None:
    name, path, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    run = CONTESTANTS[name]()
    imported = time.process_time()
    started = time.perf_counter()
    rows = run(path, folder)
    wall, cpu = time.perf_counter() - started, time.process_time() - imported
    print(json.dumps({"rows": rows, "wall": wall, "cpu": cpu, "imports": imported, "peak": peak_megabytes()}))


if __name__ == "__main__":
    main()
