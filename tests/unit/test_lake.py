"""Names in the lake."""

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
