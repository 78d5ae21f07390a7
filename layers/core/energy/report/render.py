"""A fact sheet and its narrative as a page, as Markdown and as JSON. All three show the same formatted facts."""

import functools
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from energy.report.charts import charts
from energy.report.facts import PLACEHOLDER, FactSheet
from energy.report.language import message
from energy.report.narrative import Narrative

if TYPE_CHECKING:
    import jinja2

REPORT_FORMAT = 2
QUALITY_FACTS = (
    ("site.complete_days", message("Days on which every appliance was read completely")),
    ("site.readings", message("Readings that count")),
    ("site.uploads", message("Uploads that count")),
    ("rows.read", message("Rows in this upload")),
    ("rows.accepted", message("… accepted")),
    ("rows.rejected", message("… rejected")),
    ("rows.duplicates", message("… duplicates, counted once")),
)
PROVENANCE_FACTS = (
    ("run.upload", message("Upload")),
    ("run.version", message("Version")),
    ("run.change", message("What became of it")),
    ("run.uploaded", message("When")),
    ("run.id", message("Run")),
    ("run.publication", message("Publication")),
    ("run.code_version", message("Code version")),
    ("F.method", message("Forecast by")),
)

METHOD = (
    message(
        "Every figure is computed from the readings before any text is written; the text cites figures and carries"
        " none."
    ),
    message("The busiest hour is the hour of day with the largest mean energy per day."),
    message(
        "On a complete day every appliance that was ever read has readings for nearly all of its intervals;"
        " comparisons use complete days only. The forecast learns from the days on which the appliances in its total"
        " were complete, so it may count more."
    ),
    message(
        "The band of the forecast is the models' own estimate. After a short history it holds fewer of the days to"
        " come than its percentage says."
    ),
    message(
        "Coverage is the mean over the site's days and appliances of the share of a day's intervals that have a"
        " reading. A gap is a stretch without readings that is longer than the appliance's usual step allows, also"
        " before its first reading and after its last."
    ),
    message("What is always on is read from average night hours, so it is an upper limit."),
    message(
        "An hour is unusual when it is above the appliance's mean hour by more than a fixed number of standard"
        " deviations. It is a hint to look, not a fault."
    ),
    message(
        "A saving is a share, from the source named, of what the appliance used. It depends on the home; sources"
        " whose wording was not verified are given without a figure."
    ),
    message(
        "Figures for a year are at the rate read, and are left out for heating and cooling until a season has been"
        " read."
    ),
    message("There are no prices here: nothing in this report is about money."),
)

_KEPT_TOGETHER = {"kwh", "kw", "kg", "share", "hours", "duration", "date"}
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
        name: {**fact.model_dump(mode="json", exclude={"id"}), "text": sheet.text(name)}
        for name, fact in sheet.facts.items()
    }
    document = {
        "format": REPORT_FORMAT,
        "language": sheet.language,
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
        text = sheet.text(match[1])
        return text.replace(" ", "\u00a0") if unbroken and sheet.facts[match[1]].unit in _KEPT_TOGETHER else text

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
        return [(sheet.say(label), sheet.text(name)) for name, label in names if name in sheet.facts]

    return {
        "sheet": sheet,
        "narrative": narrative,
        "facts": sheet.facts,
        "tables": sheet.tables,
        "recommendations": {one.id: one for one in sheet.recommendations},
        "cards": _cards(sheet),
        "quality": shown(QUALITY_FACTS),
        "provenance": shown(PROVENANCE_FACTS),
        "method": [sheet.say(line) for line in METHOD],
        "say": sheet.say,
        "tongue": sheet.tongue,
        "text": sheet.text,
        "fill": lambda text: fill(text, sheet),
        "safe_url": safe_url,
    }


def _cards(sheet: FactSheet) -> list[tuple[str, str, str]]:
    """Headline figures: label, figure, and what it refers to."""
    say = sheet.say
    over_days = sheet.plural("over {{site.days}} day", "over {{site.days}} days", "site.days")
    cards = [
        (say("Total"), sheet.text("site.total_kwh"), over_days),
        _day_card(sheet),
        _peak_card(sheet),
        (say("Unusual hours"), sheet.text("site.anomalies"), say("of {{AN.hours_judged}} judged")),
    ]
    if "F.total_kwh" in sheet.facts:
        over_days = sheet.plural("over {{F.days}} day", "over {{F.days}} days", "F.days")
        cards.append((say("Days ahead"), sheet.text("F.total_kwh"), over_days))
    else:
        cards.append((say("Days ahead"), say("no forecast"), say("reasons below")))
    return [(label, figure, fill(about, sheet)) for label, figure, about in cards]


def _day_card(sheet: FactSheet) -> tuple[str, str, str]:
    if sheet.facts["site.mean_of"].value == "complete days":
        about = sheet.plural(
            "mean of {{site.complete_days}} complete day",
            "mean of {{site.complete_days}} complete days",
            "site.complete_days",
        )
        return sheet.say("An average day"), sheet.text("site.day_kwh"), about
    about = sheet.plural(
        "mean of {{site.read_days}} day with readings, complete or not",
        "mean of {{site.read_days}} days with readings, complete or not",
        "site.read_days",
    )
    return sheet.say("An average day"), sheet.text("site.read_day_kwh"), about


def _peak_card(sheet: FactSheet) -> tuple[str, str, str]:
    if sheet.known("site.peak_hour"):
        return sheet.say("Busiest hour"), sheet.text("site.peak_hour"), sheet.say("on an average day")
    if sheet.facts["site.tells_hours"].value == "no":
        return sheet.say("Busiest hour"), "\u2013", sheet.say("not to be told from these readings")
    return sheet.say("Busiest hour"), "\u2013", sheet.say("no hour stands out")


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
