"""A fact sheet and its narrative as a page, as Markdown and as JSON. All three show the same formatted facts."""

import functools
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from energy.report.charts import charts
from energy.report.facts import FactSheet
from energy.report.narrative import PLACEHOLDER, Narrative

if TYPE_CHECKING:
    import jinja2

REPORT_FORMAT = 1
QUALITY_FACTS = (
    ("site.complete_days", "Days on which every appliance was read completely"),
    ("site.readings", "Readings that count"),
    ("site.uploads", "Uploads that count"),
    ("rows.read", "Rows in this upload"),
    ("rows.accepted", "… accepted"),
    ("rows.rejected", "… rejected"),
    ("rows.duplicates", "… duplicates, counted once"),
)
PROVENANCE_FACTS = (
    ("run.upload", "Upload"),
    ("run.version", "Version"),
    ("run.uploaded", "Uploaded, or deleted"),
    ("run.id", "Run"),
    ("run.publication", "Publication"),
    ("run.code_version", "Code version"),
    ("F.method", "Forecast by"),
)

METHOD = (
    "Every figure is computed from the readings before any text is written; the text cites figures and carries none.",
    "The busiest hour is the hour of day with the largest mean energy per day.",
    "On a complete day every appliance that was ever read has readings for nearly all of its intervals; comparisons use"
    " complete days only. The forecast learns from the days on which the appliances in its total were complete, so it"
    " may count more.",
    "The band of the forecast is the models' own estimate. After a short history it holds fewer of the days to come"
    " than its percentage says.",
    "Coverage is the mean over the site's days and appliances of the share of a day's intervals that have a reading. A"
    " gap is a stretch without readings that is longer than the appliance's usual step allows, also before its first"
    " reading and after its last.",
    "What is always on is read from average night hours, so it is an upper limit.",
    "An hour is unusual when it is far from what the appliance usually uses at that hour of the day."
    " It is a hint to look, not a fault.",
    "A saving is a share, from the source named, of what the appliance used. It depends on the home; sources whose"
    " wording was not verified are given without a figure.",
    "Figures for a year are at the rate read, and are left out for heating and cooling until a season has been read.",
    "There are no prices here: nothing in this report is about money.",
)

