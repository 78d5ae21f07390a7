"""How good forecasts are, and how well unusual hours are found, measured with the product's own code.

    make bench-accuracy [SERIES=daily.csv] [HOMES=folder of hourly CSVs]

SERIES is a CSV of daily energy, `unique_id,ds,y`; without it forecasts are not measured. HOMES is a folder of CSVs of
hourly readings, `timestamp,appliance,kwh`; without it unusual hours are looked for in made-up homes alone. Prints a
table of each, then everything as one JSON document.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

# What was measured: "case" (the data) and "method" are words, everything else is a figure.
type Row = dict[str, str | float | int | None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures what was asked for."""
    parser = argparse.ArgumentParser(description="Accuracy of forecasts and of anomalies, by the product's own code.")
    parser.add_argument("--series", type=Path, help="daily energy: a CSV with unique_id, ds, y")
    parser.add_argument("--homes", type=Path, help="a folder of CSVs of hourly energy: timestamp, appliance, kwh")
    parser.add_argument("--origins", type=int, default=4, help="forecasts of each series (default 4)")
    parser.add_argument("--history", type=int, nargs="+", default=[30, 90, 365], help="days learnt from")
    asked = parser.parse_args(arguments)
    from benchmarks import anomaly_accuracy, forecast_accuracy

    measured = {}
    if asked.series:
        measured["Forecasts"] = forecast_accuracy.rows(asked.series, asked.history, asked.origins)
        print(f"\nForecasts\n\n{table(measured['Forecasts'])}", flush=True)
    measured["Unusual hours"] = anomaly_accuracy.rows(asked.homes)
    print(f"\nUnusual hours\n\n{table(measured['Unusual hours'])}\n\n{json.dumps(measured)}")


def table(rows: list[Row]) -> str:
    """Rows as text in columns: words to the left, figures to the right, nothing where there is no figure."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns, *([_cell(row.get(name)) for name in columns] for row in rows)]
    widths = [max(len(line[position]) for line in cells) for position in range(len(columns))]
    words = [all(isinstance(row.get(name), str) for row in rows) for name in columns]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if word else cell.rjust(width)
            for cell, width, word in zip(line, widths, words, strict=True)
        ).rstrip()
        for line in cells
    )


def _cell(value: str | float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
