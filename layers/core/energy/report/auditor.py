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
        return ["No upgrade here comes with a figure that could be verified, so no potential is stated."]
    return [
        "Upgrades together may save up to {{save.upgrade_high}} over the days read, {{save.upgrade_share_high}} of the"
        " total, if every condition holds.",
        "This does not add to the saving by habits: an upgrade leaves less for them to save.",
    ]


def _finding(sheet: FactSheet, appliance: Appliance) -> Finding:
    ref = appliance.ref
    sentences = [f"{{{{{ref}.kwh}}}}, {{{{{ref}.share}}}} of the total"]
    if sheet.known(f"{ref}.day_kwh"):
        sentences.append(f", {{{{{ref}.day_kwh}}}} on an average day it was read")
    if sheet.known(f"{ref}.peak_hour"):
        sentences.append(f", most at {{{{{ref}.peak_hour}}}}")
    text = "".join(sentences) + "."
    if sheet.known(f"{ref}.year_kwh"):
        text += f" At this rate {{{{{ref}.year_kwh}}}} a year."
    text += f" Unusual hours: {_unusual(sheet, ref)}."
    upgrades = [
        Action(recommendation=one.id, text=action_text(sheet, one))
        for one in sheet.recommendations
        if one.appliance == ref and one.kind == "upgrade"
    ]
    if appliance.kind == "remainder":
        text += " This is what no appliance of its own was read for: measuring its parts would show what it is."
    elif not upgrades:
        text += " No upgrade rule applies to it."
    return Finding(appliance=ref, text=text, upgrades=tuple(upgrades))


def _unusual(sheet: FactSheet, ref: str) -> str:
    if sheet.known(f"{ref}.skipped"):
        return f"not judged, {{{{{ref}.skipped}}}}"
    if not sheet.number(f"{ref}.anomalies"):
        return "none"
    said = f"{{{{{ref}.anomalies}}}}"
    if sheet.known(f"{ref}.limited"):
        said += ", more than {{AN.deviations}} standard deviations above its mean hour"
    else:
        said += ", far from what is usual for it then"
    return said + "; see whether it ran as intended"
