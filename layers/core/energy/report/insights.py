"""The rule-based Energy Insights Assistant: how the home uses energy, when, what is unusual, and what to do."""

from energy.report import anomaly_facts
from energy.report.advice import BEHAVIOUR, MAX_ACTIONS
from energy.report.facts import FactSheet, Recommendation
from energy.report.narrative import Action

_BECAUSE = {
    "share": "it is {{%s}} of all energy read",
    "peak_share": "{{%s}} of it falls between {{site.peak_band}}",
    "base_share": "at most {{%s}} of it is always on",
    "year_kwh": "at this rate it uses {{%s}} a year",
    "peak_power_kw": "its mean over an interval reaches {{%s}}, so it seems to heat water itself",
    "anomalies": "unusual hours: {{%s}}",
    "same_class": "appliances of this kind: {{%s}}, and this is the smallest",
    "top_share": "a single appliance takes {{%s}} of all energy read",
}
_ALWAYS_ON_UNKNOWN = {
    "unused": "No energy was used in this time, so nothing is always on.",
    "thin": "What is always on cannot be told yet: that takes a week of complete days with hourly readings.",
    "kinds": "What is always on cannot be told: every appliance here heats, cools or runs at night by choice.",
}
_BECAUSE_SITE = {
    "peak_share": "{{%s}} of a day's energy falls between {{site.peak_band}}",
    "base_share": "up to {{%s}} of a day's energy is always on",
}


def summary(sheet: FactSheet) -> list[str]:
    """What a reader should know who reads nothing else."""
    days, appliances = plural(sheet, "site.days", "day"), plural(sheet, "site.appliances", "appliance")
    said = [f"Over {days}, {appliances} used {{{{site.total_kwh}}}}."]
    if sheet.known("A1.share"):
        said.append("The largest part went to {{A1.name}}: {{A1.kwh}}, {{A1.share}} of the total.")
    else:
        said.append("No energy was used in this time, so there are no shares.")
    if sheet.known("site.peak_hour"):
        said.append("The busiest hour of the day is {{site.peak_hour}}.")
    if sheet.known("F.total_kwh"):
        days = plural(sheet, "F.days", "day")
        said.append(f"Forecast for the next {days}: {{{{F.total_kwh}}}}.")
    return said


def quality(sheet: FactSheet) -> list[str]:
    """How far the readings carry what the report says: what is missing, what was estimated, what looks stuck."""
    said = ["Of the time from the first day to the last, {{Q.coverage}} has readings, as a mean of all appliances."]
    if sheet.known("Q.longest_gap_hours"):
        said.append(
            "Gaps: {{Q.gaps}}. The longest begins on {{Q.longest_gap_start}} and lasts {{Q.longest_gap}}"
            " ({{Q.longest_gap_of}})."
        )
    elif sheet.known("Q.gaps"):
        said.append("There are no gaps between them.")
    if sheet.number("Q.estimated_share"):
        part = ", {{Q.estimated_kwh_share}} of the energy" if sheet.known("Q.estimated_kwh_share") else ""
        said.append(
            f"Estimated, not measured: {{{{Q.estimated_share}}}} of the readings{part}. They count like any other, also"
            " where unusual hours and the days ahead are computed."
        )
    else:
        said.append("No reading is marked as estimated.")
    if sheet.number("Q.flatlines"):
        said.append(
            "Stretches of one and the same value for a day or longer, as from a meter that hangs: {{Q.flatlines}},"
            " {{Q.flatline_hours}} in all."
        )
    if sheet.number("Q.rejected"):
        said.append("Rows set apart because they could not be used, over all uploads: {{Q.rejected}}.")
    return said


def behaviour(sheet: FactSheet) -> list[str]:
    """Always-on, workdays against weekends, and the last week against the one before."""
    said = []
    if sheet.known("site.base_kw", "site.base_share"):
        said.append(
            "In the quietest hour of {{site.night_band}} the home draws {{site.base_kw}} on average, without heating,"
            " cooling and appliances that run at night by choice. At most this much is always on: {{site.base_share}}"
            " of a day's energy."
        )
    else:
        said.append(_ALWAYS_ON_UNKNOWN[str(sheet.facts["site.base_unknown"].value or "thin")])
    if sheet.known("week.change_direction"):
        comparison = "{{week.change}} {{week.change_direction}} than" if _differs(sheet, "week") else "about as much as"
        said.append(
            f"A weekend day takes {{{{week.weekend_kwh}}}}, {comparison} a workday with {{{{week.workday_kwh}}}}."
        )
    if sheet.known("trend.change_direction"):
        comparison = (
            "{{trend.change}} {{trend.change_direction}} than" if _differs(sheet, "trend") else "about as much as"
        )
        said.append(
            "The last {{trend.days}} complete days ({{trend.first}} to {{trend.last}}) took {{trend.recent_kwh}},"
            f" {comparison} the {{{{trend.days}}}} complete days before with {{{{trend.before_kwh}}}}."
        )
    return said


def peak(sheet: FactSheet) -> list[str]:
    """When most is used, and who uses it then."""
    if not sheet.known("site.peak_hour"):
        if sheet.facts["site.tells_hours"].value == "no":
            return ["The busiest hours cannot be told from these readings."]
        if not sheet.number("site.total_kwh"):
            return ["No energy was used in this time, so no hour is busier than another."]
        return ["No hour of the day stands out: every hour takes about the same."]
    said = ["The home uses most at {{site.peak_hour}}."]
    if sheet.known("site.peak_share"):
        said.append("The evening band {{site.peak_band}} takes {{site.peak_share}} of a day.")
    evening = [
        appliance.ref
        for appliance in sheet.appliances
        if sheet.known(f"{appliance.ref}.peak_share", f"{appliance.ref}.day_kwh")
    ]
    if evening:
        ref = max(evening, key=lambda one: sheet.number(f"{one}.peak_share") * sheet.number(f"{one}.day_kwh"))
        said.append(
            f"In that band {{{{{ref}.name}}}} uses most; {{{{{ref}.peak_share}}}} of its own energy falls into it."
        )
    shifts = [one for one in sheet.recommendations if one.kind == "shift"]
    said += [
        f"{{{{{one.appliance}.name}}}} could run at other hours ({{{{{one.appliance}.peak_share}}}} of its energy falls"
        " into the band). That saves no energy, and money only on a time-of-use tariff."
        for one in shifts
    ]
    return said


