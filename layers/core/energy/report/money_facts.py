"""The facts of money and of CO2: what the readings cost by the site's tariff, and what else follows from its prices."""

import datetime as dt
import statistics
import zoneinfo
from dataclasses import dataclass, field

from energy.appliance_kinds import DEFERRABLE
from energy.carbon import Carbon
from energy.documents import (
    AnomalyEvent,
    AnomalySummary,
    ApplianceCost,
    CostsSummary,
    ForecastDay,
    ForecastSummary,
    MonthBill,
    ReadingsSummary,
)
from energy.recipes import ConfigSnapshot
from energy.report.anomaly_facts import EVENTS_SHOWN
from energy.report.appliances import display_name
from energy.report.facts import Appliance, Collector
from energy.report.tables import NO, YES
from energy.tariffs.periods import price_at, priced_periods
from energy.tariffs.plans import Plan

_COSTS, _CONFIG = "costs summary", "site's configuration"
_PRICE_DECIMALS = 4
_HOUR = dt.timedelta(hours=1)
# Amounts that differ by less are alike: readings carry no more.
_ALIKE = 0.005


@dataclass(frozen=True)
class Money:
    """What is known of prices: the costs of the readings, and the configuration that they were made by."""

    costs: CostsSummary | None = None
    snapshot: ConfigSnapshot = field(default_factory=ConfigSnapshot)


def add_money(facts: Collector, money: Money, readings: ReadingsSummary, appliances: list[Appliance]) -> None:
    """What the site and each appliance cost, the plans beside each other, and the CO2.

    Without a tariff there is no fact of an amount, only `site.no_tariff`.
    """
    costs = money.costs
    priced = costs is not None and bool(costs.plans)
    facts.add("site.no_tariff", 0 if priced else 1, "count", _CONFIG)
    by_name = {one.appliance: one for one in costs.appliances} if costs else {}
    for appliance, summary in zip(appliances, readings.appliances, strict=True):
        _add_appliance(facts, appliance, by_name.get(summary.appliance), costs if priced else None)
    if costs and priced:
        _add_bill(facts, costs, money.snapshot.config.tariff)
        _add_shift(facts, costs, appliances)
        _add_plans(facts, costs)
    if costs and costs.carbon:
        _add_carbon(facts, costs, money.snapshot.config.co2)


def _add(facts: Collector, fact: str, amount: float | None, costs: CostsSummary) -> None:
    value = None if amount is None else round(float(amount), 6)
    facts.add(fact, value, costs.currency or "", _COSTS, costs.decimals)


def _add_price(facts: Collector, fact: str, price: float | None, costs: CostsSummary) -> None:
    value = None if price is None else round(price, 6)
    facts.add(fact, value, f"{costs.currency}/kWh", _COSTS, _PRICE_DECIMALS)


def _add_bill(facts: Collector, costs: CostsSummary, tariff: Plan | None) -> None:
    plan, total = costs.plans[0], costs.plans[0].total
    named = display_name(tariff.name) if tariff and tariff.name else None
    facts.add("money.plan", named, "text", _CONFIG)
    facts.add("money.by_time", YES if costs.depends_on_time else NO, "word", _CONFIG)
    facts.add("money.months", len(plan.months), "count", _COSTS)
    _add(facts, "site.cost", float(total.total_cost), costs)
    _add(facts, "site.energy_cost", float(total.energy_cost + total.tier_cost), costs)
    for name in ("standing", "demand", "exported"):
        _add(facts, f"site.{name}_cost", float(getattr(total, f"{name}_cost")), costs)
    _add_price(facts, "site.mean_price", _mean_price(total), costs)
    facts.add("money.unknown_demand", "; ".join(map(display_name, total.unknown_demand)) or None, "text", _COSTS)
    facts.kwh("site.unpriced_kwh", costs.unpriced_kwh, _COSTS)
    facts.kwh("site.exported_kwh", costs.exported_kwh, _COSTS)


def _mean_price(bill: MonthBill) -> float | None:
    return float(bill.energy_cost + bill.tier_cost) / bill.kwh if bill.kwh else None


