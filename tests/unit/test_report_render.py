"""The page, the Markdown and the JSON: same figures, nothing injected, same bytes."""

import base64
import hashlib
import json
import re
import subprocess
import sys
import time
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
import report_home as home

from energy.report import document, headlines, render, rules
from energy.report.charts import charts
from energy.report.narrative import checked
from energy.report.sheet import fact_sheet

ROOT = Path(__file__).resolve().parents[2]
VOID = {"meta", "br", "img", "input", "link", "hr"}
NUMBER = re.compile(r"\d[\d,.:\u2013-]*\d|\d")
HOSTILE = [
    '<script>alert(1)</script><img src=x onerror="alert(2)">',
    "</title></svg></table><b>bold",
    '" onmouseover="alert(3)" x="{{site.total_kwh}}{% raw %}',
    "| cell | [link](https://evil.example) `code` ![i](x) **b** www.evil.example a@evil.example",
    "- item\n# heading\n\n<i>x</i> &lt;u&gt; $x$ ~~s~~ \u202e",
    "1. list",
    "=cmd|' /C calc'!A0",
    "very long name " * 40,
]


class Page(HTMLParser):
    """Elements and visible text of a page; complains where tags do not match."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.attributes, self.words = Counter(), [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def parsed(page):
    parser = Page()
    parser.feed(page.decode())
    parser.close()
    assert parser.open == []
    return parser


def report_of(readings, anomalies=None, forecast=None, **request):
    sheet = fact_sheet(
        home.request(with_forecast=forecast is not None, **request), readings, anomalies or home.anomalies(), forecast
    )
    narrative = checked(rules.write_text(sheet), sheet)
    return (
        sheet,
        render.html(sheet, narrative),
        render.markdown(sheet, narrative),
        document.json_document(sheet, narrative),
    )


def plain(markdown):
    """Markdown as read: without link targets and escapes."""
    without_targets = re.sub(r"(?<!\\)\]\(https?://[^)\s]+\)", "]", markdown.decode())
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", without_targets)


SHEET, HTML, MARKDOWN, JSON = report_of(
    home.home(), home.anomalies(home.anomaly()), home.forecast(), warnings=["70 rows had a negative value"]
)


def shown_by_facts(sheet):
    """Every text that a fact, a cell of a table or an earlier step's sentence may show."""
    allowed = [sheet.text(fact) for fact in sheet.facts]
    for table in sheet.tables.values():
        allowed += [column.title for column in table.columns]
        for row in table.rows:
            allowed += table.cells(row, sheet.tongue)
    return [*allowed, *sheet.warnings, *sheet.forecast_notes]


@pytest.mark.parametrize("text", [parsed(HTML).text, plain(MARKDOWN)], ids=["html", "markdown"])
def test_every_number_in_the_report_comes_from_a_fact(text):
    allowed = {number for line in shown_by_facts(SHEET) for number in NUMBER.findall(line)}
    text = re.sub(r"(?m)^\d\. ", "", text)  # Markdown's own list numbers
    numbers = NUMBER.findall(text)
    assert len(numbers) > 300
    assert [number for number in numbers if number.rstrip(".,:") not in {one.rstrip(".,:") for one in allowed}] == []


def test_json_markdown_and_html_say_the_same():
    told = json.loads(JSON)
    page, text = parsed(HTML).text, " ".join(plain(MARKDOWN).split())
    sentences = [
        *(one for section in ("summary", "behaviour", "peak", "unusual", "forecast") for one in told["text"][section]),
        *(action["text"] for action in told["text"]["actions"]),
        *(finding["text"] for finding in told["text"]["findings"]),
        *told["text"]["potential"],
    ]
    assert len(sentences) > 20
    for sentence in sentences:
        assert sentence in page
        assert sentence in text
    for table in SHEET.tables.values():
        for row in table.rows:
            for cell in table.cells(row, SHEET.tongue):
                assert " ".join(cell.split()) in page
                assert " ".join(cell.split()) in text


def test_json_carries_facts_texts_and_provenance():
    told = json.loads(JSON)
    assert told["facts"]["A1.share"] == {
        "value": 0.625,
        "unit": "share",
        "dp": 1,
        "source": "readings summary",
        "text": "62.5%",
    }
    rows = {name: told["facts"][f"rows.{name}"]["value"] for name in ("read", "accepted", "rejected", "duplicates")}
    assert rows == {"read": 2100, "accepted": 2016, "rejected": 70, "duplicates": 14}
    assert told["provenance"]["run.upload"] == "raw/readings.csv"
    assert told["provenance"]["provider"] == "rules"
    assert told["warnings"] == ["70 rows had a negative value"]
    assert "{{site.total_kwh}}" in told["written"]["summary"][0]


