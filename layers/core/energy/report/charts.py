"""The charts of a report, drawn from its tables: Vega-Lite specifications made into static SVG, no script.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), told apart by every kind of colour vision; the page's
style sheet replaces the inks below for dark mode.
"""

import datetime as dt
import html
import re
from typing import TYPE_CHECKING, Any

from energy.report.facts import FactSheet, Part, Table
from energy.report.language import D3_LOCALES, Value
from energy.report.tables import APPLIANCES_DRAWN, WEEKDAYS

if TYPE_CHECKING:
    import altair

VEGA_LITE_VERSION = "6.4"
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
INK, QUIET, GRID = "#333333", "#666666", "#dddddd"
FONT = "Helvetica, Arial, sans-serif"
WIDTH = 400
LABEL_WIDTH = 130

# Of the ink of a heat map where nothing is used: enough to see that the hour was read.
FAINTEST = 0.06

Row = dict[str, Value]


class Chart(Part):
    """One drawing. `svg` is a complete element with title and description; `legend` holds (mark, label)."""

    id: str
    title: str
    description: str
    svg: str
    legend: tuple[tuple[str, str], ...] = ()


def charts(sheet: FactSheet) -> dict[str, Chart]:
    """The charts that this sheet has the rows for, by the id of their table."""
    drawn = []
    if "appliances" in sheet.tables and sheet.known("A1.share"):
        drawn.append(_appliances(sheet))
    if "days" in sheet.tables:
        drawn.append(_days(sheet))
    if "week" in sheet.tables:
        drawn.append(_week(sheet))
    if "profiles" in sheet.tables:
        drawn.append(_profiles(sheet))
    return {chart.id: chart for chart in drawn}


def _appliances(sheet: FactSheet) -> Chart:
    import altair as alt

    table = sheet.tables["appliances"]
    rows: list[Row] = []
    for number, row in enumerate(table.rows[:APPLIANCES_DRAWN]):
        cells = table.cells(row, sheet.tongue)
        rows.append({"place": number, "name": cells[0], "kwh": row[1], "label": f"{cells[1]} kWh · {cells[2]}"})
    if sheet.number("others.count"):
        name = sheet.filled(sheet.plural("{{others.count}} other", "{{others.count}} others", "others.count"))
        label = f"{sheet.text('others.kwh')} · {sheet.text('others.share')}"
        rows.append({"place": len(rows), "name": name, "kwh": sheet.facts["others.kwh"].value, "label": label})
    largest = max(float(row["kwh"] or 0) for row in rows)
    # Name and figures stand above their bar, so a long name never squeezes the bars.
    y = alt.Y("place:O", axis=None, scale=alt.Scale(paddingInner=0.62, paddingOuter=0.6))
    x = alt.X("kwh:Q", axis=None, scale=alt.Scale(domain=[0, largest], nice=False))
    base = alt.Chart(_data(rows))
    ink = alt.condition(f"datum.place < {APPLIANCES_DRAWN}", alt.value(BLUE), alt.value(QUIET))
    bars = base.mark_bar(cornerRadiusEnd=2).encode(x=x, y=y, color=ink)
    above = {"dy": -14, "fontSize": 13, "baseline": "middle"}
    names = base.mark_text(align="left", limit=250, color=INK, **above).encode(y=y, x=alt.value(0), text="name:N")
    labels = base.mark_text(align="right", color=QUIET, **above).encode(y=y, x=alt.value(WIDTH), text="label:N")
    chart = alt.layer(bars, names, labels).properties(width=WIDTH, height=40 * len(rows))
    first = rows[0]
    description = sheet.say("Bars of energy by appliance, largest first:")
    return _chart(
        sheet,
        "appliances",
        sheet.say("Energy by appliance"),
        f"{description} {first['name']}, {first['label']}.",
        chart,
    )


