"""Earlier days from which a series is forecast once more, each without what came after: what its bands, and its
backtest, are learnt from.
"""

import datetime as dt

from energy.forecast_history import WEEK_DAYS, History, Series
from energy.forecasting import HORIZON_DAYS

# Days back from the last training day. Four whole weeks, where half of the history remains before them; a month leaves
# two of them, and windows that overlap stand in for the others.
WHOLE_WEEKS = (7, 14, 21, 28)
OVERLAPPING = (7, 9, 11, 14, 21)


def cutoffs(history: History) -> tuple[int, ...]:
    """How many days back the site's series are forecast once more, the nearest first; see `kept_cutoffs`.

    All series of a site share them, so that what appliances took together can be held against the total.
    """
    days = len(history.total)
    return WHOLE_WEEKS if days >= 2 * WHOLE_WEEKS[-1] else OVERLAPPING


def kept_cutoffs(series: Series, last_day: dt.date, days_back: tuple[int, ...]) -> list[int]:
    """Those of the cut-offs that leave at least a week, and half of the complete days, to learn from, and that a
    complete day follows.
    """
    enough = max(WEEK_DAYS, len(series) / 2)
    return [
        back
        for back in days_back
        if len(until(series, last_day - dt.timedelta(days=back))) >= enough
        and any(kwh is not None for kwh in following(series, last_day - dt.timedelta(days=back)))
    ]


def until(series: Series, day: dt.date) -> Series:
    """The series up to and with a day."""
    return {each: kwh for each, kwh in series.items() if each <= day}


def following(series: Series, day: dt.date) -> list[float | None]:
    """What was used on the HORIZON_DAYS days after a day; None where a day is not complete."""
    return [series.get(day + dt.timedelta(days=ahead)) for ahead in range(1, HORIZON_DAYS + 1)]