def _add_appliance(
    facts: Collector, appliance: Appliance, one: ApplianceCost | None, costs: CostsSummary | None
) -> None:
    """Amounts of an appliance; what is fed in has none. How much dearer than in the cheapest hours it ran is known
    only where prices depend on the hour.
    """
    ref = appliance.ref
    shiftable = one if one and costs and costs.depends_on_time and one.priced_kwh > 0 else None
    share = shiftable.dearer_kwh / shiftable.priced_kwh if shiftable else None
    facts.share(f"{ref}.dearer_share", share, _COSTS)
    if one and one.co2_kwh > 0:
        facts.add(f"{ref}.co2_kg", round(one.co2_kg, 6), "kg", _COSTS, _kg_decimals(one.co2_kg))
    if costs is None or one is None:
        return
    price = one.energy_cost / one.priced_kwh if one.priced_kwh else None
    yearly = facts.facts[f"{ref}.year_kwh"].value
    _add(facts, f"{ref}.cost", one.energy_cost if one.priced_kwh else None, costs)
    _add_price(facts, f"{ref}.price", price, costs)
    _add(facts, f"{ref}.year_cost", price * float(yearly) if price is not None and yearly else None, costs)
    if shiftable:
        facts.kwh(f"{ref}.dearer_kwh", one.dearer_kwh, _COSTS)
        _add(facts, f"{ref}.shift_cost", one.dearer_cost, costs)


def _add_shift(facts: Collector, costs: CostsSummary, appliances: list[Appliance]) -> None:
    """What all appliances that can run at other hours used outside the cheapest hours of their days, and its price."""
    if not costs.depends_on_time:
        return
    able = [one.ref for one in appliances if one.kind in DEFERRABLE and f"{one.ref}.shift_cost" in facts.facts]
    facts.add("shift.appliances", len(able), "count", _COSTS)
    facts.kwh("shift.kwh", sum(_number(facts, f"{ref}.dearer_kwh") for ref in able), _COSTS)
    _add(facts, "shift.cost", sum(_number(facts, f"{ref}.shift_cost") for ref in able), costs)


def _number(facts: Collector, fact: str) -> float:
    value = facts.facts[fact].value
    return float(value) if isinstance(value, int | float) else 0.0


def _add_plans(facts: Collector, costs: CostsSummary) -> None:
    """P1 is the site's plan. A plan that does not price all of the energy is not compared: its total is of less."""
    own = costs.plans[0].total
    facts.add("money.plans", len(costs.plans), "count", _CONFIG)
    for number, plan in enumerate(costs.plans, 1):
        ref, total = f"P{number}", plan.total
        facts.add(f"{ref}.name", display_name(plan.name), "word" if number == 1 else "text", _CONFIG)
        alike = abs(total.kwh - own.kwh) <= own.kwh * 1e-6 and total.days == own.days and not total.unknown_demand
        _add(facts, f"{ref}.cost", float(total.total_cost) if alike else None, costs)
        more = float(total.total_cost - own.total_cost)
        _add(facts, f"{ref}.difference_cost", abs(more) if alike else None, costs)
        direction = None if not alike else 0 if abs(more) < _ALIKE else 1 if more > 0 else -1
        facts.add(f"{ref}.costs_more", direction, "count", _COSTS)


def _add_carbon(facts: Collector, costs: CostsSummary, carbon: Carbon | None) -> None:
    told = costs.carbon
    if told is None or carbon is None:
        return
    facts.add("site.co2_kg", round(told.kg, 6), "kg", _COSTS, _kg_decimals(told.kg))
    facts.add("site.co2_factor", told.factor_kg_per_kwh, "kg", _CONFIG, 3)
    facts.add("site.co2_source", told.factor_source, "text", _CONFIG)
    facts.add("site.co2_by_the_hour", YES if told.by_the_hour else NO, "word", _CONFIG)
    facts.add("site.co2_missing_hours", round(told.missing_hours, 6), "hours", _COSTS)
    facts.kwh("site.co2_unknown_kwh", told.unknown_kwh, _COSTS)


def _kg_decimals(kg: float) -> int:
    return 1 if abs(kg) >= 0.95 else 3


