"""Exports that people have: each gives what a person would add up by hand, and nothing of who it is about."""

import csv
import datetime as dt
import itertools
import json
import math
import time
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from energy.errors import InputRejected
from energy.intake.judging import judge
from energy.site_config import parse, rules

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
UPLOADED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
# What the samples say of people and their meters.
PERSONAL = ("JANE", "EXAMPLE", "NOWHERE", "0000000000", "541000000000000000", "0SAG", "10000000000000000")
HOME_ASSISTANT = "readings: {unit: kWh, kind: register}"
ESPI = "{http://naesb.org/espi}"


def judged(path, tmp_path, config="", zone="UTC"):
    return judge(path, rules(parse(config), zone, 0.5), UPLOADED, tmp_path, name=path.name)


def table(name, skip=0, delimiter=","):
    with (SAMPLES / name).open(encoding="utf-8-sig", newline="") as file:
        for _ in range(skip):
            file.readline()
        return [
            {key.strip(): value for key, value in row.items() if key}
            for row in csv.DictReader(file, delimiter=delimiter)
        ]


def number(text):
    return Fraction(text.strip().replace(",", "."))


def by_hand():
    """Sample → kWh, readings, appliances, as added up here, row by row."""
    emporia = table("emporia.csv")
    circuits = ("Home-Heat Pump (kWhs)", "Home-Kitchen (kWhs)", "Home-Balance (kWhs)")
    read = [number(row[name]) for row in emporia for name in circuits if row[name]]
    yield "emporia.csv", sum(read), len(read), ["Home-Balance", "Home-Heat Pump", "Home-Kitchen"]
    enphase = [number(row["Energy Consumed (Wh)"]) / 1000 for row in table("enphase.csv")]
    yield "enphase.csv", sum(enphase), 192, ["Whole house"]
    fluvius = [
        row
        for row in table("fluvius.csv", delimiter=";")
        if row["Register"].startswith("Afname") and row["Eenheid"] == "kWh"
    ]
    yield "fluvius.csv", sum(number(row["Volume"]) for row in fluvius), 188, ["Afname Nacht"]
    pge = [number(row["USAGE (kWh)"]) for row in table("green_button_pge.csv", skip=5)]
    yield "green_button_pge.csv", sum(pge), 192, ["Whole house"]
    comed = [number(row["USAGE"]) for row in table("green_button_comed.csv", skip=5) if row["UNITS"] == "kWh"]
    yield "green_button_comed.csv", sum(comed), 96, ["Whole house"]
    octopus = [number(row["Consumption (kwh)"]) for row in table("octopus.csv")]
    yield "octopus.csv", sum(octopus), 95, ["Whole house"]
    sense = [row for row in table("sense.csv", skip=1) if row["Name"] != "Total Usage"]
    yield "sense.csv", sum(number(row["kWh"]) for row in sense), 104, ["Always On", "Dryer", "Fridge"]
    shelly = [number(row["Active energy Wh (A)"]) / 1000 for row in table("shelly.csv")]
    yield "shelly.csv", sum(shelly), 288, ["Whole house A"]
    texas = [row for row in table("smart_meter_texas.csv") if row["CONSUMPTION_SURPLUSGENERATION"] == "Consumption"]
    yield "smart_meter_texas.csv", sum(number(row["USAGE_KWH"]) for row in texas), 192, ["Whole house"]
    utility = [number(row["interval_kWh"]) for row in table("utilityapi.csv")]
    yield "utilityapi.csv", sum(utility), 195, ["Whole house"]
    days = table("wide_day.csv", delimiter=";")
    wide = [number(value) for row in days for name, value in row.items() if name != "Giorno" and value]
    yield "wide_day.csv", sum(wide), 380, ["Whole house"]
    yield "green_button.xml", sum(delivered().values()), 192, ["Whole house"]


def delivered():
    """epoch → kWh of the quarter-hourly meter reading that counts what was delivered, in tenths of Wh."""
    found = {}
    for entry in ET.parse(SAMPLES / "green_button.xml").getroot():
        up = [link.get("href") for link in entry if link.get("rel") == "up"]
        if up and up[0].endswith("/MeterReading/1/IntervalBlock"):
            for reading in entry.iter(ESPI + "IntervalReading"):
                start = int(reading.find(f"{ESPI}timePeriod/{ESPI}start").text)
                found[start] = Fraction(int(reading.find(ESPI + "value").text), 10) / 1000
    return found


