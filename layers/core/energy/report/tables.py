"""The tables of a report: what its charts are drawn from, and what a reader can check them against."""

import math

from energy.documents import AnomalySummary, ApplianceSummary, ForecastSummary, ReadingsSummary
from energy.report.anomaly_facts import EVENTS_SHOWN, KIND_NAMES, NOT_JUDGED
from energy.report.appliances import display_name
from energy.report.facts import WEEKDAYS, Column, Table, Value, kwh_decimals

DAYS_SHOWN = 56
PROFILES_SHOWN = 8
APPLIANCES_DRAWN = 12
QUALITY_SHOWN = 50
MAX_TEXT_LENGTH = 400


def tables(readings: ReadingsSummary, anomalies: AnomalySummary, forecast: ForecastSummary | None) -> dict[str, Table]:
    """The tables by id; one that has no rows is left out."""
    built = [
        _appliances(readings, anomalies),
        _days(readings, anomalies),
        _week(readings),
        _profiles(readings),
        _unusual(anomalies),
        _skipped(anomalies),
        _quality(readings),
    ]
    if forecast:
        built += [_forecast(forecast), _forecast_appliances(forecast)]
    return {table.id: table for table in built if table.rows}


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


def _days(readings: ReadingsSummary, anomalies: AnomalySummary) -> Table:
    shown = readings.days[-DAYS_SHOWN:]
    notes = [f"The last {len(shown)} of {len(readings.days)} days read."] if len(shown) < len(readings.days) else []
    return Table(
        id="days",
        title="Energy by day",
        columns=[
            Column(title="Day", unit="date"),
            _energy("Energy, kWh", [day.kwh for day in shown]),
            Column(title="Read", unit="share"),
            Column(title="Complete", unit="text"),
            Column(title="Unusual hours", unit="count"),
        ],
        rows=[
            [
                day.date.isoformat(),
                day.kwh,
                day.coverage,
                "yes" if day.complete else "no",
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
            *(_energy(name[:3], cells, mean=True) for name in WEEKDAYS),
        ],
        rows=[[hour, *(row[hour] for row in readings.weekday_hour_kwh)] for hour in range(24)] if known else [],
        source="readings summary",
    )


def _profiles(readings: ReadingsSummary) -> Table:
    used = [one for one in readings.appliances if sum(kwh or 0 for kwh in one.profile_kwh) > 0]
    shown = used[:PROFILES_SHOWN]
    sums = [sum(kwh or 0 for kwh in one.profile_kwh) for one in shown]
    return Table(
        id="profiles",
        title="When each appliance uses its energy: share of its own day",
        columns=[
            Column(title="Hour", unit="hour"),
            *(Column(title=display_name(one.appliance), unit="share", dp=1) for one in shown),
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
        notes=[f"The {len(shown)} largest of {len(used)} appliances in use."] if len(shown) < len(used) else [],
    )


def _unusual(anomalies: AnomalySummary) -> Table:
    shown = anomalies.top[:EVENTS_SHOWN]
    notes = ["The most severe first; of equals the recent ones, then those with more energy away from the usual."]
    if len(shown) < anomalies.events:
        notes.insert(0, f"The {len(shown)} that matter most, of {anomalies.events:,}.")
    return Table(
        id="unusual",
        title="The unusual events that matter most",
        columns=[
            Column(title="From", unit="datetime"),
            Column(title="To", unit="datetime"),
            Column(title="Appliance", unit="text"),
            Column(title="What", unit="text"),
            _energy("Used, kWh", [one.kwh for one in shown], mean=True),
            _energy("Usual, kWh", [one.expected_kwh for one in shown], mean=True),
            _energy("Above, kWh", [one.excess_kwh for one in shown], mean=True),
            Column(title="Severity", unit="text"),
        ],
        rows=[
            [
                one.start.isoformat(),
                one.end.isoformat(),
                "All together" if one.appliance is None else display_name(one.appliance),
                ", ".join(KIND_NAMES[kind] for kind in one.kinds),
                one.kwh,
                one.expected_kwh,
                one.excess_kwh,
                one.severity,
            ]
            for one in shown
        ],
        source="anomaly summary",
        notes=notes if shown else [],
    )


def _skipped(anomalies: AnomalySummary) -> Table:
    found = {name: (reason, "not at all") for name, reason in anomalies.skipped.items()}
    found |= {name: (reason, "by its mean and deviations alone") for name, reason in anomalies.limited.items()}
    return Table(
        id="skipped",
        title="Appliances that could not be judged for unusual hours, or not by the hour of the day",
        columns=[
            Column(title="Appliance", unit="text"),
            Column(title="Judged", unit="text"),
            Column(title="Reason", unit="text"),
        ],
        rows=[
            [display_name(name), how, NOT_JUDGED[reason.reason]]
            for name, (reason, how) in sorted(found.items(), key=lambda one: one[0])
        ],
        source="anomaly summary",
    )


def _quality(readings: ReadingsSummary) -> Table:
    shown = readings.appliances[:QUALITY_SHOWN]
    rows = [(display_name(one.appliance), one.quality) for one in shown]
    if len(readings.appliances) > 1:
        rows.append(("All together", readings.quality))
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
        notes=[f"The {len(shown)} largest of {len(readings.appliances)} appliances."]
        if len(shown) < len(readings.appliances)
        else [],
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
            *(column.model_copy(update={"title": title}) for title in ("Forecast, kWh", "From, kWh", "To, kWh")),
        ],
        rows=[[day.ds.isoformat(), day.yhat, day.yhat_lower, day.yhat_upper] for day in forecast.days],
        source="forecast summary",
    )


def _forecast_appliances(forecast: ForecastSummary) -> Table:
    ranked = sorted(forecast.appliances_kwh.items(), key=lambda item: (-item[1], item[0]))
    return Table(
        id="forecast_appliances",
        title="The days ahead by appliance",
        columns=[Column(title="Appliance", unit="text"), _energy("Energy, kWh", [kwh for _, kwh in ranked])],
        rows=[[display_name(name), kwh] for name, kwh in ranked],
        source="forecast summary",
        notes=["Each of these is forecast by itself, as is the total: they need not add up to it."],
    )


def _energy(title: str, values: list[float], mean: bool = False) -> Column:
    """Decimals by the largest value, so that a column lines up; hours and means get two."""
    decimals = kwh_decimals(max((abs(value) for value in values), default=0.0))
    return Column(title=title, unit="kwh", dp=2 if mean else decimals)


def tells_hours(appliances: list[ApplianceSummary]) -> bool:
    """Whether the readings are fine enough to tell hours of the day apart."""
    return all(one.interval_minutes is None or one.interval_minutes <= 60 for one in appliances)
