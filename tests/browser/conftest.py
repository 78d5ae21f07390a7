"""Chromium, and pages to open in it. What is looked at is kept in build/browser: pages, screenshots, printed PDFs."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from energy.report import render, rules
from energy.report.facts import FactSheet
from energy.report.sheet import fact_sheet

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "browser"
SPEC = importlib.util.spec_from_file_location("report_home", ROOT / "tests" / "unit" / "report_home.py")
home = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(home)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The width of a phone, and of a desk.
WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")
LANGUAGES = ("en", "de")


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
    names = ["Heater", "AC in the living room upstairs", "Washing Machine", "Dishwasher", "Fridge", "EV charger", "TV"]
    names += ["Boiler", "Lights", "Oven", "Router", "Freezer in the cellar", "Kettle", "Other"]
    evening = [0.05] * 7 + [0.4] * 11 + [1.5] * 3 + [0.1] * 3
    appliances = [
        home.appliance(one, 56 * 20.0 / (place + 1), 0.3 / (place + 1), days=56, profile=evening, complete_days=56)
        for place, one in enumerate(names)
    ]
    readings = home.readings(
        appliances,
        [60 + 7 * (day % 7 > 4) + day % 5 for day in range(56)],
        complete=[day % 17 != 3 for day in range(56)],
        peak_hour=18,
    )
    events = [home.anomaly(one, hour) for one, hour in zip(names[:9], range(9, 18), strict=True)]
    forecast = home.forecast(first=home.FIRST + home.dt.timedelta(days=56), names=names)
    request = home.request(warnings=["70 of 2,100 rows were negative."])
    return fact_sheet(request, readings, home.anomalies(*events), forecast, language)


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
