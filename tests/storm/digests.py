"""Publishes two uploads of a site, with both forecasts and the report, and prints the digest of every object written.

    python -m tests.storm.digests [--days-later 0] [--host NAME] [--leak]

As if on a later day, on a machine of another name; time zone, hash seed and number of threads are the environment's.
With --leak five tables tell of these five, as no product's should.
"""

import argparse
import datetime as dt
import hashlib
import importlib
import io
import json
import socket
import time
from collections.abc import Callable
from typing import Any

MAX_SERIES = 100


def threads() -> int:
    import polars as pl

    return pl.thread_pool_size()


LEAKS: dict[str, Callable[[], object]] = {
    "hourly_energy_data": lambda: dt.datetime.now(dt.UTC).date(),
    "processed_energy_data": lambda: f"made on {socket.gethostname()}",
    "daily_energy_data": lambda: dt.datetime.fromtimestamp(0),
    "hourly_profile_data": lambda: hash("energy"),
    "quality_data": threads,
}


CONFIGURATION = b"""
tariff:
  currency: EUR
  bands: [{name: night, hours: "22:00-06:30", price: 0.21}, {name: day, price: 0.33}]
  tiers: [{up_to_kwh_per_day: 40, price: 0}, {price: 0.05}]
  demand: {price_per_kw: 2.5}
plans: {Flat: {price: 0.3}}
co2: {country: DE}
"""


def leak() -> None:
    """From now on each of these tables' files tells what LEAKS says."""
    from energy import parquet

    write = parquet.table_bytes

    def leaking(frame: Any, table: Any) -> bytes:
        if table.name not in LEAKS:
            return write(frame, table)
        content = io.BytesIO()
        parquet.as_table(frame, table).write_parquet(content, metadata={"by": str(LEAKS[table.name]())})
        return content.getvalue()

    parquet.table_bytes = leaking


def move_clock(days: int) -> None:
    """Python's clock is so many days ahead, for whatever is imported from now on: all but the libraries below, whose
    C code needs the real classes.
    """
    for library in ("fastparquet", "pandas", "polars", "prophet", "statsforecast"):
        importlib.import_module(library)
    real_datetime, real_date, real_time, real_time_ns = dt.datetime, dt.date, time.time, time.time_ns
    ahead = dt.timedelta(days=days)

    class AnyInstance(type):
        """C code makes the real ones; they are instances all the same."""

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real_datetime if issubclass(cls, real_datetime) else real_date)

    class MovedDatetime(real_datetime, metaclass=AnyInstance):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return real_datetime.now(tz) + ahead

        def date(self) -> Any:
            """Polars takes for a date only what is of the class that it has found by that name."""
            return MovedDate(self.year, self.month, self.day)

    class MovedDate(real_date, metaclass=AnyInstance):
        @classmethod
        def today(cls) -> Any:
            return real_date.today() + ahead

    dt.datetime, dt.date = MovedDatetime, MovedDate  # type: ignore[misc]
    time.time = lambda: real_time() + ahead.total_seconds()
    time.time_ns = lambda: real_time_ns() + int(ahead.total_seconds()) * 10**9


def content(first_day: int, days: int, spelling: str, share: float) -> bytes:
    """Hourly readings with a peak a day, and a row that is no date."""
    rows = ["timestamp,appliance,kwh"]
    for hour in range(first_day * 24, (first_day + days) * 24):
        moment = dt.datetime(2026, 2, 20) + dt.timedelta(hours=hour)
        for place, name in enumerate((spelling, "Wärmepumpe", "Oven")):
            kwh = share * (1 + (hour * (7 + place)) % 31) / 7 * (3 if moment.hour == 19 else 1)
            rows.append(f"{moment:%Y-%m-%d %H:%M},{name},{kwh:.5f}")
    rows.append("2026-02-30 00:00,Oven,1")
    return "\n".join(rows).encode()


def publish(lake: Any, number: int, text: bytes) -> None:
    """Runs the steps for one upload."""
    from energy import (
        anomalies,
        drafting,
        forecast_prophet,
        forecast_publication,
        forecast_statsforecast,
        ingestion,
        publishing,
        report,
    )
    from energy import contracts as c
    from tests.storm.pipeline import Event

    key = f"raw/house/{number}.csv"
    uploaded = dt.datetime(2026, 4, number, 12, tzinfo=dt.UTC)
    lake.upload(key, text, f"v{number}", uploaded)
    validated = ingestion.validate(Event(key, f"v{number}", f"{number:02X}", uploaded, len(text)).request())
    publication = drafting.aggregate(c.AggregateInput(validated=validated))
    found = anomalies.detect(c.DetectInput(publication=publication))
    history = forecast_publication.read_history(publication)
    prophet = forecast_publication.publish(
        forecast_prophet.forecast(history, MAX_SERIES), history, publication, by=forecast_prophet.NAME
    )
    both = c.ForecastStatsforecastInput(publication=publication, prophet=prophet)
    median = forecast_statsforecast.forecast(history, forecast_publication.forecasts_by_prophet(both))
    forecast = c.ForecastOutcome(result=forecast_publication.publish_median(median, history, both, MAX_SERIES))
    steps = {"validated": validated, "publication": publication, "anomalies": found, "forecast": forecast}
    written = report.publish(c.GenerateReportInput(**steps))
    publishing.publish(c.RefreshInput(**steps, report=written))


def main() -> None:
    """Prints today's date and {key: SHA-256} as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days-later", type=int, default=0)
    parser.add_argument("--host", default="")
    parser.add_argument("--leak", action="store_true")
    arguments = parser.parse_args()
    if arguments.days_later:
        move_clock(arguments.days_later)
    if arguments.host:
        socket.gethostname = lambda: arguments.host
    if arguments.leak:
        leak()
    from tests.storm.pipeline import lake_in_memory

    with lake_in_memory() as lake:
        lake.upload("config/house.yaml", CONFIGURATION, "c1", dt.datetime(2026, 4, 1, tzinfo=dt.UTC))
        publish(lake, 1, content(0, 21, "Fridge", 1.0))
        publish(lake, 2, content(19, 22, "fridge", 1.5))
        keys = lake.keys()
        digests = {key: hashlib.sha256(lake.read(key) or b"").hexdigest() for key in keys}
    print(json.dumps({"today": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", "digests": digests}))


if __name__ == "__main__":
    main()
