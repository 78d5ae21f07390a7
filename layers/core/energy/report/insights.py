"""The rule-based Energy Insights Assistant: how the home uses energy, when, what is unusual, and what to do.

Sentences are English messages that the sheet says in its language; language.py tells how to write one.
"""

from energy.report import anomaly_facts
from energy.report.advice import BEHAVIOUR, MAX_ACTIONS
from energy.report.facts import FactSheet, Recommendation
from energy.report.language import message
from energy.report.narrative import Action

_BECAUSE = {
    "share": message("it is {{fact}} of all energy read"),
    "peak_share": message("{{fact}} of it falls between {{site.peak_band}}"),
    "base_share": message("at most {{fact}} of it is always on"),
    "year_kwh": message("at this rate it uses {{fact}} a year"),
    "peak_power_kw": message("its mean over an interval reaches {{fact}}, so it seems to heat water itself"),
    "dearer_share": message("{{fact}} of it was used outside the cheap hours of its days"),
    "anomalies": message("unusual hours: {{fact}}"),
    "same_class": message("appliances of this kind: {{fact}}, and this is the smallest"),
    "top_share": message("a single appliance takes {{fact}} of all energy read"),
}
_ALWAYS_ON_UNKNOWN = {
    "unused": message("No energy was used in this time, so nothing is always on."),
    "thin": message("What is always on cannot be told yet: that takes a week of complete days with hourly readings."),
    "kinds": message("What is always on cannot be told: every appliance here heats, cools or runs at night by choice."),
}
_BECAUSE_SITE = {
    "peak_share": message("{{fact}} of a day's energy falls between {{site.peak_band}}"),
    "base_share": message("up to {{fact}} of a day's energy is always on"),
}


def summary(sheet: FactSheet) -> list[str]:
    """What a reader should know who reads nothing else."""
    said = [
        sheet.plural(
            "The home used {{site.total_kwh}} in {{site.days}} day.",
            "The home used {{site.total_kwh}} in {{site.days}} days.",
            "site.days",
        )
    ]
    if sheet.known("A1.share"):
        # Without a rank another appliance used as much.
        said.append(
            sheet.say("The largest part went to {{A1.name}}: {{A1.kwh}}, {{A1.share}} of the total.")
            if sheet.known("A1.rank")
            else sheet.say("{{A1.name}} used {{A1.kwh}}, {{A1.share}} of the total.")
        )
    else:
        said.append(sheet.say("No energy was used in this time, so there are no shares."))
    if sheet.known("site.peak_hour"):
        said.append(sheet.say("The busiest hour of the day is {{site.peak_hour}}."))
    if sheet.known("F.total_kwh"):
        said.append(
            sheet.plural(
                "Forecast for the next {{F.days}} day: {{F.total_kwh}}.",
                "Forecast for the next {{F.days}} days: {{F.total_kwh}}.",
                "F.days",
            )
        )
    return said


def quality(sheet: FactSheet) -> list[str]:
    """How far the readings carry what the report says: what is missing, what was estimated, what looks stuck."""
    said = [
        sheet.say(
            "Of the time from the first day to the last, {{Q.coverage}} has readings, as a mean of all appliances."
        )
    ]
    said += _gaps(sheet)
    if not sheet.number("Q.estimated_share"):
        said.append(sheet.say("No reading is marked as estimated."))
    elif sheet.known("Q.estimated_kwh_share"):
        said.append(
            sheet.say(
                "Estimated, not measured: {{Q.estimated_share}} of the readings, {{Q.estimated_kwh_share}} of the"
                " energy. They count like any other, also where unusual hours and the days ahead are computed."
            )
        )
    else:
        said.append(
            sheet.say(
                "Estimated, not measured: {{Q.estimated_share}} of the readings. They count like any other, also where"
                " unusual hours and the days ahead are computed."
            )
        )
    if sheet.number("Q.flatlines"):
        said.append(
            sheet.say(
                "Stretches of the same value for a day or longer, as from a meter that hangs: {{Q.flatlines}},"
                " {{Q.flatline_hours}} in all."
            )
        )
    if sheet.number("Q.rejected"):
        said.append(
            sheet.say("Rows set apart because they could not be used, over all uploads: {{Q.rejected}}."),
        )
    return said


