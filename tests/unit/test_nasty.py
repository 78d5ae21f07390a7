"""The catalogue of nasty files: each gets its verdict, its codes, its rows, and a sentence that helps."""

import datetime as dt
import json
import re
from pathlib import Path

import pytest

from energy import lake
from energy.errors import InputRejected
from energy.intake.judging import judge
from energy.site_config import Rules
from tests.fuzz import invariants

NASTY = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "nasty"
EXPECTED = json.loads((NASTY / "expected.json").read_text())
FILES = EXPECTED["files"]
UPLOADED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

# What the message, or the warning with that code, has to name.
NAMED = {
    "broken_utf8.csv": r"\b200\b",
    "utf16le_nobom.csv": r"\b\d+\b",
    "really_xlsx.csv": r"Excel workbook.*CSV",
    "binary_png.csv": r"PNG.*CSV",
    "double_gz.csv.gz": r"(?i)gzip",
    "unterminated_quote.csv": r"line 2\b",
    "missing_column.csv": r"(?=.*kwh)(?=.*timestamp)(?=.*appliance)",
    "duplicate_header.csv": r"kwh|timestamp|appliance",
    "many_columns.csv": r"1,?000",
    "unit_in_value.csv": r"unit.*0\.5 kWh",
    "day_month_ambiguous.csv": r"date_order",
    "all_rows_bad.csv": r"\b50\b",
    "half_rows_bad.csv": r"\b48\b",
    "gz_truncated.csv.gz": r"(?i)truncated|incomplete|ends|end",
    "header_only.csv": r"(?i)no row|no reading|only a header|header",
    "unit_wh_header.csv": r"Wh",
    "gap_30_days.csv": r"fridge",
    "dst_autumn_fold.csv": r"Europe/Berlin",
    "naive_and_aware.csv": r"UTC",
}


def rules_of(name):
    return Rules(timezone="Europe/Berlin" if name.startswith("dst_") else "UTC")


@pytest.fixture
def judged(tmp_path):
    """A nasty file's (refusal, result): the result is None where the file cannot be read at all."""

    def run(name):
        try:
            result = judge(NASTY / name, rules_of(name), UPLOADED, tmp_path, name)
        except InputRejected as refused:
            return refused, None
        return result.refusal, result

    return run


def test_the_catalogue_is_complete():
    assert len(FILES) == 70
    assert {path.name for path in NASTY.iterdir()} == {*FILES, "expected.json", "README.md"}


@pytest.mark.parametrize("name", FILES)
def test_a_nasty_file_gets_its_verdict(judged, name):
    refusal, result = judged(name)
    found = {
        "verdict": "reject" if refusal else result.verdict,
        "codes": {refusal.code} if refusal else {*result.codes, *result.warnings},
        "rows_ok": None if refusal else result.rows.accepted,
        "rows_bad": result.rows.rejected + result.rows.duplicates if result else 0,
    }
    expected = {key: FILES[name][key] for key in found}
    assert found == {**expected, "codes": set(expected["codes"])}


@pytest.mark.parametrize("name", FILES)
def test_what_holds_for_every_file_holds_for_a_nasty_one(judged, name):
    refusal, result = judged(name)
    assert (invariants.breaches(result) if result else invariants.of_refusal(refusal)) == []


@pytest.mark.parametrize("name", NAMED)
def test_the_message_names_what_was_found(judged, name):
    refusal, result = judged(name)
    text = refusal.problem if refusal else " ".join(result.warnings.values())
    assert re.search(NAMED[name], text, re.DOTALL), text


def test_a_decimal_comma_is_a_decimal_comma(judged):
    comma, point = (judged(name)[1].readings() for name in ("semicolon_decimal_comma.csv", "ok.csv"))
    assert comma.equals(point)


