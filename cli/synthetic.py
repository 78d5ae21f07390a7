"""Readings of an imaginary home, for trying things out: hourly, four appliances, some hours far too high."""

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

# Energy of an hour that is neither peak nor night, kWh; of the order of what such appliances draw over a day.
BASE_KWH = {"AC": 1.2, "Refrigerator": 0.15, "Heater": 1.5, "Washing Machine": 0.5}

# Hours are named by their start: 18, 19 and 20 are peak (18:00 to 21:00); 22, 23 and 0 to 5 are night (22:00 to 6:00).
PEAK_START_HOUR, PEAK_END_HOUR = 18, 21
NIGHT_START_HOUR, NIGHT_END_HOUR = 22, 6

# Every reading draws its own multiple, uniformly from these.
PEAK_MULTIPLE = (1.5, 2.0)
NIGHT_MULTIPLE = (0.3, 0.5)
ANOMALY_MULTIPLE = (2.0, 3.5)

ANOMALY_SHARE = 0.05
DECIMALS = 4


def readings(start: dt.date, days: int, seed: int, noise: float) -> "pl.DataFrame":
    """Hourly readings `timestamp, appliance, kwh, is_anomaly`, sorted by timestamp, then in the order of BASE_KWH.

    `noise` is the standard deviation of the normal noise as a share of the hour's energy; what it would push below
    zero is zero. Of all readings 5 %, rounded to whole ones, are anomalies, drawn without regard to hour or appliance.
    Equal arguments give equal readings (with the same numpy: see its NEP 19).
    """
    import polars as pl

    random = np.random.default_rng(seed)
    hours, appliances = days * 24, list(BASE_KWH)
    shape = (hours, len(appliances))

    hour_of_day = (np.arange(hours) % 24)[:, np.newaxis]
    peak = (hour_of_day >= PEAK_START_HOUR) & (hour_of_day < PEAK_END_HOUR)
    night = (hour_of_day >= NIGHT_START_HOUR) | (hour_of_day < NIGHT_END_HOUR)
    multiple = np.where(peak, random.uniform(*PEAK_MULTIPLE, shape), 1.0)
    multiple = np.where(night, random.uniform(*NIGHT_MULTIPLE, shape), multiple)

    kwh = np.array(list(BASE_KWH.values())) * multiple * (1 + random.normal(0, noise, shape))
    is_anomaly = np.zeros(kwh.size, dtype=bool)
    is_anomaly[random.choice(kwh.size, size=round(kwh.size * ANOMALY_SHARE), replace=False)] = True
    kwh = np.where(is_anomaly.reshape(shape), kwh * random.uniform(*ANOMALY_MULTIPLE, shape), kwh)

    first = np.datetime64(start, "us")
    return pl.DataFrame(
        {
            "timestamp": np.repeat(first + np.arange(hours) * np.timedelta64(1, "h"), len(appliances)),
            "appliance": appliances * hours,
            "kwh": np.clip(kwh, 0, None).round(DECIMALS).ravel(),
            "is_anomaly": is_anomaly,
        }
    )


def to_csv(frame: "pl.DataFrame") -> bytes:
    """The frame as CSV; energies with four decimals, timestamps as 2024-01-31 18:00:00."""
    return frame.write_csv(float_precision=DECIMALS, datetime_format="%Y-%m-%d %H:%M:%S").encode()
