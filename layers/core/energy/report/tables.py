"""The tables of a report: what its charts are drawn from, and what a reader can check them against."""

import math

from energy.documents import AnomalySummary, ApplianceSummary, Backtest, ForecastSummary, Quality, ReadingsSummary
from energy.report.anomaly_facts import (
    BY_MEAN,
    EVENTS_SHOWN,
    KIND_NAMES,
    NOT_AT_ALL,
    NOT_JUDGED,
    SEVERITY_NAMES,
    moments,
)
from energy.report.appliances import display_name
from energy.report.facts import Collector, Column, Table, kwh_decimals
from energy.report.language import Value, message

DAYS_SHOWN = 56
PROFILES_SHOWN = 8
APPLIANCES_DRAWN = 8
QUALITY_SHOWN = 50
MAX_TEXT_LENGTH = 400
_NO_SPREAD = message("Too few days to tell how sure this is: the bands reach from nothing to the double.")
PEAK_HOURS = range(18, 21)
YES, NO = message("yes"), message("no")

# Marked here, as each is the title of a column and the label of a row in the chart.
WEEKDAYS = (
    message("Mon"),
    message("Tue"),
    message("Wed"),
    message("Thu"),
    message("Fri"),
    message("Sat"),
    message("Sun"),
)


def tables(
    facts: Collector, readings: ReadingsSummary, anomalies: AnomalySummary, forecast: ForecastSummary | None
) -> dict[str, Table]:
    """The tables by id; one that has no rows is left out. Adds the facts that their notes cite."""
    built = [
        _versus(facts),
        _appliances(readings, anomalies),
        _days(facts, readings, anomalies),
        _week(readings),
        _profiles(facts, readings),
        _unusual(anomalies),
        _skipped(anomalies),
        _quality(facts, readings),
    ]
    if forecast:
        built += [_forecast(forecast), _forecast_appliances(facts, forecast), _year(forecast)]
    return {table.id: table for table in built if table.rows}


def _versus(facts: Collector) -> Table:
    """Rows in pairs: what was before, and what came after it, with the change."""

    def value(fact: str) -> float | None:
        known = facts.facts[fact].value
        return known if isinstance(known, float) else None

    pairs = (
        (
            message("Seven complete days before"),
            "trend.before_kwh",
            message("Last seven complete days"),
            "trend.recent_kwh",
        ),
        (
            message("Month before, mean day"),
            "month.before_day_kwh",
            message("Last whole month, mean day"),
            "month.recent_day_kwh",
        ),
        (message("Workday, mean"), "week.workday_kwh", message("Weekend day, mean"), "week.weekend_kwh"),
    )
    rows: list[list[Value]] = []
    for before, then, after, now in pairs:
        first, second = value(then), value(now)
        if first and second is not None:
            rows += [[before, first, None], [after, second, second / first - 1]]
    return Table(
        id="versus",
        title="Energy now and before",
        columns=[
            Column(title="Time", unit="word"),
            _energy("Energy, kWh", [float(row[1] or 0) for row in rows]),
            Column(title="Change", unit="change", dp=1),
        ],
        rows=rows,
        source="readings summary",
    )


def _appliances(readings: ReadingsSummary, anomalies: AnomalySummary) -> Table:
    rows: list[list[Value]] = [
        [
            display_name(one.appliance),
            one.total_kwh,
            one.share,
            one.peak_hour if tells_hours([one]) and one.total_kwh > 0 else None,
            anomalies.by_appliance.get(one.appliance, 0),
        ]
        for one in readings.appliances
    ]
    return Table(
        id="appliances",
        title="Energy by appliance",
        columns=[
            Column(title="Appliance", unit="text"),
            _energy("Energy, kWh", [one.total_kwh for one in readings.appliances]),
            Column(title="Share", unit="share", dp=1),
            Column(title="Busiest hour", unit="hour"),
            Column(title="Unusual hours", unit="count"),
        ],
        rows=rows,
        source="readings summary",
    )


def _days(facts: Collector, readings: ReadingsSummary, anomalies: AnomalySummary) -> Table:
    shown = readings.days[-DAYS_SHOWN:]
    facts.add("days.shown", len(shown), "count", "setting")
    all_days = message("The last {{days.shown}} of {{site.read_days}} days read.")
    notes = [all_days] if len(shown) < len(readings.days) else []
    return Table(
        id="days",
        title="Energy by day",
        columns=[
            Column(title="Day", unit="date"),
            _energy("Energy, kWh", [day.kwh for day in shown]),
            Column(title="Read", unit="share"),
            Column(title="Complete", unit="word"),
            Column(title="Unusual hours", unit="count"),
        ],
        rows=[
            [
                day.date.isoformat(),
                day.kwh,
                day.coverage,
                YES if day.complete else NO,
                anomalies.by_day.get(day.date.isoformat(), 0),
            ]
            for day in shown
        ],
        source="readings summary, anomaly summary",
        notes=notes,
    )


