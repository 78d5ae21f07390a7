"""The parts of a site's months to its costs: bills, what each appliance cost by the day, plans beside each other.

Bands and tiers are what energy costs: an appliance pays the price of the time at which it ran, and a share of the tiers
by its energy, as the month's mean. Standing and demand charges are the site's and are shared with nobody.
"""

import calendar
import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from energy import parquet
from energy.carbon import Carbon
from energy.documents import ApplianceCost, CarbonSummary, CostsSummary, MonthBill, PlanBill
from energy.monthly_costs import CURRENT, CostParts, Pricing
from energy.schema import BILLS
from energy.tariffs import currency
from energy.tariffs.bill import ZERO, Charges, Use, charges
from energy.tariffs.plans import Contract, Plan

_DAY = dt.timedelta(days=1)
# Sums of floats are good to far more than that; a tariff says no more than twelve.
_KWH_DECIMALS = 9
_WEEKDAYS, _HOURS = range(1, 8), range(24)
UNNAMED_PLAN = "current plan"


@dataclass(frozen=True)
class Bill:
    """What one plan charges for one month, `YYYY-MM`: for `days` of it, and `kwh` that have a price."""

    plan: int
    month: str
    days: int
    kwh: Decimal
    charges: Charges


@dataclass(frozen=True)
class Costs:
    """A site's costs. `days` has a row for each appliance and local day, sorted by both; `bills` one for each plan and
    month, in this order.
    """

    days: pl.DataFrame
    hours: pl.DataFrame
    bills: list[Bill]
    exported_kwh: float
    missing_hours: float


def costs(parts: CostParts, pricing: Pricing) -> Costs:
    """Costs of a site's months, at least one."""
    uses = _uses(parts, pricing)
    found = {key: charges(_contract(pricing, key), use) for key, use in uses.items()}
    tier_price = {
        (month, contract): float(charged.tiers / uses[plan, month, contract].kwh)
        for (plan, month, contract), charged in found.items()
        if plan == CURRENT and charged.tiers and uses[plan, month, contract].kwh
    }
    own_exports = parts.exports.filter(pl.col("plan") == CURRENT)
    return Costs(
        days=_with_tiers(parts.days, tier_price, "priced_kwh"),
        hours=_with_tiers(parts.hours, tier_price, "kwh"),
        bills=[_bill(plan, month, uses, found) for plan, month in sorted({(plan, month) for plan, month, _ in uses})],
        exported_kwh=math.fsum(own_exports["kwh"]),
        missing_hours=math.fsum(parts.carbon["missing_hours"]),
    )


_Key = tuple[int, str, int]


def _contract(pricing: Pricing, key: _Key) -> Contract:
    return pricing.plans[key[0]].terms[key[2]]


def _uses(parts: CostParts, pricing: Pricing) -> dict[_Key, Use]:
    """What was used by plan, month and contract, of every contract that has a day among those billed."""
    dates = parts.days["date"].to_list()
    if not dates:
        return {}
    first, last = min(dates), max(dates)
    bands = _grouped(parts.bands.select("plan", "month", "contract", "band", "kwh", "cost"))
    fed_in = _grouped(parts.exports.select("plan", "month", "contract", "kwh"))
    demand = _grouped(parts.demand.select("plan", "month", "contract", "charge", "kw"))
    return {
        key: Use(
            days=days,
            days_in_month=calendar.monthrange(int(month[:4]), int(month[5:]))[1],
            bands={band: _decimal(kwh) for band, kwh, _ in bands.get(key, [])},
            listed_cost=sum((_decimal(cost) for _, _, cost in bands.get(key, [])), ZERO),
            demand_kw=_highest(contract, demand.get(key, [])),
            exported_kwh=sum((_decimal(kwh) for (kwh,) in fed_in.get(key, [])), ZERO),
        )
        for month in _months(first, last)
        for plan, offered in enumerate(pricing.plans)
        for number, contract in enumerate(offered.terms)
        for key in [(plan, month, number)]
        if (days := _billed_days(contract, month, first, last)) or key in bands
    }


def _months(first: dt.date, last: dt.date) -> Iterator[str]:
    """Every month from that of the first day to that of the last: also those without readings are billed."""
    month = first.replace(day=1)
    while month <= last:
        yield f"{month:%Y-%m}"
        month = (month + 31 * _DAY).replace(day=1)


def _grouped(frame: pl.DataFrame) -> dict[_Key, list[tuple]]:  # type: ignore[type-arg]
    grouped: dict[_Key, list[tuple]] = {}  # type: ignore[type-arg]
    for plan, month, contract, *values in frame.iter_rows():
        grouped.setdefault((plan, month, contract), []).append(tuple(values))
    return grouped


