"""The synthetic readings keep what their description promises."""

import datetime as dt
from collections import defaultdict

import polars as pl
import pytest

from cli import synthetic

START = dt.date(2024, 1, 1)
BASE = {"AC": 1.2, "Refrigerator": 0.15, "Heater": 1.5, "Washing Machine": 0.5}


def rows_of_kind(frame: pl.DataFrame, is_anomaly: bool = False) -> dict[str, list[float]]:
    """Energy over base load by part of the day, told apart by a list of hours written out here."""
    multiples = defaultdict(list)
    for timestamp, appliance, kwh, anomaly in frame.iter_rows():
        if anomaly is not is_anomaly:
            continue
        if timestamp.hour in (18, 19, 20):
            part = "peak"
        elif timestamp.hour in (22, 23, 0, 1, 2, 3, 4, 5):
            part = "night"
        else:
            part = "day"
        multiples[part].append(kwh / BASE[appliance])
    return multiples


def test_every_appliance_has_one_reading_an_hour() -> None:
    frame = synthetic.readings(START, days=3, seed=1, noise=0.1)

    expected = [
        (dt.datetime(2024, 1, 1) + dt.timedelta(hours=hour), appliance) for hour in range(72) for appliance in BASE
    ]
    assert frame.select("timestamp", "appliance").rows() == expected


def test_peak_and_night_multiples_without_noise_stay_in_their_bounds() -> None:
    multiples = rows_of_kind(synthetic.readings(START, days=60, seed=3, noise=0))

    # Rounding to four decimals moves a refrigerator's 0.15 kWh by at most a three-thousandth.
    slack = 0.0005
    assert min(multiples["peak"]) >= 1.5 - slack
    assert max(multiples["peak"]) <= 2.0 + slack
    assert min(multiples["night"]) >= 0.3 - slack
    assert max(multiples["night"]) <= 0.5 + slack
    assert multiples["day"] == pytest.approx([1.0] * len(multiples["day"]), abs=slack)
    # They are drawn from the whole of the bounds, not from a point in them.
    assert max(multiples["peak"]) - min(multiples["peak"]) > 0.48
    assert max(multiples["night"]) - min(multiples["night"]) > 0.19


def test_anomalies_are_two_to_three_and_a_half_times_too_high() -> None:
    anomalous = rows_of_kind(synthetic.readings(START, days=120, seed=3, noise=0), is_anomaly=True)["day"]

    assert len(anomalous) > 100
    assert min(anomalous) == pytest.approx(2.0, abs=0.05)
    assert max(anomalous) == pytest.approx(3.5, abs=0.05)
    assert min(anomalous) >= 2.0 - 0.0005
    assert max(anomalous) <= 3.5 + 0.0005


@pytest.mark.parametrize(("days", "anomalies"), [(1, 5), (30, 144), (365, 1752)])
def test_five_percent_are_anomalies(days: int, anomalies: int) -> None:
    assert synthetic.readings(START, days, seed=9, noise=0.1)["is_anomaly"].sum() == anomalies


def test_noise_has_the_standard_deviation_asked_for() -> None:
    noisy = rows_of_kind(synthetic.readings(START, days=200, seed=5, noise=0.1))["day"]

    mean = sum(noisy) / len(noisy)
    deviation = (sum((value - mean) ** 2 for value in noisy) / len(noisy)) ** 0.5
    assert mean == pytest.approx(1.0, abs=0.01)
    assert deviation == pytest.approx(0.1, abs=0.005)


def test_no_noise_makes_energy_negative() -> None:
    frame = synthetic.readings(START, days=60, seed=11, noise=1.0)

    assert frame["kwh"].min() == 0.0
    assert frame["kwh"].is_finite().all()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = (
        synthetic.to_csv(synthetic.readings(START, days=5, seed=seed, noise=0.1)) for seed in (42, 42, 43)
    )

    assert first == again
    assert first != other


def test_csv_has_four_decimals_and_plain_timestamps() -> None:
    frame = pl.DataFrame(
        {"timestamp": [dt.datetime(2024, 2, 29, 18)], "appliance": ["Washing Machine"], "kwh": [0.9]},
    )

    assert synthetic.to_csv(frame) == b"timestamp,appliance,kwh\n2024-02-29 18:00:00,Washing Machine,0.9000\n"
