"""What a reader sees first: headline figures, the gain of each action, and the message that tells of a new report."""

from energy.report import insights, money
from energy.report.facts import FactSheet, Recommendation
from energy.report.language import message
from energy.report.narrative import Narrative

MESSAGE_ACTIONS = 3
CONTENTS = (
    ("where", message("Where it goes")),
    ("money", message("What it costs")),
    ("days", message("Day by day")),
    ("when", message("When")),
    ("always-on", message("Always on")),
    ("unusual", message("Unusual hours")),
    ("ahead", message("The days ahead")),
    ("actions", message("What to do")),
    ("auditor", message("Virtual Energy Auditor")),
    ("quality", message("Data quality")),
    ("method", message("Method and limits")),
)


def cards(sheet: FactSheet) -> list[tuple[str, str, str, str]]:
    """Headline figures: label, figure, what it refers to, and the section that tells more."""
    cards = [
        (
            sheet.say("Used"),
            sheet.text("site.total_kwh"),
            sheet.plural("over {{site.days}} day", "over {{site.days}} days", "site.days"),
            "where",
        ),
        *money.cards(sheet),
        _day_card(sheet),
        _peak_card(sheet),
        (
            sheet.say("Unusual events"),
            sheet.text("AN.events"),
            sheet.say("in {{AN.hours_judged}} appliance hours judged"),
            "unusual",
        ),
        _forecast_card(sheet),
    ]
    if sheet.known("save.behaviour_high"):
        about = sheet.say("at most, by habits: {{save.behaviour_share_high}} of the total")
        cards.append((sheet.say("Possible saving"), sheet.text("save.behaviour_high"), about, "actions"))
    return [(label, figure, sheet.filled(about), section) for label, figure, about, section in cards]


def _day_card(sheet: FactSheet) -> tuple[str, str, str, str]:
    if sheet.facts["site.mean_of"].value == "complete days":
        about = sheet.plural(
            "mean of {{site.complete_days}} complete day",
            "mean of {{site.complete_days}} complete days",
            "site.complete_days",
        )
        return sheet.say("An average day"), sheet.text("site.day_kwh"), about, "days"
    about = sheet.plural(
        "mean of {{site.read_days}} day with readings, complete or not",
        "mean of {{site.read_days}} days with readings, complete or not",
        "site.read_days",
    )
    return sheet.say("An average day"), sheet.text("site.read_day_kwh"), about, "days"


def _peak_card(sheet: FactSheet) -> tuple[str, str, str, str]:
    if sheet.known("site.peak_hour"):
        return sheet.say("Busiest hour"), sheet.text("site.peak_hour"), sheet.say("on an average day"), "when"
    if sheet.facts["site.tells_hours"].value == "no":
        return sheet.say("Busiest hour"), "\u2013", sheet.say("not to be told from these readings"), "when"
    return sheet.say("Busiest hour"), "\u2013", sheet.say("no hour stands out"), "when"


def _forecast_card(sheet: FactSheet) -> tuple[str, str, str, str]:
    if "F.total_kwh" not in sheet.facts:
        return sheet.say("Days ahead"), sheet.say("no forecast"), sheet.say("reasons below"), "ahead"
    about = sheet.plural("over {{F.days}} day", "over {{F.days}} days", "F.days")
    if sheet.known("F.apart"):
        about = sheet.say("over {{F.days}} days, not of all appliances")
    return sheet.say("Days ahead"), sheet.text("F.total_kwh"), about, "ahead"


def gain(sheet: FactSheet, one: Recommendation) -> str | None:
    """What an action may save, in short."""
    if one.kind == "shift" and one.quantified:
        return insights.range_text(sheet, f"{one.id}.save_cost_low", f"{one.id}.save_cost_high")
    if not one.quantified or not sheet.known(f"{one.id}.save_low", f"{one.id}.save_high"):
        return None
    return insights.range_text(sheet, f"{one.id}.save_low", f"{one.id}.save_high")


def plain_message(sheet: FactSheet, narrative: Narrative) -> str:
    """The report in a few plain lines, for a mail that carries the link to it."""
    titles = [sheet.text(f"{one.recommendation}.title") for one in narrative.actions[:MESSAGE_ACTIONS]]
    lines = [
        sheet.filled(sheet.say("Energy report for {{site.name}}, up to {{site.last}}")),
        *(f"{label}: {figure} ({about})" for label, figure, about, _ in cards(sheet)),
        *([f"{sheet.say('What to do')}: {'; '.join(titles)}"] if titles else []),
    ]
    return "\n".join(" ".join(line.split()) for line in lines)
