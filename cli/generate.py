"""`energy generate`: readings to try the system with."""

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.output import fail

STDOUT = Path("-")


def generate(  # noqa: PLR0913, PLR0917 - options of the command
    days: Annotated[int, typer.Option(min=1, max=100_000, help="How many days of hourly readings.")] = 30,
    start: Annotated[dt.datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day.")] = dt.datetime(2024, 1, 1),
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 42,
    noise: Annotated[
        float, typer.Option(min=0, max=1, help="Standard deviation of the noise, as a share of the hour's energy.")
    ] = 0.1,
    output: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the CSV; - is stdout.")] = STDOUT,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write which readings are anomalies, as CSV.")
    ] = None,
) -> None:
    """Make readings of an imaginary home: AC, refrigerator, heater, washing machine.

    Hourly energy is the appliance's base load (AC 1.2, Refrigerator 0.15, Heater 1.5, Washing Machine 0.5 kWh), 1.5 to
    2 times as much in the hours that start at 18, 19 and 20, 0.3 to 0.5 times as much from 22 to 5, with normal noise.
    5 % of all readings are anomalies: 2 to 3.5 times too high.
    """
    from cli import synthetic

    if start.date() > dt.date.max - dt.timedelta(days=days):
        fail(f"{days} days from {start:%Y-%m-%d} reach past the year 9999. Choose an earlier --start.", code=2)
    frame = synthetic.readings(start.date(), days, seed, noise)
    _write(output, synthetic.to_csv(frame.select("timestamp", "appliance", "kwh")))
    if labels:
        _write(labels, synthetic.to_csv(frame.select("timestamp", "appliance", "is_anomaly")))
    if output != STDOUT:
        anomalies = int(frame["is_anomaly"].sum())
        typer.echo(f"{frame.height:,} readings, {anomalies:,} of them anomalies: {output}", err=True)


def _write(path: Path, content: bytes) -> None:
    if path == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        path.write_bytes(content)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.", code=2)