def _days(sheet: FactSheet) -> Chart:
    import altair as alt

    table = sheet.tables["days"]
    rows = _calendar(table)
    ahead = _ahead(sheet)
    days: list[Row] = [*rows, *ahead]
    top = max((float(row[key] or 0) for row in days for key in ("kwh", "partly", "upper") if row.get(key)), default=0)
    x = alt.X(
        "day:T",
        title=None,
        # A date alone is midnight in UTC to Vega; ticks in the process's own zone would stand beside the days.
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format="%-d %b", tickCount=5, labelOverlap="greedy", grid=False, labelFlush=True),
    )
    scale = alt.Scale(domain=[0, top or 1], nice=True)

    def y(field: str) -> "altair.Y":
        return alt.Y(f"{field}:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5, format=_tick_format(top)))

    base = alt.Chart(_data(days))
    layers = [
        base.mark_line(color=BLUE, strokeWidth=2).encode(x=x, y=y("kwh")),
        base.mark_point(color=BLUE, filled=True, size=14 if len(days) > 14 else 50, opacity=1).encode(x=x, y=y("kwh")),
        base.mark_point(color=QUIET, filled=False, size=22, strokeWidth=1.2).encode(x=x, y=y("partly")),
        base.mark_point(color=ORANGE, filled=True, shape="diamond", opacity=1).encode(
            x=x, y=y("unusual"), size=alt.Size("hours:Q", scale=alt.Scale(domainMin=0, range=[0, 110]), legend=None)
        ),
    ]
    if ahead:
        layers = [
            base.mark_area(color=GREEN, opacity=0.22).encode(x=x, y=y("lower"), y2="upper:Q"),
            *layers,
            base.mark_line(color=GREEN, strokeWidth=2, strokeDash=[5, 4]).encode(x=x, y=y("ahead")),
        ]
    legend = [
        ("line", sheet.say("Complete day")),
        ("partly", sheet.say("Day read in part")),
        ("unusual", sheet.say("Unusual hours; larger where more")),
    ]
    if ahead:
        band = sheet.filled(sheet.say("Forecast, the models' own {{F.level}} band"))
        legend += [("ahead", sheet.say("Forecast")), ("band", band)]
    shown = {"line": "kwh", "partly": "partly", "unusual": "unusual", "ahead": "ahead", "band": "ahead"}
    legend = [(mark, label) for mark, label in legend if any(row.get(shown[mark]) is not None for row in days)]
    first, last = (table.cells(row, sheet.tongue)[0] for row in (table.rows[0], table.rows[-1]))
    description = sheet.say("Line of energy by day, kWh:") + f" {first} \u2013 {last}."
    if ahead:
        description += " " + sheet.filled(sheet.say("Then a dashed forecast with its band up to {{F.last}}."))
    chart = alt.layer(*layers).properties(width=WIDTH, height=220)
    title = (
        sheet.filled(sheet.say("Energy by day, the last {{days.shown}} of {{site.read_days}} days read, kWh"))
        if table.notes
        else sheet.say("Energy by day, kWh")
    )
    return _chart(sheet, "days", title, description, chart, legend)


def _week(sheet: FactSheet) -> Chart:
    import altair as alt

    table = sheet.tables["week"]
    names = [sheet.say(name) for name in WEEKDAYS]
    rows: list[Row] = [
        {"hour": row[0], "weekday": names[weekday], "kwh": kwh}
        for row in table.rows
        for weekday, kwh in enumerate(row[1:])
        if kwh is not None
    ]
    chart = (
        alt.Chart(_data(rows))
        .mark_rect(color=BLUE)
        .encode(
            x=_hour_axis(),
            y=alt.Y(
                "weekday:O",
                title=None,
                scale=alt.Scale(domain=names),
                axis=alt.Axis(domain=False, ticks=False),
            ),
            opacity=_energy_opacity("kwh", sheet.say("kWh in the hour")),
        )
        .properties(width=WIDTH, height=170)
    )
    largest = max(rows, key=lambda row: float(row["kwh"] or 0))
    hour = f"{int(float(largest['hour'] or 0)):02d}:00"
    alike = len({round(float(row["kwh"] or 0), 6) for row in rows}) == 1
    most = sheet.say("the same in every hour") if alike else f"{largest['weekday']}, {hour}"
    description = sheet.say("Heat map of mean energy by weekday and hour of day. Most:") + f" {most}."
    return _chart(sheet, "week", sheet.say("Mean energy by weekday and hour"), description, chart)


def _profiles(sheet: FactSheet) -> Chart:
    import altair as alt

    table = sheet.tables["profiles"]
    title = (
        sheet.filled(sheet.say("Share of each appliance's day by hour, the {{profiles.shown}} largest"))
        if table.notes
        else sheet.say("Share of each appliance's day by hour")
    )
    rows: list[Row] = []
    for row in table.rows:
        for place, (column, share) in enumerate(zip(table.columns[1:], row[1:], strict=True)):
            if share is not None:
                # Two names may look alike once shortened: the place keeps them apart, and is cut off the label.
                rows.append({"hour": row[0], "name": f"{place:02d}{column.title}", "share": share})
    chart = (
        alt.Chart(_data(rows))
        .mark_rect(color=BLUE)
        .encode(
            x=_hour_axis(),
            y=alt.Y(
                "name:N",
                title=None,
                axis=alt.Axis(domain=False, ticks=False, labelLimit=LABEL_WIDTH, labelExpr="substring(datum.label, 2)"),
            ),
            opacity=_energy_opacity("share", sheet.say("share of its day"), ".0%"),
        )
        .properties(width=WIDTH - LABEL_WIDTH + 40, height=26 * (len(table.columns) - 1))
    )
    description = sheet.say(
        "Heat map of the share of each appliance's own daily energy by hour of day; strong colour marks busy hours."
    )
    return _chart(sheet, "profiles", title, description, chart)


def _calendar(table: Table) -> list[Row]:
    """One row for every calendar day shown; days without readings stay empty, so no line crosses them."""
    known = {str(row[0]): row for row in table.rows}
    day, last = (dt.date.fromisoformat(str(row[0])) for row in (table.rows[0], table.rows[-1]))
    rows: list[Row] = []
    while day <= last:
        row = known.get(day.isoformat())
        complete = row is not None and row[3] == "yes"
        rows.append(
            {
                "day": day.isoformat(),
                "kwh": row[1] if row and complete else None,
                "partly": row[1] if row and not complete else None,
                "unusual": row[1] if row and row[4] else None,
                "hours": row[4] if row and row[4] else None,
            }
        )
        day += dt.timedelta(days=1)
    return rows


def _ahead(sheet: FactSheet) -> list[Row]:
    table = sheet.tables.get("forecast")
    if table is None:
        return []
    return [{"day": row[0], "ahead": row[1], "lower": row[2], "upper": row[3]} for row in table.rows]


def _hour_axis() -> "altair.X":
    import altair as alt

    axis = alt.Axis(
        values=list(range(0, 24, 3)),
        labelAngle=0,
        labelExpr="datum.value + ':00'",
        labelOverlap="greedy",
        domain=False,
        ticks=False,
    )
    return alt.X("hour:O", title=None, scale=alt.Scale(domain=list(range(24))), axis=axis)


def _energy_opacity(field: str, title: str, number_format: str = "~g") -> "altair.Opacity":
    """More of the ink where more is used: it reads on a light page as on a dark one."""
    import altair as alt

    legend = alt.Legend(
        title=title,
        orient="bottom",
        direction="horizontal",
        symbolType="square",
        symbolFillColor=BLUE,
        symbolStrokeWidth=0,
        symbolSize=140,
        format=number_format,
        tickCount=4,
    )
    return alt.Opacity(f"{field}:Q", scale=alt.Scale(range=[FAINTEST, 1], domainMin=0), legend=legend)


def _tick_format(largest: float) -> str:
    return ",.0f" if largest >= 10 else ",.1f" if largest >= 1 else ",.2f"


def _data(rows: list[Row]) -> "altair.InlineData":
    import altair as alt

    return alt.InlineData(values=rows)


def _chart(  # noqa: PLR0913, PLR0917 - what a chart consists of
    sheet: FactSheet,
    name: str,
    title: str,
    description: str,
    chart: "altair.TopLevelMixin",
    legend: list[tuple[str, str]] | None = None,
) -> Chart:
    import vl_convert

    specification: dict[str, Any] = chart.to_dict(validate=False)
    specification["config"] = _CONFIG
    specification["background"] = None
    locale = D3_LOCALES[sheet.language]
    svg = vl_convert.vegalite_to_svg(
        specification, vl_version=VEGA_LITE_VERSION, format_locale=locale, time_format_locale=locale
    )
    svg = _stable_ids(svg, name)
    head, _, body = svg.removeprefix("<svg").partition(">")
    opening = f'<svg role="img" aria-labelledby="{name}-title {name}-desc" font-family="{FONT}"{head}>'
    words = (
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    return Chart(id=name, title=title, description=description, svg=opening + words + body, legend=tuple(legend or ()))


def _stable_ids(svg: str, name: str) -> str:
    """vl-convert counts clip paths and gradients over the life of a process; here they count within a chart."""
    seen: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        return f"{match[1]}{seen.setdefault(match[2], f'{name}-{len(seen) + 1}')}{match[3]}"

    return re.sub(r"""(\bid="|url\(#|href="#)((?:clip|gradient_)\d+)("|\))""", renamed, svg)


_CONFIG: dict[str, Any] = {
    "aria": False,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": QUIET,
        "labelFontSize": 12,
        "gridColor": GRID,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    },
    "legend": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    },
}