@pytest.mark.parametrize(("name", "kwh", "readings", "appliances"), list(by_hand()), ids=lambda value: str(value)[:24])
def test_an_export_gives_the_sum_that_its_rows_give_by_hand(tmp_path, name, kwh, readings, appliances):
    zone = "Europe/Rome" if name == "wide_day.csv" else "America/New_York"
    result = judged(SAMPLES / name, tmp_path, zone=zone)
    found = result.readings()
    assert result.refusal is None
    assert (result.rows.accepted, result.rows.rejected, found.height) == (readings, 0, readings)
    assert math.fsum(found["kwh"]) == pytest.approx(float(kwh), abs=1e-9)
    assert sorted(found["appliance"].unique()) == appliances


@pytest.mark.parametrize(
    ("name", "zone", "first", "last"),
    [
        # British Summer Time ends at 01:00 UTC: offsets tell both hours apart.
        ("octopus.csv", "Europe/London", "2024-10-26 22:00", "2024-10-28 21:30"),
        # The zone stands in the header, whatever the site's is; clocks went back on 3 November at 06:00 UTC.
        ("emporia.csv", "Europe/Berlin", "2024-11-02 04:00", "2024-11-04 04:00"),
        ("smart_meter_texas.csv", "UTC", "2024-05-13 05:00", "2024-05-15 04:45"),
        ("fluvius.csv", "UTC", "2024-03-29 23:00", "2024-03-31 21:45"),
        ("shelly.csv", "America/New_York", "2024-07-01 00:00", "2024-07-02 23:50"),
        ("green_button.xml", "Europe/Berlin", "2024-05-01 00:00", "2024-05-02 23:45"),
        ("green_button_pge.csv", "America/Los_Angeles", "2024-05-01 07:00", "2024-05-03 06:45"),
        ("wide_day.csv", "Europe/Rome", "2024-03-27 23:00", "2024-03-31 21:45"),
    ],
)
def test_an_export_is_of_the_instants_that_it_means(tmp_path, name, zone, first, last):
    found = judged(SAMPLES / name, tmp_path, zone=zone).readings()["timestamp_utc"]
    assert (f"{found.min():%Y-%m-%d %H:%M}", f"{found.max():%Y-%m-%d %H:%M}") == (first, last)


@pytest.mark.parametrize(
    ("name", "estimated"),
    [("smart_meter_texas.csv", 4), ("fluvius.csv", 5), ("green_button.xml", 6), ("octopus.csv", 0)],
)
def test_what_was_estimated_is_marked(tmp_path, name, estimated):
    assert judged(SAMPLES / name, tmp_path).readings()["estimated"].sum() == estimated


def test_registers_of_home_assistant_become_differences(tmp_path):
    result = judged(SAMPLES / "home_assistant.csv", tmp_path, HOME_ASSISTANT)
    shown = {}
    for row in table("home_assistant.csv"):
        if row["state"] != "unavailable":
            shown.setdefault(row["entity_id"], []).append(number(row["state"]))
    used = sum(
        later - earlier if later >= earlier else later
        for values in shown.values()
        for earlier, later in itertools.pairwise(values)
    )
    assert math.fsum(result.readings()["kwh"]) == pytest.approx(float(used), abs=1e-9)
    assert set(result.warnings) == {"REGISTER_RESET"}
    with pytest.raises(InputRejected, match=r"Home Assistant.*config/<site>\.yaml: under readings, unit"):
        judged(SAMPLES / "home_assistant.csv", tmp_path)


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
def test_nothing_of_people_and_their_meters_reaches_an_output(tmp_path, path):
    config = HOME_ASSISTANT if path.name == "home_assistant.csv" else ""
    content = path.read_bytes().decode("utf-8-sig")
    # One bad reading among them, so that there is something to set apart.
    some = content.splitlines()[:10][-1]
    bad = content + some.replace("2024", "1924") + "\n"
    copy = tmp_path / path.name
    copy.write_text(content if path.suffix == ".xml" else bad)
    result = judged(copy, tmp_path, config)
    said = [json.dumps([result.quality.model_dump(), result.warnings, result.notes, result.set_apart])]
    said += [frame.write_csv() for frame in result.rejected()]
    assert path.suffix == ".xml" or len(said) > 1
    for word in PERSONAL:
        assert word not in "".join(said)
    broken = tmp_path / "broken.csv"
    broken.write_text(content.replace("TYPE,DATE", "KIND,DAY").replace("ESIID,", "ID,"))
    if "PGE" in path.name.upper():
        with pytest.raises(InputRejected) as refused:
            judged(broken, tmp_path)
        assert not any(word in str(refused.value) for word in PERSONAL)


