"""What a forecast is, whichever model makes it: seven days of energy with a band, nothing below zero."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from energy.documents import Backtest, YearDecomposition

HORIZON_DAYS = 7
# The shares of days that the two bands should hold.
LEVEL = 0.8
OUTER_LEVEL = 0.95
# A milliwatt-hour. Further decimals mean nothing, and processors of different make may disagree about them.
KWH_DECIMALS = 6
# How models fail on series that they cannot take; anything else is a bug, and ends the state.
MODEL_ERRORS = (ArithmeticError, LookupError, RuntimeError, ValueError)
# Bounds, or a forecast, that a model does not know.
UNKNOWN = (math.nan,) * HORIZON_DAYS


class Unusable(ValueError):
    """A model cannot take a series, or returned no numbers for it; the message says why."""


@dataclass(frozen=True)
class Band:
    """One model's forecast, kWh by day ahead; `lower` to `upper` should hold LEVEL of the days, the outer bounds
    OUTER_LEVEL. Bounds are NaN where the model knows none.
    """

    yhat: Sequence[float]
    lower: Sequence[float]
    upper: Sequence[float]
    outer_lower: Sequence[float]
    outer_upper: Sequence[float]

    def bounds(self) -> tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float]]:
        """All but the forecast itself, in their order."""
        return self.lower, self.upper, self.outer_lower, self.outer_upper

    @property
    def has_bounds(self) -> bool:
        """Whether all are known on every day."""
        return all(map(math.isfinite, itertools.chain(*self.bounds())))


@dataclass(frozen=True)
class SeriesForecast:
    """What is published for one series; `models` has each model's own forecast, kWh by day ahead.

    `reason` says in words why by these models. `backtest` is None where the history is too short for one. `past` has
    what the models forecast from earlier days, by how many days back. Where not even a spread is known
    (`has_spread`), the band says only that.
    """

    band: Band
    method: str
    reason: str
    models: Mapping[str, Sequence[float]]
    past: Mapping[int, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    backtest: Backtest | None = None
    notes: list[str] = field(default_factory=list)
    has_spread: bool = True


@dataclass(frozen=True)
class SiteForecast:
    """The forecast of a site: its total, and the appliances that could be forecast.

    `coherent`: the forecasts of the appliances in the total add up to it. `year` is None with less than a year.
    """

    total: SeriesForecast
    appliances: dict[str, SeriesForecast]
    notes: list[str]
    coherent: bool = False
    year: YearDecomposition | None = None


def finite(band: Band) -> Band:
    """The band itself; Unusable where its forecast is not a number on every day."""
    if not all(map(math.isfinite, band.yhat)):
        raise Unusable(f"its forecast is not a number on every day: {[round(float(kwh), 3) for kwh in band.yhat]}")
    return band


def settled(band: Band) -> Band:
    """The band as it is published: finite, not below zero, outer lower ≤ lower ≤ yhat ≤ upper ≤ outer upper.

    Unusable if it is not finite. Where no spread is known the bands reach from nothing to the double: they say that the
    model does not know.
    """
    yhat = [_energy(kwh) for kwh in finite(band).yhat]
    lower = _below(band.lower, yhat)
    upper = _above(band.upper, yhat, yhat)
    return Band(yhat, lower, upper, _below(band.outer_lower, lower), _above(band.outer_upper, upper, yhat))


def _below(bounds: Sequence[float], inner: list[float]) -> list[float]:
    known = [_energy(low) if math.isfinite(low) else 0.0 for low in bounds]
    return list(map(min, known, inner))


def _above(bounds: Sequence[float], inner: list[float], yhat: list[float]) -> list[float]:
    known = [_energy(high) if math.isfinite(high) else 2 * kwh for kwh, high in zip(yhat, bounds, strict=True)]
    return list(map(max, known, inner))


def reason(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, Unusable) else f"{type(error).__name__}: {text}"[:200]


def noted_reason(error: Exception) -> str:
    """An error as a note tells it: the same in every run. What libraries say may name temporary files; it is logged."""
    if isinstance(error, Unusable):
        return reason(error)
    from energy.observability import logger  # reads the environment of a function

    logger.warning("A model failed", reason=reason(error))
    return f"{type(error).__name__}, the log says more"


def _energy(kwh: float) -> float:
    """Not below zero, and never -0.0."""
    return max(round(float(kwh), KWH_DECIMALS), 0.0) + 0.0
