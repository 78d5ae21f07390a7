"""The charts of a report, drawn from its tables: Vega-Lite specifications made into static SVG, no script.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), told apart by every kind of colour vision; the page's
style sheet replaces the inks below for dark mode. Charts are drawn for a phone's width; one that gains by it is drawn
once more for a desk.
"""

import datetime as dt
import html
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from energy.report.facts import FactSheet, Part, Table
from energy.report.language import D3_LOCALES, Value
from energy.report.tables import APPLIANCES_DRAWN, PEAK_HOURS, WEEKDAYS, YES

if TYPE_CHECKING:
    import altair

VEGA_LITE_VERSION = "6.4"
BLUE, PALE_BLUE, ORANGE, GREEN = "#0072b2", "#9fc3db", "#d55e00", "#009e73"
INK, QUIET, GRID = "#333333", "#666666", "#dddddd"
FONT = "Helvetica, Arial, sans-serif"
NARROW, WIDE = 360, 800
# Left of a heat map, for the names of its rows.
LABELS = 110
WIDEST_BAR = 28
# Of a row with its name above it.
ROW_HEIGHT, PAIR_GAP = 42, 16

# Of the ink of a heat map where nothing is used: enough to see that the hour was read.
FAINTEST = 0.07

Row = dict[str, Value]
Draw = Callable[[int], "altair.TopLevelMixin"]


class Chart(Part):
    """One drawing. `svg` is a complete element with title and description, `wide` the same for a wide page, if there is
    one; `legend` holds (mark, label).
    """

    id: str
    title: str
    description: str
    svg: str
    wide: str | None = None
    legend: tuple[tuple[str, str], ...] = ()


def charts(sheet: FactSheet) -> dict[str, Chart]:
    """The charts that this sheet has the rows for, by the id of their table."""
    known = {
        "versus": "versus" in sheet.tables,
        "appliances": "appliances" in sheet.tables and sheet.known("A1.share"),
        "days": "days" in sheet.tables,
        "week": "week" in sheet.tables,
        "profiles": "profiles" in sheet.tables,
        "forecast": "forecast" in sheet.tables,
    }
    return {name: _DRAWN[name](sheet) for name, drawn in known.items() if drawn}


