"""The fact sheet of one publication, computed from what the earlier steps left in the lake."""

import datetime as dt
import statistics
from collections import Counter

from energy import __version__
from energy.appliance_kinds import DEFERRABLE, SEASONAL
from energy.contracts import Deletion, GenerateReportInput
from energy.documents import AnomalySummary, ApplianceSummary, DayTotal, ForecastSummary, Quality, ReadingsSummary
from energy.languages import LanguageCode
from energy.report import advice, anomaly_facts, forecast_facts, money_facts
from energy.report.appliances import NAMES_OF_CLASSES, classify, display_name
from energy.report.facts import Appliance, Collector, FactSheet
from energy.report.language import message
from energy.report.money_facts import Money
from energy.report.money_tables import money_tables
from energy.report.tables import (
    APPLIANCES_DRAWN,
    MAX_TEXT_LENGTH,
    NO,
    PEAK_HOURS,
    YES,
    rounded_down,
    tables,
    tells_hours,
)

# Thousands of meters may have as many notes.
MAX_FORECAST_NOTES = 20
NIGHT_HOURS = range(1, 5)
MIN_NIGHTS = 7
MIN_DAYS_SEASONAL = 90
# Of a month, so that what is missing hardly moves its mean day.
MIN_MONTH_DAYS = 25
DAYS_PER_YEAR = 365
WEEK_DAYS = 7
FIRST_WEEKEND_DAY = 5
# A mean of fewer complete days says little where days read in part are many.
MIN_COMPLETE_DAYS = 3
# On for a share p of the time, at one power: the deviation is more than twice the mean, and a run more than two
# deviations above it, exactly where p is less than a fifth.
MOSTLY_OFF_DEVIATION = 2.0

ALIKE, MORE, LESS = message("about as much"), message("more"), message("less")

_READINGS, _RUN = "readings summary", "run"


def fact_sheet(  # noqa: PLR0913, PLR0917 - what the states before left, and what the site's configuration says
    request: GenerateReportInput,
    readings: ReadingsSummary,
    anomalies: AnomalySummary,
    forecast: ForecastSummary | None,
    language: LanguageCode = "en",
    money: Money | None = None,
) -> FactSheet:
    """Everything that the report of this publication may say, and in which language."""
    facts = Collector()
    money = money or Money()
    kinds = money.snapshot.config.appliances
    appliances = [
        Appliance(ref=f"A{number}", kind=classify(one.appliance, kinds))
        for number, one in enumerate(readings.appliances, 1)
    ]
    _add_run(facts, request)
    _add_site(facts, readings, appliances)
    _add_quality(facts, readings)
    _add_days(facts, readings.days)
    _add_months(facts, readings.days)
    for appliance, summary in zip(appliances, readings.appliances, strict=True):
        _add_appliance(facts, appliance, summary, anomalies)
    _add_classes(facts, appliances)
    _add_ranks(facts, appliances)
    _add_always_on(facts, readings, appliances)
    anomaly_facts.add_anomalies(facts, anomalies, len(readings.appliances))
    money_facts.add_money(facts, money, readings, appliances)
    if forecast:
        forecast_facts.add_forecast(facts, forecast)
        _add_change(facts, "F.change", "F.total_kwh", "trend.recent_kwh")
    estimates = money_facts.estimates(money, readings, anomalies, forecast)
    money_facts.add_estimates(facts, money, estimates)
    book = advice.rule_book()
    recommendations = advice.recommend(facts, appliances, book)
    advice.add_totals(facts, recommendations, book)
    # The summary has every note of the forecast; the state that came with it has the first of them.
    notes = list(dict.fromkeys([*request.forecast.notes, *(forecast.notes if forecast else [])]))
    if (more := len(notes) - MAX_FORECAST_NOTES) > 0:
        notes[MAX_FORECAST_NOTES:] = [f"and {more} more"]
    drawn_up = tables(facts, readings, anomalies, forecast)
    drawn_up |= money_tables(money.costs, estimates, anomalies, forecast)
    return FactSheet(
        language=language,
        facts=facts.facts,
        tables=drawn_up,
        appliances=appliances,
        recommendations=recommendations,
        forecast_notes=[display_name(note, MAX_TEXT_LENGTH) for note in notes],
        warnings=[
            display_name(warning, MAX_TEXT_LENGTH)
            for warning in (*request.validated.warnings, *anomaly_facts.warnings(anomalies))
        ],
    )


