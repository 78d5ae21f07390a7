"""Names in the lake."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import lake


@pytest.mark.parametrize(
    ("key", "site"),
    [
        ("raw/january.csv", "home"),
        ("raw/cabin/january.csv", "cabin"),
        ("raw/cabin/2024/january.csv", "cabin"),
        ("raw/flat_2/x.csv", "flat_2"),
    ],
)
def test_the_folder_below_raw_is_the_site(key, site):
    assert lake.site_of_key(key) == site


@pytest.mark.parametrize("folder", ["..", "", "year=2024", "Cabin", "%2e%2e", "a b", "ü", "x" * 64, "日本"])
def test_a_folder_that_is_unsafe_in_a_path_is_folded_and_stays_unique(folder):
    site = lake.site_name(folder)
    assert lake.site_name(site) == site, "a site's name is safe in paths"
    assert site != folder


def test_unicode_forms_of_a_folder_are_different_sites():
    assert lake.site_name("\u00fc") != lake.site_name("u\u0308")


@given(st.text(max_size=1100))
def test_no_key_escapes_its_prefix(folder):
    site = lake.site_of_key(f"raw/{folder}/x.csv")
    assert not set(site) & set("/=%.\\ ")
    assert 1 <= len(site) <= 63
    assert len(lake.run_id("bucket", f"raw/{folder}/x.csv", "v1", "recipe")) == 20


@pytest.mark.parametrize(
    ("newer", "older"),
    [("10", "9"), ("00A1", "a0"), ("0061B4", "61B3"), ("1", None), ("100000000000000000", "FFFFFFFFFFFFFFFFF")],
)
def test_sequencers_are_padded_on_the_left_before_they_are_compared(newer, older):
    assert lake.is_newer(newer, than=older)
    assert not lake.is_newer(older, than=newer)


def test_a_sequencer_is_not_newer_than_itself():
    assert not lake.is_newer("00ab", than="AB")


def test_ids_depend_on_everything_that_they_name():
    runs = {lake.run_id(b, k, v, r) for b in "bB" for k in ("raw/a", "raw/b") for v in "12" for r in "xy"}
    assert len(runs) == 16
    publications = {
        lake.publication_id([*changes], base, by) for changes in ("a", "ab") for base in (None, '"etag"') for by in "xy"
    }
    assert len(publications) == 8


def test_the_state_machine_passes_over_the_same_names():
    machine = json.loads(
        (Path(__file__).resolve().parents[2] / "statemachine" / "energy_pipeline.asl.json").read_text()
    )
    (choice,) = machine["States"][machine["StartAt"]]["Choices"]
    pattern, flags = re.search(r"\$split\([\w.$]+, '/'\)\[-1\], /(.+)/(\w*)\)", choice["Condition"]).groups()
    assert (pattern, flags) == (lake.PASSED_OVER, "i")


@pytest.mark.parametrize("key", ["raw/", "raw/a/", "raw/.x", "raw/_SUCCESS", "raw/a.csv.TMP", "raw/a/b.part"])
def test_hidden_marker_and_unfinished_files_are_passed_over(key):
    assert lake.is_passed_over(key)


@pytest.mark.parametrize("key", ["raw/a.csv", "raw/.hidden/a.csv", "raw/tmp", "raw/a.tmp.csv", "raw/a.parts"])
def test_everything_else_is_an_upload(key):
    assert not lake.is_passed_over(key)


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        (lake.upload_readings_key("home", "u", "r", "2024-01"), "processed/uploads/site=home/upload=u/run=r/"),
        (lake.upload_quality_key("home", "u", "r"), "processed/uploads/site=home/upload=u/run=r/"),
        (lake.quarantine_key("home", "r", "problems.json"), "quarantine/site=home/run=r/"),
        (lake.readings_prefix("home", "2024-01", "p") + "x", "processed/readings/site=home/month=2024-01/pub=p/"),
        (lake.table_prefix("anomalies", "home", "p") + "x", "anomalies/site=home/pub=p/"),
        (lake.table_prefix("forecast/total", "home", "p") + "by=x/y", "forecast/total/site=home/pub=p/"),
        (lake.publication_document_key("processed", "home", "p", "draft"), "processed/documents/site=home/pub=p/"),
        (lake.publication_document_key("anomalies", "home", "p", "summary"), "anomalies/documents/site=home/pub=p/"),
        ("reports/site=home/pub=p/report.html", "reports/site=home/pub=p/"),
        ("forecast/history/site=home/month=2024-01/pub=p/x", "forecast/history/site=home/month=2024-01/pub=p/"),
    ],
)
def test_what_a_run_or_a_publication_has_written_lies_below_a_prefix_of_its_own(key, prefix):
    found = lake.written(key)
    assert found == lake.Written(prefix, "home", "r" if "run=" in prefix else "p")


@pytest.mark.parametrize(
    "key",
    [
        "raw/site=home/pub=p/x",
        "config/home.yaml",
        lake.manifest_key("home"),
        lake.pending_prefix("home") + "r.json",
        lake.latest_report_key("home"),
        "athena-results/site=home/pub=p/x",
        "processed/notes.txt",
    ],
)
def test_nothing_else_is_taken_for_what_a_run_has_written(key):
    assert lake.written(key) is None
