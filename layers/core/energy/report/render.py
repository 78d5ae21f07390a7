"""A fact sheet and its narrative as a page and as Markdown: the same formatted facts."""

import base64
import functools
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from energy.report import headlines, insights, money
from energy.report.charts import charts
from energy.report.document import PROVENANCE_FACTS
from energy.report.facts import PLACEHOLDER, FactSheet
from energy.report.language import message
from energy.report.narrative import Narrative

if TYPE_CHECKING:
    import jinja2

QUALITY_FACTS = (
    ("site.complete_days", message("Days on which every appliance was read completely")),
    ("site.readings", message("Readings that count")),
    ("site.uploads", message("Uploads that count")),
    ("rows.read", message("Rows in this upload")),
    ("rows.accepted", message("… accepted")),
    ("rows.rejected", message("… rejected")),
    ("rows.duplicates", message("… duplicates, counted once")),
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
        "The bands of the forecast come from how far such forecasts were off in the weeks before, and from what the"
        " models say of themselves. With less than three weeks of history they may hold fewer days than they say."
    ),
    message(
        "Coverage is the mean over the site's days and appliances of the share of a day's intervals that have a"
        " reading. A gap is a stretch without readings that is longer than the appliance's usual step allows, also"
        " before its first reading and after its last."
    ),
    message("What is always on is read from average night hours, so it is an upper limit."),
    message(
        "An hour is unusual when it is far from what the appliance usually uses at that hour of the day. It is a hint"
        " to look, not a fault."
    ),
    message(
        "Where too little is known of an appliance for that, an hour is unusual that is more than two standard"
        " deviations above its mean hour."
    ),
    message(
        "A saving is a share, from the source named, of what the appliance used. It depends on the home; sources"
        " whose wording was not verified are given without a figure."
    ),
    message(
        "Figures for a year are at the rate read, and are left out for heating and cooling until a season has been"
        " read."
    ),
)

_KEPT_TOGETHER = {"kwh", "kw", "kg", "share", "change", "hours", "duration", "date"}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&@$]|:(?=//)|(?<=\bwww)\.)")
_MARKDOWN_START = re.compile(r"^([-+=#]|\d+(?=[.)](?:\s|$)))")


def html(sheet: FactSheet, narrative: Narrative) -> bytes:
    """One self-contained page: no script, nothing loaded from anywhere."""
    page = _templates().get_template("report.html.j2")
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    text = page.render(
        **_context(sheet, narrative) | {"fill": lambda text: fill(text, sheet, unbroken=True)},
        charts=charts(sheet),
        contents=[(section, sheet.say(title)) for section, title in headlines.CONTENTS],
        gains={one.id: headlines.gain(sheet, one) for one in sheet.recommendations},
        always_on=insights.always_on(sheet),
        made=sheet.say(
            "{{Q.coverage}} of the time was read. Text by {{writer}}.", writer=sheet.say(narrative.provider)
        ),
        style=style,
        # Nothing is loaded and nothing runs; of styles, only those that this page brings with it.
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'",
    )
    return text.encode()


def markdown(sheet: FactSheet, narrative: Narrative) -> bytes:
    """The same text and tables for a terminal, a mail or a repository."""
    page = _templates().get_template("report.md.j2")
    text = page.render(**_context(sheet, narrative))
    return (re.sub(r"\n{3,}", "\n\n", text).strip() + "\n").encode()


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


def _context(sheet: FactSheet, narrative: Narrative) -> dict[str, Any]:
    def shown(names: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        return [(sheet.say(label), sheet.text(name)) for name, label in names if name in sheet.facts]

    return {
        "sheet": sheet,
        "narrative": narrative,
        "facts": sheet.facts,
        "tables": sheet.tables,
        "recommendations": {one.id: one for one in sheet.recommendations},
        "cards": headlines.cards(sheet),
        "quality": shown(QUALITY_FACTS),
        "provenance": shown(PROVENANCE_FACTS),
        "text_by": _text_by(narrative, sheet),
        "method": [*(sheet.say(line) for line in METHOD), *money.method(sheet)],
        "costs": money.costs(sheet),
        "say": sheet.say,
        "tongue": sheet.tongue,
        "text": sheet.text,
        "fill": lambda text: fill(text, sheet),
        "safe_url": safe_url,
    }


def _text_by(narrative: Narrative, sheet: FactSheet) -> str:
    """Who wrote, how often models were asked for it, and what that took."""
    origin, tongue = narrative.origin, sheet.tongue
    asked, number = len(origin.attempts), tongue.number
    who = sheet.say(narrative.provider) + (f", {origin.model}" if origin.model else "")
    if not asked:
        return who
    n = number(asked, 0)
    if origin.model:
        took = [tongue.plural("{{n}} question", "{{n}} questions", asked, n=n)]
    else:
        took = [
            tongue.plural(
                "{{n}} question to a model without a usable answer",
                "{{n}} questions to models without a usable answer",
                asked,
                n=n,
            )
        ]
    if origin.tokens is not None:
        took.append(sheet.say("{{n}} tokens", n=number(origin.tokens, 0)))
    if origin.cost_usd is not None:
        took.append(sheet.say("about {{usd}} US dollars", usd=number(origin.cost_usd, 4)))
    return f"{who}: {', '.join(took)}"


@functools.cache
def _style() -> str:
    return Path(__file__).with_name("templates").joinpath("report.css").read_text().strip()


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
