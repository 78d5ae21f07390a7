"""Forecasts of appliances that add up to the forecast of their total."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from energy.forecasting import KWH_DECIMALS

# By appliance; None is the total.
Forecasts: TypeAlias = Mapping[str | None, Sequence[float]]


def coherent(
    forecasts: Forecasts, members: Sequence[str], reach: Mapping[str | None, float]
) -> dict[str | None, list[float]]:
    """The forecasts of the total and its members, moved so that they add up, day by day; none below zero.

    What is missing or too much is shared out by the squares of how far off each forecast may be, the total among them:
    the surer one moves less. That is the least-squares reconciliation MinT with variances alone (Wickramasuriya et al.
    2019), solved for one level. Where no forecast may be off, the total gives way.
    """
    variance = {name: reach[name] ** 2 for name in (None, *members)}
    whole = math.fsum(variance.values())
    moved: dict[str | None, list[float]] = {name: [] for name in (None, *members)}
    for position, total in enumerate(forecasts[None]):
        gap = total - math.fsum(forecasts[name][position] for name in members)
        for name in members:
            share = variance[name] / whole if whole else 0.0
            moved[name].append(round(max(forecasts[name][position] + gap * share, 0.0), KWH_DECIMALS))
        moved[None].append(math.fsum(moved[name][position] for name in members))
    return moved
