"""What a report says of unusual hours and events: facts, and sentences that cite them.

Every sentence is one literal, so that it can be translated. In those about an event `AN#` stands for its reference:
AN1 for the one that matters most.
"""

from energy.documents import AnomalyEvent, AnomalySummary
from energy.report.appliances import display_name
from energy.report.facts import Collector, FactSheet

# mean_2std, the specification's rule, has as many; energy.anomaly_hours, which loads polars, has the rule itself.
DEVIATIONS = 2
EVENTS_SHOWN = 10
EVENTS_TOLD = 3
_SOURCE = "anomaly summary"

KIND_NAMES = {
    "high_use": "unusually much",
    "drop": "unusually little",
    "long_run": "ran long",
    "stopped": "stopped",
    "flatline": "one value throughout",
    "stuck_meter": "meter hung",
    "outage": "everything at zero",
    "rising_use": "creeping up",
}

NOT_JUDGED = {
    "few_hours": "it has fewer hours of readings than a mean and its deviations need",
    "few_runs": "it ran in too few hours to know what it usually takes",
    "coarse": "it is read less often than hourly",
    "constant": "every hour used the same energy",
    "short_history": "its history is too short to know each hour of the day",
}

_EVENT = {
    "outage": (
        "Everything read zero from {{AN#.start}} to {{AN#.end}}: a power cut, or a logger that failed; usual for that"
        " time is {{AN#.usual_kwh}}."
    ),
    "stuck_meter": (
        "{{AN#.name}} read nothing from {{AN#.start}} on, then {{AN#.peak_kwh}} in the hour from {{AN#.peak}}, as from"
        " a meter that hung and caught up."
    ),
    "stopped": (
        "{{AN#.name}} used nothing from {{AN#.start}} to {{AN#.end}}, and it never stands still; usual for that time is"
        " {{AN#.usual_kwh}}."
    ),
    "flatline": (
        "{{AN#.name}} read one and the same value from {{AN#.start}} to {{AN#.end}}, as from a meter that hangs."
    ),
    "long_run": (
        "{{AN#.name}} ran for {{AN#.hours}} hours from {{AN#.start}} on and used {{AN#.kwh}}; a run of it usually takes"
        " {{AN#.usual_hours}} hours."
    ),
    "rising_use": (
        "{{AN#.name}} crept up: from {{AN#.day_before_kwh}} a day on {{AN#.start}} to {{AN#.day_after_kwh}} on"
        " {{AN#.end}}, {{AN#.rise}} more."
    ),
}
_ONE_HOUR = {
    "high_use": (
        "{{AN#.name}} used {{AN#.kwh}} in the hour from {{AN#.start}}; usual for that hour is {{AN#.usual_kwh}}, the"
        " limit {{AN#.limit_kwh}}."
    ),
    "drop": (
        "{{AN#.name}} used only {{AN#.kwh}} in the hour from {{AN#.start}}; usual for that hour is {{AN#.usual_kwh}},"
        " at least {{AN#.limit_kwh}}."
    ),
}
_HOURS = {
    "high_use": (
        "{{AN#.name}} used {{AN#.kwh}} from {{AN#.start}} to {{AN#.end}}; usual for these hours is {{AN#.usual_kwh}}."
    ),
    "drop": (
        "{{AN#.name}} used only {{AN#.kwh}} from {{AN#.start}} to {{AN#.end}}; usual for these hours is"
        " {{AN#.usual_kwh}}."
    ),
}


def add_anomalies(facts: Collector, anomalies: AnomalySummary) -> None:
    """How many hours and events were unusual, by what, and the events that matter most."""
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
    facts.add("AN.muted_events", sum(one.events for one in anomalies.muted), "count", _SOURCE)
    facts.add("AN.muted_hours", sum(one.hours for one in anomalies.muted), "count", _SOURCE)
    shown = anomalies.top[:EVENTS_SHOWN]
    facts.add("AN.shown", len(shown), "count", _SOURCE)
    for number, one in enumerate(shown, 1):
        _add_event(facts, f"AN{number}", one)


