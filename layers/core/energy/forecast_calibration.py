"""From what models said, now and on earlier days, to what is published of a series: their median, its bands, and how
such forecasts fared.

Bands are conformal (Vovk et al. 2005): how far the same way of forecasting was off on the days after earlier cut-offs,
pooled over cut-offs and days ahead, since a month of readings has too few of each day ahead. Prophet's own bands are
left out: on a month of history its 80 % band held 58 % of the days (docs/decisions/0006).
"""

import datetime as dt
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from energy.documents import Backtest
from energy.forecast_history import WEEK_DAYS, Series, without_gaps
from energy.forecast_past import following, until
from energy.forecasting import (
    KWH_DECIMALS,
    LEVEL,
    OUTER_LEVEL,
    UNKNOWN,
    Band,
    settled,
)
from energy.schema import MODEL_NAMES

PROPHET = "prophet"
SHARE_DECIMALS = 6
# The outer band is at least this many times as wide as the inner: the ratio of Student's quantiles 2.776 over 1.533 at
# four degrees of freedom, one for each cut-off, whose errors come together. The largest of a month's errors alone says
# too little of one day in twenty.
OUTER_RATIO = 1.811

# Forecasts by days back from the last training day, 0 being the one that is published; kWh by day ahead.
ByDaysBack: TypeAlias = Mapping[int, Sequence[float]]


@dataclass(frozen=True)
class Fitted:
    """What models said of one series: `members` by days back, then by model; those of 0 days back are never empty."""

    series: Series
    last_day: dt.date
    members: Mapping[int, Mapping[str, Band]]

    def medians(self) -> dict[int, list[float]]:
        """The median of the models, day by day, of which nothing is below zero."""
        return {back: _by_day(statistics.median, _settled(found).values()) for back, found in self.members.items()}

    def models(self) -> dict[int, dict[str, Sequence[float]]]:
        """Each model's forecast as it is published, by days back."""
        return {back: _settled(found) for back, found in self.members.items()}

    @property
    def method(self) -> str:
        """The models, in words."""
        names = list(_settled(self.members[0]))
        return f"median of {', '.join(names)}" if len(names) > 1 else names[0]

    def band(self, yhat: ByDaysBack) -> Band:
        """`yhat` with its bands: of the errors that it has made, and of what the models themselves say.

        The inner is the mean of both, the outer the wider; where only one is known, it is that one. NaN where none is.
        """
        pooled = [error for each in self.errors(yhat).values() for error in each]
        return self._band_from(0, yhat[0], pooled)

    def errors(self, yhat: ByDaysBack) -> dict[int, list[float]]:
        """How far off the forecasts of earlier days were, by days back, on the days that are complete."""
        return {
            back: [abs(kwh - was) for kwh, was in zip(ahead, self._actual(back), strict=True) if was is not None]
            for back, ahead in yhat.items()
            if back
        }

    def backtest(self, yhat: ByDaysBack) -> Backtest | None:
        """How the forecasts of earlier days fared; None where there are none."""
        errors = self.errors(yhat)
        every = [error for each in errors.values() for error in each]
        if not every:
            return None
        days = [day for back in errors for day, was in self._dated(back) if was is not None]
        actual = [was for back in errors for _, was in self._dated(back) if was is not None]
        mae, used = statistics.fmean(every), statistics.fmean(actual)
        naive = statistics.fmean(error for back in errors for error in self._naive_errors(back))
        scale = _mean_weekly_change(self.series)
        return Backtest(
            cutoffs=len(errors),
            days=len(every),
            first_day=min(days),
            last_day=max(days),
            mae_kwh=round(mae, KWH_DECIMALS),
            wape=_ratio(mae, used),
            within=_ratio(sorted(every)[math.ceil(LEVEL * len(every)) - 1], used),
            mase=_ratio(mae, scale),
            skill=None if (share := _ratio(mae, naive)) is None else round(1 - share, SHARE_DECIMALS),
            coverage=self._coverage(yhat, lambda band: (band.lower, band.upper)),
            coverage_95=self._coverage(yhat, lambda band: (band.outer_lower, band.outer_upper)),
        )

    def _coverage(
        self, yhat: ByDaysBack, bounds: Callable[[Band], tuple[Sequence[float], Sequence[float]]]
    ) -> float | None:
        """The share of the days that lie within the band that the errors of the other cut-offs give."""
        errors, held = self.errors(yhat), []
        for back in errors:
            others = [error for other, each in errors.items() if other != back for error in each]
            if not others:
                return None
            lower, upper = bounds(settled(self._band_from(back, yhat[back], others)))
            for low, high, was in zip(lower, upper, self._actual(back), strict=True):
                if was is not None:
                    held.append(low <= round(was, KWH_DECIMALS) <= high)
        return round(statistics.fmean(held), SHARE_DECIMALS)

    def _band_from(self, back: int, yhat: Sequence[float], errors: Sequence[float]) -> Band:
        """The bands of a forecast where such forecasts have made these errors."""
        unknown = math.isnan(conformal_reach(errors, LEVEL))
        return _band(yhat, self.medians()[back], errors, _own_bounds(self.members[back], alone=unknown))

    def _actual(self, back: int) -> list[float | None]:
        return following(self.series, self._day(back))

    def _dated(self, back: int) -> list[tuple[dt.date, float | None]]:
        first = self._day(back) + dt.timedelta(days=1)
        return [(first + dt.timedelta(days=ahead), was) for ahead, was in enumerate(self._actual(back))]

    def _naive_errors(self, back: int) -> list[float]:
        """Those of repeating the week before."""
        day = self._day(back)
        week = without_gaps(until(self.series, day), day)[-WEEK_DAYS:]
        return [abs(kwh - was) for kwh, was in zip(week, self._actual(back), strict=True) if was is not None]

    def _day(self, back: int) -> dt.date:
        return self.last_day - dt.timedelta(days=back)


