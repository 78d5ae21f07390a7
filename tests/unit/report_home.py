"""A small home with round numbers, as the steps before the report describe it. Every figure can be checked by head."""

import datetime as dt
from collections import Counter

from energy.contracts import GenerateReportInput
from energy.documents import (
    AnomalyEvent,
    AnomalySummary,
    ApplianceSummary,
    Backtest,
    DayTotal,
    ForecastDay,
    ForecastSummary,
    NotJudged,
    PeakHour,
    Quality,
    ReadingsSummary,
    SeriesResult,
)

FIRST = dt.date(2026, 3, 2)  # a Monday


def quality(readings, **changes):
    """Hourly readings that lack nothing."""
    told = Quality(
        interval_minutes=60.0,
        readings=readings,
        expected_readings=readings,
        coverage=1.0,
        gaps=0,
        missing_hours=0.0,
        longest_gap_hours=None,
        longest_gap_start=None,
        flatlines=0,
        flatline_hours=0.0,
        duplicates=0,
        rejected=0,
        estimated_share=0.0,
        estimated_kwh_share=0.0,
    )
    return told.model_copy(update=changes)


def appliance(name, total_kwh, share, *, days=28, profile=None, max_kwh=2.0, interval_minutes=60.0, complete_days=None):
    """An appliance that uses the same every day; its profile is flat unless given."""
    profile = profile or [total_kwh / days / 24] * 24
    return ApplianceSummary(
        appliance=name,
        total_kwh=total_kwh,
        avg_kwh=total_kwh / days / 24,
        std_kwh=0.1,
        min_kwh=0.0,
        max_kwh=max_kwh,
        readings=days * 24,
        share=share,
        peak_hour=max(range(24), key=lambda hour: profile[hour] or 0.0),
        first_timestamp=dt.datetime.combine(FIRST, dt.time()),
        last_timestamp=dt.datetime.combine(FIRST + dt.timedelta(days=days - 1), dt.time(23)),
        interval_minutes=interval_minutes,
        complete_days=days if complete_days is None else complete_days,
        profile_kwh=profile,
        quality=quality(days * 24, interval_minutes=interval_minutes),
    )


def readings(appliances, day_kwh, *, complete=None, peak_hour=19, **changes):
    """The site's summary; `day_kwh` has one total a day, from a Monday on."""
    total = sum(day_kwh)
    days = [
        DayTotal(
            date=FIRST + dt.timedelta(days=number),
            kwh=kwh,
            coverage=1.0,
            complete=True if complete is None else complete[number],
        )
        for number, kwh in enumerate(day_kwh)
    ]
    hours = [sum((one.profile_kwh[hour] or 0.0) for one in appliances) for hour in range(24)]
    return ReadingsSummary(
        site="home",
        timezone="Europe/London",
        total_kwh=total,
        readings=len(day_kwh) * 24 * len(appliances),
        first_timestamp=dt.datetime.combine(days[0].date, dt.time()),
        last_timestamp=dt.datetime.combine(days[-1].date, dt.time(23)),
        coverage=1.0,
        peak_hour=peak_hour,
        appliances=appliances,
        days=days,
        weekday_hour_kwh=[hours] * 7,
        uploads=1,
        quality=quality(len(day_kwh) * 24 * len(appliances)),
    ).model_copy(update=changes)


def home():
    """20 workdays of 10 kWh and 8 weekend days of 15 kWh: 320 kWh, of which heater 200, dishwasher 80, other 40."""
    evening = [0.0] * 18 + [80 / 28 / 3] * 3 + [0.0] * 3
    appliances = [
        appliance("Heater", 200.0, 0.625),
        appliance("Dishwasher", 80.0, 0.25, profile=evening),
        appliance("Other", 40.0, 0.125),
    ]
    return readings(appliances, ([10.0] * 5 + [15.0] * 2) * 4)


def anomaly(name="Heater", hour=19, **changes):
    """An hour of 2.5 kWh where 0.5 kWh is usual and 1.5 kWh the limit."""
    start = dt.datetime.combine(FIRST + dt.timedelta(days=26), dt.time(hour))
    event = AnomalyEvent(
        event_id="e",
        appliance=name,
        kind="high_use",
        kinds=["high_use"],
        methods=["mean_2std", "robust"],
        start=start,
        end=start + dt.timedelta(hours=1),
        hours=1,
        kwh=2.5,
        expected_kwh=0.5,
        excess_kwh=2.0,
        peak=PeakHour(timestamp=start, kwh=2.5, expected_kwh=0.5, limit_kwh=1.5),
        usual_hours=None,
        day_kwh_before=None,
        day_kwh_after=None,
        severity="high",
        explanation=f"{name}: 2.5 kWh at {hour}:00; usual for that hour is 0.5, limit 1.5.",
    )
    return event.model_copy(update=changes)


