"""Small homes for what is unusual: hours that follow each other, made by hand or by a seed."""

import datetime as dt
import random

import polars as pl

from energy import anomalies

START = dt.datetime(2024, 3, 1)
HOUR = dt.timedelta(hours=1)


def hours(**kwh_by_appliance):
    """An hourly table: consecutive hours for each appliance."""
    rows = [
        (START + n * HOUR, START + n * HOUR, appliance, float(kwh), 1)
        for appliance, series in kwh_by_appliance.items()
        for n, kwh in enumerate(series)
    ]
    schema = ["timestamp", "timestamp_utc", "appliance", "kwh", "readings"]
    return pl.DataFrame(rows, schema=schema, orient="row").sort("timestamp_utc", "appliance")


def days(**kwh_by_appliance):
    """A daily table: consecutive complete days for each appliance; None is a day that is not complete."""
    rows = [
        (START.date() + dt.timedelta(days=n), appliance, float(kwh or 0.0), 1.0 if kwh else 0.5, kwh is not None)
        for appliance, series in kwh_by_appliance.items()
        for n, kwh in enumerate(series)
    ]
    schema = ["date", "appliance", "kwh", "coverage", "complete"]
    return pl.DataFrame(rows, schema=schema, orient="row")


NO_DAYS = days(oven=[1.0]).clear()


def found(table, daily=NO_DAYS, *arguments, **named):
    """What is unusual in it, in UTC."""
    return anomalies.find(table, daily, "UTC", *arguments, **named)


def wavering(count, seed=1, level=0.5, evening=2.0, by=0.1):
    """Days of a level and an evening of three hours, alike but for a tenth up or down."""
    chance = random.Random(seed)
    day = [evening if hour in {18, 19, 20} else level for hour in range(24)]
    return [kwh * chance.uniform(1 - by, 1 + by) for _ in range(count) for kwh in day]
