"""Local calendar days as instants."""

import datetime as dt
import zoneinfo

import polars as pl


def local_days(dates: pl.Series, timezone: str) -> pl.DataFrame:
    """date, starts (UTC instant of its first moment), length of each local day."""
    days: list[dt.date] = dates.unique().sort().to_list()
    starts = [day_start(day, timezone) for day in days]
    ends = [day_start(day + dt.timedelta(days=1), timezone) for day in days]
    frame = pl.DataFrame(
        {"date": days, "starts": starts, "ends": ends},
        schema={"date": pl.Date, "starts": pl.Datetime("us"), "ends": pl.Datetime("us")},
    )
    return frame.select("date", "starts", length=pl.col("ends") - pl.col("starts"))


def day_start(day: dt.date, timezone: str) -> dt.datetime:
    """The first instant of a local day, as naive UTC; also where clocks skip midnight itself."""
    midnight = dt.datetime.combine(day, dt.time(), zoneinfo.ZoneInfo(timezone))
    return midnight.astimezone(dt.UTC).replace(tzinfo=None)