_KEPT_TOGETHER = {"kwh", "kw", "share", "hours", "date"}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&@$]|:(?=//)|(?<=\bwww)\.)")
_MARKDOWN_START = re.compile(r"^([-+=#]|\d+(?=[.)](?:\s|$)))")


def html(sheet: FactSheet, narrative: Narrative) -> bytes:
    """One self-contained page: no script, nothing loaded from anywhere."""
    drawn = charts(sheet)
    page = _templates().get_template("report.html.j2")
    context = {**_context(sheet, narrative), "fill": lambda text: fill(text, sheet, unbroken=True)}
    return page.render(**context, charts=drawn).encode()


def markdown(sheet: FactSheet, narrative: Narrative) -> bytes:
    """The same text and tables for a terminal, a mail or a repository."""
    page = _templates().get_template("report.md.j2")
    text = page.render(**_context(sheet, narrative))
    return (re.sub(r"\n{3,}", "\n\n", text).strip() + "\n").encode()


def json_document(sheet: FactSheet, narrative: Narrative) -> bytes:
    """Facts, tables and texts; each text as written, with its placeholders, and as read."""
    written = narrative.model_dump(mode="json")
    facts = {
        name: {**fact.model_dump(mode="json", exclude={"id"}), "text": fact.text} for name, fact in sheet.facts.items()
    }
    document = {
        "format": REPORT_FORMAT,
        "provenance": {
            "provider": narrative.provider,
            **{name: sheet.facts[name].value for name, _ in PROVENANCE_FACTS if name in sheet.facts},
            "forecast_notes": sheet.forecast_notes,
            "warnings": sheet.warnings,
        },
        "text": _filled(written, sheet),
        "written": written,
        "appliances": [one.model_dump(mode="json") for one in sheet.appliances],
        "recommendations": [one.model_dump(mode="json") for one in sheet.recommendations],
        "facts": facts,
        "tables": {name: table.model_dump(mode="json", exclude={"id"}) for name, table in sheet.tables.items()},
    }
    return (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def fill(text: str, sheet: FactSheet, unbroken: bool = False) -> str:
    """A sentence with the facts in place of their placeholders; `unbroken` keeps a number and its unit on one line."""

    def shown(match: re.Match[str]) -> str:
        fact = sheet.facts[match[1]]
        return fact.text.replace(" ", "\u00a0") if unbroken and fact.unit in _KEPT_TOGETHER else fact.text

    return PLACEHOLDER.sub(shown, text)


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no link, no table cell, no HTML."""
    escaped = _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
    return _MARKDOWN_START.sub(lambda match: f"{match[1]}\\" if match[1].isdigit() else f"\\{match[1]}", escaped)


def code_span(text: str) -> str:
    """A plain list of names as Markdown shows code, so that no underscore needs an escape; else escaped text."""
    return f"`{text}`" if re.fullmatch(r"\w[\w, ]*", text) else escape_markdown(text)


def safe_url(url: str) -> str | None:
    """The address itself if it is a plain web address."""
    parts = urlsplit(url)
    plain = parts.scheme in {"http", "https"} and bool(parts.netloc) and not re.search(r"[\s<>\"'()\\]", url)
    return url if plain else None


def _filled(part: Any, sheet: FactSheet) -> Any:
    if isinstance(part, str):
        return fill(part, sheet)
    if isinstance(part, list):
        return [_filled(item, sheet) for item in part]
    if isinstance(part, dict):
        return {name: _filled(item, sheet) for name, item in part.items()}
    return part


def _context(sheet: FactSheet, narrative: Narrative) -> dict[str, Any]:
    def shown(names: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        return [(label, sheet.facts[name].text) for name, label in names if name in sheet.facts]

    return {
        "sheet": sheet,
        "narrative": narrative,
        "facts": sheet.facts,
        "tables": sheet.tables,
        "recommendations": {one.id: one for one in sheet.recommendations},
        "cards": _cards(sheet),
        "quality": shown(QUALITY_FACTS),
        "provenance": shown(PROVENANCE_FACTS),
        "method": METHOD,
        "fill": lambda text: fill(text, sheet),
        "safe_url": safe_url,
    }


def _cards(sheet: FactSheet) -> list[tuple[str, str, str]]:
    """Headline figures: label, figure, and what it refers to."""
    facts = sheet.facts
    cards = [
        ("Total", facts["site.total_kwh"].text, f"over {_days(sheet, 'site.days')}"),
        _day_card(sheet),
        _peak_card(sheet),
        ("Unusual hours", facts["site.anomalies"].text, f"of {facts['AN.hours_judged'].text} judged"),
    ]
    if "F.total_kwh" in facts:
        cards.append(("Days ahead", facts["F.total_kwh"].text, f"over {_days(sheet, 'F.days')}"))
    else:
        cards.append(("Days ahead", "no forecast", "reasons below"))
    return cards


def _day_card(sheet: FactSheet) -> tuple[str, str, str]:
    if sheet.facts["site.mean_of"].value == "complete days":
        about = f"mean of {_days(sheet, 'site.complete_days', 'complete ')}"
        return "An average day", sheet.facts["site.day_kwh"].text, about
    about = f"mean of {_days(sheet, 'site.read_days')} with readings, complete or not"
    return "An average day", sheet.facts["site.read_day_kwh"].text, about


def _peak_card(sheet: FactSheet) -> tuple[str, str, str]:
    if sheet.known("site.peak_hour"):
        return "Busiest hour", sheet.facts["site.peak_hour"].text, "on an average day"
    if sheet.facts["site.tells_hours"].value == "no":
        return "Busiest hour", "\u2013", "not to be told from these readings"
    return "Busiest hour", "\u2013", "no hour stands out"


def _days(sheet: FactSheet, fact: str, kind: str = "") -> str:
    return f"{sheet.facts[fact].text} {kind}{'day' if sheet.number(fact) == 1 else 'days'}"


@functools.cache
def _templates() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("energy.report"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["md"] = escape_markdown
    environment.filters["code"] = code_span
    return environment