def unusual(sheet: FactSheet) -> list[str]:
    """How many hours were unusual, and the events that matter most."""
    return anomaly_facts.sentences(sheet)


def forecast(sheet: FactSheet) -> list[str]:
    """The days ahead in words; why there are none, otherwise."""
    if not sheet.known("F.total_kwh", "F.highest_day"):
        return ["There is no forecast for this publication."]
    said = ["From {{F.first}} to {{F.last}} the home is expected to use {{F.total_kwh}}."]
    if sheet.known("F.change_direction"):
        comparison = "{{F.change}} {{F.change_direction}} than" if _differs(sheet, "F") else "about as much as"
        said.append(f"That is {comparison} the last {{{{trend.days}}}} complete days.")
    if sheet.facts["F.alike"].value == "yes":
        said.append("Every day takes about the same: {{F.highest_kwh}}.")
        if sheet.facts["F.widest_lower"].text != sheet.facts["F.widest_upper"].text:
            said.append("The models' own {{F.level}} band lies within {{F.widest_lower}} to {{F.widest_upper}}.")
    else:
        band = range_text(sheet, "F.highest_lower", "F.highest_upper")
        said.append(
            "The highest day is {{F.highest_day}} with {{F.highest_kwh}}; the models' own {{F.level}} band for it is"
            f" {band}."
        )
    days = plural(sheet, "F.training_days", "day")
    way = "the median of {{F.models}} models" if sheet.number("F.models") > 1 else "a single model"
    said.append(f"Learnt from {days} up to {{{{F.last_training_day}}}} by {way}.")
    return said


def actions(sheet: FactSheet) -> list[Action]:
    """The most useful habits and checks: those with a figure first."""
    useful = [one for one in sheet.recommendations if one.kind in {"behaviour", "maintenance", "check"}]
    useful.sort(key=lambda one: (not one.quantified, one.kind == "check"))
    return [Action(recommendation=one.id, text=action_text(sheet, one)) for one in useful[:MAX_ACTIONS]]


def saving(sheet: FactSheet) -> list[str]:
    """What all habits may save together."""
    if not actions(sheet):
        return []
    if not sheet.known("save.behaviour_high"):
        return ["No action here comes with a figure that could be verified, so no saving is stated."]
    habits = [one for one in sheet.recommendations if one.quantified and one.kind in BEHAVIOUR]
    conditional = any(one.conditional for one in habits)
    if sheet.facts["save.cap_reached"].value == "yes":
        return [
            "Of what the habits that apply here may save together, at most {{save.behaviour_high}} is counted over the"
            " days read ({{save.cap_share}} of the total): that habits alone save no more is an assumption."
        ]
    if sheet.number("save.behaviour_low") > 0:
        energy = range_text(sheet, "save.behaviour_low", "save.behaviour_high")
        share = range_text(sheet, "save.behaviour_share_low", "save.behaviour_share_high")
        condition = "; the higher figures need every condition to hold" if conditional else ""
        said = [
            f"Habits that apply here may together save {energy} over the days read, {share} of the total{condition}."
        ]
    else:
        said = [
            "Habits that apply here may together save up to {{save.behaviour_high}} over the days read,"
            " {{save.behaviour_share_high}} of the total, if every condition holds."
        ]
    said.append("No more than {{save.cap_share}} of the total is ever counted as a saving by habits: an assumption.")
    return said


def action_text(sheet: FactSheet, one: Recommendation) -> str:
    """Whom it is about, what it may save, under which condition, and why it applies."""
    sentences = []
    about = f"For {{{{{one.appliance}.name}}}}" if one.appliance else ""
    if one.quantified:
        energy = range_text(sheet, f"{one.id}.save_low", f"{one.id}.save_high")
        share = range_text(sheet, f"{one.id}.site_share_low", f"{one.id}.site_share_high")
        sentences.append(f"{about}: may save {energy} over the days read, {share} of the total.")
    elif about:
        sentences.append(f"{about}; how much it saves is not stated.")
    if one.conditional:
        sentences.append(f"Applies {{{{{one.id}.condition}}}}.")
    phrases = _BECAUSE if one.appliance else _BECAUSE | _BECAUSE_SITE
    reasons = [phrases[metric] % fact for fact in one.because if (metric := fact.partition(".")[2]) in phrases]
    if reasons:
        sentences.append(f"Why: {'; '.join(reasons)}.")
    return " ".join(sentences)


def plural(sheet: FactSheet, fact: str, word: str) -> str:
    """A count with its word."""
    return f"{{{{{fact}}}}} {word}" if sheet.number(fact) == 1 else f"{{{{{fact}}}}} {word}s"


def range_text(sheet: FactSheet, low: str, high: str) -> str:
    """From the one fact to the other; one of them where they read the same."""
    alike = sheet.facts[low].text == sheet.facts[high].text
    return f"{{{{{high}}}}}" if alike else f"{{{{{low}}}}} to {{{{{high}}}}}"


def _differs(sheet: FactSheet, change: str) -> bool:
    return sheet.facts[f"{change}.change_direction"].value in {"more", "less"}