def _versus(sheet: FactSheet) -> Chart:
    """Pairs of bars, each pair to its own scale: what was before in the paler ink, and what came in the stronger."""
    import altair as alt

    table = sheet.tables["versus"]
    rows: list[Row] = []
    for number, row in enumerate(table.rows):
        name, energy, change = table.cells(row, sheet.tongue)
        pair = [float(one[1] or 0) for one in table.rows[number - number % 2 :][:2]]
        label = f"{energy} kWh · {change}" if change else f"{energy} kWh"
        top = ROW_HEIGHT * number + PAIR_GAP * (number // 2)
        size = float(row[1] or 0) / (max(pair) or 1)
        rows.append({"top": top, "name": name, "size": size, "label": label, "now": number % 2})
    height = ROW_HEIGHT * len(rows) + PAIR_GAP * (len(rows) // 2 - 1)

    def drawn(width: int) -> "altair.TopLevelMixin":
        x = alt.X("size:Q", axis=None, scale=alt.Scale(domain=[0, 1], nice=False))
        ink = alt.condition("datum.now == 1", alt.value(BLUE), alt.value(PALE_BLUE))
        bars = (
            alt.Chart(_data(rows))
            .mark_bar(orient="horizontal", size=12, cornerRadiusEnd=3, yOffset=30)
            .encode(x=x, y=_row(), color=ink)
        )
        return _labelled(bars, width).properties(width=width, height=height)

    description = sheet.say("Pairs of bars: what was before, and what came after it.")
    return _chart(sheet, "versus", sheet.say(table.title), description, drawn)


def _appliances(sheet: FactSheet) -> Chart:
    import altair as alt

    table = sheet.tables["appliances"]
    rows: list[Row] = []
    for number, row in enumerate(table.rows[:APPLIANCES_DRAWN]):
        cells = table.cells(row, sheet.tongue)
        rows.append(
            {
                "top": ROW_HEIGHT * number,
                "name": cells[0],
                "kwh": row[1],
                "label": f"{cells[1]} kWh · {cells[2]}",
                "one": True,
            }
        )
    if sheet.number("others.count"):
        name = sheet.filled(sheet.plural("{{others.count}} other", "{{others.count}} others", "others.count"))
        label = f"{sheet.text('others.kwh')} · {sheet.text('others.share')}"
        rows.append(
            {"top": ROW_HEIGHT * len(rows), "name": name, "kwh": sheet.facts["others.kwh"].value, "label": label}
        )
    largest = max(float(row["kwh"] or 0) for row in rows)

    def drawn(width: int) -> "altair.TopLevelMixin":
        # Name and figures stand above their bar, so a long name never squeezes the bars.
        x = alt.X("kwh:Q", axis=None, scale=alt.Scale(domain=[0, largest], nice=False))
        ink = alt.condition("datum.one", alt.value(BLUE), alt.value(PALE_BLUE))
        bars = (
            alt.Chart(_data(rows))
            .mark_bar(orient="horizontal", size=12, cornerRadiusEnd=3, yOffset=30)
            .encode(x=x, y=_row(), color=ink)
        )
        return _labelled(bars, width).properties(width=width, height=ROW_HEIGHT * len(rows))

    first = rows[0]
    description = f"{sheet.say('Bars of energy by appliance, largest first:')} {first['name']}, {first['label']}."
    return _chart(sheet, "appliances", sheet.say(table.title), description, drawn)


def _row() -> "altair.Y":
    """The top of a row, in pixels; its name stands below that, and its mark below the name."""
    import altair as alt

    return alt.Y("top:Q", axis=None, scale=None)


def _labelled(marks: "altair.Chart | altair.LayerChart", width: int) -> "altair.LayerChart":
    """Marks with their names and figures above them."""
    import altair as alt

    base = alt.Chart(marks.data)
    above = {"yOffset": 12, "fontSize": 13, "baseline": "middle"}
    names = base.mark_text(align="left", limit=width * 0.55, color=INK, **above).encode(
        y=_row(), x=alt.value(0), text="name:N"
    )
    labels = base.mark_text(align="right", color=QUIET, **above).encode(y=_row(), x=alt.value(width), text="label:N")
    return alt.layer(marks, names, labels)


def _days(sheet: FactSheet) -> Chart:
    import altair as alt

    table = sheet.tables["days"]
    ahead = _ahead(sheet)
    days: list[Row] = [*_calendar(table), *ahead]
    keys = ("kwh", "partly", "ahead", "upper", "upper_95")
    top = max((float(row[key] or 0) for row in days for key in keys if row.get(key)), default=0) or 1
    first, last = (dt.date.fromisoformat(str(row["day"])) for row in (days[0], days[-1]))
    span = (last - first).days + 1

    def drawn(width: int) -> "altair.TopLevelMixin":
        # A bar stands on its day's midnight, so half a day is needed at either end.
        domain = [
            alt.DateTime(year=day.year, month=day.month, date=day.day, hours=hours, utc=True)
            for day, hours in ((first - dt.timedelta(days=1), 12), (last, 12))
        ]
        x = alt.X(
            "day:T",
            title=None,
            # A date alone is midnight in UTC to Vega; ticks in the process's own zone would stand beside the days.
            scale=alt.Scale(type="utc", domain=domain, nice=False),
            axis=alt.Axis(
                format="%-d %b" if sheet.language == "en" else "%-d. %b",
                values=_ticks(first, last, 4 if width == NARROW else 8),
                grid=False,
                labelOverlap="greedy",
                labelFlush=14,
            ),
        )
        scale = alt.Scale(domain=[0, top * 1.06], nice=True)

        def y(field: str) -> "altair.Y":
            axis = alt.Axis(tickCount=5, format=_tick_format(top))
            return alt.Y(f"{field}:Q", title=None, scale=scale, axis=axis)

        size = min(WIDEST_BAR, max(1.5, 0.72 * width / span))
        base = alt.Chart(_data(days))
        bar = {"size": size, "cornerRadiusEnd": min(3, size / 3)}
        layers = [
            base.mark_bar(color=BLUE, **bar).encode(x=x, y=y("kwh")),
            base.mark_bar(color=PALE_BLUE, **bar).encode(x=x, y=y("partly")),
            base.mark_point(color=ORANGE, filled=True, shape="diamond", opacity=1, size=34, yOffset=-8).encode(
                x=x, y=y("unusual")
            ),
        ]
        if ahead:
            layers += [
                base.mark_bar(color=GREEN, opacity=0.45, **bar).encode(x=x, y=y("ahead")),
                base.mark_rule(color=GREEN, strokeWidth=max(2, size / 3)).encode(x=x, y=y("lower"), y2="upper:Q"),
            ]
        if any(row.get("upper_95") is not None for row in ahead):
            layers.append(base.mark_rule(color=GREEN).encode(x=x, y=y("lower_95"), y2="upper_95:Q"))
        return alt.layer(*layers).properties(width=width, height=220 if width == NARROW else 260)

    legend = [
        ("line", sheet.say("Complete day")),
        ("partly", sheet.say("Day read in part")),
        ("unusual", sheet.say("Day with unusual hours")),
        *_bands(sheet),
    ]
    shown = {"line": "kwh", "partly": "partly", "unusual": "unusual", "ahead": "ahead"}
    legend = [
        (mark, label)
        for mark, label in legend
        if mark not in shown or any(row.get(shown[mark]) is not None for row in days)
    ]
    first_day, last_day = (table.cells(row, sheet.tongue)[0] for row in (table.rows[0], table.rows[-1]))
    description = sheet.say("Bars of energy by day, kWh:") + f" {first_day} \u2013 {last_day}."
    if ahead:
        description += " " + sheet.filled(sheet.say("Then the forecast with its bands up to {{F.last}}."))
    title = (
        sheet.filled(sheet.say("Energy by day, the last {{days.shown}} of {{site.read_days}} days read, kWh"))
        if table.notes
        else sheet.say("Energy by day, kWh")
    )
    return _chart(sheet, "days", title, description, drawn, legend, wide=True)


def _forecast(sheet: FactSheet) -> Chart:
    """A row a day: the forecast as a dot, what lies in its bands as lines."""
    import altair as alt

    table = sheet.tables["forecast"]
    rows: list[Row] = []
    for number, (row, day) in enumerate(zip(table.rows, _ahead(sheet), strict=True)):
        name, energy, *_ = table.cells(row, sheet.tongue)
        rows.append({**day, "top": ROW_HEIGHT * number, "name": name, "label": f"{energy} kWh"})
    ends = [float(row[key] or 0) for row in rows for key in ("lower", "upper", "lower_95", "upper_95") if row.get(key)]
    top = max(ends, default=0) or 1

    def drawn(width: int) -> "altair.TopLevelMixin":
        scale = alt.Scale(domain=[0, top], nice=True)

        def x(field: str) -> "altair.X":
            axis = alt.Axis(tickCount=5, format=_tick_format(top), grid=False)
            return alt.X(f"{field}:Q", title=None, scale=scale, axis=axis)

        data = _data(rows)
        base = alt.Chart(data)
        layers = []
        if any(row.get("upper_95") is not None for row in rows):
            layers.append(base.mark_rule(color=GREEN, yOffset=30).encode(x=x("lower_95"), x2="upper_95:Q", y=_row()))
        layers += [
            base.mark_rule(color=GREEN, strokeWidth=7, opacity=0.4, strokeCap="round", yOffset=30).encode(
                x=x("lower"), x2="upper:Q", y=_row()
            ),
            base.mark_point(color=GREEN, filled=True, opacity=1, size=70, yOffset=30).encode(x=x("ahead"), y=_row()),
        ]
        marks = alt.layer(*layers, data=data)
        return _labelled(marks, width).properties(width=width, height=ROW_HEIGHT * len(rows))

    description = sheet.filled(sheet.say("A row a day: the forecast as a dot, and the bands around it."))
    return _chart(sheet, "forecast", sheet.say("The days ahead, kWh"), description, drawn, _bands(sheet))


def _bands(sheet: FactSheet) -> list[tuple[str, str]]:
    """The legend of a forecast."""
    if "forecast" not in sheet.tables:
        return []
    said = [("ahead", sheet.say("Forecast")), ("band", sheet.filled(sheet.say("{{F.level}} of days should lie here")))]
    if "F.outer_level" in sheet.facts:
        said.append(("outer", sheet.filled(sheet.say("{{F.outer_level}} of days should lie here"))))
    return said


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
    largest = max(rows, key=lambda row: float(row["kwh"] or 0))

    def drawn(width: int) -> "altair.TopLevelMixin":
        y = alt.Y(
            "weekday:O", title=None, scale=alt.Scale(domain=names), axis=alt.Axis(domain=False, ticks=False, offset=2)
        )
        cells = alt.Chart(_data(rows)).mark_rect(color=BLUE, cornerRadius=1)
        opacity = _energy_opacity("kwh", sheet.say("kWh in the hour"), _tick_format(float(largest["kwh"] or 0)))
        heat = cells.encode(x=_hour_axis(sheet.say("hour of day")), y=y, opacity=opacity)
        return alt.layer(heat, _evening()).properties(width=width - 40, height=182)

    hour = f"{int(float(largest['hour'] or 0)):02d}:00"
    alike = len({round(float(row["kwh"] or 0), 6) for row in rows}) == 1
    most = sheet.say("the same in every hour") if alike else f"{largest['weekday']}, {hour}"
    evening = [("evening", sheet.filled(sheet.say("the evening band {{site.peak_band}}")))]
    description = sheet.say("Heat map of mean energy by weekday and hour of day. Most:") + f" {most}."
    return _chart(sheet, "week", sheet.say("Mean energy by weekday and hour"), description, drawn, evening)


def _evening() -> "altair.Chart":
    """A frame around the hours of the evening band."""
    import altair as alt

    first, last = PEAK_HOURS.start, PEAK_HOURS.stop - 1
    frame = alt.Chart(_data([{"first": first, "last": last}])).mark_rect(fill=None, stroke=ORANGE, strokeWidth=1.5)
    return frame.encode(
        x=alt.X("first:O", bandPosition=0), x2=alt.X2("last:O", bandPosition=1), y=alt.value(0), y2=alt.value(182)
    )


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

    def drawn(width: int) -> "altair.TopLevelMixin":
        axis = alt.Axis(domain=False, ticks=False, offset=2, labelLimit=LABELS, labelExpr="substring(datum.label, 2)")
        cells = alt.Chart(_data(rows)).mark_rect(color=BLUE, cornerRadius=1)
        return cells.encode(
            x=_hour_axis(sheet.say("hour of day")),
            y=alt.Y("name:N", title=None, axis=axis),
            opacity=_energy_opacity("share", sheet.say("share of its day"), ".0%"),
        ).properties(width=width - LABELS + 40, height=26 * (len(table.columns) - 1))

    description = sheet.say(
        "Heat map of the share of each appliance's own daily energy by hour of day; strong colour marks busy hours."
    )
    return _chart(sheet, "profiles", title, description, drawn)


def _calendar(table: Table) -> list[Row]:
    """One row for every calendar day shown; a day without readings stays empty."""
    known = {str(row[0]): row for row in table.rows}
    day, last = (dt.date.fromisoformat(str(row[0])) for row in (table.rows[0], table.rows[-1]))
    rows: list[Row] = []
    while day <= last:
        row = known.get(day.isoformat())
        complete = row is not None and row[3] == YES
        rows.append(
            {
                "day": day.isoformat(),
                "kwh": row[1] if row and complete else None,
                "partly": row[1] if row and not complete else None,
                "unusual": row[1] if row and row[4] else None,
            }
        )
        day += dt.timedelta(days=1)
    return rows


def _ahead(sheet: FactSheet) -> list[Row]:
    table = sheet.tables.get("forecast")
    if table is None:
        return []
    keys = ("day", "ahead", "lower", "upper", "lower_95", "upper_95")
    return [dict(zip(keys, row, strict=False)) for row in table.rows]


def _ticks(first: dt.date, last: dt.date, most: int) -> "list[altair.DateTime]":
    """So many days between the first and the last, whole weeks apart where there are more than a few."""
    import altair as alt

    span = (last - first).days
    step = next((days for days in (1, 2, 7, 14, 28) if span / days <= most), 28)
    start = first + dt.timedelta(days=(-first.weekday()) % 7 if step >= 7 else 0)
    days = [start + dt.timedelta(days=number) for number in range(0, span + 1, step)]
    return [alt.DateTime(year=day.year, month=day.month, date=day.day, utc=True) for day in days if day <= last]


def _hour_axis(hours: str) -> "altair.X":
    import altair as alt

    axis = alt.Axis(
        values=list(range(0, 24, 3)),
        labelAngle=0,
        labelExpr="datum.value",
        labelOverlap="greedy",
        domain=False,
        ticks=False,
    )
    return alt.X("hour:O", title=hours, scale=alt.Scale(domain=list(range(24))), axis=axis)


def _energy_opacity(field: str, title: str, number_format: str) -> "altair.Opacity":
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
    drawn: Draw,
    legend: list[tuple[str, str]] | None = None,
    wide: bool = False,
) -> Chart:
    def svg(width: int, ident: str) -> str:
        return _svg(drawn(width), ident, title, description, D3_LOCALES[sheet.language])

    return Chart(
        id=name,
        title=title,
        description=description,
        svg=svg(NARROW, name),
        wide=svg(WIDE, f"{name}-wide") if wide else None,
        legend=tuple(legend or ()),
    )


def _svg(chart: "altair.TopLevelMixin", name: str, title: str, description: str, locale: Any) -> str:
    import vl_convert

    specification: dict[str, Any] = chart.to_dict(validate=False)
    specification["config"] = _CONFIG
    specification["background"] = None
    specification["padding"] = 3
    svg = vl_convert.vegalite_to_svg(
        specification, vl_version=VEGA_LITE_VERSION, format_locale=locale, time_format_locale=locale
    )
    # The whole drawing has one role, a title and a description; its parts have none.
    svg = _stable_ids(re.sub(r' (?:role|aria-roledescription|aria-hidden)="[^"]*"', "", svg), name)
    head, _, body = svg.removeprefix("<svg").partition(">")
    opening = f'<svg role="img" aria-labelledby="{name}-title {name}-desc" font-family="{FONT}"{head}>'
    words = (
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    return opening + words + body


def _stable_ids(svg: str, name: str) -> str:
    """vl-convert counts clip paths and gradients over the life of a process; here they count within a chart."""
    seen: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        return f"{match[1]}{seen.setdefault(match[2], f'{name}-{len(seen) + 1}')}{match[3]}"

    return re.sub(r"""(\bid="|url\(#|href="#)((?:clip|gradient_)\d+)("|\))""", renamed, svg)


_DRAWN: dict[str, Callable[[FactSheet], Chart]] = {
    "versus": _versus,
    "appliances": _appliances,
    "days": _days,
    "week": _week,
    "profiles": _profiles,
    "forecast": _forecast,
}

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
        "titleColor": QUIET,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    },
    "legend": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    },
}
