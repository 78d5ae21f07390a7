"""State "Generate report", from the earlier steps' documents in the lake to the three files of the report."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from energy.errors import ObjectMissing

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("report_home", ROOT / "tests" / "unit" / "report_home.py")
home = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(home)

KEYS = {extension: f"reports/site=home/pub={'p' * 20}/report.{extension}" for extension in ("html", "md", "json")}


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
    assert result == {
        "html_key": KEYS["html"],
        "markdown_key": KEYS["md"],
        "json_key": KEYS["json"],
        "provider": "rules",
    }
    page = body(documents, KEYS["html"]).decode()
    assert page.lstrip().startswith("<!doctype html>")
    assert "320.0 kWh" in page
    assert "320.0 kWh" in body(documents, KEYS["md"]).decode()
    assert json.loads(body(documents, KEYS["json"]))["facts"]["site.total_kwh"]["value"] == 320.0
    kinds = {key: documents.head_object(Bucket="lake", Key=key)["ContentType"] for key in KEYS.values()}
    assert kinds[KEYS["html"]] == "text/html; charset=utf-8"


def test_the_same_input_again_is_the_same_report(documents, load_handler, context):
    handler = load_handler("generate_report")
    first = handler(event(), context)
    before = {key: body(documents, key) for key in KEYS.values()}
    assert handler(event(), context) == first
    assert {key: body(documents, key) for key in KEYS.values()} == before


def test_without_a_forecast_the_reasons_are_in_the_report(documents, load_handler, context):
    load_handler("generate_report")(event(with_forecast=False, notes=["Prophet timed out"]), context)
    assert "Prophet timed out" in body(documents, KEYS["html"]).decode()
    assert "Prophet timed out" in body(documents, KEYS["md"]).decode()


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
