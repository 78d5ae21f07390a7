"""What a benchmark measured, as Markdown with a chart beside it."""

import os
import platform
import re
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pipeline import OURS

FOLDER = Path(__file__).resolve().parent
Figures = dict[str, float]
FLOORS = ("bare parse", "reading the bytes")
MEASURES = (("wall", "seconds"), ("cpu", "CPU s"), ("peak", "peak MB"))

# What is aimed at for the largest file: the measure, whose over ours, and how much of it at least.
AIMS = (
    ("wall", "pandas", 5.0),
    ("cpu", "pandas", 3.0),
    ("cpu", "DuckDB", 1.5),
    ("wall", "PySpark", 10.0),
    ("cpu", "PySpark", 10.0),
    ("cpu", "bare parse", 1 / 8),
)
MOST_MEGABYTES, MOST_GROWTH = 700, 1.15
YEAR_SECONDS = 15


@dataclass(frozen=True)
class Comparison:
    """Runs at one file: round, who, figures; and the load average of the machine after each."""

    rows: int
    size: int
    runs: list[tuple[int, str, Figures]]
    loads: list[float]

    def names(self) -> list[str]:
        """Whoever took part, this pipeline first."""
        return sorted({name for _, name, _ in self.runs}, key=lambda name: (name != OURS, name in FLOORS, name))

    def figures(self, name: str, measure: str) -> list[float]:
        """Of all runs."""
        return [figures[measure] for _, who, figures in self.runs if who == name]

    def ratios(self, name: str, measure: str) -> list[float]:
        """Its figure over that of this pipeline, in the rounds that have both."""
        ours = {number: figures[measure] for number, who, figures in self.runs if who == OURS}
        return [figures[measure] / ours[number] for number, who, figures in self.runs if who == name]


def comparisons(document: dict[str, Any]) -> list[Comparison]:
    found = [
        Comparison(one["rows"], one["size"], [tuple(run) for run in one["runs"]], one.get("loads", []))
        for one in _all(document)
    ]
    return sorted(found, key=lambda one: one.rows)


def _loads(document: dict[str, Any]) -> str:
    loads = [load for one in _all(document) for load in one.get("loads", [])]
    return f" Load average meanwhile: {min(loads):.0f} to {max(loads):.0f}." if loads else ""


def _all(document: dict[str, Any]) -> list[dict[str, Any]]:
    return list(document.get("comparisons", {}).values())


def markdown(document: dict[str, Any]) -> str:
    """Everything that was measured."""
    found = comparisons(document)
    parts = [
        "# What the pipeline takes, beside others at the same work",
        "Made by `make bench`; do not edit. Judging, adding up and finding unusual hours, by the functions as they are "
        "deployed, without the transfers to and from S3 and without imports; other contestants do the same work "
        "(`benchmarks/contestants.py`), read the file from disk, and start warm. Every run is a new process. "
        "Figures are medians; × is the figure over this pipeline's in the same round: median, and the range of rounds.",
        f"Machine: {machine()}.{_loads(document)}",
    ]
    parts += document.get("notes", [])
    if found:
        parts += ["![CPU seconds and peak memory by contestant](results.svg)", *(_section(one) for one in found)]
        parts += ["## Aims", _aims(found)]
    if "year" in document.get("end_to_end", {}):
        parts += ["## A year of hours, from upload to report", _end_to_end(document["end_to_end"]["year"])]
    return "\n\n".join(parts) + "\n"


def _section(one: Comparison) -> str:
    rows = [
        [
            name,
            str(len(one.figures(name, "wall"))),
            *(
                f"{statistics.median(one.figures(name, measure)):,.{0 if measure == 'peak' else 2}f}"
                for measure, _ in MEASURES
            ),
            *(_ratio(one.ratios(name, measure)) if name != OURS else "1" for measure, _ in MEASURES),
        ]
        for name in one.names()
    ]
    head = ["", "runs", *(label for _, label in MEASURES), *(f"× {label}" for _, label in MEASURES)]
    return f"## {one.rows:,} rows, {one.size / 1e6:,.0f} MB\n\n{_table(head, rows)}\n\n{_by_function(one)}"


def _by_function(one: Comparison) -> str:
    ours = [figures for _, name, figures in one.runs if name == OURS]
    told = []
    for verb in ("validate", "aggregate", "detect_anomalies"):
        wall, cpu, peak = (statistics.median(run[f"{verb} {name}"] for run in ours) for name in ("wall", "cpu", "peak"))
        told.append(f"`{verb}` {wall:.2f} s, {cpu:.2f} CPU s, {peak:,.0f} MB")
    return f"Of this pipeline: {'; '.join(told)}."


def _ratio(found: list[float]) -> str:
    middle = statistics.median(found)
    return _short(middle) if len(found) == 1 else f"{_short(middle)} ({_short(min(found))}–{_short(max(found))})"