def test_rows_with_the_whole_start_in_one_column_are_read(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(
        f"J,A,1,E,electric,2026-02-01,2026-02-01 0{hour}:00:00-05:00,2026-02-01 0{hour}:59:00-05:00,1.25,kWh,$0.12,4\n"
        for hour in range(3)
    )
    path.write_text(
        f"Name,Address,Account Number,Service,Type,Date,Start Time,End Time,Usage,Units,Costs,Weather\n{rows}"
    )
    rules_ = rules(parse(""), "America/New_York", 0.5)
    found = judge(path, rules_, dt.datetime(2026, 3, 1, tzinfo=dt.UTC), tmp_path).readings()
    assert found["kwh"].to_list() == [1.25] * 3
    assert found["timestamp_utc"][0] == dt.datetime(2026, 2, 1, 5)


FEED = '<?xml version="1.0"?>{}<feed xmlns="http://www.w3.org/2005/Atom" xmlns:e="http://naesb.org/espi"><title>{}</title></feed>'


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY x "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE feed SYSTEM "http://127.0.0.1/x.dtd">',
    ],
)
def test_xml_that_declares_what_could_name_other_files_is_refused(tmp_path, declared):
    path = tmp_path / "a.xml"
    path.write_text(FEED.format(declared, "&x;" if "ENTITY" in declared else ""))
    started = time.monotonic()
    with pytest.raises(InputRejected, match="NOT_CSV: The XML declares a document type in line 1"):
        judged(path, tmp_path)
    assert time.monotonic() - started < 5


def test_damaged_xml_names_the_line(tmp_path):
    path = tmp_path / "a.xml"
    content = (SAMPLES / "green_button.xml").read_text()
    path.write_text("\n".join(content.splitlines()[:60]))
    with pytest.raises(InputRejected, match=r"NOT_CSV: The Green Button XML is damaged in line 6\d"):
        judged(path, tmp_path)


def test_xml_without_electricity_delivered_is_told_so(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text((SAMPLES / "green_button.xml").read_text().replace("<espi:uom>72<", "<espi:uom>169<"))
    with pytest.raises(InputRejected, match="NO_ROWS: The Green Button file has no electric energy delivered"):
        judged(path, tmp_path)


def test_a_bad_value_in_xml_is_set_apart_with_its_line(tmp_path):
    path = tmp_path / "a.xml"
    lines = (SAMPLES / "green_button.xml").read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if "<espi:value>" in line)
    lines[place] = lines[place].replace("<espi:value>", "<espi:value>x")
    path.write_text("\n".join(lines))
    result = judged(path, tmp_path)
    (frame,) = result.rejected()
    assert frame.select("line", "code").rows() == [(place + 1, "BAD_NUMBER")]


BASE = "https://utility.example/espi/1_1/resource"
POINT = f"{BASE}/UsagePoint/1"
NEW_YEAR = 1_704_067_200


def entry(itself, content, up="", related=()):
    links = [("self", itself), *([("up", up)] if up else []), *(("related", href) for href in related)]
    shown = "".join(f'<link rel="{relation}" href="{href}"/>' for relation, href in links)
    return f"<entry>{shown}<content>{content}</content></entry>"


def reading_type(number, **values):
    said = {"uom": 72, "flowDirection": 1, "accumulationBehaviour": 4, "powerOfTenMultiplier": 0} | values
    return entry(
        f"{BASE}/ReadingType/{number}",
        f"<e:ReadingType>{''.join(f'<e:{name}>{value}</e:{name}>' for name, value in said.items())}</e:ReadingType>",
    )


def meter_reading(number, type_number):
    itself = f"{POINT}/MeterReading/{number}"
    related = (f"{itself}/IntervalBlock", f"{BASE}/ReadingType/{type_number}")
    return entry(itself, "<e:MeterReading/>", related=related)


