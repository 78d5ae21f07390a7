"""Both forecasting states on moto: from the daily table to a forecast that can be published."""

import datetime as dt
import io
import json
import random

import polars as pl
import pytest

from energy import lake, parquet, store
from energy.contracts import ForecastResult
from energy.documents import ForecastSummary
from energy.errors import NotDeterministic, NotEnoughHistory
from energy.schema import APPLIANCE_FORECAST, FORECAST, FORECAST_BACKTEST, FORECAST_HISTORY, MODEL_NAMES

pytestmark = pytest.mark.filterwarnings("ignore:The 'generic' unit for NumPy timedelta:DeprecationWarning")

START = dt.date(2024, 1, 1)
ALL_MODELS = "prophet, auto_ets, dynamic_optimized_theta, seasonal_window_average, window_average"


TWO = (("AC", 8.0), ("Refrigerator", 2.0))


def publication(days: int, pub="p1", never_complete=(), appliances=TWO) -> dict:
    """The site's daily table in the lake: appliances on `days` complete days and a partial day after them.

    Further appliances may have that partial day only.
    """
    draw = random.Random(7)
    rows = [
        {
            "date": START + dt.timedelta(days=number),
            "appliance": appliance,
            "kwh": base + draw.uniform(0, 1) if number < days else 0.1,
            "coverage": 1.0 if number < days else 0.25,
            "complete": number < days,
        }
        for number in range(days + 1)
        for appliance, base in appliances
    ]
    rows += [rows[-1] | {"appliance": appliance} for appliance in never_complete]
    content = io.BytesIO()
    pl.DataFrame(rows).write_parquet(content)
    daily_key = lake.table_prefix("processed/daily", "home", pub) + "daily.parquet"
    store.put_once(daily_key, content.getvalue())
    return {
        "site": "home",
        "pub": pub,
        "run_id": "r1",
        "base_etag": None,
        "draft_key": "draft",
        "daily_key": daily_key,
        "summary_key": "summary",
        "readings": 1,
        "appliances": 2,
        "timezone": "UTC",
        "issued_at": "2024-05-02T08:00:00Z",
    }


def table(prefix: str) -> pl.DataFrame:
    (key,) = store.list_keys(prefix)
    return pl.read_parquet(io.BytesIO(store.read(key)))


def summary(result: ForecastResult) -> ForecastSummary:
    return ForecastSummary.model_validate_json(store.read(result.summary_key))


@pytest.fixture
def prophet(lake_on_moto, load_handler, context):
    handler = load_handler("forecast_prophet")
    return lambda event: ForecastResult.model_validate(handler(event, context))


@pytest.fixture
def statsforecast(lake_on_moto, load_handler, context):
    handler = load_handler("forecast_statsforecast")
    return lambda event: ForecastResult.model_validate(handler(event, context))


def assert_sane(frame: pl.DataFrame) -> None:
    bounds = frame.select("yhat_lower_95", "yhat_lower", "yhat", "yhat_upper", "yhat_upper_95")
    assert bounds.null_count().sum_horizontal().item() == 0
    assert (
        frame.filter(pl.col("yhat_lower_95") >= 0, pl.col("yhat_lower_95") <= pl.col("yhat_lower")).height
        == frame.height
    )
    assert frame.filter(pl.col("yhat_upper") <= pl.col("yhat_upper_95")).height == frame.height
    assert frame.filter(pl.col("yhat_lower") >= 0, pl.col("yhat_lower") <= pl.col("yhat")).height == frame.height
    assert frame.filter(pl.col("yhat") <= pl.col("yhat_upper")).height == frame.height


def test_prophets_forecast_can_be_published_as_it_is(prophet):
    result = prophet({"publication": publication(30)})
    assert result.method == "prophet"
    assert result.total_prefix == "forecast/total/site=home/pub=p1/by=prophet/"
    assert result.appliances_prefix == "forecast/appliances/site=home/pub=p1/by=prophet/"
    total, appliances = table(result.total_prefix), table(result.appliances_prefix)
    assert total.columns == FORECAST.column_names
    assert appliances.columns == APPLIANCE_FORECAST.column_names
    # 30 complete days from January 1st; the 31st is partial, and so the first day ahead.
    assert total["ds"].to_list() == [dt.datetime(2024, 1, 31) + dt.timedelta(days=ahead) for ahead in range(7)]
    assert appliances["appliance"].to_list() == ["AC", "Refrigerator"] * 7
    assert_sane(total)
    assert_sane(appliances)
    assert total["prophet"].to_list() == pytest.approx(total["yhat"].to_list(), rel=0.02)
    assert all(total[name].null_count() == 7 for name in MODEL_NAMES if name != "prophet")
    assert total["level"].unique().to_list() == [0.8]