class Prices:
    """What a kWh costs by the site's plan at any hour of some local days, the tiers of the last month on top."""

    def __init__(self, money: Money, timezone: str, first: dt.date, last: dt.date) -> None:
        self.zone = zoneinfo.ZoneInfo(timezone)
        months = [month for month in money.costs.plans[0].months if month.kwh] if money.costs else []
        self.tier_price = float(months[-1].tier_cost) / months[-1].kwh if months else 0.0
        tariff = money.snapshot.config.tariff
        self.periods = (
            priced_periods(tariff, first, last + dt.timedelta(days=1), timezone, money.snapshot.files) if tariff else []
        )

    def of_hours(self, start: dt.datetime, hours: int) -> float | None:
        """The mean price of so many hours from a local moment on; None where one of them has none."""
        begins = self._utc(start)
        return self._between(begins, begins + hours * _HOUR)

    def of_days(self, start: dt.datetime, end: dt.datetime) -> float | None:
        """The mean price from one local moment to another."""
        return self._between(self._utc(start), self._utc(end))

    def _between(self, begins: dt.datetime, ends: dt.datetime) -> float | None:
        price = price_at(self.periods, begins, ends)
        return None if price is None else float(price) + self.tier_price

    def _utc(self, local: dt.datetime) -> dt.datetime:
        return local.replace(tzinfo=self.zone).astimezone(dt.UTC).replace(tzinfo=None)

    def of_day(self, day: dt.date, hours_kwh: list[float | None]) -> float | None:
        """The mean price of a day on which energy is used as in these 24 hours; of even use where one is not known."""
        midnight = dt.datetime.combine(day, dt.time())
        prices = [self.of_hours(midnight + hour * _HOUR, 1) for hour in range(24)]
        known = [price for price in prices if price is not None]
        if len(known) < len(prices):
            return None
        used = [kwh for kwh in hours_kwh if kwh is not None]
        if len(used) < len(prices) or sum(used) <= 0:
            return statistics.fmean(known)
        return sum(price * kwh for price, kwh in zip(known, used, strict=True)) / sum(used)


# Kinds of events in which more was used than usual.
_COSTLY = {"high_use", "long_run", "rising_use"}


@dataclass(frozen=True)
class Estimates:
    """What hours and days cost by the tariff, in the order of the summaries; null where the tariff has no price then.

    `unusual` is what the events that matter most used above the usual, `ahead` the energy of the days ahead. Both are
    empty without a tariff.
    """

    unusual: list[float | None]
    ahead: list[float | None]


def estimates(
    money: Money, readings: ReadingsSummary, anomalies: AnomalySummary, forecast: ForecastSummary | None
) -> Estimates:
    """By the prices of their hours; a day ahead takes its energy as that weekday did so far."""
    if not money.costs or not money.costs.plans:
        return Estimates([], [])
    return Estimates(
        _unusual(money, readings, anomalies.top[:EVENTS_SHOWN]),
        _ahead(money, readings, forecast.days if forecast else []),
    )


def _unusual(money: Money, readings: ReadingsSummary, events: list[AnomalyEvent]) -> list[float | None]:
    """Of events that used more than usual; of others, which tell of meters or of less use, null.

    Hours are counted: over a change of the clocks local times are an hour further apart, or nearer. Days go by the
    clock, from midnight to midnight.
    """
    if not events:
        return []
    first, last = min(one.start for one in events), max(one.end for one in events)
    prices = Prices(money, readings.timezone, first.date(), last.date())
    found = [
        (
            one.excess_kwh,
            prices.of_days(one.start, one.end) if one.kind == "rising_use" else prices.of_hours(one.start, one.hours),
        )
        if one.kind in _COSTLY and one.excess_kwh > 0
        else (0.0, None)
        for one in events
    ]
    return [None if price is None else kwh * price for kwh, price in found]


def _ahead(money: Money, readings: ReadingsSummary, days: list[ForecastDay]) -> list[float | None]:
    if not days:
        return []
    prices = Prices(money, readings.timezone, days[0].ds, days[-1].ds)
    found = [(day.yhat, prices.of_day(day.ds, readings.weekday_hour_kwh[day.ds.weekday()])) for day in days]
    return [None if price is None else kwh * price for kwh, price in found]


def add_estimates(facts: Collector, money: Money, told: Estimates) -> None:
    """What each event that matters most cost above the usual, and what the days ahead will cost together."""
    if not money.costs:
        return
    for number, amount in enumerate(told.unusual, 1):
        _add(facts, f"AN{number}.cost", amount, money.costs)
    if told.ahead:
        known = [cost for cost in told.ahead if cost is not None]
        _add(facts, "F.cost", sum(known) if len(known) == len(told.ahead) else None, money.costs)