def readings(values, start=NEW_YEAR, seconds=3600, qualities=()):
    said = "".join(f"<e:ReadingQuality><e:quality>{quality}</e:quality></e:ReadingQuality>" for quality in qualities)
    return "".join(
        f"<e:IntervalReading>{said}<e:timePeriod><e:duration>{seconds}</e:duration><e:start>{start + n * seconds}"
        f"</e:start></e:timePeriod><e:value>{value}</e:value></e:IntervalReading>"
        for n, value in enumerate(values)
    )


def block(number, *args, **kwargs):
    up = f"{POINT}/MeterReading/{number}/IntervalBlock"
    return entry(f"{up}/1", f"<e:IntervalBlock>{readings(*args, **kwargs)}</e:IntervalBlock>", up=up)


def feed(tmp_path, *entries):
    path = tmp_path / "feed.xml"
    path.write_text(
        '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xmlns:e="http://naesb.org/espi">'
        f"{''.join(entries)}</feed>"
    )
    return path


def test_meter_readings_of_one_meter_that_follow_each_other_are_all_taken(tmp_path):
    days = [block(number, [100] * 24, NEW_YEAR + (number - 1) * 86_400) for number in (1, 2, 3)]
    path = feed(tmp_path, reading_type(1), *(meter_reading(number, 1) for number in (1, 2, 3)), *days)
    found = judged(path, tmp_path).readings()
    assert found.height == 72
    assert found["kwh"].sum() == pytest.approx(7.2)
    assert found["appliance"].unique().to_list() == ["Whole house"]


@pytest.mark.parametrize("lengths", [True, False])
def test_readings_by_the_day_and_those_fed_in_are_left_out_and_counted(tmp_path, lengths):
    length = [{"intervalLength": seconds} if lengths else {} for seconds in (3600, 86_400, 3600)]
    path = feed(
        tmp_path,
        reading_type(1, **length[0]),
        reading_type(2, **length[1]),
        reading_type(3, **length[2], flowDirection=19),
        *(meter_reading(number, number) for number in (2, 1, 3)),
        block(2, [2400, 2400], seconds=86_400),
        block(3, [7] * 48),
        block(1, [100] * 48),
    )
    result = judged(path, tmp_path)
    assert result.readings()["kwh"].to_list() == [0.1] * 48
    assert result.notes["LEFT_OUT"].startswith("50 row(s)")


def test_a_block_is_of_the_meter_reading_that_links_it_whatever_its_address(tmp_path):
    linked = [
        entry(
            f"{BASE}/MeterReading/{number}",
            "<e:MeterReading/>",
            related=(f"{BASE}/ReadingType/{number}", f"{BASE}/IntervalBlock/{number}"),
        )
        for number in (10, 11)
    ]
    blocks = [
        entry(f"{BASE}/IntervalBlock/{number}", f"<e:IntervalBlock>{readings([value] * 24)}</e:IntervalBlock>")
        for number, value in ((10, 100), (11, 50))
    ]
    types = [reading_type(10, powerOfTenMultiplier=1), reading_type(11, flowDirection=19)]
    assert judged(feed(tmp_path, *types, *linked, *blocks), tmp_path).readings()["kwh"].to_list() == [1.0] * 24


def test_one_of_several_qualities_says_that_a_reading_was_estimated(tmp_path):
    path = feed(tmp_path, reading_type(1), meter_reading(1, 1), block(1, [100] * 24, qualities=(17, 8)))
    assert judged(path, tmp_path).readings()["estimated"].all()


@pytest.mark.parametrize(
    ("value", "power", "codes"),
    [
        ("250", "3", {}),
        ("25e1", "3", {}),
        ("250", "x", {"BAD_NUMBER": 24}),
        ("250", "999999", {"BAD_NUMBER": 24}),
        ("1 250", "3", {"BAD_NUMBER": 24}),
        ("", "3", {"MISSING_VALUE": 24}),
    ],
)
def test_a_value_counts_times_its_power_of_ten_or_not_at_all(tmp_path, value, power, codes):
    path = feed(
        tmp_path,
        reading_type(1, powerOfTenMultiplier=power),
        meter_reading(1, 1),
        block(1, [value] * 24),
    )
    result = judged(path, tmp_path)
    assert result.codes == codes
    assert codes or result.readings()["kwh"].to_list() == [250.0] * 24


def test_what_a_feed_has_instead_of_electricity_delivered_is_said(tmp_path):
    path = feed(tmp_path, reading_type(1, flowDirection=4), meter_reading(1, 1), block(1, [100] * 24))
    with pytest.raises(InputRejected, match="It has: unit of measure 72, flow direction 4, accumulation 4"):
        judged(path, tmp_path)


