"""What a report says of unusual hours and events: facts, and sentences that cite them.

In a sentence about an event E stands for its reference, AN1 for the one that matters most.
"""

import datetime as dt

from energy.documents import AnomalyEvent, AnomalySummary
from energy.report.appliances import display_name
from energy.report.facts import Collector, FactSheet
from energy.report.language import Unit, message

# mean_2std, the specification's rule, has as many; energy.anomaly_hours, which loads polars, has the rule itself.
DEVIATIONS = 2
EVENTS_SHOWN = 10
EVENTS_TOLD = 3
_SOURCE = "anomaly summary"

KIND_NAMES = {
    "high_use": message("unusually much"),
    "drop": message("unusually little"),
    "long_run": message("ran long"),
    "stopped": message("stopped"),
    "flatline": message("the same value throughout"),
    "stuck_meter": message("the meter hung"),
    "outage": message("everything at zero"),
    "rising_use": message("creeping up"),
}
SEVERITY_NAMES = {"low": message("low"), "medium": message("medium"), "high": message("high")}

NOT_JUDGED = {
    "few_hours": message("it has fewer hours of readings than a mean and its deviations need"),
    "few_runs": message("it ran in too few hours to know what it usually takes"),
    "coarse": message("it is read less often than hourly"),
    "constant": message("every hour used the same energy"),
    "short_history": message("its history is too short to know each hour of the day"),
}
NOT_AT_ALL, BY_MEAN = message("not at all"), message("by its mean and deviations alone")

_EVENT = {
    "outage": message(
        "No appliance used anything from {{E.start}} to {{E.until}}: a power cut, or a logger that stopped."
    ),
    "stuck_meter": message(
        "{{E.name}} read nothing from {{E.start}} on, then {{E.peak_kwh}} in the hour from {{E.peak}}, as from a meter"
        " that hung and caught up."
    ),
    "stopped": message(
        "{{E.name}} used nothing from {{E.start}} to {{E.until}}, and it never stands still; usual for that time is"
        " {{E.usual_kwh}}."
    ),
    "flatline": message("{{E.name}} read the same value from {{E.start}} to {{E.until}}, as from a meter that hangs."),
    "long_run": message(
        "{{E.name}} ran from {{E.start}} to {{E.until}} and used {{E.kwh}}; a run of it usually takes {{E.usual_run}}."
    ),
    "rising_use": message(
        "{{E.name}} crept up from {{E.start}} to {{E.until}}: from {{E.day_before_kwh}} a day to {{E.day_after_kwh}}."
    ),
}
_ONE_HOUR = {
    "high_use": message(
        "{{E.name}} used {{E.kwh}} in the hour from {{E.start}}; usual for that hour is {{E.usual_kwh}}, the limit"
        " {{E.limit_kwh}}."
    ),
    "drop": message(
        "{{E.name}} used only {{E.kwh}} in the hour from {{E.start}}; usual for that hour is {{E.usual_kwh}}, the limit"
        " {{E.limit_kwh}}."
    ),
}
_HOURS = {
    "high_use": message(
        "{{E.name}} used {{E.kwh}} from {{E.start}} to {{E.until}}; usual for these hours is {{E.usual_kwh}}."
    ),
    "drop": message(
        "{{E.name}} used only {{E.kwh}} from {{E.start}} to {{E.until}}; usual for these hours is {{E.usual_kwh}}."
    ),
}
# Where the specification's rule alone judges, what is usual is no more than the mean of all hours.
_ONE_HOUR_BY_MEAN = message(
    "{{E.name}} used {{E.kwh}} in the hour from {{E.start}}; its mean hour is {{E.usual_kwh}}, the limit"
    " {{E.limit_kwh}}."
)
_HOURS_BY_MEAN = message(
    "{{E.name}} used {{E.kwh}} from {{E.start}} to {{E.until}}; at its mean it would have been {{E.usual_kwh}}."
)