def _gaps(sheet: FactSheet) -> list[str]:
    if not sheet.known("Q.longest_gap_hours"):
        return [sheet.say("There are no gaps between them.")] if sheet.known("Q.gaps") else []
    if not sheet.known("Q.longest_gap_of"):
        return [
            sheet.say(
                "Gaps: {{Q.gaps}}. The longest begins on {{Q.longest_gap_start}} and lasts {{Q.longest_gap_hours}}."
            )
        ]
    if not sheet.number("Q.longest_gap_more"):
        return [
            sheet.say(
                "Gaps: {{Q.gaps}}. The longest begins on {{Q.longest_gap_start}} and lasts {{Q.longest_gap_hours}}"
                " ({{Q.longest_gap_of}})."
            )
        ]
    return [
        sheet.say(
            "Gaps: {{Q.gaps}}. The longest begins on {{Q.longest_gap_start}} and lasts {{Q.longest_gap_hours}}"
            " ({{Q.longest_gap_of}} and {{Q.longest_gap_more}} more)."
        )
    ]


def behaviour(sheet: FactSheet) -> list[str]:
    """Always-on, workdays against weekends, and the last week against the one before."""
    said = [always_on(sheet)]
    if sheet.known("week.change_direction"):
        said.append(
            sheet.say(
                "A weekend day takes {{week.weekend_kwh}}, {{week.change}} {{week.change_direction}} than a workday"
                " with {{week.workday_kwh}}."
            )
            if _differs(sheet, "week")
            else sheet.say(
                "A weekend day takes {{week.weekend_kwh}}, about as much as a workday with {{week.workday_kwh}}."
            )
        )
    if sheet.known("trend.change_direction"):
        said.append(trend(sheet))
    if sheet.known("month.change_direction"):
        said.append(
            sheet.say(
                "A day of the last whole month ({{month.first}} to {{month.last}}) took {{month.recent_day_kwh}} on"
                " average, {{month.change}} {{month.change_direction}} than a day of the month before with"
                " {{month.before_day_kwh}}."
            )
            if _differs(sheet, "month")
            else sheet.say(
                "A day of the last whole month ({{month.first}} to {{month.last}}) took {{month.recent_day_kwh}} on"
                " average, about as much as a day of the month before with {{month.before_day_kwh}}."
            )
        )
    return said


def always_on(sheet: FactSheet) -> str:
    """What is always on at most, or why that cannot be told."""
    if not sheet.known("site.base_kw", "site.base_share"):
        return sheet.say(_ALWAYS_ON_UNKNOWN[str(sheet.facts["site.base_unknown"].value or "thin")])
    return sheet.say(
        "In the quietest hour of {{site.night_band}} the home draws {{site.base_kw}} on average, without heating,"
        " cooling and appliances that run at night by choice. At most this much is always on: {{site.base_share}} of a"
        " day's energy."
    )


def trend(sheet: FactSheet) -> str:
    """The last days against those before."""
    if _differs(sheet, "trend"):
        return sheet.say(
            "The last {{trend.days}} complete days ({{trend.first}} to {{trend.last}}) took {{trend.recent_kwh}},"
            " {{trend.change}} {{trend.change_direction}} than the {{trend.days}} complete days before with"
            " {{trend.before_kwh}}."
        )
    return sheet.say(
        "The last {{trend.days}} complete days ({{trend.first}} to {{trend.last}}) took {{trend.recent_kwh}}, about as"
        " much as the {{trend.days}} complete days before with {{trend.before_kwh}}."
    )


def peak(sheet: FactSheet) -> list[str]:
    """When most is used, and who uses it then."""
    if not sheet.known("site.peak_hour"):
        if sheet.facts["site.tells_hours"].value == "no":
            return [sheet.say("These readings do not tell the hours of a day apart.")]
        if not sheet.number("site.total_kwh"):
            return [sheet.say("No energy was used in this time, so no hour is busier than another.")]
        return [sheet.say("No hour of the day stands out: every hour takes about the same.")]
    said = [sheet.say("The home uses most at {{site.peak_hour}}.")]
    if sheet.known("site.peak_share"):
        said.append(sheet.say("The evening band {{site.peak_band}} takes {{site.peak_share}} of a day."))
    first = [one.ref for one in sheet.appliances if sheet.facts[f"{one.ref}.peak_rank"].value == 1]
    for ref in first:
        said.append(
            sheet.say("In that band {{A.name}} uses most; {{A.peak_share}} of its own energy falls into it.", A=ref)
        )
    said += [
        sheet.say(
            "{{A.name}} could run at other hours ({{A.peak_share}} of its energy falls into the band). That saves no"
            " energy, and money only on a time-of-use tariff.",
            A=one.appliance,
        )
        for one in sheet.recommendations
        if one.kind == "shift" and one.appliance and not one.quantified
    ]
    return said


def unusual(sheet: FactSheet) -> list[str]:
    """How many hours were unusual, and the events that matter most."""
    return anomaly_facts.sentences(sheet)