def reach_kwh(band: Band) -> float:
    """Half the width of the inner band as it is published, a mean of its days: how far off the forecast may be."""
    published = settled(band)
    return statistics.fmean((high - low) / 2 for low, high in zip(published.lower, published.upper, strict=True))


def conformal_reach(errors: Sequence[float], level: float) -> float:
    """The error that a share `level` of days to come should not exceed: the ceil((m + 1) · level)-th of m errors.

    NaN where they are too few for the level.
    """
    rank = math.ceil((len(errors) + 1) * level)
    return sorted(errors)[rank - 1] if rank <= len(errors) else math.nan


def _band(yhat: Sequence[float], median: Sequence[float], errors: Sequence[float], own: Band) -> Band:
    """`own` are the bounds that the models give around their median, from which yhat may have been moved since."""
    inner, outer = conformal_reach(errors, LEVEL), conformal_reach(errors, OUTER_LEVEL)
    below = [_known_mean(inner, kwh - low) for kwh, low in zip(median, own.lower, strict=True)]
    above = [_known_mean(inner, high - kwh) for kwh, high in zip(median, own.upper, strict=True)]
    outer_below = [
        _widest(outer, kwh - low, OUTER_RATIO * near)
        for kwh, low, near in zip(median, own.outer_lower, below, strict=True)
    ]
    outer_above = [
        _widest(outer, high - kwh, OUTER_RATIO * near)
        for kwh, high, near in zip(median, own.outer_upper, above, strict=True)
    ]
    return Band(yhat, _less(yhat, below), _more(yhat, above), _less(yhat, outer_below), _more(yhat, outer_above))


def _less(yhat: Sequence[float], reach: Sequence[float]) -> list[float]:
    return [kwh - less for kwh, less in zip(yhat, reach, strict=True)]


def _more(yhat: Sequence[float], reach: Sequence[float]) -> list[float]:
    return [kwh + more for kwh, more in zip(yhat, reach, strict=True)]


def _own_bounds(members: Mapping[str, Band], alone: bool) -> Band:
    """The average of the bounds that models give themselves; NaN where none does.

    Prophet's count only where there is nothing else: no other model, and, `alone`, no errors to go by.
    """
    last_resort = alone and len(members) == 1
    banded = [band for name, band in members.items() if band.has_bounds and (name != PROPHET or last_resort)]
    if not banded:
        return Band(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
    sides = zip(*(band.bounds() for band in banded), strict=True)
    return Band(UNKNOWN, *(_by_day(statistics.fmean, each) for each in sides))


def _settled(members: Mapping[str, Band]) -> dict[str, Sequence[float]]:
    return {name: settled(members[name]).yhat for name in MODEL_NAMES if name in members}


def _mean_weekly_change(series: Series) -> float:
    """The mean error of repeating the week before, over all days that have one: the scale of MASE (Hyndman & Koehler
    2006); 0 where no day has.
    """
    week = dt.timedelta(days=WEEK_DAYS)
    changes = [abs(kwh - series[day - week]) for day, kwh in series.items() if day - week in series]
    return statistics.fmean(changes) if changes else 0.0


def _ratio(part: float, whole: float) -> float | None:
    """None where the whole is nothing: less than a milliwatt-hour."""
    return round(part / whole, SHARE_DECIMALS) if round(whole, KWH_DECIMALS) else None


def _known_mean(*values: float) -> float:
    known = [value for value in values if math.isfinite(value)]
    return statistics.fmean(known) if known else math.nan


def _widest(*values: float) -> float:
    return max((value for value in values if math.isfinite(value)), default=math.nan)


def _by_day(statistic: Callable[[list[float]], float], forecasts: Iterable[Sequence[float]]) -> list[float]:
    return [statistic(list(day)) for day in zip(*forecasts, strict=True)]
