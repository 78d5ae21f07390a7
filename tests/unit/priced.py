"""Readings to price in tests, and what a plan charges for them."""

import datetime as dt
import zoneinfo
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from energy import monthly_costs
from energy.costs import Costs, costs
from energy.monthly_costs import CostParts, Pricing
from energy.tariffs.currency import rounded
from energy.tariffs.plans import Plan


def readings(
    first: str,
    last: str,
    timezone: str,
    kwh: Callable[[dt.datetime], float],
    minutes: int = 60,
    appliance: str = "Home",
) -> pl.DataFrame:
    """One reading an interval from the first local day to the last; `kwh` is asked with its local start."""
    zone, step = zoneinfo.ZoneInfo(timezone), dt.timedelta(minutes=minutes)
    at = dt.datetime.combine(dt.date.fromisoformat(first), dt.time(), zone).astimezone(dt.UTC)
    end = dt.datetime.combine(dt.date.fromisoformat(last) + dt.timedelta(days=1), dt.time(), zone).astimezone(dt.UTC)
    rows = []
    while at < end:
        local = at.astimezone(zone)
        rows.append((appliance, local.replace(tzinfo=None, fold=0), at.replace(tzinfo=None), kwh(local)))
        at += step
    schema = {
        "appliance": pl.String,
        "timestamp": pl.Datetime("us"),
        "timestamp_utc": pl.Datetime("us"),
        "kwh": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def pricing(timezone: str, *plans: Mapping[str, Any], files: Mapping[str, str] | None = None, **more: Any) -> Pricing:
    """By these plans, as a configuration has them."""
    return Pricing(timezone, tuple(Plan.model_validate(plan) for plan in plans), more.get("carbon"), files or {})


def parts(read: pl.DataFrame, by: Pricing) -> CostParts:
    """The parts of all months."""
    months = (
        read.with_columns(month=pl.col("timestamp").dt.strftime("%Y-%m"))
        .sort("month")
        .partition_by("month", as_dict=True)
    )
    return monthly_costs.together(monthly_costs.part(rows, str(month), by) for (month,), rows in months.items())


def priced(read: pl.DataFrame, by: Pricing) -> Costs:
    """What they cost."""
    return costs(parts(read, by), by)


def total(
    read: pl.DataFrame, timezone: str, plan: Mapping[str, Any], files: Mapping[str, str] | None = None
) -> Decimal:
    """What a plan charges in all, to the smallest unit of its currency."""
    found = priced(read, pricing(timezone, plan, files=files))
    return rounded(sum((bill.charges.total for bill in found.bills), Decimal(0)), str(plan["currency"]))