def _add_event(facts: Collector, ref: str, one: AnomalyEvent) -> None:
    facts.add(f"{ref}.name", one.appliance and display_name(one.appliance), "text", _SOURCE)
    facts.add(f"{ref}.kind", one.kind, "text", _SOURCE)
    facts.add(f"{ref}.severity", one.severity, "text", _SOURCE)
    facts.add(f"{ref}.start", one.start.isoformat(), "datetime", _SOURCE)
    facts.add(f"{ref}.end", one.end.isoformat(), "datetime", _SOURCE)
    facts.add(f"{ref}.hours", one.hours, "count", _SOURCE)
    facts.kwh(f"{ref}.kwh", one.kwh, _SOURCE)
    facts.kwh(f"{ref}.usual_kwh", one.expected_kwh, _SOURCE)
    facts.kwh(f"{ref}.excess_kwh", one.excess_kwh, _SOURCE)
    peak = one.peak
    facts.add(f"{ref}.peak", peak.timestamp.isoformat() if peak else None, "datetime", _SOURCE)
    facts.kwh(f"{ref}.peak_kwh", peak.kwh if peak else None, _SOURCE)
    facts.kwh(f"{ref}.limit_kwh", peak.limit_kwh if peak else None, _SOURCE)
    facts.add(
        f"{ref}.usual_hours", one.usual_hours, "count", _SOURCE, 0 if (one.usual_hours or 0.0).is_integer() else 1
    )
    before, after = one.day_kwh_before, one.day_kwh_after
    facts.kwh(f"{ref}.day_before_kwh", before, _SOURCE)
    facts.kwh(f"{ref}.day_after_kwh", after, _SOURCE)
    facts.share(f"{ref}.rise", after / before - 1 if before and after else None, _SOURCE)


def add_appliance(facts: Collector, ref: str, appliance: str, anomalies: AnomalySummary) -> None:
    """How many unusual hours one appliance has, and why it was not judged, or by less."""
    facts.add(f"{ref}.anomalies", anomalies.by_appliance.get(appliance, 0), "count", _SOURCE)
    skipped, limited = anomalies.skipped.get(appliance), anomalies.limited.get(appliance)
    facts.add(f"{ref}.skipped", NOT_JUDGED[skipped.reason] if skipped else None, "text", _SOURCE)
    facts.add(f"{ref}.limited", NOT_JUDGED[limited.reason] if limited else None, "text", _SOURCE)


def warnings(anomalies: AnomalySummary) -> list[str]:
    """What the configuration says of unusual hours and cannot mean."""
    return [
        f"The configuration calls something normal of {display_name(name)}, of which nothing was ever read."
        for name in anomalies.unknown_appliances
    ]


def sentences(sheet: FactSheet) -> list[str]:
    """How many hours were unusual and what that means, the events that matter most, and what was left out."""
    if not sheet.number("AN.hours_judged") and not sheet.number("AN.events"):
        said = ["No hour could be judged, so nothing can be said about unusual hours."]
    elif not sheet.number("site.anomalies") and not sheet.number("AN.events"):
        said = ["None of the {{AN.hours_judged}} appliance hours judged stood out."]
    else:
        said = _found(sheet)
    if sheet.number("AN.muted_events"):
        said.append("Called normal in the site's configuration and left out here: {{AN.muted_events}} events.")
    return said


def _found(sheet: FactSheet) -> list[str]:
    said = ["Unusual hours: {{site.anomalies}} of {{AN.hours_judged}} appliance hours judged, {{AN.share}}."]
    said.append("Neighbouring hours taken together, that makes {{AN.events}} events.")
    if sheet.number("AN.limited"):
        said.append(
            "Where the history is too short to know each hour of the day, an hour is unusual that is more than"
            " {{AN.deviations}} standard deviations above its appliance's mean."
        )
    told = min(EVENTS_TOLD, int(sheet.number("AN.shown")))
    return said + [event_sentence(sheet, f"AN{number}") for number in range(1, told + 1)]


def event_sentence(sheet: FactSheet, ref: str) -> str:
    """The sentence about one event that is among those shown."""
    kind = str(sheet.facts[f"{ref}.kind"].value)
    one_hour = sheet.number(f"{ref}.hours") == 1 and sheet.known(f"{ref}.limit_kwh")
    literal = _EVENT.get(kind) or (_ONE_HOUR if one_hour else _HOURS)[kind]
    return literal.replace("AN#", ref)