def _week(readings: ReadingsSummary) -> Table:
    cells = [kwh for row in readings.weekday_hour_kwh for kwh in row if kwh is not None]
    known = any(cells) and tells_hours(readings.appliances)
    return Table(
        id="week",
        title="Mean energy by hour of the week, kWh",
        columns=[
            Column(title="Hour", unit="hour"),
            *(_energy(name, cells, mean=True) for name in WEEKDAYS),
        ],
        rows=[[hour, *(row[hour] for row in readings.weekday_hour_kwh)] for hour in range(24)] if known else [],
        source="readings summary",
    )


def _profiles(facts: Collector, readings: ReadingsSummary) -> Table:
    used = [one for one in readings.appliances if sum(kwh or 0 for kwh in one.profile_kwh) > 0]
    shown = used[:PROFILES_SHOWN]
    facts.add("profiles.shown", len(shown), "count", "setting")
    facts.add("profiles.used", len(used), "count", "readings summary")
    the_largest = message("The {{profiles.shown}} largest of {{profiles.used}} appliances in use.")
    sums = [sum(kwh or 0 for kwh in one.profile_kwh) for one in shown]
    return Table(
        id="profiles",
        title="When each appliance uses its energy: share of its own day",
        columns=[
            Column(title="Hour", unit="hour"),
            *(Column(title=display_name(one.appliance), unit="share", dp=1, is_name=True) for one in shown),
        ],
        rows=[
            [
                hour,
                *(
                    None if (kwh := one.profile_kwh[hour]) is None else kwh / total
                    for one, total in zip(shown, sums, strict=True)
                ),
            ]
            for hour in range(24)
        ]
        if shown and tells_hours(shown)
        else [],
        source="readings summary",
        notes=[the_largest] if len(shown) < len(used) else [],
    )


def _unusual(anomalies: AnomalySummary) -> Table:
    shown = anomalies.top[:EVENTS_SHOWN]
    notes = [
        message("The most severe first; of equals the recent ones, then those with more energy away from the usual.")
    ]
    if len(shown) < anomalies.events:
        notes.insert(0, message("The {{AN.shown}} that matter most, of {{AN.events}}."))
    return Table(
        id="unusual",
        title="The unusual events that matter most",
        columns=[
            Column(title="From", unit="datetime"),
            Column(title="To", unit="datetime"),
            Column(title="Appliance", unit="text"),
            Column(title="What", unit="word"),
            _energy("Used, kWh", [one.kwh for one in shown], mean=True),
            _energy("Usual, kWh", [one.expected_kwh for one in shown], mean=True),
            _energy("Above, kWh", [one.excess_kwh for one in shown], mean=True),
            Column(title="Severity", unit="word"),
        ],
        rows=[
            [
                *moments(one),
                None if one.appliance is None else display_name(one.appliance),
                KIND_NAMES[one.kind],
                one.kwh,
                one.expected_kwh,
                one.excess_kwh,
                SEVERITY_NAMES[one.severity],
            ]
            for one in shown
        ],
        source="anomaly summary",
        notes=notes if shown else [],
    )


def _skipped(anomalies: AnomalySummary) -> Table:
    found = {name: (NOT_AT_ALL, why) for name, why in anomalies.skipped.items()}
    found |= {name: (BY_MEAN, why) for name, why in anomalies.limited.items()}
    return Table(
        id="skipped",
        title="Appliances that could not be judged by the hour of the day",
        columns=[
            Column(title="Appliance", unit="text"),
            Column(title="Judged", unit="word"),
            Column(title="Reason", unit="word"),
        ],
        rows=[[display_name(name), how, NOT_JUDGED[why.reason]] for name, (how, why) in sorted(found.items())],
        source="anomaly summary",
    )


def _quality(facts: Collector, readings: ReadingsSummary) -> Table:
    shown = readings.appliances[:QUALITY_SHOWN]
    facts.add("quality.shown", len(shown), "count", "setting")
    the_largest = message("The {{quality.shown}} largest of {{site.appliances}} appliances.")
    rows: list[tuple[str | None, Quality]] = [(display_name(one.appliance), one.quality) for one in shown]
    if len(readings.appliances) > 1:
        rows.append((None, readings.quality))
    return Table(
        id="quality",
        title="How complete the readings are",
        columns=[
            Column(title="Appliance", unit="text"),
            Column(title="Read every, minutes", unit="count", dp=0 if _whole_minutes(readings) else 1),
            Column(title="Readings", unit="count"),
            Column(title="Coverage", unit="share", dp=1),
            Column(title="Gaps", unit="count"),
            Column(title="Hours missing", unit="count", dp=1),
            Column(title="Longest gap, hours", unit="count", dp=1),
            Column(title="Longest gap from", unit="datetime"),
            Column(title="Hours of one value", unit="count"),
            Column(title="Estimated", unit="share", dp=1),
            Column(title="Rejected rows", unit="count"),
            Column(title="Duplicate rows", unit="count"),
        ],
        rows=[
            [
                name,
                told.interval_minutes,
                told.readings,
                rounded_down(told.coverage),
                told.gaps,
                told.missing_hours,
                told.longest_gap_hours,
                told.longest_gap_start.isoformat() if told.longest_gap_start else None,
                told.flatline_hours,
                told.estimated_share,
                told.rejected,
                told.duplicates,
            ]
            for name, told in rows
        ],
        source="readings summary",
        notes=[the_largest] if len(shown) < len(readings.appliances) else [],
        all_together=len(rows) > len(shown),
    )