def test_other_dialects_of_one_file_publish_its_bytes(judged):
    same = [
        *("ok.csv", "utf8_bom.csv", "utf16le_bom.csv", "utf16be_bom.csv", "cr_only.csv", "no_final_newline.csv"),
        *("blank_lines.csv", "semicolon_decimal_comma.csv", "pipe.csv", "extra_columns.csv", "reordered.csv"),
        *("repeated_header_midfile.csv", "footer_total.csv", "ragged_short.csv", "ragged_long.csv"),
        *("gz_ok.csv.gz", "gz_named_csv.csv", "val_hex.csv"),
    ]
    months = {name: invariants.published(judged(name)[1]) for name in same}
    assert [name for name in same if months[name] != months["ok.csv"]] == []


def test_watt_hours_are_a_thousandth_of_kilowatt_hours(judged):
    wh, kwh = (judged(name)[1] for name in ("unit_wh_header.csv", "ok.csv"))
    assert invariants.total_kwh(wh) == pytest.approx(invariants.total_kwh(kwh), rel=1e-12)


def test_ignored_columns_are_told_without_doubting_the_file(judged):
    _, result = judged("extra_columns.csv")
    told = " ".join(result.notes.values())
    assert "room" in told
    assert "meter" in told


def test_the_autumn_day_has_an_hour_more(judged):
    _, result = judged("dst_autumn_fold.csv")
    instants = result.readings()["timestamp_utc"].dt.hour().to_list()
    # 01:30, 02:30 and 02:30 of 27 October 2024 in Berlin, an hour apart, then 03:30.
    assert instants == [23, 0, 1, 2]
    assert result.readings()["kwh"].to_list() == [0.1, 0.2, 0.3, 0.4]


def test_offsets_are_instants(judged):
    _, result = judged("offsets_mixed.csv")
    assert [str(instant) for instant in result.readings()["timestamp_utc"]] == [
        "2024-03-01 00:00:00",
        "2024-03-01 01:00:00",
        "2024-03-01 02:00:00",
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_name_of_a_nasty_file_is_kept_as_a_name(judged, name):
    _, result = judged(name)
    if result is None or result.refusal:
        return
    # Names are data: what would be a path, a formula or markup is published as it was written.
    assert all(appliance.isprintable() for appliance in result.readings()["appliance"])


KEYS = EXPECTED["keys"]
ACCEPTED_KEYS = [key for key, verdict in KEYS.items() if not verdict.startswith(("skip", "never"))]


@pytest.mark.parametrize("key", ACCEPTED_KEYS)
def test_no_key_that_starts_a_run_decides_where_its_results_lie(key):
    site, run = lake.site_of_key(key), lake.run_id("bucket", key, "v1", "recipe")
    paths = [
        lake.upload_readings_key(site, lake.upload_id(key), run, "2024-01"),
        lake.upload_quality_key(site, lake.upload_id(key), run),
        lake.quarantine_key(site, run, "rejected.csv"),
        lake.manifest_key(site),
        lake.latest_report_key(site),
    ]
    for path in paths:
        assert re.fullmatch(r"[A-Za-z0-9_=./-]+", path), path
        assert not {"", ".", ".."} & set(path.split("/")), path
        # A `=` of the key must not become a partition of the output.
        assert {part.split("=")[0] for part in path.split("/") if "=" in part} <= {"site", "upload", "run", "month"}


def test_keys_are_literal():
    """No key is decoded, joined or normalised: each is an upload of its own."""
    assert len({lake.upload_id(key) for key in KEYS}) == len(KEYS)
    assert lake.upload_id("raw/%2e%2e/x.csv") != lake.upload_id("raw/../x.csv")
    assert lake.site_of_key("raw//x.csv") not in ("", "home")
    assert {lake.site_of_key(key) for key in ("raw/ü.csv", "raw/ü.csv", "raw/a b+c.csv")} == {"home"}


def test_keys_that_never_start_a_run_lie_apart_from_uploads():
    elsewhere = [key for key, verdict in KEYS.items() if verdict.startswith("never")]
    assert elsewhere
    assert not any(key.startswith(lake.RAW_PREFIX) for key in elsewhere)
