"""What a person mutes or calls normal: which lines are taken, and what they cover."""

import datetime as dt

import polars as pl
import pytest

from energy import anomalies, anomaly_muting, site_config
from energy.anomaly_events import HOUR_KINDS
from energy.errors import SiteConfigInvalid
from tests.unit.test_anomaly_days import creeping, home
from tests.unit.test_anomaly_runs import fridge, kettle
from tests.unit.unusual_home import HOUR, START, days, found, hours, wavering


def config(text):
    return site_config.parse(f"anomalies: {text}").anomalies


def spiky():
    """A heater with a spike in the night of day five and of day nine, and a drop in the evening of day seven."""
    series = wavering(14)
    series[5 * 24 + 3], series[9 * 24 + 3], series[7 * 24 + 19] = 2.0, 2.0, 0.1
    return hours(heater=series, oven=wavering(14, seed=3, by=0.05))


def told(text):
    """Kind and hour of what is told, the lines that mute, and how much each mutes."""
    chosen = config(text)
    everything = found(spiky(), config=chosen)
    events = everything.events.filter(pl.col("muted_by").is_null())
    summary = anomalies.summary(everything, chosen)
    assert summary.events == events.height
    rows = [(row["kind"], (row["start_timestamp"] - START) // HOUR) for row in events.iter_rows(named=True)]
    return rows, [(one.line, one.hours, one.events) for one in summary.muted]


SPIKES = [("high_use", 123), ("high_use", 219)]
DROP = ("drop", 187)


def test_without_a_line_everything_is_told():
    rows, muted = told("{}")
    assert rows == [SPIKES[0], DROP, SPIKES[1]]
    assert muted == []


def test_an_appliance_is_muted_however_its_name_is_spelled():
    assert told("{mute: [{appliance: ' HEATER'}]}") == ([], [("mute HEATER: every kind", 3, 3)])


def test_a_kind_is_muted_for_all_or_for_one():
    assert told("{mute: [{kind: drop}]}") == (SPIKES, [("mute every appliance: drop", 1, 1)])
    assert told("{mute: [{appliance: heater, kind: drop}]}")[0] == SPIKES
    assert told("{mute: [{appliance: oven, kind: drop}]}") == (
        [SPIKES[0], DROP, SPIKES[1]],
        [("mute oven: drop", 0, 0)],
    )


def test_what_was_normal_is_muted_then_and_not_another_time():
    day, rest = "2024-03-06", [DROP, SPIKES[1]]
    line = "normal heater: 2024-03-06 03:00 to 2024-03-06 04:00"
    assert told(f"{{normal: [{{appliance: heater, at: {day} 03:20}}]}}") == (rest, [(line, 1, 1)])
    assert told(f"{{normal: [{{appliance: heater, at: {day}}}]}}")[0] == rest
    assert told(f"{{normal: [{{at: {day}}}]}}")[0] == rest
    assert told(f"{{normal: [{{from: {day}, until: 2024-03-08}}]}}")[0] == [SPIKES[1]]
    assert told(f"{{normal: [{{from: {day} 04:00, until: 2024-03-08 19:00}}]}}")[0] == [SPIKES[0], DROP, SPIKES[1]]
    assert told(f"{{normal: [{{appliance: oven, at: {day}}}]}}")[0] == [SPIKES[0], DROP, SPIKES[1]]


def test_the_first_line_that_covers_something_is_named():
    rows, muted = told("{mute: [{kind: high_use}], normal: [{at: 2024-03-06}]}")
    assert rows == [DROP]
    assert [(hours, events) for _, hours, events in muted] == [(2, 2), (0, 0)]


def test_muted_hours_stay_in_the_table_with_their_line_and_leave_every_count():
    chosen = config("{mute: [{appliance: heater}]}")
    everything = found(spiky(), config=chosen)
    assert everything.hours.filter(appliance="heater")["muted_by"].unique().to_list() == ["mute heater: every kind"]
    summary = anomalies.summary(everything, chosen)
    assert (summary.count, summary.by_appliance, summary.by_day, summary.by_kind, summary.top) == (0, {}, {}, {}, [])


def test_part_of_an_event_is_muted_and_the_rest_is_an_event():
    series = wavering(14)
    series[123:127] = [2.0] * 4
    events = found(
        hours(heater=series), config=config("{normal: [{from: 2024-03-06 03:00, until: 2024-03-06 05:00}]}")
    ).events
    assert [(row["hours"], row["muted_by"] is None) for row in events.iter_rows(named=True)] == [(2, False), (2, True)]


def with_hours(series, first, *kwh):
    return [*series[:first], *kwh, *series[first + len(kwh) :]]


AS_THEY_OCCUR = {
    "stopped": with_hours(fridge(20), 200, *[0.0] * 12),
    "stuck_meter": with_hours(wavering(20), 200, *[0.0] * 5, 3.0),
    "flatline": with_hours(fridge(20), 100, *[0.5] * 30),
    "long_run": with_hours(kettle(20), 250, *[0.3] * 10),
    "high_use": with_hours(wavering(20), 123, 2.0, 2.0),
    "drop": with_hours(wavering(20), 139, 0.1),
}


@pytest.mark.parametrize("kind", AS_THEY_OCCUR)
def test_every_kind_is_muted_as_it_really_occurs_and_by_no_other(kind):
    table = hours(it=AS_THEY_OCCUR[kind], lamp=wavering(20, seed=3, by=0.05))

    def told_of_it(*mute):
        text = "{mute: [" + ", ".join(mute) + "]}"
        everything = found(table, config=config(text))
        return anomalies.summary(everything, config(text))

    (event,) = [one for one in told_of_it().top if one.kind == kind]
    muted = told_of_it(f"{{appliance: It, kind: {kind}}}")
    assert kind not in muted.by_kind
    assert [one.events for one in muted.muted] == [1]
    assert muted.count == told_of_it().count - muted.muted[0].hours
    others = [other for other in HOUR_KINDS if other != kind]
    assert told_of_it(*(f"{{appliance: it, kind: {other}}}" for other in others)).by_kind == {kind: 1}
    assert event.kinds[0] == kind
    everything = found(table)
    sentences = [*everything.events["explanation"], *everything.hours["explanation"]]
    assert not any("None" in sentence for sentence in sentences)


def test_weeks_of_rising_use_are_muted_by_kind_and_by_a_time_that_is_most_of_them():
    daily = days(**home(90, fridge=creeping(90, 50, 0.012)))

    def muting(text):
        events = found(hours(fridge=wavering(3)), daily, config=config(text)).events
        (line,) = events.filter(kind="rising_use")["muted_by"]
        return line

    assert muting("{mute: [{appliance: Fridge, kind: rising_use}]}") == "mute Fridge: rising_use"
    line = "normal fridge: 2024-04-20 00:00 to 2024-06-01 00:00"
    assert muting("{normal: [{appliance: fridge, from: 2024-04-20, until: 2024-05-31}]}") == line
    for little in (
        "{appliance: fridge, at: 2024-05-20}",
        "{appliance: fridge, from: 2024-05-20, until: 2024-05-24}",
        "{at: 2024-05-20 18:00}",
        "{from: 2024-03-01, until: 2024-06-30}",
        "{appliance: heater, from: 2024-03-01, until: 2024-06-30}",
    ):
        assert muting(f"{{normal: [{little}]}}") is None, little


def test_an_outage_is_muted_by_kind_and_by_time():
    out = {"fridge": wavering(14, level=0.06, evening=0.06, by=0.3), "oven": wavering(14, seed=3)}
    for series in out.values():
        series[100:106] = [0.0] * 6
    halves = found(hours(**out), config=config("{normal: [{at: 2024-03-05 04:00}]}")).events.filter(kind="outage")
    assert [(row["hours"], row["muted_by"] is None) for row in halves.iter_rows(named=True)] == [(1, False), (5, True)]
    whole = found(hours(**out), config=config("{mute: [{kind: outage}]}")).events.filter(kind="outage")
    assert whole["muted_by"].to_list() == ["mute every appliance: outage"]
    other = found(hours(**out), config=config("{mute: [{appliance: oven, kind: outage}]}")).events.filter(kind="outage")
    assert other["muted_by"].to_list() == [None]


def test_names_that_nothing_was_read_of_are_told():
    chosen = config("{mute: [{appliance: Heeter}], normal: [{appliance: HEATER, at: 2024-03-06}]}")
    assert anomaly_muting.unknown_appliances(chosen, ["heater", "oven"]) == ["Heeter"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{mute: [{}]}", "neither an appliance nor a kind"),
        ("{mute: [{kind: spike}]}", "'spike'"),
        ("{normal: [{appliance: Oven}]}", "either at, or from and until"),
        ("{normal: [{at: 2024-03-06, until: 2024-03-07}]}", "either at, or from and until"),
        ("{normal: [{from: 2024-03-06}]}", "either at, or from and until"),
        ("{normal: [{from: 2024-03-06, until: 2024-03-05}]}", "until must be later than from"),
        ("{normal: [{at: 2024-03-06T03:00:00+01:00}]}", "local time, without an offset"),
        ("{normal: [{at: yesterday}]}", "a date or a local time"),
        ("{normal: [{at: 20240306}]}", "a date or a local time"),
        ('{normal: [{at: "20240306"}]}', "a date or a local time"),
        ("{normal: [{at: 2024-W10-3}]}", "a date or a local time"),
        ('{normal: [{at: "2024-02-30"}]}', "a date or a local time"),
        ("{mute: Kettle}", "anomalies.mute is 'Kettle': it must be a list"),
        ("{muted: [{kind: drop}]}", "muted"),
    ],
)
def test_a_line_that_says_too_little_is_refused_with_a_sentence(line, said):
    with pytest.raises(SiteConfigInvalid, match=said):
        config(line)


@pytest.mark.parametrize(
    ("line", "span"),
    [
        ("at: 2024-03-06", ("2024-03-06 00:00", "2024-03-07 00:00")),
        ("at: 2024-03-06 18:00", ("2024-03-06 18:00", "2024-03-06 19:00")),
        ("at: 2024-03-06 18:40:30", ("2024-03-06 18:00", "2024-03-06 19:00")),
        ("from: 2024-03-06 18:40, until: 2024-03-06 20:10", ("2024-03-06 18:00", "2024-03-06 21:00")),
        ("from: 2024-03-06 18:00, until: 2024-03-06 20:00", ("2024-03-06 18:00", "2024-03-06 20:00")),
        ("from: 2024-03-06, until: 2024-03-06", ("2024-03-06 00:00", "2024-03-07 00:00")),
    ],
)
def test_times_cover_the_hours_and_days_that_they_are_in(line, span):
    (one,) = config(f"{{normal: [{{{line}}}]}}").normal
    assert one.span == tuple(dt.datetime.fromisoformat(moment) for moment in span)
