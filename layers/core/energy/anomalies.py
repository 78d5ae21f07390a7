"""Unusual hours: an appliance used more than its mean and two standard deviations."""

import polars as pl

from energy import lake, parquet, site_months, store
from energy.contracts import AnomalyResult, DetectInput, Publication
from energy.documents import AnomalyRow, AnomalySummary
from energy.manifest import Manifest
from energy.schema import ANOMALIES

METHOD = "mean_2std"
DEVIATIONS = 2.0
MIN_HOURS = 6
TOP = 50
# Sums of equal readings may differ in their last digits; a spread that small is none.
_RELATIVE_ROUNDING = 1e-9


def detect(request: DetectInput) -> AnomalyResult:
    """The anomalies of a publication as a table, which may have no row, and as a document for the report."""
    publication = request.publication
    hourly = site_months.read_hours(Manifest.model_validate_json(store.read(publication.draft_key)))
    limits = hour_limits(hourly)
    found = unusual_hours(hourly, limits)
    prefix = lake.table_prefix(ANOMALIES.area, publication.site, publication.pub)
    store.put_once(prefix + ANOMALIES.file_name, parquet.table_bytes(found, ANOMALIES))
    summary_key = _write_summary(summary(found, limits), publication)
    return AnomalyResult(table_prefix=prefix, summary_key=summary_key, count=found.height)


def hour_limits(hourly: pl.DataFrame) -> pl.DataFrame:
    """appliance, hours, mean, std (sample), threshold in kWh; `skipped` says why it cannot be judged, else null."""
    hours, mean, std = pl.col("hours"), pl.col("mean"), pl.col("std")
    too_few = pl.format("only {} hours of readings; at least {} are needed", hours, pl.lit(MIN_HOURS))
    # Half of the steps between readings are an hour at most: those within an hour, and those to the next hour.
    step = pl.col("timestamp_utc").diff().dt.total_hours()
    tells_hours = 2 * ((pl.col("readings") - 1).sum() + (step <= 1).sum()) >= pl.col("readings").sum() - 1
    too_coarse = pl.format(
        "read once in {} hours; unusual hours need hourly readings or finer", pl.col("step").cast(pl.Int64)
    )
    return (
        hourly.sort("appliance", "timestamp_utc")
        .group_by("appliance", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("hours"),
            pl.col("kwh"),
            tells_hours.alias("tells_hours"),
            step.quantile(0.5, interpolation="lower").alias("step"),
        )
        # Of a list per appliance: polars' own statistics of a group differ with the number of cores.
        .with_columns(mean=pl.col("kwh").list.mean(), std=pl.col("kwh").list.std(ddof=1))
        .drop("kwh")
        .with_columns(
            threshold=mean + DEVIATIONS * std,
            skipped=pl.when(~pl.col("tells_hours"))
            .then(too_coarse)
            .when(hours < MIN_HOURS)
            .then(too_few)
            .when(std.is_null() | (std <= _RELATIVE_ROUNDING * mean))
            .then(pl.lit("every hour used the same energy")),
        )
        .drop("tells_hours", "step")
    )


def unusual_hours(hourly: pl.DataFrame, limits: pl.DataFrame) -> pl.DataFrame:
    """Hours above their appliance's threshold, by timestamp_utc and appliance, with the columns of anomaly_data."""
    kwh, mean = pl.col("kwh"), pl.col("mean")
    judged = limits.filter(pl.col("skipped").is_null())
    explanation = pl.format(
        "{} used {} kWh in this hour; its mean hour is {} kWh and its limit {} kWh.",
        pl.col("appliance"),
        kwh.round(3),
        mean.round(3),
        pl.col("threshold").round(3),
    )
    return (
        hourly.join(judged, on="appliance", maintain_order="left")
        .filter(kwh > pl.col("threshold"))
        .select(
            "timestamp",
            "timestamp_utc",
            "appliance",
            "kwh",
            "threshold",
            z_score=(kwh - mean) / pl.col("std"),
            expected_kwh=mean,
            excess_kwh=kwh - mean,
            method=pl.lit(METHOD),
            explanation=explanation,
        )
        .sort("timestamp_utc", "appliance")
    )


def summary(found: pl.DataFrame, limits: pl.DataFrame) -> AnomalySummary:
    """What a report shows of the anomalies."""
    judged = limits.filter(pl.col("skipped").is_null())
    largest = found.sort(["excess_kwh", "timestamp_utc", "appliance"], descending=[True, False, False]).head(TOP)
    counts = dict(found.group_by("appliance").len().sort("appliance").iter_rows())
    date = pl.col("timestamp").dt.date().dt.to_string().alias("date")
    days = dict(found.group_by(date).len().sort("date").iter_rows())
    return AnomalySummary(
        count=found.height,
        hours_judged=int(judged["hours"].sum()),
        by_appliance=counts,
        by_day=days,
        top=[AnomalyRow(**row) for row in largest.drop("timestamp_utc").iter_rows(named=True)],
        skipped=dict(limits.filter(pl.col("skipped").is_not_null()).select("appliance", "skipped").iter_rows()),
    )


def _write_summary(document: AnomalySummary, publication: Publication) -> str:
    key = lake.publication_document_key(ANOMALIES.area, publication.site, publication.pub, "summary")
    store.put_once(key, document.model_dump_json(indent=1).encode(), "application/json")
    return key