def forecast(sheet: FactSheet) -> list[str]:
    """The days ahead in words; why there are none, otherwise."""
    if not sheet.known("F.total_kwh", "F.highest_day"):
        return [sheet.say("There is no forecast for this publication.")]
    said = [
        sheet.say("From {{F.first}} to {{F.last}} the home is expected to use {{F.total_kwh}}, without {{F.apart}}.")
        if sheet.known("F.apart")
        else sheet.say("From {{F.first}} to {{F.last}} the home is expected to use {{F.total_kwh}}.")
    ]
    if sheet.known("F.change_direction"):
        said.append(
            sheet.say("That is {{F.change}} {{F.change_direction}} than the last {{trend.days}} complete days.")
            if _differs(sheet, "F")
            else sheet.say("That is {{F.change_direction}} as the last {{trend.days}} complete days took.")
        )
    sure = sheet.facts["F.has_spread"].value == "yes"
    if sheet.facts["F.alike"].value == "yes":
        said.append(sheet.say("Every day takes about the same: {{F.highest_kwh}}."))
        if sure and sheet.text("F.widest_lower") != sheet.text("F.widest_upper"):
            said.append(
                sheet.say("With a chance of {{F.level}} a day lies within {{F.widest_lower}} to {{F.widest_upper}}.")
            )
    elif not sure:
        said.append(sheet.say("The highest day is {{F.highest_day}} with {{F.highest_kwh}}."))
    else:
        said.append(
            sheet.say(
                "The highest day is {{F.highest_day}} with {{F.highest_kwh}}; with a chance of {{F.level}} it takes"
                " {{band}}.",
                band=range_text(sheet, "F.highest_lower", "F.highest_upper"),
            )
        )
    if not sure:
        said.append(sheet.say("How sure this is cannot be told yet."))
    return [*said, *_learnt(sheet), *_before(sheet), *_year(sheet)]


def _learnt(sheet: FactSheet) -> list[str]:
    if sheet.number("F.models") > 1:
        return [
            sheet.plural(
                "Learnt from {{F.training_days}} day up to {{F.last_training_day}} by the median of {{F.models}}"
                " models.",
                "Learnt from {{F.training_days}} days up to {{F.last_training_day}} by the median of {{F.models}}"
                " models.",
                "F.training_days",
            )
        ]
    return [
        sheet.plural(
            "Learnt from {{F.training_days}} day up to {{F.last_training_day}} by a single model.",
            "Learnt from {{F.training_days}} days up to {{F.last_training_day}} by a single model.",
            "F.training_days",
        )
    ]


def _before(sheet: FactSheet) -> list[str]:
    """How forecasts made in the same way would have fared in the weeks before."""
    if not sheet.known("F.before_off"):
        return [sheet.say("There are too few days yet to tell how right such forecasts were.")]
    said = [
        sheet.say(
            "Made in the same way, forecasts of the {{F.before_days}} days before were right within {{F.before_within}}"
            " of a mean day on {{F.level}} of the days."
        )
    ]
    if sheet.known("F.before_naive_off"):
        said.append(
            sheet.say(
                "On average they were off by {{F.before_off}}; to repeat the week before would have been off by"
                " {{F.before_naive_off}}."
            )
        )
    if sheet.known("F.before_held", "F.before_outer_held"):
        said.append(
            sheet.say(
                "Of these days {{F.before_held}} lay within the {{F.level}} band, and {{F.before_outer_held}} within"
                " the {{F.outer_level}} band."
            )
        )
    return said


def _year(sheet: FactSheet) -> list[str]:
    """What the readings of a year and more show beside the days ahead: the seasons, or else the week."""
    if sheet.known("F.pattern_month") and _is_shown(sheet, "F.pattern_month_above"):
        return [
            sheet.say(
                "{{F.pattern_month}} lies {{F.pattern_month_above}} a day above the level of all months, and"
                " {{F.pattern_low_month}} {{F.pattern_low_month_below}} below."
            )
        ]
    if sheet.known("F.pattern_weekday") and _is_shown(sheet, "F.pattern_weekday_above"):
        return [
            sheet.say(
                "Over {{F.pattern_days}} days, {{F.pattern_weekday}} lies {{F.pattern_weekday_above}} above the days"
                " around it, and {{F.pattern_low_weekday}} {{F.pattern_low_weekday_below}} below."
            )
        ]
    return []


def _is_shown(sheet: FactSheet, fact: str) -> bool:
    """Whether an energy is more than nothing, as it is written."""
    return round(sheet.number(fact), sheet.facts[fact].dp) > 0


