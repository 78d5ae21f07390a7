"""The facts of the days ahead: what is expected, how sure that is, why so, and how such forecasts fared."""

from energy.documents import Backtest, ForecastSummary, YearDecomposition
from energy.report.appliances import display_name
from energy.report.facts import Collector, kwh_decimals
from energy.report.language import message
from energy.report.tables import MAX_TEXT_LENGTH, NO, YES

MONTHS = (
    message("January"),
    message("February"),
    message("March"),
    message("April"),
    message("May"),
    message("June"),
    message("July"),
    message("August"),
    message("September"),
    message("October"),
    message("November"),
    message("December"),
)

_FORECAST = "forecast summary"


def add_forecast(facts: Collector, forecast: ForecastSummary) -> None:
    """Facts F.* of the forecast; F.before_* are those of its backtest, F.pattern_* of the year taken apart."""
    facts.add("F.method", display_name(forecast.method, MAX_TEXT_LENGTH), "told", _FORECAST)
    facts.add("F.reason", display_name(forecast.reason, MAX_TEXT_LENGTH), "told", _FORECAST)
    facts.share("F.level", forecast.level, _FORECAST)
    facts.share("F.outer_level", forecast.outer_level, _FORECAST)
    facts.add("F.days", len(forecast.days), "count", _FORECAST)
    facts.add("F.models", len(forecast.days[0].models) if forecast.days else None, "count", _FORECAST)
    facts.add("F.training_days", forecast.training_days, "count", _FORECAST)
    facts.add("F.last_training_day", forecast.last_training_day.isoformat(), "date", _FORECAST)
    facts.add("F.coherent", YES if forecast.coherent else NO, "word", _FORECAST)
    facts.add("F.has_spread", YES if forecast.has_spread else NO, "word", _FORECAST)
    _add_apart(facts, forecast)
    _add_days(facts, forecast)
    if forecast.backtest:
        _add_backtest(facts, forecast.backtest)
    if forecast.year:
        _add_year(facts, forecast.year)


def _add_apart(facts: Collector, forecast: ForecastSummary) -> None:
    """Appliances that are forecast, and not in the total."""
    apart = [one for one in forecast.series[1:] if one.appliance and one.appliance not in forecast.members]
    if apart:
        by_energy = sorted(apart, key=lambda one: (-one.kwh, one.appliance or ""))
        named = display_name(", ".join(one.appliance or "" for one in by_energy), MAX_TEXT_LENGTH)
        facts.add("F.apart", named, "text", _FORECAST)


def _add_days(facts: Collector, forecast: ForecastSummary) -> None:
    facts.kwh("F.total_kwh", forecast.total_kwh, _FORECAST)
    facts.add("F.first", forecast.days[0].ds.isoformat() if forecast.days else None, "date", _FORECAST)
    facts.add("F.last", forecast.days[-1].ds.isoformat() if forecast.days else None, "date", _FORECAST)
    highest = max(forecast.days, key=lambda day: day.yhat, default=None)
    facts.add("F.highest_day", highest.ds.isoformat() if highest else None, "date", _FORECAST)
    facts.kwh("F.highest_kwh", highest.yhat if highest else None, _FORECAST)
    decimals = kwh_decimals(highest.yhat if highest else None)
    alike = len({f"{day.yhat:.{decimals}f}" for day in forecast.days}) == 1
    facts.add("F.alike", YES if alike else NO, "word", _FORECAST)
    facts.kwh("F.widest_lower", min((day.yhat_lower for day in forecast.days), default=None), _FORECAST)
    facts.kwh("F.widest_upper", max((day.yhat_upper for day in forecast.days), default=None), _FORECAST)
    facts.kwh("F.highest_lower", highest.yhat_lower if highest else None, _FORECAST)
    facts.kwh("F.highest_upper", highest.yhat_upper if highest else None, _FORECAST)
    facts.kwh("F.highest_outer_lower", highest.yhat_lower_95 if highest else None, _FORECAST)
    facts.kwh("F.highest_outer_upper", highest.yhat_upper_95 if highest else None, _FORECAST)


def _add_backtest(facts: Collector, backtest: Backtest) -> None:
    """`F.before_naive_off` is how far off repeating the week before would have been, on the same days."""
    facts.add("F.before_days", (backtest.last_day - backtest.first_day).days + 1, "count", _FORECAST)
    facts.add("F.before_cutoffs", backtest.cutoffs, "count", _FORECAST)
    facts.add("F.before_judged", backtest.days, "count", _FORECAST)
    facts.share("F.before_within", backtest.within, _FORECAST)
    facts.share("F.before_off", backtest.wape, _FORECAST)
    facts.share("F.before_held", backtest.coverage, _FORECAST)
    facts.share("F.before_outer_held", backtest.coverage_95, _FORECAST)
    facts.add("F.before_mase", backtest.mase, "count", _FORECAST, 2)
    naive = None
    if backtest.wape is not None and backtest.skill is not None and backtest.skill < 1:
        naive = backtest.wape / (1 - backtest.skill)
    facts.share("F.before_naive_off", naive, _FORECAST)


def _add_year(facts: Collector, year: YearDecomposition) -> None:
    """The weekday and the month that take the most above the trend, and how the trend changed from end to end."""
    facts.add("F.pattern_days", year.days, "count", _FORECAST)
    highest, lowest = max(year.weekday_kwh), min(year.weekday_kwh)
    facts.add("F.pattern_weekday", year.weekday_kwh.index(highest), "weekday", _FORECAST)
    facts.kwh("F.pattern_weekday_above", highest, _FORECAST)
    facts.add("F.pattern_low_weekday", year.weekday_kwh.index(lowest), "weekday", _FORECAST)
    facts.kwh("F.pattern_low_weekday_below", -lowest, _FORECAST)
    months = year.month_kwh
    facts.add("F.pattern_month", MONTHS[months.index(max(months))] if months else None, "word", _FORECAST)
    facts.kwh("F.pattern_month_above", max(months) if months else None, _FORECAST)
    facts.add("F.pattern_low_month", MONTHS[months.index(min(months))] if months else None, "word", _FORECAST)
    facts.kwh("F.pattern_low_month_below", -min(months) if months else None, _FORECAST)
