"""The tables of money and CO2."""

from energy.documents import AnomalySummary, CostsSummary, ForecastSummary
from energy.report.anomaly_facts import moments
from energy.report.appliances import display_name
from energy.report.facts import Column, Table, kwh_decimals
from energy.report.language import Value, message
from energy.report.money_facts import Estimates

APPLIANCES_SHOWN = 50
MONTHS_SHOWN = 13
# What a plan is called that has no name.
_UNNAMED = message("current plan")
_SOURCE = "costs summary"


def money_tables(
    costs: CostsSummary | None, estimates: Estimates, anomalies: AnomalySummary, forecast: ForecastSummary | None
) -> dict[str, Table]:
    """The tables by id; those without rows are left out, and without a tariff or a factor all of them."""
    if costs is None:
        return {}
    built = [_appliances(costs)]
    if costs.plans:
        built += [_months(costs), _plans(costs), _hours(costs)]
        built.append(_unusual(costs, anomalies, estimates.unusual))
        if forecast:
            built.append(_forecast(costs, forecast, estimates.ahead))
    return {table.id: table for table in built if table.rows}


def _amount(costs: CostsSummary, title: str) -> Column:
    return Column(title=title, unit=costs.currency or "", dp=costs.decimals)


def _appliances(costs: CostsSummary) -> Table:
    shown = costs.appliances[:APPLIANCES_SHOWN]
    money, carbon = bool(costs.plans), costs.carbon is not None
    kg = [one.co2_kg for one in shown]
    columns = [
        Column(title="Appliance", unit="text"),
        Column(title="Energy, kWh", unit="kwh", dp=kwh_decimals(max((one.kwh for one in shown), default=0))),
    ]
    if money:
        price = Column(title="Mean price of a kWh", unit=f"{costs.currency}/kWh", dp=4)
        columns += [_amount(costs, message("Energy cost")), price]
    if carbon:
        columns.append(Column(title="CO2, kg", unit="kg", dp=1 if max(kg, default=0.0) >= 1 else 3))
    rows: list[list[Value]] = []
    for one in shown:
        row: list[Value] = [display_name(one.appliance), one.kwh]
        if money:
            row += [one.energy_cost, one.energy_cost / one.priced_kwh] if one.priced_kwh else [None, None]
        rows.append([*row, one.co2_kg if one.co2_kwh else None] if carbon else row)
    title = message("What each appliance costs") if money else message("What each appliance emits")
    return Table(
        id="costs",
        title=title,
        columns=columns,
        rows=rows,
        source=_SOURCE,
        notes=[message("Energy alone: standing charges and charges for the highest power are the site's.")]
        if money
        else [],
    )


def _months(costs: CostsSummary) -> Table:
    months = costs.plans[0].months[-MONTHS_SHOWN:]
    kinds = (
        ("energy_cost", message("Energy"), True),
        ("tier_cost", message("Tiers"), any(one.tier_cost for one in months)),
        ("standing_cost", message("Standing charge"), any(one.standing_cost for one in months)),
        ("demand_cost", message("Highest power"), any(one.demand_cost for one in months)),
        ("exported_cost", message("Fed in"), any(one.exported_cost for one in months)),
        ("total_cost", message("Total"), True),
    )
    return Table(
        id="bills",
        title="What each month costs",
        columns=[
            Column(title="Month", unit="month"),
            Column(title="Days", unit="count"),
            Column(
                title=message("Energy, kWh"), unit="kwh", dp=kwh_decimals(max((one.kwh for one in months), default=0))
            ),
            *(_amount(costs, title) for _, title, shown in kinds if shown),
        ],
        rows=[
            [one.month, one.days, one.kwh, *(float(getattr(one, kind)) for kind, _, shown in kinds if shown)]
            for one in months
        ],
        source=_SOURCE,
    )


def _hours(costs: CostsSummary) -> Table:
    total = sum(costs.hours)
    return Table(
        id="cost_hours",
        title="What the energy of each hour of the day costs",
        columns=[
            Column(title="Hour", unit="hour"),
            _amount(costs, message("Energy cost")),
            Column(title="Share", unit="share", dp=1),
        ],
        rows=[[hour, cost, cost / total] for hour, cost in enumerate(costs.hours)] if total > 0 else [],
        source=_SOURCE,
        notes=[message("Of appliances that are read at least once an hour.")],
    )


def _plans(costs: CostsSummary) -> Table:
    plans = sorted(costs.plans, key=lambda plan: plan.total.total_cost) if len(costs.plans) > 1 else []
    return Table(
        id="plans",
        title="What other plans would cost on the same readings",
        columns=[
            Column(title="Plan", unit="word"),
            _amount(costs, message("Total")),
            Column(title="Energy with a price, kWh", unit="kwh", dp=1),
            Column(title="Days", unit="count"),
        ],
        rows=[
            [display_name(plan.name), float(plan.total.total_cost), plan.total.kwh, plan.total.days] for plan in plans
        ],
        source=_SOURCE,
    )


def _unusual(costs: CostsSummary, anomalies: AnomalySummary, amounts: list[float | None]) -> Table:
    shown = anomalies.top[: len(amounts)]
    return Table(
        id="unusual_costs",
        title="What unusual events cost",
        columns=[
            Column(title="When", unit="datetime"),
            Column(title="Appliance", unit="text"),
            Column(title="Above, kWh", unit="kwh", dp=2),
            _amount(costs, message("Cost of what is above")),
        ],
        rows=[
            [moments(one)[0], display_name(one.appliance or ""), one.excess_kwh, amount]
            for one, amount in zip(shown, amounts, strict=True)
            if amount is not None
        ],
        source="anomaly summary, site's configuration",
        notes=[message("What lies above the usual, at the mean price of its hours.")],
    )


def _forecast(costs: CostsSummary, forecast: ForecastSummary, amounts: list[float | None]) -> Table:
    return Table(
        id="forecast_costs",
        title="What the energy of the days ahead will cost",
        columns=[
            Column(title="Day", unit="date"),
            Column(
                title="Forecast, kWh",
                unit="kwh",
                dp=kwh_decimals(max((day.yhat for day in forecast.days), default=0)),
            ),
            _amount(costs, message("Energy cost")),
        ],
        rows=[[day.ds.isoformat(), day.yhat, cost] for day, cost in zip(forecast.days, amounts, strict=True)],
        source="forecast summary, site's configuration",
        notes=[message("By the prices of each hour, with the energy spread as on that weekday so far.")],
    )
