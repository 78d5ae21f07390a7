"""Chromium, and pages to open in it. What is looked at is kept in build/browser: pages, screenshots, printed PDFs."""

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from ways_of_looking import KEPT, ROOT

from energy.report import render, rules
from energy.report.facts import FactSheet
from energy.report.sheet import fact_sheet

sys.path.append(str(ROOT / "tests" / "unit"))
home, rich_home = importlib.import_module("report_home"), importlib.import_module("rich_home")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def sheet_of(name: str, language: str) -> FactSheet:
    """A home with much to tell, or one of which nearly nothing is known."""
    if name == "poor":
        readings = home.readings(
            [home.appliance("Heater", 10.0, 1.0, days=1)], [10.0], complete=[False], peak_hour=None
        )
        return fact_sheet(
            home.request(with_forecast=False, notes=["prophet left out: it has 0 complete days, 14 are needed"]),
            readings,
            home.anomalies(hours_judged=0, skipped={"Heater": "few_hours"}),
            None,
            language,
        )
    return rich_home.rich_sheet(language)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is. Where it is nowhere, the tests are skipped, and fail where they have to run."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    why = "NO CHROMIUM: the report was not looked at in a browser. apt-get install chromium, or name it: CHROMIUM=…"
    if os.environ.get("CI") or os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def report_file() -> Callable[[str, str], Path]:
    """A report as a file."""
    KEPT.mkdir(parents=True, exist_ok=True)
    written: dict[tuple[str, str], Path] = {}

    def written_once(name: str, language: str) -> Path:
        if (name, language) not in written:
            sheet = sheet_of(name, language)
            path = KEPT / f"{name}-{language}.html"
            path.write_bytes(render.html(sheet, rules.write_text(sheet)))
            written[name, language] = path
        return written[name, language]

    return written_once


@pytest.fixture
def opened(browser: Browser, report_file: Callable[[str, str], Path]) -> Iterator[Callable[..., Page]]:
    """Opens a report; the page has `said`, what the console said, and `asked`, what was requested."""
    contexts = []

    def open_report(name: str, language: str, width: int, scheme: str) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda one: page.said.append(one.text))
        page.on("pageerror", lambda one: page.said.append(str(one)))
        page.on("request", lambda one: page.asked.append(one.url))
        page.goto(report_file(name, language).as_uri())
        return page

    yield open_report
    for context in contexts:
        context.close()
