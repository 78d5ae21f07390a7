"""What is published for a site, in one screen: appliances, anomalies, forecast, report."""

import math
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli import checks
from cli.lake_tables import Lake
from cli.output import safe
from energy import lake
from energy.documents import UploadQuality
from energy.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from local.lake_folder import LakeFolder

_NOTHING = "\N{EN DASH}"
# What fits a screen; the tables and the report have all.
_MOST_APPLIANCES = 20


def show(folder: "LakeFolder", site: str, manifest: Manifest, console: Console) -> None:
    """Asks the lake's tables, as anyone would, and prints the answers."""
    # A site's name is a plain word (energy.lake.site_name): it needs no quoting.
    with Lake(folder) as tables:

        def rows(columns: str, table: str, rest: str = "") -> list[tuple[Any, ...]]:
            return tables.answer(f"SELECT {columns} FROM {table} WHERE site = '{site}' {rest}").rows  # noqa: S608

        readings, first, last = rows("COUNT(*), MIN(timestamp), MAX(timestamp)", "raw_energy_data")[0]
        appliances = rows(
            "appliance, total_kwh, share, peak_hour", "processed_energy_data", "ORDER BY total_kwh DESC, appliance"
        )
        told = "AND event_id IS NOT NULL AND muted_by IS NULL GROUP BY appliance"
        by_appliance = dict(rows("appliance, COUNT(*)", "anomaly_data", told))
        events = rows("COUNT(*)", "anomaly_events", "AND muted_by IS NULL")[0][0]
        forecast = rows("ds, yhat, yhat_lower, yhat_upper, level, method", "forecast_data", "ORDER BY ds")

    console.print()
    console.print(
        Text.assemble((site, "bold"), f"  {readings:,} readings, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}")
    )
    console.print(_appliances(appliances, by_appliance))
    if forecast:
        console.print(_forecast(forecast))
    hours = sum(by_appliance.values())
    console.print(f"Anomalies: {_counted(hours, 'unusual hour')}, {_counted(events, 'event')}", highlight=False)
    method = f"{forecast[0][5]}" if forecast else "none; the report says why"
    console.print(f"Forecast:  {safe(method)}", soft_wrap=True, highlight=False, markup=False)
    if manifest.report:
        console.print(
            Text.assemble("Report:    ", (str(report_path(folder, site, manifest.report.html_key)), "bold cyan")),
            soft_wrap=True,
        )


def report_path(folder: "LakeFolder", site: str, html_key: str) -> "Path":
    """The report's file: the one whose name stays, if it is this report."""
    report = folder.path_of(html_key)
    try:
        latest = folder.path_of(lake.latest_report_key(site))
    except KeyError:
        return report.resolve()
    return (latest if latest.read_bytes() == report.read_bytes() else report).resolve()


def show_doubts(folder: "LakeFolder", site: str, key: str, console: Console) -> None:
    """Says what may be wrong with a published upload, how many of its rows were set apart, and where they are."""
    manifest = checks.published(folder, site)
    entry = manifest.uploads.get(key) if manifest else None
    if entry is None:
        return
    upload, rows = entry.upload, entry.rows
    quality = folder.path_of(lake.upload_quality_key(site, upload.upload_id, upload.run_id)).read_bytes()
    for code, sentence in UploadQuality.model_validate_json(quality).warnings.items():
        told = Text.assemble((code, "bold yellow"), " ", (safe(sentence), "yellow"))
        console.print(told, soft_wrap=True, highlight=False)
    if rows.rejected:
        rejected = folder.path_of(lake.quarantine_key(site, upload.run_id, "rejected.csv")).resolve()
        told = Text(
            f"{rows.rejected:,} of {rows.read:,} rows were rejected; each with its line and reason: {rejected}",
            style="yellow",
        )
        console.print(told, soft_wrap=True, highlight=False)


def _appliances(rows: list[tuple[Any, ...]], anomalies: dict[str, int]) -> Table:
    table = _table("Appliance", "kWh", "Share", "Peak hour", "Anomalies")
    for appliance, total, share, peak_hour in rows[:_MOST_APPLIANCES]:
        table.add_row(
            Text(safe(appliance)),
            f"{total:,.1f}",
            _NOTHING if share is None else f"{share:.1%}",
            _NOTHING if peak_hour is None else f"{peak_hour:02d}:00",
            f"{anomalies.get(appliance, 0):,}",
        )
    if more := rows[_MOST_APPLIANCES:]:
        share = math.fsum(share or 0 for _, _, share, _ in more)
        judged = sum(anomalies.get(appliance, 0) for appliance, *_ in more)
        kwh = math.fsum(total for _, total, *_ in more)
        table.add_row(f"and {len(more):,} more", f"{kwh:,.1f}", f"{share:.1%}", "", f"{judged:,}")
    return table


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _forecast(rows: list[tuple[Any, ...]]) -> Table:
    level = rows[0][4]
    table = _table("Forecast", "kWh", f"{level:.0%} band")
    for ds, yhat, lower, upper, *_ in rows:
        table.add_row(f"{ds:%a %Y-%m-%d}", f"{yhat:,.1f}", f"{lower:,.1f} to {upper:,.1f}")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
