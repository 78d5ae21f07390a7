"""The models, the median of them, and how a forecast stays sane."""

import datetime as dt
import math
import random

import pytest

from energy import forecast_prophet, forecast_statsforecast
from energy.errors import ForecastFailed, NotEnoughHistory, TooManySeries
from energy.forecast_calibration import Fitted
from energy.forecast_history import History
from energy.forecast_statsforecast import models_for, seasonal_window_average, window_average
from energy.forecasting import Band, Unusable, settled

# Prophet's own, in its arithmetic with dates.
pytestmark = pytest.mark.filterwarnings("ignore:The 'generic' unit for NumPy timedelta:DeprecationWarning")

MONDAY = dt.date(2024, 1, 1)
MANY = 100
ALL_BUT_PROPHET = ["auto_ets", "dynamic_optimized_theta", "seasonal_window_average", "window_average"]
NAN = math.nan


@pytest.fixture(autouse=True)
def a_functions_environment(monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Energy")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")


def series(values):
    return {MONDAY + dt.timedelta(days=number): float(kwh) for number, kwh in enumerate(values)}


def weekly(days, seed=1):
    draw = random.Random(seed)
    return [10 + 5 * (number % 7 > 4) + draw.uniform(-1, 1) for number in range(days)]


def site(total, **appliances):
    return History(series(total), {name: series(values) for name, values in appliances.items()}, [])


def fitted(members):
    """What models said of 30 days, the last of them a Tuesday, with nothing to learn from earlier days."""
    return Fitted(series(weekly(30)), MONDAY + dt.timedelta(days=29), {0: members})


def published(members):
    each = fitted(members)
    return settled(each.band(each.medians()))


def flat(yhat, lower=NAN, upper=NAN, outer_lower=None, outer_upper=None):
    """The same each day; the outer bounds are the inner ones unless they are said."""
    bounds = (
        lower,
        upper,
        lower if outer_lower is None else outer_lower,
        upper if outer_upper is None else outer_upper,
    )
    return Band([yhat] * 7, *([bound] * 7 for bound in bounds))


def sane(band):
    assert len(band.yhat) == 7
    days = zip(band.outer_lower, band.lower, band.yhat, band.upper, band.outer_upper, strict=True)
    for outer_low, low, kwh, high, outer_high in days:
        assert 0 <= outer_low <= low <= kwh <= high <= outer_high < math.inf


def test_window_average_is_the_mean_of_the_last_28_days():
    # 100 lies 29 days back; the window holds 27 zeros and a 28.
    assert window_average([100.0, *[0.0] * 27, 28.0]).yhat == [1.0] * 7


def test_window_average_of_three_days_with_its_bands():
    # Mean 2, sample sd 1, and Student's quantiles at two degrees of freedom, 1.885618 and 4.302653 (tables of t), give
    # the reaches 1.885618 * sqrt(4 / 3) = 2.177324 and 4.968276.
    band = window_average([1.0, 2.0, 3.0])
    assert band.yhat == [2.0] * 7
    assert band.lower == pytest.approx([2 - 2.177324] * 7, abs=1e-5)
    assert band.upper == pytest.approx([2 + 2.177324] * 7, abs=1e-5)
    assert band.outer_lower == pytest.approx([2 - 4.968276] * 7, abs=1e-5)
    assert band.outer_upper == pytest.approx([2 + 4.968276] * 7, abs=1e-5)


def test_one_day_says_nothing_about_the_spread():
    assert not window_average([3.0]).has_bounds
    assert settled(window_average([3.0])) == flat(3.0, 0.0, 6.0)


def test_seasonal_window_average_is_the_mean_of_the_same_weekday_over_four_weeks():
    oldest, weeks = [900.0] * 7, [[1.0, 2, 3, 4, 5, 6, 7], [3.0, 2, 3, 4, 5, 6, 7]] * 2
    band = seasonal_window_average([*oldest, *(kwh for week in weeks for kwh in week)])
    assert band.yhat == pytest.approx([2.0, 2, 3, 4, 5, 6, 7])
    # Errors: 1 kWh on each of the four first weekdays; 28 days less 7 means leave 21 degrees of freedom, at which 80 %
    # of Student's distribution lie within 1.323188.
    reach = 1.323188 * math.sqrt(4 / 21) * math.sqrt(1.25)
    assert band.upper[6] - band.yhat[6] == pytest.approx(reach)