def _highest(contract: Contract, found: list[tuple]) -> tuple[Decimal | None, ...]:  # type: ignore[type-arg]
    """By demand charge. Where it did not hold on any day of the month nothing is charged."""
    known = {charge: None if kw is None else _decimal(kw) for charge, kw in found}
    return tuple(known.get(charge, ZERO) for charge in range(len(contract.demand)))


def _billed_days(contract: Contract, month: str, first: dt.date, last: dt.date) -> int:
    """The days of a month that the contract holds on, from the site's first day with readings to its last.

    A day without readings between them is billed: the meter was there.
    """
    begins = dt.date.fromisoformat(f"{month}-01")
    ends = begins + _DAY * (calendar.monthrange(begins.year, begins.month)[1] - 1)
    since = max(begins, first, contract.valid_from or begins)
    until = min(ends, last, contract.valid_to or ends)
    return max((until - since).days + 1, 0)


def _decimal(value: float) -> Decimal:
    return Decimal(str(round(value, _KWH_DECIMALS)))


def _bill(plan: int, month: str, uses: dict[_Key, Use], found: dict[_Key, Charges]) -> Bill:
    keys = [key for key in uses if key[:2] == (plan, month)]
    return Bill(
        plan=plan,
        month=month,
        days=sum(uses[key].days for key in keys),
        kwh=sum((uses[key].kwh for key in keys), ZERO),
        charges=sum((found[key] for key in keys), Charges()),
    )


def _with_tiers(frame: pl.DataFrame, tier_price: dict[tuple[str, int], float], kwh: str) -> pl.DataFrame:
    """The same with each month's mean price of the tiers on top of `cost`."""
    keys = list(tier_price)
    table = pl.DataFrame(
        {
            "month": [month for month, _ in keys],
            "contract": [contract for _, contract in keys],
            "tier": [tier_price[key] for key in keys],
        },
        schema={"month": pl.String, "contract": pl.Int32, "tier": pl.Float64},
    )
    return (
        frame.join(table, on=["month", "contract"], how="left", maintain_order="left")
        .with_columns(cost=pl.col("cost") + pl.col(kwh) * pl.col("tier").fill_null(0.0))
        .drop("tier")
    )


def cost_table(found: Costs, pricing: Pricing) -> pl.DataFrame:
    """The rows of cost_data: null where a day's energy, or part of it, has no price, or no CO2 is known."""
    by_day = (
        found.days.group_by("date", "appliance", maintain_order=True)
        .agg(pl.col("kwh", "priced_kwh", "cost", "co2_kwh", "co2_kg"))
        .with_columns(pl.col("kwh", "priced_kwh", "cost", "co2_kwh", "co2_kg").list.sum())
        .sort("date", "appliance")
    )
    return by_day.select(
        "date",
        "appliance",
        "kwh",
        pl.when(_covers("priced_kwh")).then(pl.col("cost")).alias("energy_cost"),
        pl.lit(_currency(pricing), dtype=pl.String).alias("currency"),
        pl.when(_covers("co2_kwh") if pricing.carbon else pl.lit(False)).then(pl.col("co2_kg")).alias("co2_kg"),
    )


def _covers(part: str) -> pl.Expr:
    return (pl.col("kwh") - pl.col(part)).abs() <= pl.col("kwh").abs() * 1e-9


def _currency(pricing: Pricing) -> str | None:
    return pricing.plans[CURRENT].currency if pricing.plans else None


def bill_table(found: Costs, pricing: Pricing) -> pl.DataFrame:
    """The rows of bill_data, to the smallest unit of the currency."""
    code = _currency(pricing) or ""
    names = plan_names(pricing.plans)
    rows = [
        {
            "month": bill.month,
            "plan": names[bill.plan],
            "is_current": bill.plan == CURRENT,
            "days": bill.days,
            "kwh": float(bill.kwh),
            "currency": code,
            **{
                f"{kind}_cost": float(currency.rounded(amount, code)) for kind, amount in _by_kind(bill.charges).items()
            },
        }
        for bill in found.bills
    ]
    return pl.DataFrame(rows, schema=parquet.polars_schema(BILLS))


def _by_kind(charged: Charges) -> dict[str, Decimal]:
    return {
        "energy": charged.energy,
        "tier": charged.tiers,
        "standing": charged.standing,
        "demand": charged.demand,
        "exported": charged.exported,
        "total": charged.total,
    }