def _add_run(facts: Collector, request: GenerateReportInput) -> None:
    change, rows = request.validated.change, request.validated.rows
    gone = isinstance(change, Deletion)
    when = change.told_at if isinstance(change, Deletion) else change.last_modified
    facts.add("run.change", message("deleted") if gone else message("uploaded"), "word", _RUN)
    facts.add("run.upload", display_name(change.key, MAX_TEXT_LENGTH), "text", _RUN)
    facts.add("run.version", display_name(change.version, MAX_TEXT_LENGTH), "text", _RUN)
    facts.add("run.uploaded", when.isoformat(), "datetime", _RUN)
    facts.add("run.id", request.validated.run_id, "text", _RUN)
    facts.add("run.publication", request.publication.pub, "text", _RUN)
    facts.add("run.code_version", __version__, "text", _RUN)
    for name in ("read", "accepted", "rejected", "duplicates"):
        facts.add(f"rows.{name}", getattr(rows, name), "count", _RUN)


def _add_site(facts: Collector, readings: ReadingsSummary, appliances: list[Appliance]) -> None:
    used = readings.total_kwh > 0
    days = (readings.last_timestamp.date() - readings.first_timestamp.date()).days + 1
    facts.add("site.name", display_name(readings.site), "text", _READINGS)
    facts.add("site.timezone", readings.timezone, "text", _READINGS)
    facts.kwh("site.total_kwh", readings.total_kwh, _READINGS)
    facts.add("site.readings", readings.readings, "count", _READINGS)
    facts.add("site.uploads", readings.uploads, "count", _READINGS)
    facts.add("site.appliances", len(readings.appliances), "count", _READINGS)
    facts.add("site.first", readings.first_timestamp.isoformat(), "datetime", _READINGS)
    facts.add("site.last", readings.last_timestamp.isoformat(), "datetime", _READINGS)
    facts.add("site.days", days, "count", _READINGS)
    facts.share("site.coverage", readings.coverage, _READINGS, dp=1)
    hourly = tells_hours(readings.appliances)
    facts.add("site.tells_hours", YES if hourly else NO, "word", _READINGS)
    facts.add("site.peak_hour", readings.peak_hour if used and hourly else None, "hour", _READINGS)
    facts.add("site.peak_band", f"{PEAK_HOURS.start:02d}:00\u2013{PEAK_HOURS.stop:02d}:00", "text", "setting")
    by_hour = [_mean([row[hour] for row in readings.weekday_hour_kwh]) for hour in range(24)]
    facts.share("site.peak_share", _part_of_day(by_hour, PEAK_HOURS) if hourly else None, _READINGS)
    ranked = zip(readings.appliances, appliances, strict=True)
    named = [one.share for one, appliance in ranked if appliance.kind != "remainder"]
    facts.share("site.top_share", named[0] if named else None, _READINGS, dp=1)
    others = readings.appliances[APPLIANCES_DRAWN:]
    facts.add("others.count", len(others), "count", _READINGS)
    facts.kwh("others.kwh", sum(one.total_kwh for one in others), _READINGS)
    facts.share("others.share", sum(one.share or 0.0 for one in others) if used else None, _READINGS, dp=1)


def _add_quality(facts: Collector, readings: ReadingsSummary) -> None:
    told = readings.quality
    facts.add("Q.coverage", rounded_down(told.coverage), "share", _READINGS, dp=1)
    facts.add("Q.gaps", told.gaps, "count", _READINGS)
    facts.add("Q.longest_gap_hours", told.longest_gap_hours, "duration", _READINGS)
    start = told.longest_gap_start
    facts.add("Q.longest_gap_start", start.isoformat() if start else None, "datetime", _READINGS)
    longest = [one for one in readings.appliances if start and _longest(one.quality) == _longest(told)]
    facts.add("Q.longest_gap_of", display_name(longest[0].appliance) if longest else None, "text", _READINGS)
    facts.add("Q.longest_gap_more", len(longest) - 1 if longest else None, "count", _READINGS)
    facts.add("Q.flatlines", told.flatlines, "count", _READINGS)
    facts.add("Q.flatline_hours", told.flatline_hours, "hours", _READINGS)
    facts.share("Q.estimated_share", told.estimated_share, _READINGS)
    facts.share("Q.estimated_kwh_share", told.estimated_kwh_share, _READINGS)
    facts.add("Q.rejected", told.rejected, "count", _READINGS)
    facts.add("Q.duplicates", told.duplicates, "count", _READINGS)


def _longest(told: Quality) -> tuple[float | None, dt.datetime | None]:
    return told.longest_gap_hours, told.longest_gap_start


