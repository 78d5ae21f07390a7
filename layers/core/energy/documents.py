"""What the steps of one publication tell the report, as JSON documents in the lake.

Tables are for queries; these are small, and a report needs no Parquet library to read them. Energies are kWh,
shares and coverages 0 to 1, timestamps local wall-clock time unless their name says UTC.
"""

import datetime as dt
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """Every field must be there: a document is written and read by the same version of the code."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ApplianceRows(Document):
    """What became of one appliance's rows in one upload. `appliance` is null for rows that name none that can be told.

    `estimated` of the accepted were marked as estimated by whoever measured, or spread over a longer time.
    """

    appliance: str | None
    accepted: int
    rejected: int
    duplicates: int
    estimated: int


class UploadQuality(Document):
    """Written by "Validate upload": how a file was read, and what became of its rows, by appliance in order of name.

    `read_as` says in words how the file was understood (format, unit, time zone, …), by topic. `codes` counts rejected
    rows by code. `warnings` and `notes` are sentences by code; notes are no reason for doubt.
    """

    read_as: dict[str, str]
    codes: dict[str, int]
    warnings: dict[str, str]
    notes: dict[str, str]
    appliances: list[ApplianceRows]


class SiteUpload(Document):
    """One upload that counts: which run read it, and what became of its rows."""

    run_id: str
    appliances: list[ApplianceRows]


class SiteUploads(Document):
    """Written by "Aggregate readings": every upload that counts, by key, so that the next publication reads only this
    document and the quality of its own upload.
    """

    uploads: dict[str, SiteUpload]


class Quality(Document):
    """How complete the readings of one appliance, or of all together, are: a row of quality_data."""

    interval_minutes: float | None
    readings: int
    expected_readings: int | None
    coverage: float | None
    gaps: int | None
    missing_hours: float | None
    longest_gap_hours: float | None
    longest_gap_start: dt.datetime | None
    flatlines: int
    flatline_hours: float
    duplicates: int
    rejected: int
    estimated_share: float
    estimated_kwh_share: float | None


class ApplianceSummary(Document):
    """One appliance over the site's whole history. `profile_kwh` has 24 means, by local hour; null = never read.

    `peak_hour` is null where no hour stands out: all alike, or readings further apart than an hour.
    """

    appliance: str
    total_kwh: float
    avg_kwh: float
    std_kwh: float | None
    min_kwh: float
    max_kwh: float
    readings: int
    share: float | None
    peak_hour: int | None
    first_timestamp: dt.datetime
    last_timestamp: dt.datetime
    interval_minutes: float | None
    complete_days: int
    profile_kwh: list[float | None]
    quality: Quality


class DayTotal(Document):
    """All appliances on one local day. `complete`: every appliance that was ever read is complete on it."""

    date: dt.date
    kwh: float
    coverage: float
    complete: bool


class ReadingsSummary(Document):
    """Written by "Aggregate readings". Appliances are sorted by energy, largest first; days by date.

    `weekday_hour_kwh` has 7 lists (Monday first) of 24 means of the site's energy in that hour; null = never read.
    `quality` is that of all appliances together.
    """

    site: str
    timezone: str
    total_kwh: float
    readings: int
    first_timestamp: dt.datetime
    last_timestamp: dt.datetime
    coverage: float
    peak_hour: int | None
    appliances: list[ApplianceSummary]
    days: list[DayTotal]
    weekday_hour_kwh: list[list[float | None]]
    uploads: int
    quality: Quality


AnomalyKind = Literal["high_use", "drop", "long_run", "stopped", "flatline", "stuck_meter", "outage", "rising_use"]
Severity = Literal["low", "medium", "high"]


class PeakHour(Document):
    """The hour of an event furthest from the usual. `limit_kwh` is null where its kind has none."""

    timestamp: dt.datetime
    kwh: float
    expected_kwh: float
    limit_kwh: float | None


class AnomalyEvent(Document):
    """One event, as in anomaly_events; `appliance` is null where it is about all together.

    `end` is when its last hour ends. `peak` is null for a slow fault, which has the energy of a day before it and of
    its last week instead. `usual_hours` is what a run usually takes, where it is about one that is too long.
    """

    event_id: str
    appliance: str | None
    kind: AnomalyKind
    kinds: list[AnomalyKind]
    methods: list[str]
    start: dt.datetime
    end: dt.datetime
    hours: int
    kwh: float
    expected_kwh: float
    excess_kwh: float
    peak: PeakHour | None
    usual_hours: float | None
    day_kwh_before: float | None
    day_kwh_after: float | None
    severity: Severity
    explanation: str


class NotJudged(Document):
    """Why an appliance was not judged by some rule. `number` is the number of hours or days that the reason is about.

    `few_hours`: it has so many hours of readings, fewer than a mean and two standard deviations take.
    `short_history`: it has so many readings for its rarest hour of the day; the hour of the day is left out of account.
    `few_runs`: it is mostly off, and used something in so many hours. `coarse`: it is read once in so many hours.
    `constant`: every hour used the same.
    """

    reason: Literal["few_hours", "short_history", "few_runs", "coarse", "constant"]
    number: int | None = None


class Muted(Document):
    """A line of the site's configuration, and what it took out of counts and report."""

    line: str
    hours: int
    events: int