def plan_names(plans: tuple[Plan, ...]) -> list[str]:
    """By which plans are told apart."""
    return [plan.name or UNNAMED_PLAN for plan in plans]


def costs_summary(found: Costs, pricing: Pricing) -> CostsSummary:
    """What a report says of a site's costs."""
    code = _currency(pricing)
    return CostsSummary(
        currency=code,
        decimals=currency.decimals(code) if code else 0,
        depends_on_time=bool(pricing.plans) and pricing.plans[CURRENT].depends_on_time,
        plans=[_plan_bill(found, plan, name) for plan, name in enumerate(plan_names(pricing.plans))],
        appliances=_appliances(found.days),
        exports=pricing.exports,
        exported_kwh=found.exported_kwh,
        hours=_by_hour(found.hours),
        weekday_hour_price=_by_weekday_hour(found.hours),
        unpriced_kwh=_left_over(found.days, "priced_kwh") if pricing.plans else 0.0,
        carbon=_carbon(found, pricing.carbon) if pricing.carbon else None,
    )


def _plan_bill(found: Costs, plan: int, name: str) -> PlanBill:
    bills = [bill for bill in found.bills if bill.plan == plan]
    total = sum((bill.charges for bill in bills), Charges())
    return PlanBill(
        name=name,
        months=[_month_bill(bill.month, bill.days, bill.kwh, bill.charges) for bill in bills],
        total=_month_bill("", sum(bill.days for bill in bills), sum((bill.kwh for bill in bills), ZERO), total),
    )


def _month_bill(month: str, days: int, kwh: Decimal, charged: Charges) -> MonthBill:
    return MonthBill(
        month=month,
        days=days,
        kwh=float(kwh),
        energy_cost=charged.energy,
        tier_cost=charged.tiers,
        standing_cost=charged.standing,
        demand_cost=charged.demand,
        exported_cost=charged.exported,
        total_cost=charged.total,
        unknown_demand=list(charged.unknown_demand),
    )


def _appliances(days: pl.DataFrame) -> list[ApplianceCost]:
    sums = ("kwh", "priced_kwh", "cost", "dearer_kwh", "dearer_cost", "co2_kwh", "co2_kg")
    by_appliance = (
        days.group_by("appliance", maintain_order=True)
        .agg(pl.col(*sums))
        .with_columns(pl.col(*sums).list.sum())
        .sort(["cost", "kwh", "appliance"], descending=[True, True, False])
    )
    return [
        ApplianceCost(
            appliance=row["appliance"],
            kwh=row["kwh"],
            priced_kwh=row["priced_kwh"],
            energy_cost=row["cost"],
            dearer_kwh=row["dearer_kwh"],
            dearer_cost=row["dearer_cost"],
            co2_kwh=row["co2_kwh"],
            co2_kg=row["co2_kg"],
        )
        for row in by_appliance.iter_rows(named=True)
    ]


def _left_over(days: pl.DataFrame, part: str) -> float:
    left = math.fsum(days["kwh"]) - math.fsum(days[part])
    return left if left > math.fsum(days["kwh"]) * 1e-9 else 0.0


def _by_hour(hours: pl.DataFrame) -> list[float]:
    cost = _summed_by(hours, ["hour"], "cost")
    return [cost.get((hour,), 0.0) for hour in _HOURS]


def _by_weekday_hour(hours: pl.DataFrame) -> list[list[float | None]]:
    keys = ["weekday", "hour"]
    kwh, cost = _summed_by(hours, keys, "kwh"), _summed_by(hours, keys, "cost")
    prices = {key: cost[key] / used for key, used in kwh.items() if used > 0}
    return [[prices.get((weekday, hour)) for hour in _HOURS] for weekday in _WEEKDAYS]


def _summed_by(frame: pl.DataFrame, keys: list[str], column: str) -> dict[tuple[int, ...], float]:
    grouped: dict[tuple[int, ...], list[float]] = {}
    for *key, value in frame.select(*keys, column).iter_rows():
        grouped.setdefault(tuple(key), []).append(value)
    return {key: math.fsum(values) for key, values in grouped.items()}


def _carbon(found: Costs, carbon: Carbon) -> CarbonSummary:
    return CarbonSummary(
        kg=math.fsum(found.days["co2_kg"]),
        kwh=math.fsum(found.days["co2_kwh"]),
        unknown_kwh=_left_over(found.days, "co2_kwh"),
        factor_kg_per_kwh=None if carbon.factor is None else float(carbon.factor),
        factor_source=carbon.source if carbon.factor is not None else None,
        by_the_hour=carbon.intensity is not None,
        missing_hours=found.missing_hours,
    )