def _add_days(facts: Collector, days: list[DayTotal]) -> None:
    complete = [day for day in days if day.complete]
    facts.add("site.complete_days", len(complete), "count", _READINGS)
    facts.kwh("site.day_kwh", _mean([day.kwh for day in complete]), _READINGS)
    facts.add("site.read_days", len(days), "count", _READINGS)
    facts.kwh("site.read_day_kwh", _mean([day.kwh for day in days]), _READINGS)
    enough = len(complete) >= MIN_COMPLETE_DAYS or (bool(complete) and len(days) < WEEK_DAYS)
    facts.add("site.mean_of", message("complete days") if enough else message("all days"), "word", _READINGS)
    workdays = [day.kwh for day in complete if day.date.weekday() < FIRST_WEEKEND_DAY]
    weekend = [day.kwh for day in complete if day.date.weekday() >= FIRST_WEEKEND_DAY]
    enough = len(workdays) >= 5 and len(weekend) >= 2
    facts.kwh("week.workday_kwh", _mean(workdays) if enough else None, _READINGS)
    facts.kwh("week.weekend_kwh", _mean(weekend) if enough else None, _READINGS)
    _add_change(facts, "week.change", "week.weekend_kwh", "week.workday_kwh")
    recent, before = complete[-WEEK_DAYS:], complete[-2 * WEEK_DAYS : -WEEK_DAYS]
    enough = len(before) == WEEK_DAYS
    facts.add("trend.days", WEEK_DAYS, "count", "setting")
    facts.add("trend.first", recent[0].date.isoformat() if enough else None, "date", _READINGS)
    facts.add("trend.last", recent[-1].date.isoformat() if enough else None, "date", _READINGS)
    facts.kwh("trend.recent_kwh", sum(day.kwh for day in recent) if enough else None, _READINGS)
    facts.kwh("trend.before_kwh", sum(day.kwh for day in before) if enough else None, _READINGS)
    _add_change(facts, "trend.change", "trend.recent_kwh", "trend.before_kwh")


def _add_months(facts: Collector, days: list[DayTotal]) -> None:
    """A mean day of the last calendar month that was read nearly whole, and of the one before."""
    by_month: dict[dt.date, list[DayTotal]] = {}
    for day in days:
        if day.complete:
            by_month.setdefault(day.date.replace(day=1), []).append(day)
    whole = [month for month, found in by_month.items() if len(found) >= MIN_MONTH_DAYS]
    last = whole[-1] if whole else None
    before = (last - dt.timedelta(days=1)).replace(day=1) if last else None
    known = before in whole
    recent = by_month[last] if last and known else []
    facts.add("month.first", recent[0].date.isoformat() if recent else None, "date", _READINGS)
    facts.add("month.last", recent[-1].date.isoformat() if recent else None, "date", _READINGS)
    facts.kwh("month.recent_day_kwh", _mean([day.kwh for day in recent]), _READINGS)
    facts.kwh(
        "month.before_day_kwh", _mean([day.kwh for day in by_month[before]]) if before and known else None, _READINGS
    )
    _add_change(facts, "month.change", "month.recent_day_kwh", "month.before_day_kwh")


def _add_change(facts: Collector, name: str, new: str, old: str) -> None:
    """The size of a change as a share of the old value, and its direction in a word."""
    then, now = facts.facts[old].value, facts.facts[new].value
    change = float(now or 0) / float(then) - 1 if then and now is not None else None
    facts.share(name, None if change is None else abs(change), f"{new}, {old}")
    direction = None if change is None else ALIKE if abs(change) < 0.02 else MORE if change > 0 else LESS
    facts.add(f"{name}_direction", direction, "word", f"{new}, {old}")


def _add_appliance(facts: Collector, appliance: Appliance, one: ApplianceSummary, anomalies: AnomalySummary) -> None:
    ref, hourly, used = appliance.ref, tells_hours([one]), one.total_kwh > 0
    per_day = sum(kwh for kwh in one.profile_kwh if kwh is not None) if None not in one.profile_kwh else None
    seasonal = appliance.kind in SEASONAL
    enough = one.complete_days >= (MIN_DAYS_SEASONAL if seasonal else MIN_NIGHTS)
    facts.add(f"{ref}.name", display_name(one.appliance), "text", _READINGS)
    facts.add(f"{ref}.kind", NAMES_OF_CLASSES[appliance.kind], "word", "name")
    facts.kwh(f"{ref}.kwh", one.total_kwh, _READINGS)
    facts.share(f"{ref}.share", one.share, _READINGS, dp=1)
    facts.kwh(f"{ref}.day_kwh", per_day, _READINGS)
    yearly = round(per_day * DAYS_PER_YEAR) if per_day is not None and enough else None
    facts.add(f"{ref}.year_kwh", yearly, "kwh", _READINGS)
    facts.add(f"{ref}.peak_hour", one.peak_hour if hourly and used else None, "hour", _READINGS)
    facts.share(f"{ref}.peak_share", _part_of_day(one.profile_kwh, PEAK_HOURS) if hourly else None, _READINGS)
    minutes = one.interval_minutes
    power = one.max_kwh * 60 / minutes if minutes and hourly else None
    facts.add(f"{ref}.peak_power_kw", power if power is None else round(power, 6), "kw", _READINGS, 2)
    facts.add(f"{ref}.interval_minutes", minutes, "count", _READINGS)
    facts.add(f"{ref}.mostly_off", YES if _mostly_off(one) else NO, "word", _READINGS)
    anomaly_facts.add_appliance(facts, ref, one.appliance, anomalies)
    quietest = min((one.profile_kwh[hour] or 0.0 for hour in NIGHT_HOURS), default=0.0)
    known = hourly and bool(per_day) and enough
    facts.share(f"{ref}.base_share", 24 * quietest / per_day if known and per_day else None, _READINGS)


