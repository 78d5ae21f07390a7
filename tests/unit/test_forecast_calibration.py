"""Bands and backtests of forecasts from earlier days, worked out by hand."""

import datetime as dt
import math
import random

import pytest

from energy.forecast_calibration import Fitted, conformal_reach
from energy.forecast_history import History
from energy.forecast_past import cutoffs, kept_cutoffs
from energy.forecasting import UNKNOWN, Band, settled

MONDAY = dt.date(2024, 1, 1)


def series(values):
    return {MONDAY + dt.timedelta(days=number): float(kwh) for number, kwh in enumerate(values)}


def flat(yhat):
    """A model that says the same every day, and nothing of how sure it is."""
    return Band([yhat] * 7, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)


def fitted(values, **yhat_by_back):
    """One model's forecasts: `now`, and `back7` and so on."""
    known = series(values)
    members = {
        0 if back == "now" else int(back[4:]): {"window_average": flat(kwh)} for back, kwh in yhat_by_back.items()
    }
    return Fitted(known, max(known), members)


def backtest(each):
    return each.backtest(each.medians())


@pytest.mark.parametrize(
    ("count", "level", "rank"),
    # ceil((m + 1) * level): of 28 errors the 24th holds 80 %, and the largest 95 %; 19 are the fewest for 95 %.
    [(28, 0.8, 24), (28, 0.95, 28), (19, 0.95, 19), (18, 0.95, None), (4, 0.8, 4), (3, 0.8, None), (0, 0.8, None)],
)
def test_the_conformal_reach_is_one_of_the_errors_where_they_are_enough(count, level, rank):
    errors = [float(number) for number in range(1, count + 1)]
    random.Random(1).shuffle(errors)
    reach = conformal_reach(errors, level)
    assert math.isnan(reach) if rank is None else reach == rank


def test_conformal_bands_hold_at_least_their_share_of_days_to_come():
    """The property that they are named for: errors that come in any order are within as often as was said."""
    draw = random.Random(3)
    held = []
    for _ in range(4000):
        *before, to_come = [abs(draw.gauss(0, 1)) for _ in range(29)]
        held.append(to_come <= conformal_reach(before, 0.8))
    assert 0.8 <= sum(held) / len(held) + 0.02 <= 0.86


def test_the_bands_reach_as_far_as_the_errors_of_all_cutoffs_together():
    # From 14 days back 2 was forecast, off by 1 on a week of threes, and from 7 days back off by 3: of 14 errors the
    # ceil(15 * 0.8) = 12th is 3; for 95 % they are too few, so that it is 1.811 times as far.
    each = fitted([3.0] * 14 + [3.0] * 7 + [5.0] * 7, now=10.0, back14=2.0, back7=2.0)
    band = settled(each.band(each.medians()))
    assert (band.lower[0], band.upper[0]) == (7.0, 13.0)
    assert (band.outer_lower[6], band.outer_upper[6]) == pytest.approx((10 - 3 * 1.811, 10 + 3 * 1.811))


def test_what_models_say_of_themselves_and_what_they_were_off_by_is_averaged():
    known = series([3.0] * 21 + [5.0] * 7)
    now = Band([10.0] * 7, [9.0] * 7, [13.0] * 7, [2.0] * 7, [30.0] * 7)
    each = Fitted(known, max(known), {0: {"auto_ets": now}, 7: {"auto_ets": flat(2.0)}})
    band = settled(each.band(each.medians()))
    # Errors of 3; the model reaches 1 down and 3 up, and further than the errors for 95 %.
    assert (band.lower[0], band.upper[0]) == (8.0, 13.0)
    assert (band.outer_lower[0], band.outer_upper[0]) == (2.0, 30.0)


def test_a_backtest_by_hand():
    # Four weeks of 3 and 5 kWh a day by turns; from 14 days back 4 was forecast and from 7 days back 5.
    each = fitted([3.0] * 7 + [5.0] * 7 + [3.0] * 7 + [5.0] * 7, now=1.0, back14=4.0, back7=5.0)
    found = backtest(each)
    assert (found.cutoffs, found.days) == (2, 14)
    assert (found.first_day, found.last_day) == (MONDAY + dt.timedelta(days=14), MONDAY + dt.timedelta(days=27))
    assert found.mae_kwh == 0.5  # off by 1 in the third week, by nothing in the fourth
    assert found.wape == 0.125  # 7 of 56 kWh
    assert found.mase == 0.25  # the week before is always off by 2
    assert found.skill == 0.75
    assert found.within == 0.25  # of 14 errors the 12th, 1 kWh, over a mean day of 4
    # The third week lies 1 away, and the fourth week's errors would have given a band without width; the other way
    # round a reach of 1 holds all.
    assert found.coverage == 0.5


def test_days_that_are_not_complete_are_not_judged():
    values = [3.0] * 28
    known = series(values)
    gone = MONDAY + dt.timedelta(days=24)
    del known[gone]
    each = Fitted(known, max(known), {0: {"window_average": flat(3.0)}, 7: {"window_average": flat(2.0)}})
    found = backtest(each)
    assert (found.days, found.mae_kwh) == (6, 1.0)
    assert found.coverage is None  # one cut-off has no others to be judged by


def test_a_series_that_never_changes_has_no_scale_and_one_of_zeros_no_share():
    found = backtest(fitted([2.0] * 21, now=2.0, back7=2.0))
    assert (found.mase, found.skill, found.wape) == (None, None, 0.0)
    found = backtest(fitted([0.0] * 21, now=0.0, back7=0.0))
    assert (found.mase, found.skill, found.wape, found.within, found.mae_kwh) == (None, None, None, None, 0.0)


def test_without_earlier_days_there_is_no_backtest():
    assert backtest(fitted([3.0] * 9, now=3.0)) is None


@pytest.mark.parametrize(
    ("days", "kept"),
    [
        (7, []),
        (13, []),
        (14, [7]),
        (21, [7, 9]),
        (28, [7, 9, 11, 14]),
        (30, [7, 9, 11, 14]),
        (42, [7, 9, 11, 14, 21]),
        (55, [7, 9, 11, 14, 21]),
        (56, [7, 14, 21, 28]),
        (365, [7, 14, 21, 28]),
    ],
)
def test_cutoffs_leave_half_of_the_history_and_a_week_at_least(days, kept):
    known = series([1.0] * days)
    assert kept_cutoffs(known, max(known), cutoffs(History(known, {}, []))) == kept


def test_a_cutoff_that_no_complete_day_follows_teaches_nothing():
    known = {day: kwh for day, kwh in series([1.0] * 70).items() if not 49 <= (day - MONDAY).days < 56}
    # The eighth week is missing, which is all that 21 days back would be judged by.
    assert kept_cutoffs(known, max(known), cutoffs(History(known, {}, []))) == [7, 14, 28]
