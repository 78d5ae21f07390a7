"""The work of the pipeline by other hands, each in its own process: python -m benchmarks.contestants NAME FILE FOLDER.

All do the same: judge every row, set bad ones apart with line and reason, keep one of equal rows and none of
contradicting ones, write the rest sorted by time and appliance, zstd, a file each month; statistics of each appliance
with its peak hour, tables by hour and by day; hours above the mean and two standard deviations, and hours far from the
median of their hour of the week. All as Parquet, timestamps read as UTC. The two floors do far less, on purpose.

Prints what was found and, of the work without imports and without starting Spark, the seconds on the clock and of all
cores, and the most memory that was held at once in MB.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

Counts = dict[str, int]
Work = Callable[[Path, Path], Counts]

MOST_KWH = 1e9
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
DEVIATIONS = 2.0
# Of the distance of a normal value from the median, its median is so much of a standard deviation.
MAD_TO_STD = 1.4826
ROBUST_DEVIATIONS = 3.5
_TICKS = os.sysconf("SC_CLK_TCK")


def pandas() -> Work:
    """pandas as the specification describes the pipeline and a careful person writes it; Parquet by pyarrow."""
    import pandas as pd
    import pyarrow  # noqa: F401

    def run(path: Path, folder: Path) -> Counts:
        text = pd.read_csv(path, dtype=str, keep_default_na=False)
        time_read = pd.to_datetime(text["timestamp"], format=TIME_FORMAT, errors="coerce")
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
            _write(rows, folder / f"{month}.parquet")
        hourly = accepted.groupby(["appliance", accepted["timestamp"].dt.floor("h")])["kwh"].sum().reset_index()
        daily = hourly.groupby(["appliance", hourly["timestamp"].dt.normalize()])["kwh"].sum().reset_index()
        by_hour = hourly.groupby(["appliance", hourly["timestamp"].dt.hour])["kwh"].mean()
        appliances = accepted.groupby("appliance")["kwh"].agg(["sum", "mean", "std", "min", "max", "count"])
        appliances["peak_hour"] = by_hour.groupby("appliance").idxmax().str[1]
        of_appliance = hourly.groupby("appliance")["kwh"]
        hourly["mean_2std"] = hourly["kwh"] > of_appliance.transform("mean") + DEVIATIONS * of_appliance.transform(
            "std"
        )
        hour_of_week = hourly["timestamp"].dt.dayofweek * 24 + hourly["timestamp"].dt.hour
        usual = hourly.groupby(["appliance", hour_of_week])["kwh"].transform("median")
        away = (hourly["kwh"] - usual).abs()
        mad = away.groupby([hourly["appliance"], hour_of_week]).transform("median")
        hourly["robust"] = away > ROBUST_DEVIATIONS * MAD_TO_STD * mad
        anomalies = hourly[hourly["mean_2std"] | hourly["robust"]]
        for found, named in (
            (hourly, "hourly"),
            (daily, "daily"),
            (appliances, "appliances"),
            (anomalies, "anomalies"),
        ):
            _write(found, folder / f"{named}.parquet")
        return {
            **_counts(len(text), len(accepted), len(bad) + len(contradicted)),
            "hours": len(hourly),
            "mean_2std": int(hourly["mean_2std"].sum()),
        }

    def _write(frame: pd.DataFrame, path: Path) -> None:
        frame.to_parquet(path, engine="pyarrow", compression="zstd")

    return run


def duckdb() -> Work:
    """DuckDB in SQL; it may put on disk what does not fit."""
    import duckdb as database

    def run(path: Path, folder: Path) -> Counts:
        connection = database.connect(config={"temp_directory": str(folder / "temp")})
        for statement in _DUCKDB.format(folder=folder, file=path, most=MOST_KWH, format=TIME_FORMAT).split(";"):
            connection.execute(statement)
        (read, bad) = connection.execute("SELECT count(*), count(reason) FROM parsed").fetchone() or (0, 0)
        (accepted, contradicted) = connection.execute(
            "SELECT count(*) FILTER (NOT contradicted), coalesce(sum(copies) FILTER (contradicted), 0) FROM readings"
        ).fetchone() or (0, 0)
        (hours, unusual) = connection.execute(
            "SELECT count(*), count(*) FILTER (mean_2std) FROM judged"
        ).fetchone() or (
            0,
            0,
        )
        return {**_counts(read, accepted, bad + int(contradicted)), "hours": hours, "mean_2std": unusual}

    return run


_DUCKDB = f"""
CREATE TEMP TABLE parsed AS
SELECT row_number() OVER () + 1 AS line, timestamp AS time_text, appliance, kwh AS kwh_text,
       try_strptime(timestamp, '{{format}}') AS time, trim(appliance) AS name,
       TRY_CAST(kwh AS DOUBLE) AS energy,
       CASE WHEN time IS NULL THEN 'BAD_TIMESTAMP'
            WHEN name = '' OR name IS NULL THEN 'MISSING_APPLIANCE'
            WHEN energy IS NULL OR NOT isfinite(energy) OR energy < 0 OR energy > {{most}}
            THEN 'BAD_NUMBER' END AS reason