def anomalies(*events, hours_judged=2016, skipped=None, **changes):
    """The anomalies' summary with these events."""
    by_appliance: dict[str, int] = {}
    for event in events:
        if event.appliance is None:
            continue
        by_appliance[event.appliance] = by_appliance.get(event.appliance, 0) + event.hours
    hours = sum(event.hours for event in events)
    told = AnomalySummary(
        count=hours,
        hours_judged=hours_judged,
        by_rule={"mean_2std+robust": hours},
        by_kind=dict(Counter(event.kind for event in events)),
        by_appliance=by_appliance,
        by_day=dict(Counter(event.start.date().isoformat() for event in events)),
        events=len(events),
        events_by_appliance=dict(Counter(event.appliance for event in events if event.appliance)),
        muted_by_appliance={},
        top=list(events),
        skipped={name: NotJudged(reason=reason) for name, reason in (skipped or {}).items()},
        limited={},
        muted=[],
        unknown_appliances=[],
    )
    return told.model_copy(update=changes)


def forecast(first=FIRST + dt.timedelta(days=28), names=("Heater", "Dishwasher", "Other")):
    """Seven days of 11, 12 … 17 kWh, 98 together, 3 kWh either way. On the 14 days before it was off by 12 %."""
    days = [
        ForecastDay(
            ds=first + dt.timedelta(days=number),
            yhat=11.0 + number,
            yhat_lower=8.0 + number,
            yhat_upper=14.0 + number,
            yhat_lower_95=6.0 + number,
            yhat_upper_95=17.0 + number,
            models={"auto_ets": 11.0 + number},
        )
        for number in range(7)
    ]
    return ForecastSummary(
        method="median of prophet, auto_ets",
        reason="28 complete days",
        level=0.8,
        outer_level=0.95,
        training_days=28,
        last_training_day=first - dt.timedelta(days=1),
        days=days,
        total_kwh=98.0,
        appliances_kwh={name: 98.0 / len(names) for name in names},
        members=sorted(names),
        coherent=True,
        series=[series_result(None, 98.0), *(series_result(name, 98.0 / len(names)) for name in sorted(names))],
        year=None,
        notes=[],
    )


def series_result(name, kwh):
    """Judged on 28 forecast days of the last 14: off by 12 % of the energy, a tenth less than the week before is."""
    return SeriesResult(
        appliance=name,
        method="median of prophet, auto_ets",
        reason="28 complete days",
        training_days=28,
        kwh=kwh,
        backtest=Backtest(
            cutoffs=4,
            days=28,
            first_day=FIRST + dt.timedelta(days=14),
            last_day=FIRST + dt.timedelta(days=27),
            mae_kwh=0.12 * kwh / 7,
            wape=0.12,
            within=0.2,
            mase=0.9,
            skill=0.1,
            coverage=0.82,
            coverage_95=0.96,
        ),
    )


def request(*, with_forecast=True, notes=(), warnings=(), key="raw/readings.csv"):
    """What the state machine passes to the report."""
    result = {
        "method": "m",
        "total_prefix": "t/",
        "appliances_prefix": "a/",
        "history_prefix": "h/",
        "backtest_prefix": "b/",
        "summary_key": "forecast.json",
    }
    return GenerateReportInput.model_validate(
        {
            "validated": {
                "key": key,
                "upload": {
                    "bucket": "lake",
                    "key": key,
                    "version": "v1",
                    "version_id": "v1",
                    "etag": "e",
                    "sequencer": "01",
                    "size": 1000,
                    "last_modified": "2026-03-30T08:00:00Z",
                    "told_at": "2026-03-30T08:00:00Z",
                    "recipe": "recipe",
                },
                "site": "home",
                "run_id": "r" * 20,
                "already_published": False,
                "rows": {"read": 2100, "accepted": 2016, "rejected": 70, "duplicates": 14},
                "months": ["2026-03"],
                "warnings": list(warnings),
            },
            "publication": {
                "site": "home",
                "pub": "p" * 20,
                "run_id": "r" * 20,
                "base_etag": None,
                "draft_key": "draft.json",
                "daily_key": "daily.parquet",
                "summary_key": "readings.json",
                "readings": 2016,
                "appliances": 3,
                "timezone": "Europe/London",
            },
            "anomalies": {
                "table_prefix": "anomalies/",
                "events_prefix": "anomalies/events/",
                "summary_key": "anomalies.json",
                "count": 1,
            },
            "forecast": {"result": result if with_forecast else None, "notes": list(notes)},
        }
    )
