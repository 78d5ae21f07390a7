"""The tables of the lake: every column, its type, its unit and what it means. The one place that says so.

Types are Athena's (Hive's). Files written by the functions, Glue tables in template.yaml and the documentation are all
held against this module by tests.
"""

from dataclasses import dataclass
from typing import Literal

DATABASE = "energy_db"

HiveType = Literal["timestamp", "date", "string", "double", "bigint", "int", "boolean"]


@dataclass(frozen=True)
class Column:
    """One column; `comment` carries the unit."""

    name: str
    type: HiveType
    comment: str


@dataclass(frozen=True)
class Table:
    """One table. `area` is its folder in the lake, `row` says what one row is, `partition_keys` come from the path."""

    name: str
    area: str
    row: str
    columns: tuple[Column, ...]
    partition_keys: tuple[Column, ...]

    @property
    def file_name(self) -> str:
        """Of the one file that a partition has."""
        return f"{self.area.rsplit('/', 1)[-1]}.parquet"

    @property
    def column_names(self) -> list[str]:
        """Names in the order of the files, without partition keys."""
        return [column.name for column in self.columns]


_SITE = Column("site", "string", "site: the folder below raw/ that the upload came through")
_MONTH = Column("month", "string", "local calendar month, YYYY-MM")
_TIMESTAMP = Column("timestamp", "timestamp", "start of the interval, local wall-clock time of the site")
_TIMESTAMP_UTC = Column("timestamp_utc", "timestamp", "start of the interval, UTC")
_APPLIANCE = Column("appliance", "string", "appliance as named in the upload")

_CURRENCY = Column("currency", "string", "currency of the costs, ISO 4217; null without a tariff")

_MODELS = tuple(
    Column(name, "double", f"kWh a day by {label} alone; null where it did not run")
    for name, label in (
        ("prophet", "Prophet"),
        ("auto_ets", "AutoETS"),
        ("dynamic_optimized_theta", "DynamicOptimizedTheta"),
        ("seasonal_window_average", "the mean of the same weekday over 4 weeks"),
        ("window_average", "the mean of the last 28 days"),
    )
)

_BANDS = (
    Column("yhat", "double", "forecast energy of the day, kWh"),
    Column("yhat_lower", "double", "lower bound of the band, kWh"),
    Column("yhat_upper", "double", "upper bound of the band, kWh"),
)
_LEVEL = Column("level", "double", "share of days that should lie within yhat_lower to yhat_upper, 0 to 1")
_OUTER_BAND = (
    Column("yhat_lower_95", "double", "lower bound of the wider band, which 95 % of days should lie within, kWh"),
    Column("yhat_upper_95", "double", "upper bound of the wider band, kWh"),
)
_METHOD = Column("method", "string", "how the forecast was made: the models whose median it is")
_FORECAST = (
    Column("ds", "timestamp", "forecast day, local midnight"),
    *_BANDS,
    _LEVEL,
    *_OUTER_BAND,
    _METHOD,
    Column("reason", "string", "why by these models, in words"),
    *_MODELS,
)

MODEL_NAMES: tuple[str, ...] = tuple(column.name for column in _MODELS)