FROM read_csv('{{file}}', all_varchar = true, header = true, delim = ',', quote = '"');
COPY (SELECT line, reason, time_text, appliance, kwh_text FROM parsed WHERE reason IS NOT NULL ORDER BY line)
TO '{{folder}}/rejected.csv' (FORMAT csv);
CREATE TEMP TABLE readings AS
SELECT time AS timestamp, name AS appliance, min(energy) AS kwh, min(energy) <> max(energy) AS contradicted,
       count(*) AS copies
FROM parsed WHERE reason IS NULL GROUP BY ALL;
COPY (SELECT timestamp, appliance, kwh, strftime(timestamp, '%Y-%m') AS month FROM readings
      WHERE NOT contradicted ORDER BY timestamp, appliance)
TO '{{folder}}/months' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (month));
CREATE TEMP TABLE hourly AS
SELECT appliance, date_trunc('hour', timestamp) AS hour, sum(kwh) AS kwh
FROM readings WHERE NOT contradicted GROUP BY ALL;
COPY (SELECT appliance, hour::DATE AS date, sum(kwh) AS kwh FROM hourly GROUP BY ALL)
TO '{{folder}}/daily.parquet' (FORMAT parquet, COMPRESSION zstd);
COPY (SELECT * FROM (SELECT appliance, sum(kwh), avg(kwh), stddev(kwh), min(kwh), max(kwh), count(*)
                     FROM readings WHERE NOT contradicted GROUP BY ALL)
      JOIN (SELECT appliance, arg_max(of_day, kwh) AS peak_hour
            FROM (SELECT appliance, hour(hour) AS of_day, avg(kwh) AS kwh FROM hourly GROUP BY ALL) GROUP BY ALL)
      USING (appliance))
TO '{{folder}}/appliances.parquet' (FORMAT parquet, COMPRESSION zstd);
CREATE TEMP TABLE judged AS
WITH away AS (
    SELECT *, dayofweek(hour) * 24 + hour(hour) AS hour_of_week,
           abs(kwh - median(kwh) OVER (PARTITION BY appliance, dayofweek(hour) * 24 + hour(hour))) AS away
    FROM hourly)
SELECT *, kwh > avg(kwh) OVER (PARTITION BY appliance) + {DEVIATIONS} * stddev(kwh) OVER (PARTITION BY appliance)
          AS mean_2std,
       away > {ROBUST_DEVIATIONS * MAD_TO_STD} * median(away) OVER (PARTITION BY appliance, hour_of_week) AS robust
