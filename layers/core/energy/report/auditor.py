"""The rule-based Virtual Energy Auditor: the highest consumers one by one, and what could be done about each."""

from energy.report.facts import Appliance, FactSheet
from energy.report.insights import action_text
from energy.report.narrative import Action, Finding

MAX_AUDITED = 5


def findings(sheet: FactSheet) -> list[Finding]:
    """The highest consumers that used anything, largest first."""
    used = [one for one in sheet.appliances if sheet.number(f"{one.ref}.kwh") > 0]
    return [_finding(sheet, appliance) for appliance in used[:MAX_AUDITED]]


def potential(sheet: FactSheet) -> list[str]:
    """What upgrades may save, apart from habits: an upgrade shrinks what habits work on."""
    if not any(one.kind == "upgrade" for one in sheet.recommendations):
        return []
    if not sheet.known("save.upgrade_high"):
        return [sheet.say("No upgrade here comes with a figure that could be verified, so no potential is stated.")]
    return [
        sheet.say(
            "Upgrades together may save up to {{save.upgrade_high}} over the days read, {{save.upgrade_share_high}} of"
            " the total, if every condition holds."
        ),
        *_worth(sheet),
        sheet.say("This does not add to the saving by habits: an upgrade leaves less for them to save."),
    ]


def _worth(sheet: FactSheet) -> list[str]:
    if not sheet.known("save.upgrade_cost_high"):
        return []
    return [sheet.say("In money that may save up to {{save.upgrade_cost_high}}.")]


def _finding(sheet: FactSheet, appliance: Appliance) -> Finding:
    ref = appliance.ref
    sentences = [sheet.say("{{A.kwh}}, {{A.share}} of the total.", A=ref)]
    if sheet.known(f"{ref}.cost"):
        sentences.append(sheet.say("Its energy costs {{A.cost}}.", A=ref))
    if sheet.known(f"{ref}.day_kwh"):
        sentences.append(sheet.say("{{A.day_kwh}} on an average day it was read.", A=ref))
    if sheet.known(f"{ref}.peak_hour"):
        sentences.append(sheet.say("Most at {{A.peak_hour}}.", A=ref))
    if sheet.known(f"{ref}.year_kwh"):
        sentences.append(
            sheet.say("At this rate {{A.year_kwh}} and {{A.year_cost}} a year.", A=ref)
            if sheet.known(f"{ref}.year_cost")
            else sheet.say("At this rate {{A.year_kwh}} a year.", A=ref)
        )
    sentences.append(_unusual(sheet, ref))
    upgrades = [
        Action(recommendation=one.id, text=action_text(sheet, one))
        for one in sheet.recommendations
        if one.appliance == ref and one.kind == "upgrade"
    ]
    if appliance.kind == "remainder":
        sentences.append(
            sheet.say("This is what no appliance of its own was read for: measuring its parts would show what it is.")
        )
    elif not upgrades:
        sentences.append(sheet.say("No upgrade rule applies to it."))
    return Finding(appliance=ref, text=" ".join(sentences), upgrades=tuple(upgrades))


def _unusual(sheet: FactSheet, ref: str) -> str:
    if sheet.number(f"{ref}.events"):
        return _found(sheet, ref)
    if sheet.known(f"{ref}.skipped"):
        return sheet.say("Unusual hours: not judged, {{A.skipped}}.", A=ref)
    if sheet.number(f"{ref}.muted_events"):
        return sheet.say("Unusual events: none besides those that the site's configuration mutes or calls normal.")
    return sheet.say("Unusual events: none.")


def _found(sheet: FactSheet, ref: str) -> str:
    if sheet.known(f"{ref}.skipped"):
        return sheet.say("Unusual events: {{A.events}}; its hours were not judged, {{A.skipped}}.", A=ref)
    if not sheet.number(f"{ref}.anomalies"):
        return sheet.say("Unusual events: {{A.events}}; see whether it ran as intended.", A=ref)
    if sheet.known(f"{ref}.limited"):
        return sheet.say(
            "Unusual events: {{A.events}}; hours more than {{AN.deviations}} standard deviations above its mean:"
            " {{A.anomalies}}; see whether it ran as intended.",
            A=ref,
        )
    return sheet.say(
        "Unusual events: {{A.events}}; hours far from what is usual for it then: {{A.anomalies}}; see whether it ran as"
        " intended.",
        A=ref,
    )