def test_seasonal_window_average_makes_do_with_the_whole_weeks_there_are():
    # 17 days: two whole weeks, the last 14 days. The next day is the 18th, of the weekday of days 11 and 4.
    values = [float(number) for number in range(17)]
    assert seasonal_window_average(values).yhat == pytest.approx([(n + n + 7) / 2 for n in range(3, 10)])
    assert not seasonal_window_average(values[:8]).has_bounds


@pytest.mark.parametrize(
    ("days", "names"),
    [
        (1, ["window_average"]),
        (6, ["window_average"]),
        (7, ["auto_ets", "seasonal_window_average", "window_average"]),
        (13, ["auto_ets", "seasonal_window_average", "window_average"]),
        (14, ALL_BUT_PROPHET),
    ],
)
def test_the_ladder_of_models_by_complete_days(days, names):
    assert sorted(models_for(days)) == names
    total = forecast_statsforecast.forecast(site(weekly(days)), {}).total
    assert sorted(total.models) == names
    assert total.method == (f"median of {', '.join(names)}" if len(names) > 1 else names[0])
    sane(total.band)


def test_the_ladder_counts_complete_days_not_calendar_days():
    sparse = {MONDAY + dt.timedelta(days=2 * number): 1.0 for number in range(6)}
    total = forecast_statsforecast.forecast(History(sparse, {}, []), {}).total
    assert total.method == "window_average"


def test_the_combination_is_the_median_day_by_day():
    draw = random.Random(4)
    members = {
        name: Band([draw.uniform(0, 9) for _ in range(7)], *[[0.0] * 7, [9.0] * 7] * 2)
        for name in ("prophet", "auto_ets", "dynamic_optimized_theta", "window_average")
    }
    for position, kwh in enumerate(published(members).yhat):
        _, second, third, _ = sorted(member.yhat[position] for member in members.values())
        assert kwh == pytest.approx((second + third) / 2, abs=1e-6)
    assert fitted(members).method == "median of prophet, auto_ets, dynamic_optimized_theta, window_average"


def test_without_earlier_days_the_band_is_the_average_of_the_bounds_that_models_give_but_for_prophets():
    found = published(
        {"auto_ets": flat(9, 8, 11, 5, 15), "prophet": flat(9, 1, 20), "window_average": flat(9, 7, 13, 4, 19)}
    )
    assert found == flat(9.0, 7.5, 12.0, 4.5, 17.0)


def test_the_outer_band_is_wider_than_the_inner_by_what_four_cutoffs_leave_open():
    found = published({"auto_ets": flat(9, 8, 11, 7.9, 11.1)})
    assert found.outer_lower == pytest.approx([9 - 1.811] * 7)
    assert found.outer_upper == pytest.approx([9 + 2 * 1.811] * 7)


def test_prophets_own_bounds_count_where_it_is_alone():
    assert published({"prophet": flat(3, 2, 4, 1, 6)}) == flat(3.0, 2.0, 4.0, 1.0, 6.0)


def test_a_member_below_zero_counts_as_nothing_in_the_median():
    members = {"auto_ets": flat(-2, -3, -1), "window_average": flat(1, 0, 2)}
    assert fitted(members).models()[0]["auto_ets"] == [0.0] * 7
    assert published(members).yhat == [0.5] * 7


def test_infinite_bounds_have_no_say():
    found = published({"auto_ets": flat(3, -math.inf, math.inf), "window_average": flat(3, 2, 4, 1, 5)})
    assert found == flat(3.0, 2.0, 4.0, 1.0, 5.0)


