"""What the report says of money and CO2. Its sentences are by rules whoever writes the rest: none of them is a matter
of choice.
"""

from energy.report.facts import FactSheet
from energy.report.language import message

METHOD = (
    message(
        "Energy is priced by the hour at which it was used, by the tariff in the site's configuration; a bill is by the"
        " calendar month, and what is charged by the month counts by its days. A supplier's rounding may differ."
    ),
    message(
        "What other hours would save is judged by the mean price of a day's four cheapest hours; how much of an"
        " appliance's energy can be moved is an assumption."
    ),
)
NO_TARIFF = message(
    "There is no tariff in the site's configuration, so nothing here is about money; a section tariff in it adds what"
    " everything costs."
)


def costs(sheet: FactSheet) -> list[str]:
    """What the readings cost, what is part of it, and what other hours and other plans would save."""
    if not sheet.known("site.cost"):
        return [sheet.say(NO_TARIFF), *carbon(sheet)]
    said = [
        sheet.say("By {{money.plan}} the time read costs {{site.cost}}, of which {{site.energy_cost}} is for energy.")
        if sheet.known("money.plan")
        else sheet.say(
            "By the tariff in the site's configuration the time read costs {{site.cost}}, of which"
            " {{site.energy_cost}} is for energy."
        )
    ]
    if sheet.known("site.mean_price"):
        said.append(sheet.say("The mean price of its energy is {{site.mean_price}}."))
    said += _parts(sheet)
    if sheet.known("F.cost"):
        said.append(sheet.say("The energy of the days ahead will cost about {{F.cost}}."))
    return [*said, *shift(sheet), *plans(sheet), *carbon(sheet)]


def _parts(sheet: FactSheet) -> list[str]:
    said = []
    if sheet.number("site.standing_cost"):
        said.append(sheet.say("{{site.standing_cost}} is due whether anything is used or not."))
    if sheet.number("site.demand_cost"):
        said.append(sheet.say("{{site.demand_cost}} is charged for the highest power."))
    if sheet.number("site.exported_cost"):
        said.append(sheet.say("{{site.exported_cost}} for {{site.exported_kwh}} fed in is taken off."))
    if sheet.known("money.unknown_demand"):
        said.append(
            sheet.say(
                "A charge for the highest power is not in it ({{money.unknown_demand}}): readings further apart than an"
                " hour do not tell it."
            )
        )
    if sheet.number("site.unpriced_kwh"):
        said.append(sheet.say("{{site.unpriced_kwh}} have no price in the tariff and are not in it."))
    return said


def shift(sheet: FactSheet) -> list[str]:
    """What it would save to run appliances in the cheapest hours; on a flat tariff nothing."""
    if sheet.facts["money.by_time"].value == "no":
        return [
            sheet.say(
                "A kilowatt-hour costs the same at all hours, so running appliances at other hours saves nothing."
            )
        ]
    if not sheet.number("shift.appliances"):
        return [sheet.say("No appliance here is of a kind that can run at other hours.")]
    return [
        sheet.say(
            "Appliances that can run at other hours used {{shift.kwh}} outside the cheapest hours of their days; in"
            " these it would have cost {{shift.cost}} less."
        )
    ]


def plans(sheet: FactSheet) -> list[str]:
    """The other plans of the configuration, one sentence each."""
    said = []
    for number in range(2, int(sheet.number("money.plans")) + 1):
        ref = f"P{number}"
        if not sheet.known(f"{ref}.cost"):
            said.append(
                sheet.say("{{P.name}} cannot be compared: it has no price for part of what is charged here.", P=ref)
            )
        elif sheet.number(f"{ref}.costs_more") < 0:
            said.append(
                sheet.say(
                    "By {{P.name}} the same readings would cost {{P.cost}}, {{P.difference_cost}} less.",
                    P=ref,
                )
            )
        elif sheet.number(f"{ref}.costs_more") > 0:
            said.append(
                sheet.say(
                    "By {{P.name}} the same readings would cost {{P.cost}}, {{P.difference_cost}} more.",
                    P=ref,
                )
            )
        else:
            said.append(sheet.say("By {{P.name}} the same readings would cost the same.", P=ref))
    return said


def carbon(sheet: FactSheet) -> list[str]:
    """The CO2 that the energy stands for, by which factor, and what is missing."""
    if not sheet.known("site.co2_kg"):
        return []
    by_hour = sheet.facts["site.co2_by_the_hour"].value == "yes"
    said = [
        sheet.say("The energy stands for {{site.co2_kg}} of carbon dioxide, by the intensity of each hour.")
        if by_hour
        else sheet.say(
            "The energy stands for {{site.co2_kg}} of carbon dioxide, at {{site.co2_factor}} a kilowatt-hour"
            " ({{site.co2_source}})."
        )
    ]
    if by_hour and sheet.number("site.co2_missing_hours"):
        said.append(
            sheet.say(
                "For {{site.co2_missing_hours}} no intensity is known: there {{site.co2_factor}} a kilowatt-hour counts"
                " ({{site.co2_source}})."
            )
            if sheet.known("site.co2_factor")
            else sheet.say(
                "For {{site.co2_missing_hours}} no intensity is known: {{site.co2_unknown_kwh}} are left out."
            )
        )
    return said


def method(sheet: FactSheet) -> list[str]:
    """How amounts come about; without a tariff, that there are none."""
    return [sheet.say(line) for line in METHOD] if sheet.known("site.cost") else [sheet.say(NO_TARIFF)]


def cards(sheet: FactSheet) -> list[tuple[str, str, str, str]]:
    """Headline figures of cost and CO2: label, figure, what it refers to, and the section that tells more."""
    found = []
    if sheet.known("site.cost"):
        by = (
            sheet.say("by {{money.plan}}")
            if sheet.known("money.plan")
            else sheet.say("by the tariff in the configuration")
        )
        found.append((sheet.say("Cost"), sheet.text("site.cost"), by, "money"))
    if sheet.known("site.co2_kg"):
        found.append((sheet.say("Carbon dioxide"), sheet.text("site.co2_kg"), sheet.say("of all energy read"), "money"))
    return found