def rounded_down(share: float | None) -> float | None:
    """A coverage to a tenth of a percent, so that what is not complete never looks so."""
    return None if share is None else math.floor(share * 1000 + 1e-9) / 1000


def _whole_minutes(readings: ReadingsSummary) -> bool:
    return all((one.interval_minutes or 0.0).is_integer() for one in readings.appliances)


def _forecast(forecast: ForecastSummary) -> Table:
    column = _energy("", [day.yhat for day in forecast.days])
    return Table(
        id="forecast",
        title="The days ahead",
        columns=[
            Column(title="Day", unit="date"),
            *(
                column.model_copy(update={"title": title})
                for title in (
                    message("Forecast, kWh"),
                    message("From (80%), kWh"),
                    message("To (80%), kWh"),
                    message("From (95%), kWh"),
                    message("To (95%), kWh"),
                )
            ),
        ],
        rows=[
            [day.ds.isoformat(), day.yhat, day.yhat_lower, day.yhat_upper, day.yhat_lower_95, day.yhat_upper_95]
            for day in forecast.days
        ],
        source="forecast summary",
        notes=[] if forecast.has_spread else [_NO_SPREAD],
    )


def _forecast_appliances(facts: Collector, forecast: ForecastSummary) -> Table:
    """With how such forecasts of each fared; the total last, which those in it add up to."""
    ranked = sorted(forecast.series[1:], key=lambda one: (-one.kwh, one.appliance or ""))
    notes = [message("Forecasts of the appliances in the total are made to add up to it.")]
    if not forecast.coherent:
        notes = [message("Each of these is forecast by itself, as is the total: they need not add up to it.")]
    if "F.apart" in facts.facts:
        notes.append(message("Not in the total: {{F.apart}}."))
    return Table(
        id="forecast_appliances",
        title=message("The days ahead by appliance"),
        columns=[
            Column(title=message("Appliance"), unit="text"),
            _energy(message("Energy, kWh"), [one.kwh for one in ranked]),
            Column(title=message("Off by, before"), unit="share"),
            Column(title=message("Within 80% band, before"), unit="share"),
            Column(title=message("Within 95% band, before"), unit="share"),
            Column(title=message("Better than the week before"), unit="change"),
            Column(title=message("MASE, before"), unit="count", dp=2),
        ],
        rows=[
            [one.appliance and display_name(one.appliance), one.kwh, *_judged(one.backtest)]
            for one in (*ranked, *(forecast.series[:1] if ranked else []))
        ],
        source="forecast summary",
        notes=[
            *notes,
            message("MASE below 1: less off than repeating the week before was in all the days learnt from."),
        ],
        all_together=bool(ranked),
    )


def _judged(backtest: Backtest | None) -> list[Value]:
    if backtest is None:
        return [None] * 5
    return [backtest.wape, backtest.coverage, backtest.coverage_95, backtest.skill, backtest.mase]


def _year(forecast: ForecastSummary) -> Table:
    """By month: the mean day by the trend, and what the season adds to it, where two years tell."""
    trend = forecast.year.trend_kwh if forecast.year else {}
    seasons = forecast.year.month_kwh if forecast.year else None
    title = message("The mean day of each month by the trend, which knows no weekdays")
    columns = [Column(title=message("Month"), unit="text"), _energy(message("Trend, kWh"), list(trend.values()))]
    rows: list[list[Value]] = [[month, kwh] for month, kwh in trend.items()]
    if seasons:
        title = message("The mean day of each month: its trend, and what the season adds")
        columns.append(_energy(message("Season, kWh"), seasons))
        rows = [[month, kwh, seasons[int(month[-2:]) - 1]] for month, kwh in trend.items()]
    return Table(
        id="year",
        title=title,
        columns=columns,
        rows=rows,
        source="forecast summary",
    )


def _energy(title: str, values: list[float], mean: bool = False) -> Column:
    """Decimals by the largest value, so that a column lines up; hours and means get two."""
    decimals = kwh_decimals(max((abs(value) for value in values), default=0.0))
    return Column(title=title, unit="kwh", dp=2 if mean else decimals)


def tells_hours(appliances: list[ApplianceSummary]) -> bool:
    """Whether the readings are fine enough to tell hours of the day apart."""
    return all(one.interval_minutes is None or one.interval_minutes <= 60 for one in appliances)