def test_nothing_is_published_below_zero_or_outside_its_band():
    assert settled(flat(-1, -3, -0.5)) == flat(0.0, 0.0, 0.0)
    assert settled(flat(5, 6, 4)) == flat(5.0, 5.0, 5.0)
    assert "-0.0" not in str(settled(flat(-0.0, -0.0, -0.0)))


@pytest.mark.parametrize("kwh", [NAN, math.inf])
def test_a_forecast_that_is_not_a_number_is_unusable(kwh):
    with pytest.raises(Unusable, match="not a number"):
        settled(flat(kwh, 0, 1))


@pytest.mark.parametrize("days", [3, 8, 30])
@pytest.mark.parametrize("kwh", [0.0, 2.5])
def test_constant_series_are_forecast_as_they_are(days, kwh):
    total = forecast_statsforecast.forecast(site([kwh] * days), {}).total
    assert total.band.yhat == pytest.approx([kwh] * 7, abs=1e-3)
    sane(total.band)
    assert bool(total.notes) == (days < 7)


@pytest.mark.parametrize("values", [[29.5], [28.5, 30.5], [29.5] * 3, [29.5] * 6, [29.2 + 0.1 + 0.2, 29.5, 29.5]])
def test_too_few_days_or_days_all_alike_get_a_band_from_nothing_to_the_double(values):
    found = forecast_statsforecast.forecast(site(values, AC=values), {})
    assert found.total.band == found.appliances["AC"].band == flat(29.5, 0.0, 59.0)
    assert found.notes == [f"{name}: too few days to tell how sure this is" for name in ("total", "AC")]


def test_three_days_that_differ_keep_their_own_band():
    found = forecast_statsforecast.forecast(site([1.0, 2.0, 3.0]), {})
    assert (found.total.band.lower[0], found.total.band.upper[0]) == pytest.approx((0.0, 4.177324), abs=1e-5)
    assert found.notes == []


def test_two_days_with_a_gap_between_them_are_two_days():
    sparse = {MONDAY: 1.0, MONDAY + dt.timedelta(days=5): 3.0}
    band = forecast_statsforecast.forecast(History(sparse, {}, []), {}).total.band
    assert band == flat(2.0, 0.0, 4.0)


def test_mostly_zero_series_never_go_below_zero():
    sane(forecast_statsforecast.forecast(site([0.0] * 25 + [4.0, 0, 0, 0, 3.0]), {}).total.band)


def test_a_model_that_fails_is_noted_and_left_out(monkeypatch):
    def fails(values, form=None):
        raise NotImplementedError("tiny datasets")

    monkeypatch.setattr(forecast_statsforecast, "auto_ets", fails)
    monkeypatch.setattr(forecast_statsforecast, "dynamic_optimized_theta", lambda values: flat(NAN, 0, 1))
    found = forecast_statsforecast.forecast(site(weekly(30), AC=weekly(30)), {})
    assert sorted(found.total.models) == ["seasonal_window_average", "window_average"]
    assert found.total.method == "median of seasonal_window_average, window_average"
    assert "total: auto_ets left out: NotImplementedError, the log says more" in found.notes
    assert any(
        note.startswith("AC: dynamic_optimized_theta left out: its forecast is not a number") for note in found.notes
    )


def test_series_may_be_asked_in_any_place_and_each_is_asked_once():
    asked = []

    def each(make, pieces):
        pieces = list(pieces)
        asked.extend(name for name, _ in pieces)
        return [make(piece) for piece in reversed(pieces)][::-1]

    history = site(weekly(30), AC=weekly(30, seed=2), Fridge=weekly(20, seed=3))
    spread = forecast_statsforecast.forecast(history, {}, each=each)
    assert asked == [None, "AC", "Fridge"]
    assert spread == forecast_statsforecast.forecast(history, {})


def test_prophet_alone_is_not_published_as_the_median(monkeypatch):
    monkeypatch.setattr(
        forecast_statsforecast, "models_for", lambda days, form=None: {"auto_ets": lambda values: flat(NAN)}
    )
    with pytest.raises(ForecastFailed, match="statsforecast gave no usable forecast: auto_ets left out"):
        forecast_statsforecast.forecast(site(weekly(30)), {None: {0: [3.0] * 7}})


