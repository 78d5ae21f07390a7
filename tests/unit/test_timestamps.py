"""Timestamps as people and programs write them, to the instants that they mean."""

import datetime as dt

import polars as pl
import pytest

from energy.errors import InputRejected
from energy.intake.timestamps import TimestampEvidence, form_of, with_instants


def form(texts, order=None, text=None):
    evidence = TimestampEvidence.none()
    evidence.add(pl.Series(texts))
    return form_of(evidence, order, text)


def instants(texts, timezone="UTC", order=None, text=None):
    """The UTC instants of texts in the form that they prove together, as ISO text; None where there is none."""
    found, _ = form(texts, order, text)
    rows = pl.DataFrame({"moment": texts}).with_row_index("order")
    return [value and value.isoformat(" ") for value in with_instants(rows, found, timezone)["earlier"]]


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2024-05-01 13:00", "2024-05-01 13:00:00"),
        ("2024-05-01T13:00:30", "2024-05-01 13:00:30"),
        ("2024-05-01 13:00:30.25", "2024-05-01 13:00:30.250000"),
        ("2024-05-01T13:00:30.1234567Z", "2024-05-01 13:00:30.123456"),
        ("2024-05-01T13:00:00+02:00", "2024-05-01 11:00:00"),
        ("2024-05-01 13:00 -0330", "2024-05-01 16:30:00"),
        ("2024-05-01T13:00:00+02", "2024-05-01 11:00:00"),
        ("2024-05-01 13:00 UTC", "2024-05-01 13:00:00"),
        ("2024/5/1 1:00", "2024-05-01 01:00:00"),
        ("2024.05.01 13:00", "2024-05-01 13:00:00"),
        ("31/05/2024 13:00", "2024-05-31 13:00:00"),
        ("31.05.2024 13:00:15", "2024-05-31 13:00:15"),
        ("5/31/2024 12:30 AM", "2024-05-31 00:30:00"),
        ("5/31/2024 12:30:01 p.m.", "2024-05-31 12:30:01"),
        ("05-31-2024, 13:00", "2024-05-31 13:00:00"),
        ("1-May-2024 13:00", "2024-05-01 13:00:00"),
        ("31 May 2024 13:00", "2024-05-31 13:00:00"),
        ("May 1, 2024 1:00 PM", "2024-05-01 13:00:00"),
        ("September 9 2024 1:00", "2024-09-09 01:00:00"),
        ("1714568400", "2024-05-01 13:00:00"),
        ("1714568400.5", "2024-05-01 13:00:00.500000"),
        ("1714568400250", "2024-05-01 13:00:00.250000"),
        ("2024-05-01", "2024-05-01 00:00:00"),
        ("31.05.2024", "2024-05-31 00:00:00"),
    ],
)
def test_a_timestamp_means_its_instant(written, utc):
    assert instants([written]) == [utc]


@pytest.mark.parametrize(
    "written",
    [
        "2024-02-30 10:00",
        "2024-05-01 24:00",
        "2016-12-31T23:59:60Z",
        "2024-05-01 10:61",
        "2024-13-01 10:00",
        "soon",
        "\u0662\u0660\u0662\u0664-05-01 10:00",
    ],
)
def test_what_is_no_such_time_has_no_instant(written):
    assert instants(["2024-05-01 10:00", written]) == ["2024-05-01 10:00:00", None]


def test_the_form_of_most_is_the_form_of_all():
    texts = ["2024-05-01 10:00", "2024-05-01 11:00", "31/05/2024 10:00", "1714568400", "2024-05-01"]
    assert instants(texts) == ["2024-05-01 10:00:00", "2024-05-01 11:00:00", None, None, None]


def test_a_day_past_the_twelfth_anywhere_proves_the_order():
    found, warnings = form(["01/02/2024 00:00", "02/02/2024 00:00", "13/02/2024 00:00"])
    assert (found.order, set(warnings)) == ("day_first", {"DAY_FIRST"})
    assert "'13/02/2024 00:00'" in warnings["DAY_FIRST"]
    found, warnings = form(["01/02/2024 00:00", "02/13/2024 00:00"])
    assert (found.order, warnings) == ("month_first", {})


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["01/02/2024 00:00", "12/12/2024 00:00"], "none in the file says which"),
        (["13/01/2024 00:00", "01/13/2024 00:00"], "others only month first, as '01/13/2024 00:00'"),
    ],
)
def test_dates_that_may_mean_two_days_are_refused_with_the_setting_that_decides(texts, said):
    with pytest.raises(InputRejected, match="AMBIGUOUS_DATE") as refused:
        form(texts)
    assert said in refused.value.problem
    assert "date_order: day_first" in refused.value.problem
    assert instants(texts[:1], order="month_first") == (["2024-01-02 00:00:00"] if texts[0][0] == "0" else [None])


def test_impossible_dates_prove_nothing():
    with pytest.raises(InputRejected, match="AMBIGUOUS_DATE"):
        form(["01/02/2024 00:00", "45/02/2024 00:00", "01/99/2024 00:00"])


@pytest.mark.parametrize("written", ["45413.54167", "01.05.24 13:00", "20240501130000"])
def test_forms_that_are_not_read_name_the_setting(written):
    with pytest.raises(InputRejected, match=r"BAD_TIMESTAMP_FORMAT: .*timestamp_format"):
        form([written])


@pytest.mark.parametrize(
    ("text", "written", "utc"),
    [
        ("%d.%m.%y %H:%M", "01.05.24 13:00", "2024-05-01 11:00:00"),
        ("%Y%m%d%H%M%S", "20240501130000", "2024-05-01 11:00:00"),
        ("%d.%m.%Y", "01.05.2024", "2024-04-30 22:00:00"),
        ("%d/%b/%Y:%H:%M %z", "01/May/2024:13:00 -0500", "2024-05-01 18:00:00"),
    ],
)
def test_a_configured_format_decides(text, written, utc):
    assert instants([written, "x"], "Europe/Berlin", text=text) == [utc, None]


@pytest.mark.parametrize(
    ("zone", "day", "utc"),
    [
        ("Africa/Cairo", "2024-04-26", "2024-04-25 22:00:00"),
        ("Asia/Beirut", "2024-03-31", "2024-03-30 22:00:00"),
        ("America/Havana", "2024-03-10", "2024-03-10 05:00:00"),
        ("Europe/Berlin", "2024-03-31", "2024-03-30 23:00:00"),
    ],
)
def test_a_day_whose_midnight_clocks_skip_begins_with_its_first_instant(zone, day, utc):
    assert instants([day], zone) == [utc]


def test_both_instants_of_a_repeated_hour_are_known():
    rows = pl.DataFrame({"moment": ["2024-04-07 01:45", "2024-04-07 02:15"]}).with_row_index("order")
    found, _ = form(rows["moment"].to_list())
    told = with_instants(rows, found, "Australia/Lord_Howe")
    assert told["earlier"].to_list() == [dt.datetime(2024, 4, 6, 14, 45), dt.datetime(2024, 4, 6, 15, 45)]
    assert told["later"].to_list() == [dt.datetime(2024, 4, 6, 15, 15), None]