def actions(sheet: FactSheet) -> list[Action]:
    """The most useful habits and checks: those with a figure first."""
    useful = [
        one
        for one in sheet.recommendations
        if one.kind in {"behaviour", "maintenance", "check"} or (one.kind == "shift" and one.quantified)
    ]
    useful.sort(key=lambda one: (not one.quantified, one.kind == "check"))
    return [Action(recommendation=one.id, text=action_text(sheet, one)) for one in useful[:MAX_ACTIONS]]


def saving(sheet: FactSheet) -> list[str]:
    """What all habits may save together."""
    if not actions(sheet):
        return []
    if not sheet.known("save.behaviour_high"):
        return [sheet.say("No action here comes with a figure that could be verified, so no saving is stated.")]
    if sheet.facts["save.cap_reached"].value == "yes":
        return [
            sheet.say(
                "Of what the habits that apply here may save together, at most {{save.behaviour_high}} is counted over"
                " the days read ({{save.cap_share}} of the total): that habits alone save no more is an assumption."
            )
        ]
    return [
        _together(sheet),
        *worth(sheet, "save.behaviour"),
        sheet.say("No more than {{save.cap_share}} of the total is ever counted as a saving by habits: an assumption."),
    ]


def _together(sheet: FactSheet) -> str:
    if not sheet.number("save.behaviour_low") > 0:
        return sheet.say(
            "Habits that apply here may together save up to {{save.behaviour_high}} over the days read,"
            " {{save.behaviour_share_high}} of the total, if every condition holds."
        )
    energy = range_text(sheet, "save.behaviour_low", "save.behaviour_high")
    share = range_text(sheet, "save.behaviour_share_low", "save.behaviour_share_high")
    if any(one.conditional for one in sheet.recommendations if one.quantified and one.kind in BEHAVIOUR):
        return sheet.say(
            "Habits that apply here may together save {{energy}} over the days read, {{share}} of the total; the higher"
            " figures need every condition to hold.",
            energy=energy,
            share=share,
        )
    return sheet.say(
        "Habits that apply here may together save {{energy}} over the days read, {{share}} of the total.",
        energy=energy,
        share=share,
    )


def action_text(sheet: FactSheet, one: Recommendation) -> str:
    """Whom it is about, what it may save, under which condition, and why it applies."""
    sentences = []
    if one.kind == "shift" and one.quantified and one.appliance:
        sentences.append(
            sheet.say(
                "For {{A.name}}: may save {{cost}} over the days read.",
                A=one.appliance,
                cost=range_text(sheet, f"{one.id}.save_cost_low", f"{one.id}.save_cost_high"),
            )
        )
    elif one.quantified and one.appliance:
        sentences.append(
            sheet.say(
                "For {{A.name}}: may save {{energy}} over the days read, {{share}} of the total.",
                A=one.appliance,
                energy=range_text(sheet, f"{one.id}.save_low", f"{one.id}.save_high"),
                share=range_text(sheet, f"{one.id}.site_share_low", f"{one.id}.site_share_high"),
            )
        )
        sentences += worth(sheet, f"{one.id}.save")
    elif one.appliance:
        sentences.append(sheet.say("For {{A.name}}; how much it saves is not stated.", A=one.appliance))
    if one.conditional:
        sentences.append(sheet.say("Applies {{R.condition}}.", R=one.id))
    phrases = _BECAUSE if one.appliance else _BECAUSE | _BECAUSE_SITE
    reasons = [
        sheet.say(phrases[metric], fact=fact) for fact in one.because if (metric := fact.partition(".")[2]) in phrases
    ]
    if reasons:
        sentences.append(sheet.say("Why: {{reasons}}.", reasons="; ".join(reasons)))
    return " ".join(sentences)


def worth(sheet: FactSheet, saving: str) -> list[str]:
    """What a saving of energy is in money and CO2, where these are known."""
    known = {
        kind: range_text(sheet, f"{saving}_{kind}_low", f"{saving}_{kind}_high")
        for kind in ("cost", "co2")
        if sheet.known(f"{saving}_{kind}_low", f"{saving}_{kind}_high")
    }
    if len(known) > 1:
        return [sheet.say("In money that may save {{cost}}, and {{co2}} of carbon dioxide.", **known)]
    if "cost" in known:
        return [sheet.say("In money that may save {{cost}}.", **known)]
    return [sheet.say("That may save {{co2}} of carbon dioxide.", **known)] if known else []


def range_text(sheet: FactSheet, low: str, high: str) -> str:
    """From the one fact to the other; one of them where they read the same."""
    if sheet.text(low) == sheet.text(high):
        return f"{{{{{high}}}}}"
    return sheet.say("{{low}} to {{high}}", low=low, high=high)


def _differs(sheet: FactSheet, change: str) -> bool:
    return sheet.facts[f"{change}.change_direction"].value in {"more", "less"}
