"""One plain English sentence for every unusual hour and every event: what was used, what is usual, where the limit is.

They are stored in the lake. A report in another language is made from the figures beside them.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from energy.anomaly_hours import MEAN_2STD

_SENTENCES = {
    "outage": "Everything reads zero {span}; usual for that time is {expected_kwh} kWh.",
    "stuck_meter": (
        "{who}: nothing {before_peak}, then {peak_kwh} kWh in one hour, as from a meter that hung and caught up;"
        " usual for all of it is {expected_kwh}."
    ),
    "stopped": "{who}: nothing {span}, and it never stands still; usual for that time is {expected_kwh} kWh.",
    "flatline": "{who}: one and the same value {span}, as from a meter that hangs; {kwh} kWh in all.",
    "rising_use": (
        "{who}: a day's energy crept up from {day_kwh_before} to {day_kwh_after} kWh from {first_day} to {last_day}."
    ),
    "long_run": "{who}: ran {hours} hours {span}, {kwh} kWh; a run of it usually takes {usual_hours}.",
    "high_use": "{who}: {kwh} kWh {span}; usual for these hours is {expected_kwh}.",
    "drop": "{who}: only {kwh} kWh {span}; usual for these hours is {expected_kwh}.",
}
_ONE_HOUR = {
    "high_use": "{who}: {kwh} kWh at {at}; usual for that hour is {expected_kwh}, limit {peak_limit_kwh}.",
    "drop": "{who}: {kwh} kWh at {at}; usual for that hour is {expected_kwh}, at least {peak_limit_kwh}.",
}
# Where the specification's rule leads, what is usual is not that of the hour, but the mean of all.
_BY_MEAN = "{who}: {kwh} kWh {span}; {hours} hours at its mean are {expected_kwh}."
_ONE_HOUR_BY_MEAN = "{who}: {kwh} kWh at {at}; its mean hour is {expected_kwh}, limit {peak_limit_kwh}."


def hour_sentence(row: Mapping[str, Any]) -> str:
    """Of a row of anomaly_data."""
    used = f"{row['appliance']}: {kwh(row['kwh'])} kWh at {row['timestamp']:%H:%M}"
    usual = kwh(row["expected_kwh"])
    if row["limit_kwh"] is None:
        return f"{used}; its mean hour is {usual}, limit {kwh(row['threshold'])}."
    if row["kind"] == "drop":
        return f"{used}; usual for that hour is {usual}, at least {kwh(row['limit_kwh'])}."
    if row["method"] == MEAN_2STD:
        limits = f"limit {kwh(row['limit_kwh'])}; only above its mean and two standard deviations"
        return f"{used}; usual for that hour is {usual}, {limits} ({kwh(row['threshold'])})."
    return f"{used}; usual for that hour is {usual}, limit {kwh(row['limit_kwh'])}."


def event_sentence(row: Mapping[str, Any]) -> str:
    """Of a row of anomaly_events, whatever its kind."""
    start, end = row["start_timestamp"], row["end_timestamp"]
    energies = ("kwh", "expected_kwh", "peak_kwh", "peak_limit_kwh", "day_kwh_before", "day_kwh_after")
    told = {name: None if row[name] is None else kwh(row[name]) for name in energies}
    return _pattern(row).format(
        who=row["appliance"],
        hours=row["hours"],
        usual_hours=None if row["usual_hours"] is None else f"{row['usual_hours']:.1f}".removesuffix(".0"),
        at=clock(start),
        span=span(start, end),
        first_day=start.date(),
        # It ends with its last day.
        last_day=(end - dt.timedelta(hours=1)).date(),
        before_peak=span(start, row["peak_timestamp"] or end),
        **told,
    )


def _pattern(row: Mapping[str, Any]) -> str:
    kind, one_hour = row["kind"], row["hours"] == 1
    if row["method"] == MEAN_2STD:
        return _ONE_HOUR_BY_MEAN if one_hour else _BY_MEAN
    return _ONE_HOUR[kind] if kind in _ONE_HOUR and one_hour else _SENTENCES[kind]


def kwh(value: float) -> str:
    """An energy with as many decimals as tell something: 12.3, 2.9, 0.31, 0.042."""
    size = abs(value)
    decimals = 1 if size >= 0.95 else 2 if size >= 0.095 else 3
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def clock(moment: dt.datetime) -> str:
    """The hour and the day of a moment."""
    return f"{moment:%H:%M} on {moment:%Y-%m-%d}"


def span(start: dt.datetime, end: dt.datetime) -> str:
    """From when to when; the day once where it is the same."""
    if start.date() == end.date():
        return f"from {start:%H:%M} to {clock(end)}"
    return f"from {clock(start)} to {clock(end)}"