QUARTERS = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(0, 24 * 60, 15)]


@pytest.mark.parametrize(
    "columns",
    [
        QUARTERS,
        [*QUARTERS[1:], "24:00"],
        [*QUARTERS[1:], "00:00"],
        [f"{start}-{end}" for start, end in itertools.pairwise([*QUARTERS, "00:00"])],
    ],
    ids=["starts", "ends at 24:00", "ends at 00:00", "ranges"],
)
def test_columns_of_a_day_are_named_by_starts_or_ends_or_both(tmp_path, columns):
    path = tmp_path / "a.csv"
    path.write_text(f"Date,{','.join(columns)}\n2024-06-01,{','.join(str(n + 1) for n in range(96))}\n")
    found = judged(path, tmp_path).readings()
    assert found["kwh"].to_list() == [float(n + 1) for n in range(96)]
    assert f"{found['timestamp'][0]:%Y-%m-%d %H:%M}" == "2024-06-01 00:00"


def test_an_italian_day_goes_before_the_month(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"Giorno;{';'.join(QUARTERS)}\n" + '"03/04/2024";' + '"0,1";' * 96 + "\n")
    found = judged(path, tmp_path).readings()
    assert found.height == 96
    assert f"{found['timestamp'][0]:%Y-%m-%d}" == "2024-04-03"


def test_the_hour_that_clocks_skip_may_have_rows_without_readings_in_texas(tmp_path):
    path = tmp_path / "a.csv"
    header = (
        "ESIID,USAGE_DATE,REVISION_DATE,USAGE_START_TIME,USAGE_END_TIME,USAGE_KWH,ESTIMATED_ACTUAL,"
        "CONSUMPTION_SURPLUSGENERATION\n"
    )
    rows = [
        f"'10000000000000000,03/09/2025,, {time_}, 00:00,{'' if time_.startswith('02') else '0.25'},A,Consumption\n"
        for time_ in QUARTERS
    ]
    path.write_text(header + "".join(rows))
    result = judged(path, tmp_path)
    assert (result.rows.accepted, result.rows.rejected) == (92, 0)


def test_both_passes_of_a_repeated_hour_may_alternate(tmp_path):
    path = tmp_path / "a.csv"
    rows = []
    for time_ in QUARTERS:
        for _ in range(2 if time_.startswith("02") else 1):
            number_ = len(rows) + 1
            rows.append(
                f'29/10/2023;{time_}:00;29/10/2023;;="541000000000000000";M;Digital meter;Offtake Night;'
                f"0,{number_:03d};kWh;Read;\n"
            )
    path.write_text(
        "From (date);From (time);Until (date);Until (time);EAN code;Meter;Meter type;Register;Volume;Unit;"
        "Validation status;Description\n" + "".join(rows)
    )
    found = judged(path, tmp_path).readings()
    assert found.height == 100
    # 02:00 and 02:15 in summer time, and an hour later again.
    assert [round(found["kwh"][place] * 1000) for place in (8, 9, 12, 13)] == [9, 11, 10, 12]


MAPPED = """
readings:
  columns: {timestamp: [Datum, Uhrzeit], value: Verbrauch}
  appliance: Hof
  unit: Wh
  date_order: day_first
"""


def test_columns_may_be_named_by_the_configuration(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "Kunde;Erika Beispiel\n\nDatum;Uhrzeit;Verbrauch;Notiz\n01.03.2024;00:00;1.234,5;x\n01.03.2024;01:00;80,25;\n"
    )
    result = judged(path, tmp_path, MAPPED, "Europe/Berlin")
    assert result.readings().select("appliance", "kwh").rows() == [("Hof", 1.2345), ("Hof", 0.08025)]
    assert result.readings()["timestamp_utc"][0] == dt.datetime(2024, 2, 29, 23)
    assert "Beispiel" not in json.dumps(result.quality.model_dump())
    path.write_text("Datum;Zeit;Verbrauch\n01.03.2024;00:00;1,5\n")
    with pytest.raises(InputRejected, match=r"MISSING_COLUMN: The site's configuration .* asks for 'uhrzeit'"):
        judged(path, tmp_path, MAPPED)


HALF_HOURS = [f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in (0, 30)]