def _short(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


def _aims(found: list[Comparison]) -> str:
    largest = found[-1]
    rows = []
    for measure, name, least in AIMS:
        if name not in largest.names():
            rows.append([f"{dict(MEASURES)[measure]} against {name}", "not measured", ""])
            continue
        ratio = statistics.median(largest.ratios(name, measure))
        label = dict(MEASURES)[measure]
        if least < 1:
            rows.append([f"{label} at most {1 / least:.0f} × {name}", f"{1 / ratio:.2f} ×", _met(ratio >= least)])
        else:
            rows.append([f"{label} of {name} at least {least:g} ×", f"{ratio:.2f} ×", _met(ratio >= least)])
    peak = statistics.median(largest.figures(OURS, "peak"))
    rows.append([f"peak at most {MOST_MEGABYTES} MB", f"{peak:,.0f} MB", _met(peak <= MOST_MEGABYTES)])
    smaller = [one for one in found if one.rows < largest.rows]
    if smaller:
        growth = peak / statistics.median(smaller[-1].figures(OURS, "peak"))
        rows.append(
            [
                f"peak at most {MOST_GROWTH} × that of {smaller[-1].rows:,} rows",
                f"{growth:.2f} ×",
                _met(growth <= MOST_GROWTH),
            ]
        )
    return _table([f"at {largest.rows:,} rows", "found", "met"], rows)


def _met(is_met: bool) -> str:
    return "yes" if is_met else "no"


def _end_to_end(year: dict[str, Any]) -> str:
    rows = [[state, f"{seconds:.2f}"] for state, seconds in year["states"]]
    low, high = year["spread"]
    told = (
        f"{year['rows']:,} rows on the local AWS with warm functions: {year['seconds']:.1f} s ({low:.1f}–{high:.1f}, "
        f"{year['runs']} runs; the aim is less than {YEAR_SECONDS}: {_met(year['seconds'] < YEAR_SECONDS)}). The first "
        f"upload, to cold functions, took {year['first_seconds']:.1f} s. Branches of Analyse run side by side."
    )
    return f"{told}\n\n{_table(['state', 'seconds'], rows)}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """What was measured on."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    gigabytes = int(memory[1]) / (1 << 20) if memory else 0
    kernel = re.match(r"[0-9.]+", platform.release())
    processor = model[1].strip() if model else platform.machine()
    system = f"{platform.system()} {kernel[0].strip('.')}" if kernel else platform.system()
    return f"{processor}, {os.cpu_count()} cores, {gigabytes:.0f} GiB, {system}, Python {platform.python_version()}"


def write(document: dict[str, Any], text: str) -> None:
    """Keeps the text, and its chart beside it."""
    (FOLDER / "results.md").write_text(text)
    (FOLDER / "results.svg").write_text(chart(comparisons(document)))


def chart(found: list[Comparison]) -> str:
    """CPU seconds and peak memory by rows, one line each, in colours that can be read on white and on black."""
    import altair as alt
    import vl_convert

    grey = "#7a8290"
    values = [
        {"who": name, "rows": one.rows, measure: statistics.median(one.figures(name, measure))}
        for one in found
        for name in one.names()
        for measure in ("cpu", "peak")
        if name not in FLOORS[1:]
    ]
    names = sorted({value["who"] for value in values}, key=lambda name: (name != OURS, name in FLOORS, name))
    colours = ("#1f8ae0", "#d9822b", "#3aa57a", "#b565d9")
    sizes, decades = [one.rows for one in found], [10.0**power for power in range(-2, 5)]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "rows:Q",
            scale=alt.Scale(type="log", nice=False),
            title="rows",
            axis=alt.Axis(format=".2~s", values=sizes),
        ),
        color=alt.Color("who:N", scale=alt.Scale(domain=names, range=[*colours[: len(names) - 1], grey]), title=None),
        strokeWidth=alt.condition(f"datum.who == '{OURS}'", alt.value(3.5), alt.value(1.8)),
    )
    panels = [
        base.transform_filter(f"isValid(datum.{measure})")
        .mark_line(point=alt.OverlayMarkDef(size=45))
        .encode(
            y=alt.Y(
                f"{measure}:Q", scale=alt.Scale(type="log"), title=title, axis=alt.Axis(format="~f", values=decades)
            )
        )
        .properties(width=320, height=260)
        for measure, title in (("cpu", "CPU seconds"), ("peak", "peak memory, MB"))
    ]
    drawn = (
        alt.hconcat(*panels)
        .configure(background="transparent", font="Helvetica, Arial, sans-serif")
        .configure_axis(
            labelColor=grey, titleColor=grey, gridColor=grey, gridOpacity=0.25, domainColor=grey, tickColor=grey
        )
        .configure_legend(labelColor=grey, orient="bottom")
        .configure_view(stroke=None)
    )
    return str(vl_convert.vegalite_to_svg(drawn.to_json()))
