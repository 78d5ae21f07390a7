"""State "Generate report", from the earlier steps' documents in the lake to the three files of the report."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from energy.errors import ObjectMissing
from energy.recipes import ConfigSnapshot
from energy.site_config import SiteConfig

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("report_home", ROOT / "tests" / "unit" / "report_home.py")
home = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(home)

NAMES = {"html": "html_key", "md": "markdown_key", "json": "json_key"}


@pytest.fixture
def documents(lake_on_moto):
    for key, document in {
        "readings.json": home.home(),
        "anomalies.json": home.anomalies(home.anomaly()),
        "forecast.json": home.forecast(),
    }.items():
        lake_on_moto.put_object(Bucket="lake", Key=key, Body=document.model_dump_json().encode())
    return lake_on_moto


def body(s3, key):
    return s3.get_object(Bucket="lake", Key=key)["Body"].read()


def event(**changes):
    return home.request(**changes).model_dump(mode="json")


def test_writes_the_report_in_three_forms(documents, load_handler, context):
    result = load_handler("generate_report")(event(), context)
    keys = {extension: result[name] for extension, name in NAMES.items()}
    digest = hashlib.sha256(body(documents, keys["json"])).hexdigest()[:12]
    for extension, key in keys.items():
        assert key == f"reports/site=home/pub={'p' * 20}/text={digest}/report.{extension}"
    assert result["provider"] == "rules"
    page = body(documents, keys["html"]).decode()
    assert page.lstrip().startswith("<!doctype html>")
    assert "320.0 kWh" in page
    assert "320.0 kWh" in body(documents, keys["md"]).decode()
    assert json.loads(body(documents, keys["json"]))["facts"]["site.total_kwh"]["value"] == 320.0
    assert documents.head_object(Bucket="lake", Key=keys["html"])["ContentType"] == "text/html; charset=utf-8"


def test_the_same_input_again_is_the_same_report(documents, load_handler, context):
    handler = load_handler("generate_report")
    first = handler(event(), context)
    before = {name: body(documents, first[name]) for name in NAMES.values()}
    assert handler(event(), context) == first
    assert {name: body(documents, first[name]) for name in NAMES.values()} == before


def test_the_report_speaks_the_language_of_the_publication_s_configuration(documents, load_handler, context):
    snapshot = ConfigSnapshot(config=SiteConfig(language="de"))
    documents.put_object(Bucket="lake", Key="config.json", Body=snapshot.model_dump_json().encode())
    told = event()
    told["publication"]["config_key"] = "config.json"
    result = load_handler("generate_report")(told, context)
    assert '<html lang="de">' in body(documents, result["html_key"]).decode()
    assert "320,0 kWh" in body(documents, result["markdown_key"]).decode()
    assert json.loads(body(documents, result["json_key"]))["language"] == "de"


def test_other_words_about_the_same_numbers_lie_beside_the_first(documents, load_handler, context):
    handler = load_handler("generate_report")
    first, second = handler(event(), context), handler(event(warnings=["GAP: two hours are missing"]), context)
    assert first["html_key"] != second["html_key"]
    assert body(documents, first["html_key"]) != body(documents, second["html_key"])


def test_without_a_forecast_the_reasons_are_in_the_report(documents, load_handler, context):
    result = load_handler("generate_report")(event(with_forecast=False, notes=["Prophet timed out"]), context)
    assert "Prophet timed out" in body(documents, result["html_key"]).decode()
    assert "Prophet timed out" in body(documents, result["markdown_key"]).decode()


def test_a_missing_document_is_an_error_that_names_it(lake_on_moto, load_handler, context):
    with pytest.raises(ObjectMissing, match=r"readings\.json"):
        load_handler("generate_report")(event(), context)


def test_rendering_loads_no_data_frame_library():
    script = """
import sys
sys.path[:0] = ["layers/core", "tests/unit"]
import energy.report
early = {"altair", "vl_convert", "jinja2"} & set(sys.modules)
import report_home
from energy.report import render, rules, sheet
facts = sheet.fact_sheet(report_home.request(), report_home.home(), report_home.anomalies(), report_home.forecast())
assert b"<svg" in render.html(facts, rules.write_text(facts))
late = {"pandas", "numpy", "polars", "pyarrow"} & set(sys.modules)
print(sorted(early), sorted(late))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[] []", done.stderr
