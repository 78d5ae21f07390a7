"""A home about which a report has much to say: many appliances, gaps, two plans, CO2. Its figures are made up."""

import datetime as dt
from decimal import Decimal

import report_home as home

from energy import site_config
from energy.documents import ApplianceCost, CarbonSummary, CostsSummary, MonthBill, PlanBill
from energy.recipes import ConfigSnapshot
from energy.report.facts import FactSheet
from energy.report.money_facts import Money
from energy.report.sheet import fact_sheet

NAMES = [
    "Heater",
    "AC in the living room upstairs",
    "Washing Machine",
    "Dishwasher",
    "Fridge",
    "EV charger",
    "TV",
    "Boiler",
    "Lights",
    "Oven",
    "Router",
    "Freezer in the cellar",
    "Kettle",
    "Other",
]
DAYS = 70
EVENING = [0.05] * 7 + [0.4] * 11 + [1.5] * 3 + [0.1] * 3
CONFIG = """
tariff:
  currency: EUR
  name: Night & Day
  bands: [{name: night, hours: "00:00-06:00", price: 0.18}, {name: day, price: 0.36}]
  standing_per_day: 0.5
plans: {Flat: {price: 0.31}}
"""


def rich_sheet(language: str) -> FactSheet:
    """The fact sheet of that home."""
    kwh = {name: DAYS * 31.7 / (place + 1) for place, name in enumerate(NAMES)}
    total = sum(kwh.values())
    appliances = [home.appliance(name, used, used / total, days=DAYS, profile=EVENING) for name, used in kwh.items()]
    days = [50.5 + 7.3 * (day % 7 > 4) + day % 5 for day in range(DAYS)]
    readings = home.readings(appliances, days, complete=[day % 17 != 3 for day in range(DAYS)], peak_hour=18)
    return fact_sheet(
        home.request(
            warnings=[
                "NEGATIVE: 70 rows, the first in line 5: The reading is below zero; energy used in an interval cannot"
                " be."
            ],
            notes=["prophet left out: it has 5 complete days, 14 are needed"],
        ),
        readings,
        home.anomalies(*(home.anomaly(name, hour) for name, hour in zip(NAMES[:10], range(9, 19), strict=True))),
        home.forecast(first=home.FIRST + dt.timedelta(days=DAYS), names=NAMES),
        language,
        Money(_costs(kwh), ConfigSnapshot(config=site_config.parse(CONFIG))),
    )


def _costs(kwh: dict[str, float]) -> CostsSummary:
    total = sum(kwh.values())

    def plan(name: str, price: float, standing: float) -> PlanBill:
        months = [_bill(f"2026-{month:02d}", days, total * days / DAYS, price, standing) for month, days in MONTHS]
        return PlanBill(name=name, months=months, total=_bill("", DAYS, total, price, standing))

    return CostsSummary(
        currency="EUR",
        decimals=2,
        depends_on_time=True,
        plans=[plan("Night & Day", 0.34, 0.5), plan("Flat", 0.31, 0.0)],
        appliances=[
            ApplianceCost(
                appliance=name,
                kwh=used,
                priced_kwh=used,
                energy_cost=used * 0.34,
                dearer_kwh=used / 2,
                dearer_cost=used / 2 * 0.16,
                co2_kwh=used,
                co2_kg=used * 0.33,
            )
            for name, used in kwh.items()
        ],
        exports=[],
        exported_kwh=0.0,
        hours=[total * share / sum(EVENING) * 0.34 for share in EVENING],
        weekday_hour_price=[[0.18] * 6 + [0.36] * 18] * 7,
        unpriced_kwh=0.0,
        carbon=CarbonSummary(
            kg=total * 0.33,
            kwh=total,
            unknown_kwh=0.0,
            factor_kg_per_kwh=0.33,
            factor_source="a table of factors",
            by_the_hour=False,
            missing_hours=0.0,
        ),
    )


MONTHS = ((3, 30), (4, 30), (5, 10))


def _bill(month: str, days: int, kwh: float, price: float, standing: float) -> MonthBill:
    energy, due = Decimal(str(round(kwh * price, 4))), Decimal(str(days * standing))
    nothing = Decimal(0)
    return MonthBill(
        month=month,
        days=days,
        kwh=kwh,
        energy_cost=energy,
        tier_cost=nothing,
        standing_cost=due,
        demand_cost=nothing,
        exported_cost=nothing,
        total_cost=energy + due,
        unknown_demand=[],
    )