def test_the_median_of_all_models_is_published_with_each_models_own(prophet, statsforecast):
    event = {"publication": publication(30)}
    first = prophet(event)
    result = statsforecast(event | {"prophet": first.model_dump(mode="json"), "prophet_error": None})
    assert result.method == f"median of {ALL_MODELS}"
    assert result.total_prefix == "forecast/total/site=home/pub=p1/by=statsforecast/"
    total, appliances = table(result.total_prefix), table(result.appliances_prefix)
    assert total["reason"].unique().to_list() == ["30 complete days"]
    assert total["prophet"].to_list() == table(first.total_prefix)["prophet"].to_list()
    assert appliances["prophet"].to_list() == table(first.appliances_prefix)["prophet"].to_list()
    assert_sane(total)
    assert_sane(appliances)
    # What each appliance takes adds up to the total, within what is between the median of each and of all.
    summed = appliances.group_by("ds").agg(pl.col("yhat").sum()).sort("ds")
    assert summed["yhat"].to_list() == pytest.approx(total["yhat"].to_list(), abs=1e-9)
    for row in (*total.iter_rows(named=True), *appliances.iter_rows(named=True)):
        assert row["yhat"] == pytest.approx(sorted(row[name] for name in MODEL_NAMES)[2], abs=0.2)
    told = summary(result)
    assert (told.training_days, told.last_training_day, told.level) == (30, dt.date(2024, 1, 30), 0.8)
    assert [day.yhat for day in told.days] == total["yhat"].to_list()
    assert told.total_kwh == pytest.approx(total["yhat"].sum())
    assert set(told.appliances_kwh) == {"AC", "Refrigerator"}
    assert told.notes == []
    assert (told.members, told.coherent, told.outer_level) == (["AC", "Refrigerator"], True, 0.95)
    assert [each.appliance for each in told.series] == [None, "AC", "Refrigerator"]
    judged = table(result.backtest_prefix)
    assert judged.columns == FORECAST_BACKTEST.column_names
    assert judged["appliance"].to_list() == [None, "AC", "Refrigerator"]
    for row, each in zip(judged.iter_rows(named=True), told.series, strict=True):
        assert (row["cutoffs"], row["days"], row["mase"]) == (4, 28, each.backtest.mase)
        assert row["first_day"] == dt.datetime(2024, 1, 17)  # the day after the oldest cut-off, 14 days back


def test_of_one_appliance_the_median_itself_is_published_for_it_and_for_the_total(prophet, statsforecast):
    event = {"publication": publication(30, appliances=[("AC", 8.0)])}
    first = prophet(event)
    result = statsforecast(event | {"prophet": first.model_dump(mode="json")})
    for row in table(result.total_prefix).iter_rows(named=True):
        assert row["yhat"] == pytest.approx(sorted(row[name] for name in MODEL_NAMES)[2], abs=1e-6)
    assert table(result.total_prefix)["yhat"].equals(table(result.appliances_prefix)["yhat"])


def test_every_forecast_is_kept_behind_those_issued_before_it_in_the_month(statsforecast):
    first = statsforecast({"publication": publication(30)})
    assert first.history_prefix == "forecast/history/site=home/month=2024-05/pub=p1/by=statsforecast-alone/"
    later = publication(30, pub="p2") | {"history_prefix": first.history_prefix, "issued_at": "2024-05-09T08:00:00Z"}
    kept = table(statsforecast({"publication": later}).history_prefix)
    assert kept.columns == FORECAST_HISTORY.column_names
    assert kept.schema == parquet.polars_schema(FORECAST_HISTORY)
    assert kept.height == 2 * 7 * 3
    assert kept.head(21).equals(table(first.history_prefix))
    issued = kept.filter(pl.col("appliance").is_null(), publication="p2")
    total = table(first.total_prefix)
    assert issued["issued_at"].unique().to_list() == [dt.datetime(2024, 5, 9, 8)]
    assert issued["members"].unique().to_list() == ['["AC", "Refrigerator"]']
    assert issued["horizon_days"].to_list() == list(range(1, 8))
    assert issued.select("ds", "yhat", "yhat_lower", "yhat_upper", "level", "method").equals(
        total.select("ds", "yhat", "yhat_lower", "yhat_upper", "level", "method")
    )
    of_one = kept.filter(pl.col("appliance") == "AC", publication="p2")
    assert of_one["members"].null_count() == 7


