"""What the report says of money and CO2, against figures worked out by hand."""

import datetime as dt
import re
from decimal import Decimal

import pytest
import report_home as home

from energy import site_config
from energy.documents import ApplianceCost, CarbonSummary, CostsSummary, MonthBill, PlanBill
from energy.recipes import ConfigSnapshot
from energy.report import document, money, render, rules
from energy.report.facts import PLACEHOLDER
from energy.report.money_facts import Money, Prices
from energy.report.narrative import problems
from energy.report.sheet import fact_sheet

FLAT = "tariff: {currency: EUR, price: 0.3, standing_per_day: 0.5}"
NIGHT = """
tariff:
  currency: EUR
  name: Night & Day
  bands: [{name: night, hours: "00:00-06:00", price: 0.1}, {name: day, price: 0.4}]
plans: {Flat: {price: 0.25}}
"""


def bill(energy, kwh=320.0, days=28, month="", **changes):
    amounts = {f"{name}_cost": Decimal(0) for name in ("tier", "standing", "demand", "exported")} | changes
    total = Decimal(energy) + amounts["tier_cost"] + amounts["standing_cost"] + amounts["demand_cost"]
    return MonthBill(
        month=month,
        days=days,
        kwh=kwh,
        energy_cost=Decimal(energy),
        total_cost=total - amounts["exported_cost"],
        unknown_demand=[],
        **amounts,
    )


def costs(*plans, by_time=False, carbon=None, currency="EUR", dearer=(0.0, 0.0), **changes):
    """Heater 200 kWh, dishwasher 80, other 40, each at the plan's mean price; the dishwasher could run elsewhere."""
    price = float(plans[0].total.energy_cost) / plans[0].total.kwh if plans else 0.0
    factor = carbon.factor_kg_per_kwh if carbon else 0.0
    return CostsSummary(
        currency=currency if plans else None,
        decimals=2,
        depends_on_time=by_time,
        plans=list(plans),
        appliances=[
            ApplianceCost(
                appliance=name,
                kwh=kwh,
                priced_kwh=kwh if plans else 0.0,
                energy_cost=kwh * price,
                dearer_kwh=dearer[0] if name == "Dishwasher" else 0.0,
                dearer_cost=dearer[1] if name == "Dishwasher" else 0.0,
                co2_kwh=kwh if carbon else 0.0,
                co2_kg=kwh * factor,
            )
            for name, kwh in (("Heater", 200.0), ("Dishwasher", 80.0), ("Other", 40.0))
        ],
        exports=[],
        exported_kwh=0.0,
        hours=[4.0] * 24,
        weekday_hour_price=[[price] * 24] * 7,
        unpriced_kwh=0.0,
        carbon=carbon,
    ).model_copy(update=changes)


def sheet_of(found, config=FLAT, language="en", readings=None, forecast=None):
    told = Money(found, ConfigSnapshot(config=site_config.parse(config)))
    request = home.request(with_forecast=forecast is not None)
    return fact_sheet(request, readings or home.home(), home.anomalies(), forecast, language, told)


def flat(**changes):
    months = [bill("96.00", month="2026-03", standing_cost=Decimal("14.00"))]
    plan = PlanBill(name="current plan", months=months, total=months[0].model_copy(update={"month": ""}))
    return costs(plan, **changes)


def by_time(**changes):
    own = PlanBill(name="Night & Day", months=[bill("112.00", month="2026-03")], total=bill("112.00"))
    other = PlanBill(name="Flat", months=[bill("80.00", month="2026-03")], total=bill("80.00"))
    return costs(own, other, by_time=True, dearer=(60.0, 18.0), **changes)


def said(sheet):
    return [sheet.filled(one) for one in money.costs(sheet)]


def texts(sheet):
    """What a reader reads, as Markdown."""
    return render.markdown(sheet, rules.write_text(sheet)).decode()


def test_without_a_tariff_there_is_no_money_and_one_sentence_says_how_to_add_it():
    sheet = sheet_of(None, "")
    assert said(sheet) == [
        "There is no tariff in the site's configuration, so nothing here is about money; a section tariff in it adds"
        " what everything costs."
    ]
    assert [name for name, fact in sheet.facts.items() if re.fullmatch(r"[A-Z]{3}(/kWh)?", fact.unit)] == []
    assert not re.search(r"[€$£]|\bEUR\b", texts(sheet))
    assert money.cards(sheet) == []