def test_the_page_is_self_contained():
    page = parsed(HTML)
    assert page.elements["script"] == 0
    (policy,) = [value for _, name, value in page.attributes if name == "content" and "default-src" in value]
    style = HTML.decode().split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    allowed = f"style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    assert policy == f"default-src 'none'; {allowed}"
    assert not [value for _, name, value in page.attributes if name == "style"], "no style but that of the digest"
    assert not [
        value for _, name, value in page.attributes if name in {"src", "srcset", "action"} or name.startswith("on")
    ]
    links = [value for tag, name, value in page.attributes if tag == "a" and name == "href"]
    assert links
    assert all(link.startswith(("https://", "http://", "#")) for link in links)
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    assert "url(http" not in HTML.decode()
    assert len(HTML) < 1_000_000


def test_every_chart_has_a_title_a_description_and_its_figures():
    drawn = charts(SHEET)
    assert list(drawn) == ["versus", "appliances", "days", "week", "profiles", "forecast"]
    for name, chart in drawn.items():
        assert f'role="img" aria-labelledby="{name}-title {name}-desc"' in chart.svg
        assert re.search(rf'<title id="{name}-title">.+?</title><desc id="{name}-desc">.+?</desc>', chart.svg)
        figure = HTML.decode().split(f'id="chart-{name}"')[1].split("</figure>")[0]
        assert "<details>" in figure
        assert figure.count("<tr>") == len(SHEET.tables[name].rows) + 1
    ids = [value for _, name, value in parsed(HTML).attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_every_forecast_day_and_bound_is_in_the_table():
    rows = [SHEET.tables["forecast"].cells(row, SHEET.tongue) for row in SHEET.tables["forecast"].rows]
    assert rows[0] == ["Mon, 30 Mar 2026", "11.0", "8.0", "14.0", "6.0", "17.0"]
    assert rows[-1] == ["Sun, 5 Apr 2026", "17.0", "14.0", "20.0", "12.0", "23.0"]


@pytest.mark.slow
def test_same_input_same_bytes_even_in_another_process():
    again = report_of(
        home.home(), home.anomalies(home.anomaly()), home.forecast(), warnings=["70 rows had a negative value"]
    )
    assert again[1:] == (HTML, MARKDOWN, JSON)
    script = """
import sys
import time
sys.path[:0] = ["layers/core", "tests/unit"]
import hashlib, report_home as home
from energy.report import render, rules, sheet
facts = sheet.fact_sheet(home.request(), home.home(), home.anomalies(home.anomaly()), home.forecast())
print(hashlib.sha256(render.html(facts, rules.write_text(facts))).hexdigest())
"""
    runs = {
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


def test_hostile_names_add_no_element_and_no_attribute():
    def with_names(names):
        appliances = [home.appliance(name, 35.0, 1 / len(names)) for name in names]
        rows = [home.anomaly(name, hour) for hour, name in enumerate(names)]
        return report_of(
            home.readings(appliances, [10.0] * 28),
            home.anomalies(*rows, skipped={names[0]: "constant"}),
            home.forecast(names=names),
            warnings=names,
            notes=names,
            key=f"raw/{names[0]}.csv",
        )

    _, tame_html, tame_markdown, _ = with_names([f"thing {letter}" for letter in "abcdefgh"])
    _, html, markdown, told = with_names(HOSTILE)
    tame, page = parsed(tame_html), parsed(html)
    assert page.elements == tame.elements
    assert Counter((tag, name) for tag, name, _ in page.attributes) == Counter(
        (tag, name) for tag, name, _ in tame.attributes
    )
    assert "<script>alert(1)</script>" in page.text
    assert json.loads(told)["facts"]["A1.name"]["value"].startswith("<script>")

    text = markdown.decode()
    assert not re.search(r"(?<!\\)<", text)
    assert "](https://evil" not in text
    assert len(text.splitlines()) == len(tame_markdown.decode().splitlines())
    pipes = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]
    assert pipes == [
        len(re.findall(r"\|", line)) for line in tame_markdown.decode().splitlines() if line.startswith("|")
    ]
    assert len(re.findall(r"(?m)^#+ ", text)) == len(re.findall(r"(?m)^#+ ", tame_markdown.decode()))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a_b*c", r"a\_b\*c"),
        ("# no heading", r"\# no heading"),
        ("- no item", r"\- no item"),
        ("1. no list", r"1\. no list"),
        ("12.5 kWh", "12.5 kWh"),
        ("https://x.example", r"https\://x.example"),
        ("www.x.example", r"www\.x.example"),
        ("a|b", r"a\|b"),
        ("two\nlines", "two lines"),
        ("18:00", "18:00"),
    ],
)
def test_markdown_escapes(text, escaped):
    assert render.escape_markdown(text) == escaped


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "", "data:text/html,x", 'https://a"onclick=', "https://a)b", "//a"]
)
def test_only_plain_web_addresses_become_links(url):
    assert render.safe_url(url) is None