def add_anomalies(facts: Collector, anomalies: AnomalySummary, appliances: int) -> None:
    """How many hours and events of so many appliances were unusual, by what, and the events that matter most."""
    judged = anomalies.hours_judged
    facts.add("site.anomalies", anomalies.count, "count", _SOURCE)
    facts.add("AN.hours_judged", judged, "count", _SOURCE)
    facts.share("AN.share", anomalies.count / judged if judged else None, _SOURCE)
    facts.add("AN.events", anomalies.events, "count", _SOURCE)
    by_mean = sum(count for rule, count in anomalies.by_rule.items() if "mean_2std" in rule)
    facts.add("AN.by_mean", by_mean, "count", _SOURCE)
    facts.add("AN.deviations", DEVIATIONS, "count", "setting")
    facts.add("AN.limited", len(anomalies.limited), "count", _SOURCE)
    facts.add("AN.skipped", len(anomalies.skipped), "count", _SOURCE)
    facts.add("AN.judged_by_hour", appliances - len(anomalies.limited) - len(anomalies.skipped), "count", _SOURCE)
    facts.add("AN.muted_events", sum(one.events for one in anomalies.muted), "count", _SOURCE)
    facts.add("AN.muted_hours", sum(one.hours for one in anomalies.muted), "count", _SOURCE)
    shown = anomalies.top[:EVENTS_SHOWN]
    facts.add("AN.shown", len(shown), "count", _SOURCE)
    for number, one in enumerate(shown, 1):
        _add_event(facts, f"AN{number}", one)


def _add_event(facts: Collector, ref: str, one: AnomalyEvent) -> None:
    facts.add(f"{ref}.name", one.appliance and display_name(one.appliance), "text", _SOURCE)
    facts.add(f"{ref}.kind", KIND_NAMES[one.kind], "word", _SOURCE)
    facts.add(f"{ref}.severity", SEVERITY_NAMES[one.severity], "word", _SOURCE)
    facts.add(f"{ref}.judged", BY_MEAN if one.methods == ["mean_2std"] else None, "word", _SOURCE)
    start, end = moments(one)
    unit: Unit = "date" if one.kind == "rising_use" else "datetime"
    facts.add(f"{ref}.start", start, unit, _SOURCE)
    facts.add(f"{ref}.end", end, unit, _SOURCE)
    # Beside the start, whose day it says again only if it is another one.
    same_day = unit == "datetime" and one.start.date() == one.end.date()
    facts.add(f"{ref}.until", f"{one.end:%H:%M}" if same_day else end, "text" if same_day else unit, _SOURCE)
    facts.add(f"{ref}.hours", one.hours, "count", _SOURCE)
    facts.kwh(f"{ref}.kwh", one.kwh, _SOURCE)
    facts.kwh(f"{ref}.usual_kwh", one.expected_kwh, _SOURCE)
    facts.kwh(f"{ref}.excess_kwh", one.excess_kwh, _SOURCE)
    peak = one.peak
    facts.add(f"{ref}.peak", peak.timestamp.isoformat() if peak else None, "datetime", _SOURCE)
    facts.kwh(f"{ref}.peak_kwh", peak.kwh if peak else None, _SOURCE)
    facts.kwh(f"{ref}.limit_kwh", peak.limit_kwh if peak else None, _SOURCE)
    facts.add(f"{ref}.usual_run", one.usual_hours, "duration", _SOURCE)
    facts.kwh(f"{ref}.day_before_kwh", one.day_kwh_before, _SOURCE)
    facts.kwh(f"{ref}.day_after_kwh", one.day_kwh_after, _SOURCE)


def moments(one: AnomalyEvent) -> tuple[str, str]:
    """From when to when, ISO 8601; of a slow fault its first and its last day."""
    if one.kind == "rising_use":
        return one.start.date().isoformat(), (one.end - dt.timedelta(days=1)).date().isoformat()
    return one.start.isoformat(), one.end.isoformat()