def test_without_prophet_the_other_four_stand_and_say_so(statsforecast):
    result = statsforecast({"publication": publication(30), "prophet": None, "prophet_error": "it fell ill"})
    assert result.method == "median of auto_ets, dynamic_optimized_theta, seasonal_window_average, window_average"
    assert result.notes == ["Prophet could not be used in this run; the execution says why"]
    assert table(result.total_prefix)["prophet"].null_count() == 7
    assert summary(result).notes == result.notes


def test_prophet_failing_in_different_ways_publishes_the_same(statsforecast, caplog):
    event = {"publication": publication(30), "prophet": None}
    errors = (
        "Lambda.Unknown 2024-02-01T10:00:00.123Z 8f507cfc-4a1b-4697-b07a-ac58fc914c95 Task timed out after 300.00 s",
        "Runtime.ExitError RequestId: 8f507cfc-4a1b-4697-b07a-ac58fc914c95 Error: signal: killed",
    )
    # store.put_once raises NotDeterministic where the second differs.
    first, second = (statsforecast(event | {"prophet_error": error}) for error in errors)
    assert first == second
    assert [record.prophet_error for record in caplog.records if hasattr(record, "prophet_error")] == list(errors)


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\U0001f50c"])
def test_a_thousand_notes_stay_in_the_document(prophet, statsforecast, letter):
    names = [f"{number:03}{letter * 125}" for number in range(1000)]
    event = {"publication": publication(14, never_complete=names)}
    first = prophet(event)
    result = statsforecast(event | {"prophet": first.model_dump(mode="json")})
    notes = [f"{name} is not in the total: no day of it is complete" for name in names]
    for each in (first, result):
        assert len(each.model_dump_json().encode()) < 8_000
        assert len(json.dumps(each.model_dump(mode="json"))) < 8_000
        assert summary(each).notes == notes
        shown = len(each.notes) - 1
        assert shown == 20 if letter == "x" else 0 < shown <= 20
        assert each.notes == [*notes[:shown], f"and {1000 - shown} more"]


def test_a_short_history_is_left_to_the_models_that_can_take_it(prophet, statsforecast):
    event = {"publication": publication(9)}
    with pytest.raises(NotEnoughHistory) as short:
        prophet(event)
    result = statsforecast(event | {"prophet": None, "prophet_error": str(short.value)})
    assert result.method == "median of auto_ets, seasonal_window_average, window_average"
    assert result.notes == ["prophet left out: prophet needs at least 14 complete days of readings; this site has 9"]


def test_without_a_complete_day_there_is_no_forecast(statsforecast):
    with pytest.raises(NotEnoughHistory):
        statsforecast({"publication": publication(0)})


def test_doing_it_again_writes_the_same_bytes(prophet, statsforecast):
    event = {"publication": publication(30)}
    results = []
    for _ in range(2):  # store.put_once raises NotDeterministic where the second differs.
        first = prophet(event)
        results.append((first, statsforecast(event | {"prophet": first.model_dump(mode="json")})))
    assert results[0] == results[1]
    with pytest.raises(NotDeterministic):
        prophet({"publication": publication(29, pub="p2") | {"pub": "p1"}})


def test_prophet_coming_back_does_not_collide_with_the_forecast_without_it(prophet, statsforecast):
    event = {"publication": publication(30)}
    alone = statsforecast(event | {"prophet_error": "it was down"})
    together = statsforecast(event | {"prophet": prophet(event).model_dump(mode="json")})
    assert alone.total_prefix != together.total_prefix
    assert alone.summary_key != together.summary_key