def test_prophets_forecast_joins_the_series_that_it_is_of():
    found = forecast_statsforecast.forecast(site(weekly(30), AC=weekly(30)), {None: {0: [12.0] * 7}})
    assert found.total.models["prophet"] == [12.0] * 7
    assert "prophet" not in found.appliances["AC"].models


def test_prophet_is_set_as_specified():
    model = forecast_prophet.model()
    assert (model.daily_seasonality, model.weekly_seasonality, model.yearly_seasonality) == (False, True, False)
    assert (model.changepoint_prior_scale, model.interval_width) == (0.05, 0.8)
    assert (model.growth, model.seasonality_mode) == ("linear", "additive")


def test_prophet_forecasts_the_week_after_and_notes_appliances_too_young():
    past = site(weekly(21), AC=weekly(21, seed=2), New=[1.0] * 13)
    found = forecast_prophet.forecast(past, MANY)
    assert found.total.method == "prophet"
    sane(found.total.band)
    # Day 21 is a Monday: weekends are 5 kWh above weekdays, which the noise of ±1 cannot hide.
    assert min(found.total.band.yhat[5:]) > max(found.total.band.yhat[:5]) + 2
    assert list(found.appliances) == ["AC"]
    assert found.notes == ["New: no forecast by prophet: it has 13 complete days, 14 are needed"]
    assert forecast_prophet.forecast(past, MANY) == found


@pytest.mark.parametrize(("days", "told"), [(1, "1 complete day,"), (2, "2 complete days,")])
def test_one_day_is_a_day_and_two_are_days(monkeypatch, days, told):
    monkeypatch.setattr(forecast_prophet, "fit_and_predict", lambda *_, **__: flat(3, 2, 4))
    found = forecast_prophet.forecast(site(weekly(14), New=[1.0] * days), MANY)
    assert found.notes == [f"New: no forecast by prophet: it has {told} 14 are needed"]


def test_prophet_failing_on_an_appliance_is_noted_in_the_same_words_each_time(monkeypatch):
    runs = iter(range(2))

    def fails_on_the_appliance(series, *_, **__):
        if len(series) == 20:
            return flat(3, 2, 4)
        raise RuntimeError(f"Command 'prophet_model.bin data file=/tmp/tmp{next(runs)}.json' failed")

    monkeypatch.setattr(forecast_prophet, "fit_and_predict", fails_on_the_appliance)
    first, second = (forecast_prophet.forecast(site(weekly(20), AC=weekly(18)), MANY) for _ in range(2))
    assert first.notes == second.notes == ["AC: no forecast by prophet: RuntimeError, the log says more"]


def test_prophet_takes_a_series_of_zeros():
    band = forecast_prophet.forecast(site([0.0] * 14), MANY).total.band
    assert band.yhat == pytest.approx([0.0] * 7, abs=1e-6)
    sane(band)


def test_prophet_asks_for_two_weeks():
    with pytest.raises(NotEnoughHistory, match="prophet needs at least 14 complete days of readings; this site has 13"):
        forecast_prophet.forecast(site(weekly(13)), MANY)


def test_prophet_is_not_asked_for_more_series_than_was_said():
    past = site(weekly(14), AC=weekly(14), Oven=weekly(14))
    with pytest.raises(TooManySeries, match=r"prophet is asked for at most 2 series; .* of this site are 3"):
        forecast_prophet.forecast(past, 2)
    assert forecast_prophet.declined(past, 3) is None


@pytest.mark.parametrize("outcome", [flat(NAN), RuntimeError("Optimization terminated abnormally")])
def test_prophet_failing_on_the_total_fails_the_forecast(monkeypatch, outcome):
    def ends(*_, **__):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(forecast_prophet, "fit_and_predict", ends)
    with pytest.raises(ForecastFailed, match="prophet gave no usable forecast"):
        forecast_prophet.forecast(site(weekly(14)), MANY)