def add_appliance(facts: Collector, ref: str, appliance: str, anomalies: AnomalySummary) -> None:
    """How many unusual hours and events one appliance has, and why it was not judged, or by less."""
    facts.add(f"{ref}.events", anomalies.events_by_appliance.get(appliance, 0), "count", _SOURCE)
    facts.add(f"{ref}.muted_events", anomalies.muted_by_appliance.get(appliance, 0), "count", _SOURCE)
    facts.add(f"{ref}.anomalies", anomalies.by_appliance.get(appliance, 0), "count", _SOURCE)
    skipped, limited = anomalies.skipped.get(appliance), anomalies.limited.get(appliance)
    facts.add(f"{ref}.skipped", NOT_JUDGED[skipped.reason] if skipped else None, "word", _SOURCE)
    facts.add(f"{ref}.limited", NOT_JUDGED[limited.reason] if limited else None, "word", _SOURCE)


def warnings(anomalies: AnomalySummary) -> list[str]:
    """What the configuration says of unusual hours and cannot mean; told.py has the pattern."""
    return [
        f"What the configuration says of anomalies names {display_name(name)}, of which nothing was ever read"
        for name in anomalies.unknown_appliances
    ]


def sentences(sheet: FactSheet) -> list[str]:
    """How much was unusual and what that means, the events that matter most, and what was left out."""
    left_out = sheet.number("AN.muted_events")
    if sheet.number("AN.events"):
        said = _found(sheet)
    elif left_out:
        said = [sheet.say("Nothing stood out besides what the site's configuration mutes or calls normal.")]
    elif sheet.number("AN.hours_judged"):
        said = [sheet.say("None of the {{AN.hours_judged}} appliance hours judged stood out.")]
    else:
        said = [sheet.say("No hour could be judged, so nothing can be said about unusual hours.")]
    if sheet.number("AN.by_mean") and sheet.number("AN.judged_by_hour"):
        said.append(
            sheet.say(
                "By the other rule, which does not know the hour of the day, unusual hours are those more than"
                " {{AN.deviations}} standard deviations above their appliance's mean: {{AN.by_mean}}."
            )
        )
    told = min(EVENTS_TOLD, int(sheet.number("AN.shown")))
    said += [event_sentence(sheet, f"AN{number}") for number in range(1, told + 1)]
    if left_out:
        said.append(
            sheet.say(
                "Events that the site's configuration mutes or calls normal, and that are left out:"
                " {{AN.muted_events}}."
            )
        )
    return said


def _found(sheet: FactSheet) -> list[str]:
    said = [sheet.say("Unusual events: {{AN.events}}.")]
    if sheet.number("site.anomalies") and sheet.known("AN.share"):
        said.append(
            sheet.say("Unusual hours: {{site.anomalies}} of {{AN.hours_judged}} appliance hours judged, {{AN.share}}.")
        )
    if sheet.number("AN.limited"):
        said.append(
            sheet.say(
                "Where the history is too short, or an appliance ran too seldom, to know what is usual, an hour is"
                " unusual that is more than {{AN.deviations}} standard deviations above its appliance's mean."
            )
        )
    return said


def event_sentence(sheet: FactSheet, ref: str) -> str:
    """The sentence about one event that is among those shown."""
    kind = next(kind for kind, name in KIND_NAMES.items() if name == sheet.facts[f"{ref}.kind"].value)
    one_hour = sheet.number(f"{ref}.hours") == 1 and sheet.known(f"{ref}.limit_kwh")
    pattern = _EVENT.get(kind) or (_ONE_HOUR if one_hour else _HOURS)[kind]
    if sheet.known(f"{ref}.judged"):
        pattern = _ONE_HOUR_BY_MEAN if one_hour else _HOURS_BY_MEAN
    return sheet.say(pattern, E=ref)