def test_a_flat_tariff_says_what_it_costs_and_that_other_hours_save_nothing():
    sheet = sheet_of(flat())
    assert said(sheet) == [
        "By the tariff in the site's configuration the time read costs €110.00, of which €96.00 is for energy.",
        "The mean price of its energy is €0.3000/kWh.",
        "€14.00 is due whether anything is used or not.",
        "A kilowatt-hour costs the same at all hours, so running appliances at other hours saves nothing.",
    ]
    assert sheet.text("A1.cost") == "€60.00"
    assert [one.rule for one in sheet.recommendations if one.kind == "shift"] == []


def test_savings_are_in_money_beside_energy_at_what_the_appliance_pays():
    # Setting the heater back saves 5 to 10 % of 60 euros; the dishwasher's drying 15 to 20 % of 24.
    sheet = sheet_of(flat())
    found = {one.rule: one.id for one in sheet.recommendations}
    setback, drying = found["heat_setback_8h"], found["dish_air_dry"]
    assert [sheet.text(f"{setback}.save_cost_{bound}") for bound in ("low", "high")] == ["€3.00", "€6.00"]
    assert [sheet.text(f"{drying}.save_cost_{bound}") for bound in ("low", "high")] == ["€3.60", "€4.80"]
    assert sheet.text("save.behaviour_cost_low") == "€3.00"
    assert sheet.text("save.behaviour_cost_high") == "€10.80"
    assert "In money that may save €3.00 to €6.00." in texts(sheet)


def test_the_cap_of_habits_holds_for_money_too():
    # Of 60 and 24 euros, 10 and 20 %: 10.8, were it not for a total of 200 kWh, of which 15 % are 30 of 36 kWh.
    readings = home.home().model_copy(update={"total_kwh": 200.0})
    sheet = sheet_of(flat(), readings=readings)
    assert sheet.facts["save.cap_reached"].value == "yes"
    assert sheet.facts["save.behaviour_high"].value == pytest.approx(30.0)
    assert sheet.facts["save.behaviour_cost_high"].value == pytest.approx(10.8 * 30 / 36)


def test_where_the_price_depends_on_the_hour_shifting_saves_money_and_no_energy():
    sheet = sheet_of(by_time(), NIGHT)
    (shift,) = [one for one in sheet.recommendations if one.kind == "shift"]
    assert (shift.rule, shift.appliance, shift.quantified) == ("laundry_off_peak", "A2", True)
    # Half to four fifths of 18 euros.
    assert [sheet.text(f"{shift.id}.save_cost_{bound}") for bound in ("low", "high")] == ["€9.00", "€14.40"]
    assert f"{shift.id}.save_high" not in sheet.facts
    assert "For Dishwasher: may save €9.00 to €14.40 over the days read." in texts(sheet)
    assert (
        "Appliances that can run at other hours used 60.0 kWh outside the cheapest hours of their days; in these it"
        " would have cost €18.00 less."
    ) in said(sheet)


def test_without_a_tariff_shifting_is_advised_without_a_figure():
    sheet = sheet_of(None, "")
    (shift,) = [one for one in sheet.recommendations if one.kind == "shift"]
    assert (shift.quantified, shift.because) == (False, ["site.no_tariff", "A2.peak_share"])


def test_plans_are_compared_and_named_as_the_configuration_has_them():
    sheet = sheet_of(by_time(), NIGHT)
    assert "By Night & Day the time read costs €112.00, of which €112.00 is for energy." in said(sheet)
    assert "By Flat the same readings would cost €80.00, €32.00 less." in said(sheet)
    assert sheet.tables["plans"].rows == [["Flat", 80.0, 320.0, 28], ["Night & Day", 112.0, 320.0, 28]]
    page = render.html(sheet, rules.write_text(sheet)).decode()
    assert "Night &amp; Day" in page


def test_a_plan_that_prices_less_of_the_energy_is_not_compared():
    own = PlanBill(name="A", months=[], total=bill("112.00"))
    other = PlanBill(name="B", months=[], total=bill("20.00", kwh=100.0))
    sheet = sheet_of(costs(own, other), "tariff: {currency: EUR, price: 0.35}\nplans: {B: {price: 0.2}}")
    assert "B cannot be compared: it has no price for part of what is charged here." in said(sheet)
    assert sheet.facts["P2.cost"].value is None


@pytest.mark.parametrize(
    ("total", "sentence"),
    [
        ("120.00", "By B the same readings would cost €120.00, €8.00 more."),
        ("112.004", "By B the same readings would cost the same."),
    ],
)
def test_dearer_and_equal_plans(total, sentence):
    own = PlanBill(name="A", months=[], total=bill("112.00"))
    other = PlanBill(name="B", months=[], total=bill(total))
    sheet = sheet_of(costs(own, other), "tariff: {currency: EUR, price: 0.35}\nplans: {B: {price: 0.2}}")
    assert sentence in said(sheet)