READINGS = Table(
    "raw_energy_data",
    "processed/readings",
    "one reading: an appliance's energy in one interval, all uploads of the site resolved",
    (
        _TIMESTAMP,
        _TIMESTAMP_UTC,
        _APPLIANCE,
        Column("kwh", "double", "energy used in the interval, kWh"),
        Column(
            "estimated",
            "boolean",
            "whether it was estimated: by who measured, or spread over a register's longer interval",
        ),
        Column("upload", "string", "identifies the upload (key under raw/) that the reading came from"),
    ),
    (_SITE, _MONTH),
)
APPLIANCES = Table(
    "processed_energy_data",
    "processed/appliances",
    "one appliance over the whole history of the site",
    (
        _APPLIANCE,
        Column("total_kwh", "double", "energy, kWh"),
        Column("avg_kwh", "double", "mean energy of a reading, kWh"),
        Column("std_kwh", "double", "sample standard deviation of the readings, kWh; null with fewer than two"),
        Column("min_kwh", "double", "smallest reading, kWh"),
        Column("max_kwh", "double", "largest reading, kWh"),
        Column("readings", "bigint", "number of readings"),
        Column("share", "double", "share of the site's energy, 0 to 1; null if the site used none"),
        Column(
            "peak_hour", "int", "local hour of day with the largest mean use per day, 0 to 23; null if none stands out"
        ),
        Column("first_timestamp", "timestamp", "first reading, local wall-clock time"),
        Column("last_timestamp", "timestamp", "last reading, local wall-clock time"),
    ),
    (_SITE,),
)
HOURLY = Table(
    "hourly_energy_data",
    "processed/hourly",
    "one appliance in one hour",
    (
        Column("timestamp", "timestamp", "start of the hour, local wall-clock time of the site"),
        Column("timestamp_utc", "timestamp", "start of the hour, UTC"),
        _APPLIANCE,
        Column("kwh", "double", "energy used in the hour, kWh"),
        Column("readings", "bigint", "number of readings in the hour"),
    ),
    (_SITE, _MONTH),
)
PROFILE = Table(
    "hourly_profile_data",
    "processed/profile",
    "one appliance in one hour of the day, averaged over its days",
    (
        _APPLIANCE,
        Column("hour", "int", "local hour of day, 0 to 23"),
        Column("mean_kwh", "double", "mean energy used in that hour of the day, kWh"),
        Column("days", "bigint", "number of days with readings in that hour"),
    ),
    (_SITE,),
)
DAILY = Table(
    "daily_energy_data",
    "processed/daily",
    "one appliance on one local calendar day",
    (
        Column("date", "date", "local calendar day"),
        _APPLIANCE,
        Column("kwh", "double", "energy used in the day, kWh"),
        Column("coverage", "double", "share of the day's intervals that have a reading, 0 to 1"),
        Column("complete", "boolean", "whether coverage is at least 0.9; forecasts learn from complete days only"),
    ),
    (_SITE,),
)
QUALITY = Table(
    "quality_data",
    "processed/quality",
    "one appliance, or all together, over the whole history: how complete its readings are",
    (
        Column("appliance", "string", "appliance as named in the upload; null for all appliances together"),
        Column("interval_minutes", "double", "usual time between two readings, minutes; null if unknown or not one"),
        Column("readings", "bigint", "number of readings"),
        Column(
            "expected_readings",
            "bigint",
            "intervals in the site's days from its first reading to its last; null if the interval is unknown",
        ),
        Column(
            "coverage",
            "double",
            "mean of the days' coverage from the site's first day to its last, 0 to 1; a day without readings counts 0",
        ),
        Column("gaps", "bigint", "number of stretches without readings, at least half an interval longer than usual"),
        Column("missing_hours", "double", "length of all gaps, hours; for all together the sum of the appliances'"),
        Column("longest_gap_hours", "double", "length of the longest gap, hours; null without a gap"),
        Column("longest_gap_start", "timestamp", "start of the longest gap, local wall-clock time; null without a gap"),
        Column(
            "flatlines",
            "bigint",
            "number of stretches of one value other than zero, at least 24 hours and 24 measured readings long",
        ),
        Column("flatline_hours", "double", "length of all flatlines, hours"),
        Column("duplicates", "bigint", "rows of the site's uploads that repeat another of the same upload"),
        Column("rejected", "bigint", "rows of the site's uploads that were set apart as unusable"),
        Column("estimated_share", "double", "share of the readings that are estimated, 0 to 1"),
        Column(
            "estimated_kwh_share",
            "double",
            "share of the energy that estimated readings hold, 0 to 1; null if none was used",
        ),
    ),
    (_SITE,),
)
COSTS = Table(
    "cost_data",
    "processed/costs",
    "one appliance on one local calendar day: what its energy cost, and the CO2 that it stands for",
    (
        Column("date", "date", "local calendar day"),
        _APPLIANCE,
        Column("kwh", "double", "energy used in the day, kWh"),
        Column(
            "energy_cost",
            "double",
            "what the energy cost, tiers in, standing and demand charges not; null if part of it has no price",
        ),
        _CURRENCY,
        Column("co2_kg", "double", "CO2, kg; null if it is not known for part of the energy"),
    ),
    (_SITE,),
)
BILLS = Table(
    "bill_data",
    "processed/bills",
    "one plan in one month: what it charges for the site's readings",
    (
        _MONTH,
        Column("plan", "string", "the plan's name"),
        Column("is_current", "boolean", "whether it is the site's own; the others are compared with it"),
        Column("days", "bigint", "days that are billed: from the site's first reading to its last"),
        Column("kwh", "double", "energy that has a price, kWh"),
        _CURRENCY,
        Column("energy_cost", "double", "energy at the prices of the time at which it was used"),
        Column("tier_cost", "double", "what the blocks cost that the month's energy fills"),
        Column("standing_cost", "double", "what is charged by the day or the month"),
        Column("demand_cost", "double", "what is charged for the highest power"),
        Column("exported_cost", "double", "what is paid for energy fed in; taken off the total"),
        Column("total_cost", "double", "what is to be paid"),
    ),
    (_SITE,),
)
ANOMALIES = Table(
    "anomaly_data",
    "anomalies",
    "one unusual hour of one appliance",
    (
        Column("timestamp", "timestamp", "start of the hour, local wall-clock time of the site"),
        Column("timestamp_utc", "timestamp", "start of the hour, UTC"),
        _APPLIANCE,
        Column("kwh", "double", "energy used in the hour, kWh"),
        Column("threshold", "double", "the appliance's mean hour and two standard deviations, kWh"),
        Column("z_score", "double", "distance from the appliance's mean in its standard deviations"),
        Column(
            "expected_kwh",
            "double",
            "usual at this hour of day and season, kWh; if mostly off, when it runs; its mean if limit_kwh is null",
        ),
        Column(
            "limit_kwh",
            "double",
            "limit of the robust rule: more (high_use) or less (drop) is unusual, kWh; null if too little is known",
        ),
        Column("excess_kwh", "double", "energy above the expected, kWh; negative where less was used"),
        Column("severity", "string", "low, medium or high: how much energy is at stake in the hour's event"),
        Column("kind", "string", "high_use or drop"),
        Column("method", "string", "rule that found it: mean_2std, robust, or both as mean_2std+robust"),
        Column("event_id", "string", "identifies its event in anomaly_events; null where only mean_2std found it"),
        Column("muted_by", "string", "line of the site's configuration that called it normal; null if none did"),
        Column("explanation", "string", "one sentence for a person"),
    ),
    (_SITE,),
)
ANOMALY_EVENTS = Table(
    "anomaly_events",
    "anomalies/events",
    "one event: neighbouring unusual hours of one appliance, an outage, or a slow fault that only days show",
    (
        Column("event_id", "string", "identifies the event; stays as long as appliance, start and kind do"),
        Column("appliance", "string", "appliance as named in the upload; null where it is about all together"),
        Column("kind", "string", "high_use, drop, long_run, stopped, flatline, stuck_meter, outage or rising_use"),
        Column("kinds", "string", "all kinds that overlap in it, joined by +, the one in `kind` first"),
        Column(
            "method",
            "string",
            "what found it, joined by +: mean_2std, robust, runs (of hours that are alike), days (their totals)",
        ),
        Column("start_timestamp", "timestamp", "start of its first hour, local wall-clock time of the site"),
        Column("end_timestamp", "timestamp", "end of its last hour, local wall-clock time of the site"),
        Column("start_timestamp_utc", "timestamp", "start of its first hour, UTC"),
        Column("end_timestamp_utc", "timestamp", "end of its last hour, UTC"),
        Column("hours", "bigint", "hours of readings in it; of a rising_use those of its complete days"),
        Column("kwh", "double", "energy used in it, kWh"),
        Column(
            "expected_kwh", "double", "what is usually used in such hours, kWh; long_run: in a run of its usual length"
        ),
        Column("excess_kwh", "double", "energy above the expected, kWh; negative where less was used"),
        Column("peak_timestamp", "timestamp", "its hour furthest from the usual, local time; null for rising_use"),
        Column("peak_kwh", "double", "energy used in that hour, kWh"),
        Column("peak_expected_kwh", "double", "what is usual for that hour, kWh"),
        Column(
            "peak_limit_kwh", "double", "limit for that hour by the rule that leads, kWh; null if its kind has none"
        ),
        Column("usual_hours", "double", "long_run: hours that a run of the appliance usually takes; else null"),
        Column("day_kwh_before", "double", "rising_use: a day's energy before it, kWh; else null"),
        Column("day_kwh_after", "double", "rising_use: a day's energy in its last week, kWh; else null"),
        Column("severity", "string", "low, medium or high: how much energy is at stake"),
        Column("muted_by", "string", "line of the site's configuration that called it normal; null if none did"),
        Column("explanation", "string", "one sentence for a person"),
    ),
    (_SITE,),
)
_ISSUED = (
    Column("issued_at", "timestamp", "when the newest upload came that the forecast knew, UTC"),
    Column("publication", "string", "identifies the publication that the forecast was part of"),
    Column("appliance", "string", "appliance as named in the upload; null for all appliances together"),
)
_ISSUED_DAY = (
    Column("ds", "timestamp", "forecast day, local midnight"),
    Column("horizon_days", "bigint", "how many days ahead of the last day that the forecast learnt from, 1 to 7"),
    _METHOD,
    *_BANDS,
)
FORECAST_HISTORY = Table(
    "forecast_history",
    "forecast/history",
    "one day of one forecast, of all that were ever published",
    (
        *_ISSUED,
        Column("members", "string", "appliances in the total, as a JSON list; null for one appliance"),
        *_ISSUED_DAY,
        _LEVEL,
        *_OUTER_BAND,
    ),
    (_SITE, Column("month", "string", "month in which the forecast was issued, YYYY-MM, UTC")),
)
FORECAST_ACCURACY = Table(
    "forecast_accuracy",
    "processed/accuracy",
    "one day of an earlier forecast, and what was used on it; days that are complete",
    (
        *_ISSUED,
        *_ISSUED_DAY,
        Column("actual_kwh", "double", "energy used on the day by the same appliances, kWh"),
        Column("error_kwh", "double", "forecast less actual energy, kWh"),
        Column("within_band", "boolean", "whether the actual energy lies within the band"),
        *_OUTER_BAND,
        Column("within_band_95", "boolean", "whether the actual energy lies within the wider band"),
    ),
    (_SITE,),
)
FORECAST_BACKTEST = Table(
    "forecast_backtest",
    "forecast/backtest",
    "one appliance, or all together: how forecasts made the same way on earlier days would have fared",
    (
        Column("appliance", "string", "appliance as named in the upload; null for all appliances together"),
        _METHOD,
        Column("cutoffs", "bigint", "number of earlier days from which it was forecast, each without what came after"),
        Column("days", "bigint", "number of forecast days that were complete, of all these forecasts"),
        Column("first_day", "timestamp", "first of the days, local midnight"),
        Column("last_day", "timestamp", "last of the days, local midnight"),
        Column("mae_kwh", "double", "mean absolute error of a day, kWh"),
        Column("wape", "double", "sum of absolute errors over the energy used, 0 = exact; null if none was used"),
        Column(
            "mase",
            "double",
            "mae_kwh over the mean error of repeating the week before, in all days learnt from; null if that has none",
        ),
        Column(
            "skill",
            "double",
            "1 less mae_kwh over that of repeating the week before, on the same days; above 0 is better; null as mase",
        ),
        Column(
            "coverage", "double", "share of the days within the band as the other cut-offs would have set it, 0 to 1"
        ),
        Column("coverage_95", "double", "share of the days within the wider band, likewise, 0 to 1"),
    ),
    (_SITE,),
)
FORECAST = Table("forecast_data", "forecast/total", "one day ahead, all appliances together", _FORECAST, (_SITE,))
APPLIANCE_FORECAST = Table(
    "appliance_forecast_data", "forecast/appliances", "one day ahead, one appliance", (_APPLIANCE, *_FORECAST), (_SITE,)
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        READINGS,
        APPLIANCES,
        HOURLY,
        PROFILE,
        DAILY,
        QUALITY,
        COSTS,
        BILLS,
        ANOMALIES,
        ANOMALY_EVENTS,
        FORECAST,
        APPLIANCE_FORECAST,
        FORECAST_BACKTEST,
        FORECAST_HISTORY,
        FORECAST_ACCURACY,
    )
}
