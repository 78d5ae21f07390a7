"""The page and the Markdown show what the JSON document says, and no number beside it: parsed, every one of them."""

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from rich_home import rich_sheet

from energy.report import document, render, rules
from energy.report.language import LANGUAGES

NUMBER = re.compile(r"\d(?:[\d.,:\u2013-]*\d)?")
# Ticks and legends of a chart are its scale, no statements.
SCALES = {"role-axis-label", "role-legend-label"}
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Tables by id, and all text that is seen outside of them: sentences, cards, what is drawn."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tables, self.text, self._open, self._table, self._cell = {}, [], [], None, None

    def handle_starttag(self, tag, attrs):
        classes = (dict(attrs).get("class") or "").split()
        if tag not in VOID:
            self._open.append((tag, classes))
        if named := [one.removeprefix("table-") for one in classes if one.startswith("table-")]:
            self._table = self.tables.setdefault(named[0], [])
        elif tag == "tr":
            self._table.append([])
        elif tag in {"td", "th"}:
            self._cell = []

    def handle_startendtag(self, tag, attrs):
        """Holds no text."""

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag
        if tag in {"td", "th"}:
            self._table[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)
        elif not any(tag == "style" or SCALES & set(classes) for tag, classes in self._open):
            self.text.append(data)


@pytest.fixture(scope="module", params=LANGUAGES)
def report(request):
    sheet = rich_sheet(request.param)
    narrative = rules.write_text(sheet)
    page = Page()
    page.feed(render.html(sheet, narrative).decode())
    # What the document says, not what it was made from.
    told = document.restored(document.json_document(sheet, narrative), request.param)
    return told, page, render.markdown(sheet, narrative).decode()


def cells(table, tongue):
    """A table of the document, as it must be shown: headings, then rows."""
    headings = [column.heading(tongue) for column in table.columns]
    rows = [[" ".join(cell.split()) or "\u2013" for cell in table.cells(row, tongue)] for row in table.rows]
    return [headings, *rows]


def test_every_table_of_the_document_is_on_the_page_cell_by_cell(report):
    told, page, _ = report
    assert len(told.tables) >= 8
    assert page.tables == {name: cells(table, told.tongue) for name, table in told.tables.items()}


def test_every_table_of_the_document_is_in_the_markdown_cell_by_cell(report):
    told, _, markdown = report
    found, cell = [], None
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        match token.type:
            case "table_open":
                found.append([])
            case "tr_open":
                found[-1].append([])
            case "inline" if cell:
                found[-1][-1].append("".join(one.content for one in token.children))
        cell = token.type in {"td_open", "th_open"}
    expected = [cells(table, told.tongue) for table in told.tables.values()]
    assert sorted(found) == sorted(expected)


def test_every_number_on_the_page_and_in_the_markdown_is_a_fact_or_a_cell_of_the_document(report):
    told, page, markdown = report
    shown = [told.text(fact) for fact in told.facts]
    shown += [cell for table in told.tables.values() for row in cells(table, told.tongue) for cell in row]
    shown += [told.tongue.told(sentence) for sentence in (*told.warnings, *told.forecast_notes)]
    allowed = {number for text in shown for number in NUMBER.findall(text)}

    text = " ".join(page.text)
    numbers = NUMBER.findall(text)
    assert len(numbers) > 150
    assert [number for number in numbers if number not in allowed] == []

    plain = re.sub(r"\]\(https?://[^)\s]+\)", "]", markdown)
    plain = re.sub(r"(?m)^\d+\. ", "", re.sub(r"\\(?=[^\w\s])", "", plain))
    numbers = NUMBER.findall(plain)
    assert len(numbers) > 500
    assert [number for number in numbers if number not in allowed] == []