@pytest.mark.parametrize(
    ("readings", "anomalies", "has", "has_not"),
    [
        (
            home.readings([home.appliance("Heater", 10.0, 1.0, days=1)], [10.0]),
            home.anomalies(),
            "10.0 kWh",
            "chart-none",
        ),
        (
            home.readings([home.appliance("Heater", 10.0, 1.0, days=1)], [10.0], complete=[False]),
            home.anomalies(),
            "mean of 1 day with readings, complete or not",
            "A complete day takes",
        ),
        (
            home.readings([home.appliance("Heater", 0.0, None, max_kwh=0.0)], [0.0] * 28),
            home.anomalies(),
            "No energy was used",
            "chart-appliances",
        ),
        (
            home.readings([home.appliance("Heater", 280.0, 1.0, interval_minutes=1440.0)], [10.0] * 28),
            home.anomalies(hours_judged=0, skipped={"Heater": "coarse"}),
            "it is read less often than hourly",
            "chart-week",
        ),
        (home.home(), home.anomalies(), "None of the 2,016 appliance hours judged stood out", "AN1"),
    ],
    ids=["one day", "no complete day", "nothing used", "daily readings", "no anomalies"],
)
def test_thin_homes_still_get_a_report(readings, anomalies, has, has_not):
    _, html, markdown, told = report_of(readings, anomalies, notes=["Prophet needs 14 complete days"])
    parsed(html)
    assert has in html.decode()
    assert has_not not in html.decode()
    for form in (html, markdown, told):
        assert "Prophet needs 14 complete days" in form.decode()
        assert "nan" not in re.findall(r"\b\w+\b", form.decode().lower())


def test_a_reader_can_pass_on_the_text_to_another_writer():
    """The seam: any function from a fact sheet to a narrative can write, and is checked all the same."""
    sheet = SHEET
    summary = ["All in all it was {{site.total_kwh}}."]
    narrative = rules.write_text(sheet).model_copy(update={"provider": "another", "summary": summary})
    assert "All in all it was 320.0 kWh." in parsed(render.html(sheet, checked(narrative, sheet))).text


def test_the_chart_of_days_says_which_days_it_shows():
    long = home.readings([home.appliance("A", 100.0, 1.0, days=100)], [1.0] * 100)
    _, html, _, _ = report_of(long)
    assert "Energy by day, the last 56 of 100 days read, kWh" in parsed(html).text
    assert "Energy by day, kWh" in parsed(HTML).text


def test_appliances_beyond_those_drawn_are_one_bar():
    many = home.readings([home.appliance(f"Thing {n}", 28.0, 0.0625) for n in range(16)], [16.0] * 28)
    sheet, html, _, _ = report_of(many)
    drawn = charts(sheet)
    # Eight of sixteen things with 28 kWh each.
    assert ">8 others</text>" in drawn["appliances"].svg
    assert "224.0 kWh · 50.0%" in drawn["appliances"].svg
    assert drawn["profiles"].title.endswith(", the 8 largest")
    assert "The 8 largest of 16 appliances in use." in parsed(html).text
    assert "other" not in charts(SHEET)["appliances"].svg.replace(">Other<", "")


def test_the_week_of_a_large_site_is_told_in_whole_numbers():
    many = home.readings([home.appliance(f"Meter {n}", 50_400.0, 0.1) for n in range(10)], [18_000.0] * 28)
    sheet, _, _, _ = report_of(many)
    assert max(row[1] for row in sheet.tables["week"].rows) > 500
    assert not re.search(r">\d+e\+\d", charts(sheet)["week"].svg)


def test_no_busiest_hour_is_a_dash():
    fridge = home.appliance("Fridge", 28.0, 1.0).model_copy(update={"peak_hour": None})
    _, html, _, _ = report_of(home.readings([fridge], [1.0] * 28, peak_hour=None))
    assert "Busiest hour \u2013 no hour stands out" in parsed(html).text
    assert "the same in every hour" in html.decode()


def test_names_of_models_need_no_escape_in_markdown():
    assert "`median of prophet, auto_ets`" in MARKDOWN.decode()
    assert render.code_span("a`b_c") == r"a\`b\_c"


def test_a_document_tells_the_same_sheet_again_in_any_language():
    german = document.restored(JSON, "de")
    assert german.model_copy(update={"language": "en"}) == SHEET
    again = document.json_document(document.restored(JSON, "en"), rules.write_text(SHEET))
    assert again == JSON
    page = render.html(german, rules.write_text(german)).decode()
    assert '<html lang="de">' in page
    assert "98,0\u00a0kWh" in page


def test_the_message_is_a_few_plain_lines():
    lines = headlines.plain_message(SHEET, rules.write_text(SHEET)).splitlines()
    assert len(lines) <= 12
    assert lines[0] == "Energy report for home, up to Sun, 29 Mar 2026, 23:00"
    assert lines[1] == "Used: 320.0 kWh (over 28 days)"
    assert lines[-1].startswith("What to do: Set heating back for eight hours a day; ")


def test_a_report_on_a_year_of_hourly_readings_takes_seconds():
    """A bound that a busy machine keeps too: CPU seconds, once the libraries are loaded."""
    names = [f"Appliance {number}" for number in range(12)]
    year = home.readings(
        [home.appliance(name, 365 * 2.0, 1 / 12, days=365) for name in names], [24.0 + day % 7 for day in range(365)]
    )
    forecast = home.forecast(first=home.FIRST + home.dt.timedelta(days=365), names=names)
    started = time.process_time()
    report_of(year, home.anomalies(*(home.anomaly(name) for name in names[:10])), forecast)
    assert time.process_time() - started < 5