def _add_classes(facts: Collector, appliances: list[Appliance]) -> None:
    for appliance in appliances:
        same = [other.ref for other in appliances if other.kind == appliance.kind]
        facts.add(f"{appliance.ref}.same_class", len(same), "count", _READINGS)
        facts.add(f"{appliance.ref}.smallest_of_class", int(same[-1] == appliance.ref), "count", _READINGS)


def _add_ranks(facts: Collector, appliances: list[Appliance]) -> None:
    """The place of each appliance by energy, and by energy in the evening band; none where two share a place."""
    energy = {one.ref: _known_number(facts, f"{one.ref}.kwh") for one in appliances}
    evening = {
        one.ref: _known_number(facts, f"{one.ref}.peak_share") * _known_number(facts, f"{one.ref}.day_kwh")
        for one in appliances
    }
    for name, kwh in (("rank", energy), ("peak_rank", evening)):
        places = Counter(kwh.values())
        for ref, own in kwh.items():
            alone = own > 0 and places[own] == 1
            place = 1 + sum(other > own for other in kwh.values())
            facts.add(f"{ref}.{name}", place if alone else None, "count", _READINGS)


def _known_number(facts: Collector, fact: str) -> float:
    value = facts.facts[fact].value
    return float(value) if isinstance(value, int | float) else 0.0


def _add_always_on(facts: Collector, readings: ReadingsSummary, appliances: list[Appliance]) -> None:
    """At most this much is always on: the mean of the quietest night hour, without heating, cooling and what runs at
    night by choice.
    """
    facts.add("site.night_band", f"{NIGHT_HOURS.start:02d}:00\u2013{NIGHT_HOURS.stop:02d}:00", "text", "setting")
    counted = [
        one.profile_kwh
        for one, appliance in zip(readings.appliances, appliances, strict=True)
        if appliance.kind not in DEFERRABLE | SEASONAL
    ]
    nights = sum(day.complete for day in readings.days)
    hours = [[profile[hour] for profile in counted] for hour in NIGHT_HOURS]
    reason = _always_on_unknown(readings, nights, bool(counted))
    facts.add("site.base_unknown", reason, "text", _READINGS)
    known = reason is None
    sums = [sum(kwh for kwh in hour if kwh is not None) for hour in hours if None not in hour]
    base = min(sums) if known and len(sums) == len(hours) else None
    daily = facts.facts["site.day_kwh"].value
    facts.add("site.base_kw", None if base is None else round(base, 6), "kw", _READINGS, 2)
    facts.share("site.base_share", 24 * base / float(daily) if base is not None and daily else None, _READINGS)


def _always_on_unknown(readings: ReadingsSummary, nights: int, anything_counted: bool) -> str | None:
    """Why it cannot be told what is always on, in a word; None where it can."""
    if readings.total_kwh <= 0:
        return "unused"
    if nights < MIN_NIGHTS or not tells_hours(readings.appliances):
        return "thin"
    return None if anything_counted else "kinds"


def _mostly_off(one: ApplianceSummary) -> bool:
    return one.std_kwh is not None and one.avg_kwh > 0 and one.std_kwh > MOSTLY_OFF_DEVIATION * one.avg_kwh


def _part_of_day(by_hour: list[float | None], hours: range) -> float | None:
    """The share of a day's energy in some of its hours; None unless every hour was read and something was used."""
    known = [kwh for kwh in by_hour if kwh is not None]
    if len(known) < 24 or sum(known) <= 0:
        return None
    return sum(known[hour] for hour in hours) / sum(known)


def _mean(values: list[float] | list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
