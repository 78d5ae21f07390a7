"""The report as a reader's browser shows and prints it."""

import io

import pytest
from axe_playwright_python.sync_playwright import Axe
from pypdf import PdfReader
from ways_of_looking import KEPT, LANGUAGES, SCHEMES, WIDTHS

CHARTS = ["versus", "appliances", "days", "week", "profiles", "forecast"]
EVERY_WAY = [
    *(("rich", language, width, scheme) for language in LANGUAGES for width in WIDTHS for scheme in SCHEMES),
    *(("poor", language, 390, scheme) for language in LANGUAGES for scheme in SCHEMES),
]

# Of every drawn text, how far it stands out of its figure to the left or right, in pixels; those that stick out.
STICKING_OUT = """
() => [...document.querySelectorAll("figure.chart svg text")].flatMap(text => {
  const at = text.getBoundingClientRect(), around = text.closest(".panel").getBoundingClientRect();
  if (!at.width) return [];
  const out = Math.max(around.left + 4 - at.left, at.right - around.right + 4);
  return out > 0 ? [`${text.textContent}: ${Math.round(out)} px`] : [];
})
"""
# Pairs of drawn texts of one chart that cover each other by more than a pixel either way.
OVERLAPPING = """
() => [...document.querySelectorAll("figure.chart svg")].flatMap(svg => {
  const seen = text => text.textContent.trim() && text.getBoundingClientRect().width;
  const texts = [...svg.querySelectorAll("text")].filter(seen);
  return texts.flatMap((one, place) => texts.slice(place + 1).flatMap(other => {
    const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    return wide > 1 && high > 3 ? [`${one.textContent} / ${other.textContent}`] : [];
  }));
})
"""


@pytest.mark.parametrize(("name", "language", "width", "scheme"), EVERY_WAY)
def test_a_page_opens_without_complaint_or_request_fits_and_is_accessible(opened, name, language, width, scheme):
    page = opened(name, language, width, scheme)
    page.screenshot(path=KEPT / f"{name}-{language}-{width}-{scheme}.png", full_page=True)
    assert page.said == []
    assert page.asked == [page.url]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(STICKING_OUT) == []
    assert page.evaluate(OVERLAPPING) == []
    # The style sheet is let through by its digest, in the right colours.
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(243, 245, 248)", "dark": "rgb(14, 19, 25)"}[scheme]

    for details in page.query_selector_all("details"):
        details.evaluate("one => one.open = true")
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
    assert [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_chart_is_seen_and_opens_its_figures(opened, language, width):
    page = opened("rich", language, width, "light")
    assert [one.get_attribute("id") for one in page.query_selector_all("figure.chart")] == [
        f"chart-{name}" for name in CHARTS
    ]
    for name in CHARTS:
        figure = page.locator(f"#chart-{name}")
        drawing = figure.locator("svg:visible")
        assert drawing.count() == 1
        assert drawing.bounding_box()["width"] > 250
        labels = drawing.get_attribute("aria-labelledby").split()
        assert all(page.locator(f"[id='{label}']").text_content().strip() for label in labels)
        table = figure.locator("table")
        assert not table.is_visible()
        figure.locator("summary").click()
        assert table.is_visible()
        assert table.locator("tbody tr").count() > 1


def test_a_card_leads_to_its_section(opened):
    page = opened("rich", "en", 390, "light")
    for link in page.query_selector_all("a[href^='#']"):
        target = link.get_attribute("href")
        assert page.locator(target).count() == 1, target
    page.click(".cards a[href='#ahead']")
    assert 0 <= page.locator("#ahead").bounding_box()["y"] < 400


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_prints_on_a4_without_empty_pages(opened, language):
    page = opened("rich", language, 1280, "light")
    path = KEPT / f"rich-{language}.pdf"
    path.write_bytes(page.pdf(prefer_css_page_size=True, print_background=True))
    pages = PdfReader(io.BytesIO(path.read_bytes())).pages
    assert 4 <= len(pages) <= 9
    # 210 by 297 mm in points.
    assert {(round(float(one.mediabox.width)), round(float(one.mediabox.height))) for one in pages} == {(595, 842)}
    assert [number for number, one in enumerate(pages[:-1], 1) if len(one.extract_text()) < 400] == []