class AnomalySummary(Document):
    """Written by "Detect anomalies". What a line of the configuration mutes is in `muted` and nowhere else.

    `count` is the number of hours that are part of an event of their appliance's own hours (high_use, drop); each
    appliance's are in `by_appliance`, each day's (ISO date) in `by_day`. `by_rule` counts the hours by what found
    them: mean_2std, robust, mean_2std+robust; those that mean_2std alone found are in `count` only where an appliance's
    history is too short for the robust rule. `by_kind` counts events, `events_by_appliance` those that are about one,
    and `muted_by_appliance` those of them that are muted. `top` are those that matter most, at most ten: the most
    severe first; of equals those that ended in the last 31 days read, then those with more energy away from the usual.

    `skipped` are appliances that could not be judged by the hour at all, `limited` those that mean_2std alone judged.
    `unknown_appliances` are named in the configuration and nowhere in the readings.
    """

    count: int
    hours_judged: int
    by_rule: dict[str, int]
    by_kind: dict[AnomalyKind, int]
    by_appliance: dict[str, int]
    by_day: dict[str, int]
    events: int
    events_by_appliance: dict[str, int]
    muted_by_appliance: dict[str, int]
    top: list[AnomalyEvent]
    skipped: dict[str, NotJudged]
    limited: dict[str, NotJudged]
    muted: list[Muted]
    unknown_appliances: list[str]


class PastForecast(Document):
    """One model's forecast of one appliance, or of all together (null), from so many days before the last that it could
    know, 0 being the forecast that is published; `kwh` by day ahead.
    """

    appliance: str | None
    days_back: int
    kwh: list[float]


class PastForecasts(Document):
    """Written by "Forecast with Prophet" for "Forecast with statsforecast", which takes them into its medians."""

    forecasts: list[PastForecast]


class ForecastDay(Document):
    """One day ahead, all appliances together; `models` has each model's own forecast, kWh."""

    ds: dt.date
    yhat: float
    yhat_lower: float
    yhat_upper: float
    yhat_lower_95: float
    yhat_upper_95: float
    models: dict[str, float]


class Backtest(Document):
    """How forecasts made the same way on `cutoffs` earlier days would have fared: a row of forecast_backtest.

    `within`: on `level` of the days the forecast was right within this share of the mean day; null if nothing was used.
    """

    cutoffs: int
    days: int
    first_day: dt.date
    last_day: dt.date
    mae_kwh: float
    wape: float | None
    within: float | None
    mase: float | None
    skill: float | None
    coverage: float | None
    coverage_95: float | None


