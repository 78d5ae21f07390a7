"""Which days a forecast learns from."""

import datetime as dt

import pytest

from energy.errors import NotEnoughHistory
from energy.forecast_history import history, horizon, without_gaps

MONDAY = dt.date(2024, 1, 1)


def day(number: int) -> dt.date:
    return MONDAY + dt.timedelta(days=number)


def rows(appliance: str, numbers, kwh=1.0, complete=True):
    return [
        {
            "date": dt.datetime.combine(day(number), dt.time()),
            "appliance": appliance,
            "kwh": kwh,
            "coverage": 1.0 if complete else 0.5,
            "complete": complete,
        }
        for number in numbers
    ]


def test_the_total_is_the_sum_of_the_appliances_day_by_day():
    found = history(rows("AC", [0, 1], kwh=2.0) + rows("Heater", [0, 1], kwh=0.5))
    assert found.total == {day(0): 2.5, day(1): 2.5}
    assert found.appliances == {"AC": {day(0): 2.0, day(1): 2.0}, "Heater": {day(0): 0.5, day(1): 0.5}}
    assert (found.last_day, found.notes) == (day(1), [])


def test_partial_days_never_train():
    found = history(rows("AC", [0, 1, 3]) + rows("AC", [2, 4], kwh=99.0, complete=False))
    assert found.total == {day(0): 1.0, day(1): 1.0, day(3): 1.0}
    assert found.last_day == day(3)


def test_a_day_on_which_one_appliance_is_partial_is_not_in_the_total():
    found = history(rows("AC", [0, 1, 2]) + rows("Heater", [0, 2]) + rows("Heater", [1], complete=False))
    assert list(found.total) == [day(0), day(2)]
    assert list(found.appliances["AC"]) == [day(0), day(1), day(2)]


def test_no_series_goes_beyond_the_last_day_of_the_total():
    found = history(rows("AC", range(5)) + rows("Heater", range(3)))
    assert found.last_day == day(2)
    assert list(found.appliances["AC"]) == [day(0), day(1), day(2)]


def test_an_appliance_silent_for_a_week_leaves_the_total_and_is_noted():
    found = history(rows("AC", range(20), kwh=2.0) + rows("Dryer", range(13)))
    assert (len(found.total), found.total[day(0)], found.last_day) == (20, 2.0, day(19))
    assert list(found.appliances) == ["AC"]
    assert found.notes == ["Dryer is not forecast: its last complete day was 2024-01-13"]


def test_an_appliance_that_logs_only_when_on_is_named_as_missing_from_the_total():
    found = history(rows("AC", range(20), kwh=2.0) + rows("Washer", range(20), complete=False))
    assert set(found.total.values()) == {2.0}
    assert list(found.appliances) == ["AC"]
    assert found.notes == ["Washer is not in the total: no day of it is complete"]


def test_an_appliance_silent_for_six_days_still_counts():
    found = history(rows("AC", range(20)) + rows("Dryer", range(14)))
    assert (len(found.total), found.last_day) == (14, day(13))
    assert found.notes == [
        "the forecast begins after 2024-01-14, the last day on which all appliances in the total are complete"
    ]


def test_a_new_meter_leaves_the_total_its_history():
    found = history(
        rows("AC", range(200), kwh=2.0) + rows("Heater", range(200)) + rows("Oven", range(200)) + rows("New", [199])
    )
    assert (len(found.total), set(found.total.values()), found.last_day) == (200, {4.0}, day(199))
    assert found.appliances["New"] == {day(199): 1.0}
    assert found.notes == ["New is not in the total until it has 14 complete days in common with the other appliances"]


def test_a_meter_joins_the_total_with_its_fourteenth_day():
    for days, in_total in ((13, False), (14, True)):
        found = history(rows("AC", range(40), kwh=2.0) + rows("New", range(40 - days, 40)))
        assert set(found.total.values()) == ({3.0} if in_total else {2.0})
        assert len(found.total) == (14 if in_total else 40)
        assert len(found.appliances["AC"]) == 40
        assert bool(found.notes) != in_total


def test_several_new_meters_are_left_out_each():
    found = history(rows("AC", range(30)) + rows("New A", range(20, 30)) + rows("New B", range(28, 30)))
    assert len(found.total) == 30
    assert [note.split(" is ")[0] for note in found.notes] == ["New A", "New B"]


def test_in_a_young_site_all_appliances_are_in_the_total():
    found = history(rows("AC", range(13), kwh=2.0) + rows("Heater", range(10, 13)))
    assert found.total == {day(10): 3.0, day(11): 3.0, day(12): 3.0}
    assert len(found.appliances["AC"]) == 13
    assert found.notes == []


def test_where_one_appliance_took_the_place_of_another_the_older_leaves_the_total():
    found = history(rows("AC", range(10)) + rows("Old fridge", range(7)) + rows("Fridge", range(7, 10)))
    assert found.total == {day(7): 2.0, day(8): 2.0, day(9): 2.0}
    assert "Old fridge is not in the total: it has no complete day in common with the other appliances" in found.notes


@pytest.mark.parametrize("daily", [[], rows("AC", range(5), complete=False)])
def test_without_a_complete_day_there_is_no_history(daily):
    with pytest.raises(NotEnoughHistory, match="at least 1 complete day of readings; this site has 0"):
        history(daily)


def test_the_horizon_begins_on_the_day_after():
    assert horizon(dt.date(2024, 2, 28), 3) == [dt.date(2024, 2, 29), dt.date(2024, 3, 1), dt.date(2024, 3, 2)]


def test_a_series_without_gaps_stays_as_it_is():
    assert without_gaps({day(n): float(n) for n in range(9)}, day(8)) == [float(n) for n in range(9)]


def test_a_missing_day_takes_the_same_weekday_of_the_week_before_else_after():
    before = {day(n): float(n) for n in range(14) if n != 8}
    assert without_gaps(before, day(13))[8] == 1.0
    after = {day(n): float(n) for n in range(14) if n != 1}
    assert without_gaps(after, day(13))[1] == 8.0


def test_whole_missing_weeks_are_cut_out_and_every_weekday_stays_in_its_place():
    # Days 0..6, then 16 days are missing (two weeks and two days), then 23..29.
    series = {day(n): float(n) for n in (*range(7), *range(23, 30))}
    assert without_gaps(series, day(29)) == [*map(float, range(7)), 0.0, 1.0, *map(float, range(23, 30))]


def test_a_series_that_ends_early_is_carried_to_the_last_day():
    series = {day(n): float(n) for n in range(10)}
    assert without_gaps(series, day(12)) == [*map(float, range(10)), 3.0, 4.0, 5.0]


def test_without_a_same_weekday_the_mean_stands_in():
    assert without_gaps({day(0): 1.0, day(2): 2.0}, day(2)) == [1.0, 1.5, 2.0]
