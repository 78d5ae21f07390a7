"""Small files of readings whose sums are known."""

import datetime as dt
from pathlib import Path

APPLIANCES = {"AC": 1.0, "Refrigerator": 0.125}
PEAK_HOUR = 19


def write_csv(path: Path, days: int = 15, first_day: dt.date = dt.date(2026, 3, 2), factor: float = 1.0) -> Path:
    """Hourly readings: its own kWh an hour for each appliance, twice that at 19 h, a quarter more every second day."""
    rows = ["timestamp,appliance,kwh"]
    for day in range(days):
        for hour in range(24):
            moment = dt.datetime.combine(first_day + dt.timedelta(days=day), dt.time(hour))
            for appliance, kwh in APPLIANCES.items():
                rows.append(f"{moment:%Y-%m-%d %H:%M:%S},{appliance},{kwh_of(kwh, day, hour) * factor!r}")
    path.write_text("\n".join(rows) + "\n")
    return path


def kwh_of(base_kwh: float, day: int, hour: int) -> float:
    return base_kwh * (2 if hour == PEAK_HOUR else 1) * (1.25 if day % 2 else 1)


def totals_kwh(days: int = 15, factor: float = 1.0) -> dict[str, float]:
    """Energy by appliance, by a plain loop."""
    totals = dict.fromkeys(APPLIANCES, 0.0)
    for appliance, base_kwh in APPLIANCES.items():
        for day in range(days):
            for hour in range(24):
                totals[appliance] += kwh_of(base_kwh, day, hour) * factor
    return totals