FROM away;
COPY hourly TO '{{folder}}/hourly.parquet' (FORMAT parquet, COMPRESSION zstd);
COPY (SELECT * FROM judged WHERE mean_2std OR robust)
TO '{{folder}}/anomalies.parquet' (FORMAT parquet, COMPRESSION zstd)
"""


def spark() -> Work:
    """PySpark on this machine's cores; run by a Python of its own, which has it."""
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f
    from pyspark.sql.window import Window

    session = (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", str(4 * (os.cpu_count() or 1)))
        .config("spark.sql.parquet.compression.codec", "zstd")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    session.range(1).count()

    def run(path: Path, folder: Path) -> Counts:
        energy = f.col("kwh_text").cast("double")
        parsed = (
            session.read.csv(str(path), header=True, schema="time_text string, name string, kwh_text string")
            .withColumn("at", f.monotonically_increasing_id())
            .withColumn("timestamp", f.to_timestamp("time_text", "yyyy-MM-dd HH:mm:ss"))
            .withColumn("appliance", f.trim("name"))
            .withColumn("kwh", energy)
            .withColumn(
                "reason",
                f.when(f.col("timestamp").isNull(), "BAD_TIMESTAMP")
                .when(f.col("appliance").isNull() | (f.col("appliance") == ""), "MISSING_APPLIANCE")
                .when(energy.isNull() | f.isnan(energy) | (energy < 0) | (energy > MOST_KWH), "BAD_NUMBER"),
            )
        )
        parsed.filter("reason IS NOT NULL").write.csv(str(folder / "rejected"))
        readings = (
            parsed.filter("reason IS NULL")
            .groupBy("timestamp", "appliance")
            .agg(f.min("kwh").alias("kwh"), f.max("kwh").alias("most"), f.count("*").alias("copies"))
            .persist()
        )
        accepted = readings.filter("kwh = most").select("timestamp", "appliance", "kwh")
        by_month = accepted.withColumn("month", f.date_format("timestamp", "yyyy-MM"))
        in_order = by_month.repartition("month").sortWithinPartitions("month", "timestamp", "appliance")
        in_order.write.partitionBy("month").parquet(str(folder / "months"))
        hourly = accepted.groupBy("appliance", f.date_trunc("hour", "timestamp").alias("hour")).agg(
            f.sum("kwh").alias("kwh")
        )
        hourly = hourly.persist()
        hourly.write.parquet(str(folder / "hourly"))
        daily = hourly.groupBy("appliance", f.to_date("hour").alias("date")).agg(f.sum("kwh").alias("kwh"))
        daily.write.parquet(str(folder / "daily"))
        by_hour = hourly.groupBy("appliance", f.hour("hour").alias("of_day")).agg(f.avg("kwh").alias("kwh"))
        peaks = by_hour.groupBy("appliance").agg(f.max_by("of_day", "kwh").alias("peak_hour"))
        statistics = accepted.groupBy("appliance").agg(
            *(of("kwh").alias(of.__name__) for of in (f.sum, f.avg, f.stddev, f.min, f.max, f.count))
        )
        statistics.join(peaks, "appliance").write.parquet(str(folder / "appliances"))
        own, week = Window.partitionBy("appliance"), Window.partitionBy("appliance", "hour_of_week")
        judged = (
            hourly.withColumn("hour_of_week", f.dayofweek("hour") * 24 + f.hour("hour"))
            .withColumn("away", f.abs(f.col("kwh") - f.median("kwh").over(week)))
            .withColumn("robust", f.col("away") > ROBUST_DEVIATIONS * MAD_TO_STD * f.median("away").over(week))
            .withColumn("mean_2std", f.col("kwh") > f.avg("kwh").over(own) + DEVIATIONS * f.stddev("kwh").over(own))
            .filter("mean_2std OR robust")
            .persist()
        )
        judged.write.parquet(str(folder / "anomalies"))
        read, bad = parsed.agg(f.count("*"), f.count("reason")).first()
        contradicted = readings.filter("kwh <> most").agg(f.sum("copies")).first()[0] or 0
        return {
            **_counts(read, accepted.count(), bad + contradicted),
            "hours": hourly.count(),
            "mean_2std": judged.filter("mean_2std").count(),
        }

    return run


def bare_parse() -> Work:
    """polars parses the three columns and forgets them: no rule, nothing set apart, nothing written."""
    import polars as pl

    def run(path: Path, _: Path) -> Counts:
        columns = dict.fromkeys(("timestamp", "appliance", "kwh"), pl.String)
        parsed = pl.scan_csv(path, schema=columns).select(
            pl.col("timestamp").str.to_datetime(TIME_FORMAT, strict=False),
            "appliance",
            pl.col("kwh").cast(pl.Float64, strict=False),
        )
        found = parsed.select(pl.len(), pl.col("timestamp").max(), pl.col("appliance").max(), pl.col("kwh").sum())
        return {"read": found.collect(engine="streaming").item(0, 0)}

    return run


def reading_bytes() -> Work:
    """The bytes of the file are read, and that is all."""

    def run(path: Path, _: Path) -> Counts:
        with path.open("rb", buffering=0) as file:
            block = bytearray(1 << 20)
            while file.readinto(block):
                pass
        return {}

    return run


def _counts(read: int, accepted: int, rejected: int) -> Counts:
    return {"read": read, "accepted": accepted, "rejected": rejected, "duplicates": read - accepted - rejected}


CONTESTANTS: dict[str, Callable[[], Work]] = {
    "pandas": pandas,
    "DuckDB": duckdb,
    "PySpark": spark,
    "bare parse": bare_parse,
    "reading the bytes": reading_bytes,
}


def peak_megabytes() -> float:
    """The most memory that this process and its children have held at once each, added up (Linux)."""
    # Not `ru_maxrss`, which also knows that of the parent.
    return sum(_peak_of(pid) for pid in _family())


def cpu_seconds() -> float:
    """What this process and its children have taken so far of all cores."""
    return sum(_cpu_of(pid) for pid in _family())


def _family() -> Iterator[int]:
    waiting = [os.getpid()]
    while waiting:
        pid = waiting.pop()
        yield pid
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            waiting += [int(child) for child in task.read_text().split()]


def _peak_of(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def _cpu_of(pid: int) -> float:
    if pid == os.getpid():
        return time.process_time()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(each) for each in fields[11:15]) / _TICKS


def main() -> None:
    name, path, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    work = CONTESTANTS[name]()
    imports = cpu_seconds()
    began = time.perf_counter()
    found = work(path, folder)
    wall, cpu = time.perf_counter() - began, cpu_seconds() - imports
    print(json.dumps({"found": found, "wall": wall, "cpu": cpu, "imports": imports, "peak": peak_megabytes()}))


if __name__ == "__main__":
    main()