def test_what_is_not_in_the_total_is_said():
    total = bill("96.00").model_copy(update={"unknown_demand": ["Peak demand"]})
    plan = PlanBill(name="current plan", months=[total], total=total)
    sheet = sheet_of(costs(plan, unpriced_kwh=12.0))
    assert "12.0 kWh have no price in the tariff and are not in it." in said(sheet)
    assert any("not in it (Peak demand)" in one for one in said(sheet))


CARBON = CarbonSummary(
    kg=105.6,
    kwh=320.0,
    unknown_kwh=0.0,
    factor_kg_per_kwh=0.33,
    factor_source="Ember, 2025",
    by_the_hour=False,
    missing_hours=0.0,
)


def test_co2_names_its_factor_and_where_it_is_from():
    sheet = sheet_of(costs(carbon=CARBON), "co2: {country: DE}")
    assert said(sheet)[1:] == [
        "The energy stands for 105.6 kg of carbon dioxide, at 0.330 kg a kilowatt-hour (Ember, 2025)."
    ]
    assert sheet.text("A1.co2_kg") == "66.0 kg"
    setback = next(one.id for one in sheet.recommendations if one.rule == "heat_setback_8h")
    assert sheet.text(f"{setback}.save_co2_high") == "6.6 kg"
    assert "That may save 3.3 kg to 6.6 kg of carbon dioxide." in texts(sheet)


@pytest.mark.parametrize(
    ("carbon", "config", "sentence"),
    [
        (
            {"by_the_hour": True, "missing_hours": 21.0},
            "co2: {country: DE, intensity: {file: grid.csv}}",
            "For 21 h no intensity is known: there 0.330 kg a kilowatt-hour counts (Ember, 2025).",
        ),
        (
            {
                "by_the_hour": True,
                "missing_hours": 21.0,
                "unknown_kwh": 42.0,
                "factor_kg_per_kwh": None,
                "factor_source": None,
            },
            "co2: {intensity: {file: grid.csv}}",
            "For 21 h no intensity is known: 42.0 kWh are left out.",
        ),
    ],
)
def test_hours_without_an_intensity_are_said(carbon, config, sentence):
    told = CARBON.model_copy(update=carbon)
    found = costs().model_copy(update={"carbon": told})
    assert said(sheet_of(found, config))[-1] == sentence


def test_the_days_ahead_cost_what_their_hours_cost():
    # Every hour takes the same. Night & Day: a quarter of the day at 0.1, the rest at 0.4: 0.325 a kWh, 98 kWh in all.
    readings = home.home()
    even = [[1.0] * 24] * 7
    sheet = sheet_of(
        by_time(), NIGHT, readings=readings.model_copy(update={"weekday_hour_kwh": even}), forecast=home.forecast()
    )
    assert sheet.facts["F.cost"].value == pytest.approx(98 * 0.325)
    assert sheet.tables["forecast_costs"].rows[0][1:] == [11.0, pytest.approx(11 * 0.325)]
    # All of it at night.
    night = [[1.0] * 6 + [0.0] * 18] * 7
    sheet = sheet_of(
        by_time(), NIGHT, readings=readings.model_copy(update={"weekday_hour_kwh": night}), forecast=home.forecast()
    )
    assert sheet.facts["F.cost"].value == pytest.approx(9.8)


def test_days_ahead_beyond_the_contract_have_no_cost():
    config = "tariff: {currency: EUR, price: 0.3, valid_to: 2026-03-31}"
    sheet = sheet_of(flat(), config, forecast=home.forecast())
    assert sheet.facts["F.cost"].value is None
    assert not any("days ahead" in one for one in said(sheet))


def test_an_unusual_hour_costs_what_it_used_above_the_usual_at_the_price_of_its_hour():
    # 2 kWh above the usual at 19:00, by day, and at 3:00, at night.
    found = home.anomalies(home.anomaly(), home.anomaly(hour=3))
    told = Money(by_time(), ConfigSnapshot(config=site_config.parse(NIGHT)))
    sheet = fact_sheet(home.request(with_forecast=False), home.home(), found, None, "en", told)
    assert [sheet.text(f"AN{number}.cost") for number in (1, 2)] == ["€0.80", "€0.20"]
    assert [row[-1] for row in sheet.tables["unusual_costs"].rows] == [pytest.approx(0.8), pytest.approx(0.2)]