@pytest.mark.parametrize(
    ("zone", "day", "hours", "skipped", "repeated"),
    [
        ("Australia/Adelaide", "2024-10-06", 23, 2, 0),
        ("Australia/Adelaide", "2024-04-07", 25, 0, 2),
        ("Australia/Lord_Howe", "2024-10-06", 23.5, 1, 0),
        ("Australia/Lord_Howe", "2024-04-07", 24.5, 0, 1),
        ("America/St_Johns", "2024-03-10", 23, 2, 0),
        ("America/St_Johns", "2024-11-03", 25, 0, 2),
        ("Asia/Kolkata", "2024-03-10", 24, 0, 0),
    ],
)
def test_days_have_their_own_length_in_every_zone(tmp_path, zone, day, hours, skipped, repeated):
    from zoneinfo import ZoneInfo

    midnight = dt.datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    begins, ends = midnight.astimezone(dt.UTC), (midnight + dt.timedelta(days=1)).astimezone(dt.UTC)
    instants = [begins + dt.timedelta(minutes=30) * n for n in range(round((ends - begins) / dt.timedelta(minutes=30)))]
    walls = [f"{instant.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for instant in instants]
    absent = [f"{day} {time_}" for time_ in HALF_HOURS if f"{day} {time_}" not in walls]
    path = tmp_path / "a.csv"
    rows = [f"{wall},oven,{n}.5\n" for n, wall in enumerate(walls)] + [f"{wall},oven,99\n" for wall in absent]
    path.write_text("timestamp,appliance,kwh\n" + "".join(rows))
    result = judged(path, tmp_path, zone=zone)
    found = result.readings()
    assert found["timestamp_utc"].to_list() == [instant.replace(tzinfo=None) for instant in instants]
    assert found["kwh"].to_list() == [n + 0.5 for n in range(len(instants))]
    assert [f"{wall:%Y-%m-%d %H:%M}" for wall in found["timestamp"]] == walls
    assert found.height == hours * 2
    assert result.codes == ({"NONEXISTENT_LOCAL_TIME": skipped} if skipped else {})
    twice = found.filter(pl.col("timestamp").is_duplicated()).height
    assert twice == 2 * repeated


def test_contradictions_are_set_apart_by_the_cell_where_a_line_holds_many(tmp_path):
    path = tmp_path / "a.csv"
    header, *days = (SAMPLES / "wide_day.csv").read_text().splitlines()
    first = next(cell for cell in days[0].split(";") if "," in cell)
    path.write_text(
        "\n".join([header, *days, days[0].replace(first, '"9,999"' if '"' in first else "9,999", 1)]) + "\n"
    )
    result = judged(path, tmp_path, zone="Europe/Rome")
    (frame,) = result.rejected()
    assert frame.select("line", "code").rows() == [(2, "CONFLICTING_READING"), (len(days) + 2, "CONFLICTING_READING")]
    assert result.rows.rejected == 2
    assert result.rows.read == result.rows.accepted + result.rows.rejected + result.rows.duplicates


def test_contradictions_are_set_apart_where_a_feed_is_one_line(tmp_path):
    path = tmp_path / "a.xml"
    text = (SAMPLES / "green_button.xml").read_text().replace("\n", "")
    reading = text[
        text.index("<espi:IntervalReading>") : text.index("</espi:IntervalReading>") + len("</espi:IntervalReading>")
    ]
    changed = reading.replace("<espi:value>", "<espi:value>9")
    path.write_text(text.replace(reading, reading + changed))
    result = judged(path, tmp_path)
    (frame,) = result.rejected()
    assert (result.rows.rejected, frame.height) == (2, 2)


def test_a_unit_that_nothing_says_is_warned_about(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text((SAMPLES / "wide_day.csv").read_text().replace("Giorno", "Date"))
    assert set(judged(SAMPLES / "wide_day.csv", tmp_path, zone="Europe/Rome").warnings) == {"DIALECT"}
    assert "UNIT_ASSUMED" in judged(path, tmp_path, zone="Europe/Rome").warnings
    told = judged(path, tmp_path, "readings: {unit: Wh}", zone="Europe/Rome")
    assert "UNIT_ASSUMED" not in told.warnings
    whole = judged(path, tmp_path, zone="Europe/Rome").readings()["kwh"].sum()
    assert told.readings()["kwh"].sum() == pytest.approx(whole / 1000)
