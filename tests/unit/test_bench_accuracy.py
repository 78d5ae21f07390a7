"""`make bench-accuracy` measures what it says, on series and a home whose figures are known beforehand."""

import datetime as dt
import json

import polars as pl
import pytest

from benchmarks import accuracy, anomaly_accuracy, forecast_accuracy

# Prophet's own, in its arithmetic with dates.
pytestmark = pytest.mark.filterwarnings("ignore:The 'generic' unit for NumPy timedelta:DeprecationWarning")

WEEK = [5.0, 4.0, 6.0, 5.0, 7.0, 12.0, 11.0]


@pytest.fixture(autouse=True)
def a_functions_environment(monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Energy")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")


@pytest.fixture
def series_file(tmp_path):
    """Each day takes 1 kWh more than a week before."""
    first = dt.date(2024, 1, 1)
    days = [(first + dt.timedelta(days=number), WEEK[number % 7] + number // 7) for number in range(45)]
    lines = [f"home,{day},{kwh}" for day, kwh in days]
    # Too short for any forecast, and never changing: neither can be measured.
    lines += [f"short,{day},{kwh}" for day, kwh in days[:20]] + [f"flat,{day},3.0" for day, _ in days]
    path = tmp_path / "daily.csv"
    path.write_text("unique_id,ds,y\n" + "\n".join(lines) + "\n")
    return path


def test_methods_are_measured_on_what_came_after_each_origin(series_file, monkeypatch):
    monkeypatch.setattr(forecast_accuracy, "TIMED_APPLIANCES", 1)
    *measured, timed = forecast_accuracy.rows(series_file, [30, 90], 2)
    rows = {row["method"]: row for row in measured}
    assert timed["seconds"] > 0
    assert {row["case"] for row in rows.values()} == {"30 days"}
    assert {row["series"] for row in rows.values()} == {1}
    # To repeat the week before is off by 1 each day, which is what errors are measured by.
    assert rows["seasonal naive"]["mase"] == pytest.approx(1.0)
    assert rows["prophet alone"]["to_prophet"] == 1.0
    assert rows["prophet alone"]["mase"] < 0.5
    # 2 kWh more each second week: the two weeks ahead take 50 + 7 * 4 and 50 + 7 * 5 or so; WAPE is one part of these.
    assert rows["seasonal naive"]["wape"] == pytest.approx(14 / (2 * 50 + 7 * 4 + 7 * 5), rel=0.15)
    for method in ("published", "published, Prophet failing", "published, the others failing"):
        assert rows[method]["failed"] == 0
        assert 0 <= rows[method]["cover80"] <= rows[method]["cover95"] <= 1


def test_a_contestant_that_fails_is_counted_and_the_product_publishes_all_the_same(series_file, monkeypatch):
    def hangs(*_, **__):
        raise RuntimeError("Task timed out")

    monkeypatch.setattr("energy.forecast_prophet.fit_and_predict", hangs)
    monkeypatch.setattr(forecast_accuracy, "_seconds", dict)
    rows = {row.get("method"): row for row in forecast_accuracy.rows(series_file, [30], 2)}
    assert "prophet alone" not in rows
    assert rows["published"]["series"] == 1
    assert rows["published"]["mase"] == rows["published, Prophet failing"]["mase"]
    assert rows["published"]["to_prophet"] is None


def test_unusual_hours_are_measured_by_both_rules_on_homes_as_they_are_and_with_spikes(tmp_path, monkeypatch):
    monkeypatch.setattr(anomaly_accuracy, "SEEDS", range(2))
    monkeypatch.setattr(anomaly_accuracy, "MINUTE_ROWS", 10_000)
    monkeypatch.setattr(anomaly_accuracy, "LONG_DAYS", 200)
    start, day = dt.datetime(2024, 1, 1), [1.0 if hour in {7, 19} else 0.2 for hour in range(24)]
    hours = [(start + dt.timedelta(hours=n), day[n % 24] * (1 + n % 5 / 50)) for n in range(40 * 24)]
    lines = [f"{at:%Y-%m-%d %H:%M:%S},heater,{kwh:.4f}" for at, kwh in hours]
    (tmp_path / "daily.csv").write_text("unique_id,ds,y\nhome,2024-01-01,1\n")
    (tmp_path / "home.csv").write_text("timestamp,appliance,kwh\n" + "\n".join(lines) + "\n")
    rows = {(row["case"], row["method"]): row for row in anomaly_accuracy.rows(tmp_path)}
    spiked = {method: rows["home, spikes in 2% of all hours", method] for method in ("robust", "mean_2std")}
    # Twice the usual of a quiet hour is below the mean of all hours and its deviations, yet not usual for that hour.
    assert spiked["robust"]["recall"] > 0.95
    assert spiked["mean_2std"]["recall"] < 0.5
    assert spiked["robust"]["aim"] == pytest.approx(anomaly_accuracy.HOMES_AIM * spiked["mean_2std"]["f1"])
    assert spiked["robust"]["flagged"] == 0.0
    assert rows["all homes, spikes in 2% of all hours", "robust"]["f1"] == spiked["robust"]["f1"]
    assert {row["case"] for row in rows.values() if "made up" in row["case"]} == {
        f"{home}, noise {noise}, 2 seeds"
        for home in ("made up", "made up, two years")
        for noise in ("5%", "10%", "20%")
    }


def test_a_made_up_home_heats_in_winter_and_cools_in_summer_and_keeps_its_spikes():
    month, years = anomaly_accuracy._month(1, 0.1), anomaly_accuracy._two_years(1, 0.1)
    assert (month.height, years.height) == (30 * 24 * 4, 730 * 24 * 4)
    assert years["is_anomaly"].mean() == pytest.approx(0.05, rel=0.01)
    in_january, in_july = (
        dict(
            years.filter(pl.col("timestamp").dt.month() == number)
            .group_by("appliance")
            .agg(pl.col("kwh").mean())
            .rows()
        )
        for number in (1, 7)
    )
    # A fifth, and twice: ten times as much, but for the weather and the days beside the height of the season.
    assert in_january["Heater"] / in_july["Heater"] == pytest.approx(10, rel=0.2)
    assert in_july["AC"] / in_january["AC"] == pytest.approx(10, rel=0.2)
    assert in_july["Refrigerator"] == pytest.approx(in_january["Refrigerator"], rel=0.1)


def test_a_folder_without_homes_is_said(tmp_path):
    with pytest.raises(SystemExit, match="has no CSV of hourly readings"):
        anomaly_accuracy.rows(tmp_path)


def test_the_command_prints_tables_and_json(series_file, monkeypatch, capsys):
    monkeypatch.setattr(
        forecast_accuracy, "rows", lambda *asked: [{"case": "30 days", "asked": len(asked), "mase": 0.5}]
    )
    monkeypatch.setattr(anomaly_accuracy, "rows", lambda homes: [{"case": str(homes), "f1": 0.75}])
    accuracy.main(["--series", str(series_file)])
    printed = [line for line in capsys.readouterr().out.splitlines() if line]
    assert [line.split() for line in printed[:3]] == [
        ["Forecasts"],
        ["case", "asked", "mase"],
        ["30", "days", "3", "0.500"],
    ]
    assert [line.split() for line in printed[3:6]] == [["Unusual", "hours"], ["case", "f1"], ["None", "0.750"]]
    assert json.loads(printed[6]) == {
        "Forecasts": [{"case": "30 days", "asked": 3, "mase": 0.5}],
        "Unusual hours": [{"case": "None", "f1": 0.75}],
    }
    accuracy.main(["--homes", "homes"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"Unusual hours": [{"case": "homes", "f1": 0.75}]}