class SeriesResult(Document):
    """The forecast of one appliance, or of all together (null). `kwh` is that of the seven days.

    `reason` says in words why by these models. `backtest` is null where the history is too short for one.
    """

    appliance: str | None
    method: str
    reason: str
    training_days: int
    kwh: float
    backtest: Backtest | None


class YearDecomposition(Document):
    """What the total is made of beside its forecast (MSTL): a trend, a pattern of the week, and one of the year.

    `weekday_kwh` has what Monday to Sunday take more or less than the trend, `month_kwh` what January to December do;
    null with less than two years. `trend_kwh` is the mean day by the trend, by calendar month (YYYY-MM) in order.
    """

    days: int
    weekday_kwh: list[float]
    month_kwh: list[float] | None
    trend_kwh: dict[str, float]


class ForecastSummary(Document):
    """Written by whichever forecasting state published. `appliances_kwh` is the 7-day energy by appliance.

    `level` and `outer_level` are the shares of days that the two bands should hold. `members` are the appliances in the
    total; where `coherent`, their forecasts add up to it. `series` has the total first, then appliances by name.
    Without `has_spread` nothing tells how sure the total is, and its bands reach from nothing to the double. `year` is
    null with less than a year.
    """

    method: str
    reason: str
    level: float
    outer_level: float
    training_days: int
    last_training_day: dt.date
    days: list[ForecastDay]
    total_kwh: float
    appliances_kwh: dict[str, float]
    members: list[str]
    coherent: bool
    has_spread: bool = True
    series: list[SeriesResult]
    year: YearDecomposition | None
    notes: list[str]

    @property
    def backtest(self) -> Backtest | None:
        """That of the total."""
        return self.series[0].backtest


class MonthBill(Document):
    """What a plan charges for one month (`YYYY-MM`), or for all (""), in its currency, not rounded.

    `exported_cost` is what is paid for energy fed in: it is taken off the total. `unknown_demand` names demand charges
    that cannot be told from these readings; they are not in the total.
    """

    month: str
    days: int
    kwh: float
    energy_cost: Decimal
    tier_cost: Decimal
    standing_cost: Decimal
    demand_cost: Decimal
    exported_cost: Decimal
    total_cost: Decimal
    unknown_demand: list[str]


class PlanBill(Document):
    """One plan on the site's readings."""

    name: str
    months: list[MonthBill]
    total: MonthBill


class ApplianceCost(Document):
    """One appliance: what of its energy has a price, and what that cost, tiers in, standing and demand charges not.

    `dearer_kwh` were used at more than the mean price of the cheapest four hours of their day, and cost `dearer_cost`
    more than they would have there. `co2_kg` is of `co2_kwh`.
    """

    appliance: str
    kwh: float
    priced_kwh: float
    energy_cost: float
    dearer_kwh: float
    dearer_cost: float
    co2_kwh: float
    co2_kg: float


class CarbonSummary(Document):
    """CO2 of the site, kg, of `kwh`. `missing_hours` is the time that a file of intensities has nothing for; there the
    factor counts, and without one `unknown_kwh` are left out.
    """

    kg: float
    kwh: float
    unknown_kwh: float
    factor_kg_per_kwh: float | None
    factor_source: str | None
    by_the_hour: bool
    missing_hours: float


class CostsSummary(Document):
    """Written by "Aggregate readings" where the site has a tariff or a CO2 factor. The site's plan is the first.

    Appliances are sorted by cost, largest first; without what is fed in (`exports`). `hours` has what the energy of
    each local hour of day cost, `weekday_hour_price` 7 lists (Monday first) of 24 mean prices of a kWh; null = none.
    """

    currency: str | None
    decimals: int
    depends_on_time: bool
    plans: list[PlanBill]
    appliances: list[ApplianceCost]
    exports: list[str]
    exported_kwh: float
    hours: list[float]
    weekday_hour_price: list[list[float | None]]
    unpriced_kwh: float
    carbon: CarbonSummary | None