def test_a_price_of_the_days_of_the_clock_change_is_that_of_its_hours():
    told = Money(flat(), ConfigSnapshot(config=site_config.parse(NIGHT)))
    for day in (dt.date(2026, 3, 29), dt.date(2026, 10, 25)):
        prices = Prices(told, "Europe/Berlin", day, day)
        assert prices.of_day(day, [0.0] * 12 + [1.0] + [0.0] * 11) == pytest.approx(0.4)
        assert prices.of_day(day, [0.0, 1.0] + [0.0] * 22) == pytest.approx(0.1)


def test_an_event_over_a_change_of_the_clocks_costs_what_its_hours_do():
    # From 23:00 to 8:00 there are eight hours, as clocks skip that from 1:00: five of them at night, three by day.
    start = dt.datetime(2026, 3, 28, 23)
    change = {"start": start, "end": dt.datetime(2026, 3, 29, 8), "hours": 8, "kind": "long_run", "kinds": ["long_run"]}
    found = home.anomalies(home.anomaly().model_copy(update=change))
    told = Money(by_time(), ConfigSnapshot(config=site_config.parse(NIGHT)))
    sheet = fact_sheet(home.request(with_forecast=False), home.home(), found, None, "en", told)
    assert sheet.facts["AN1.cost"].value == pytest.approx(2.0 * (5 * 0.1 + 3 * 0.4) / 8)


def test_the_configuration_says_what_kind_an_appliance_is():
    sheet = sheet_of(flat(), FLAT + "\nappliances: {other: ev_charger, HEATER: unknown}")
    assert [one.kind for one in sheet.appliances] == ["unknown", "dishwasher", "ev_charger"]
    assert [one.rule for one in sheet.recommendations if one.appliance == "A1"] == []


def test_a_month_is_compared_with_the_month_before_by_its_mean_day():
    # March from the 2nd, 30 days of 10 kWh; April 30 days of 12; May is not whole.
    appliances = [home.appliance("Heater", 700.0, 1.0, days=70)]
    readings = home.readings(appliances, [10.0] * 30 + [12.0] * 30 + [20.0] * 10)
    sheet = sheet_of(None, "", readings=readings)
    assert [sheet.facts[f"month.{name}"].value for name in ("first", "last")] == ["2026-04-01", "2026-04-30"]
    assert sheet.facts["month.recent_day_kwh"].value == 12.0
    assert sheet.facts["month.change"].value == pytest.approx(0.2)
    assert (
        "A day of the last whole month (Wed, 1 Apr 2026 to Thu, 30 Apr 2026) took 12.0 kWh on average, 20 % more than"
        " a day of the month before with 10.0 kWh."
    ) in texts(sheet).replace("20%", "20 %")


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(
    ("found", "config"),
    [(None, ""), (flat(), FLAT), (by_time(), NIGHT), (costs(carbon=CARBON), "co2: {country: DE}")],
    ids=["nothing", "flat", "by time", "co2 alone"],
)
def test_every_sentence_stands_on_facts_and_every_form_has_its_figures(found, config, language):
    sheet = sheet_of(found, config, language, forecast=home.forecast())
    narrative = rules.write_text(sheet)
    sentences = money.costs(sheet)
    assert problems(narrative, sheet) == []
    for sentence in sentences:
        assert not re.search(r"\d", PLACEHOLDER.sub("", sentence)), sentence
        assert sheet.known(*PLACEHOLDER.findall(sentence)), sentence
    page = render.html(sheet, narrative).decode().replace("\u00a0", " ")
    for fact in re.findall(r"\{\{([\w.]+)\}\}", " ".join(sentences)):
        shown = sheet.text(fact)
        assert shown in page.replace("&amp;", "&").replace("&#39;", "'"), fact
        assert shown in document.json_document(sheet, narrative).decode(), fact


def test_events_that_used_no_more_than_usual_have_no_cost():
    drop = home.anomaly(kind="drop", kinds=["drop"], kwh=0.1, excess_kwh=-0.4)
    outage = home.anomaly(kind="outage", kinds=["outage"], appliance=None, kwh=0.0, excess_kwh=-0.5)
    told = Money(by_time(), ConfigSnapshot(config=site_config.parse(NIGHT)))
    found = home.anomalies(home.anomaly(), drop, outage)
    sheet = fact_sheet(home.request(with_forecast=False), home.home(), found, None, "en", told)
    assert [sheet.facts[f"AN{number}.cost"].value for number in (2, 3)] == [None, None]
    assert len(sheet.tables["unusual_costs"].rows) == 1
