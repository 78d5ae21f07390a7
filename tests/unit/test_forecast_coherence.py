"""Forecasts of appliances add up to the total: by hand, against a plain least-squares solution, and as laws."""

import random

import numpy as np
import pytest

from energy.forecast_coherence import coherent


def test_the_gap_is_shared_out_by_how_far_off_each_may_be():
    # 10 against 4 + 3 leaves 3 kWh; squares of the reaches 1, 1 and 2 share it as 1 : 1 : 4.
    moved = coherent({None: [10.0], "a": [4.0], "b": [3.0]}, ["a", "b"], {None: 1.0, "a": 1.0, "b": 2.0})
    assert moved == {None: [9.5], "a": [4.5], "b": [5.0]}


def test_a_total_that_is_sure_is_left_as_it_is_and_one_that_is_not_gives_way():
    forecasts = {None: [10.0], "a": [4.0], "b": [3.0]}
    assert coherent(forecasts, ["a", "b"], {None: 0.0, "a": 1.0, "b": 1.0})[None] == [10.0]
    assert coherent(forecasts, ["a", "b"], {None: 1.0, "a": 0.0, "b": 0.0}) == {None: [7.0], "a": [4.0], "b": [3.0]}
    assert coherent(forecasts, ["a", "b"], {None: 0.0, "a": 0.0, "b": 0.0})[None] == [7.0]


def test_it_is_the_least_squares_solution():
    draw = random.Random(5)
    for _ in range(50):
        names = [f"a{number}" for number in range(draw.randint(1, 6))]
        forecasts = {name: [draw.uniform(5, 9)] for name in names}
        forecasts[None] = [sum(kwh for (kwh,) in forecasts.values()) + draw.uniform(-2, 2)]
        reach = {name: draw.uniform(0.5, 2) for name in (None, *names)}
        # Rows: the total, then each appliance; every row weighs by how sure it is.
        rows = np.vstack([np.ones(len(names)), np.eye(len(names))])
        weight = np.array([1 / reach[name] for name in (None, *names)])
        told = np.array([forecasts[name][0] for name in (None, *names)])
        best = np.linalg.lstsq(rows * weight[:, None], told * weight, rcond=None)[0]
        moved = coherent(forecasts, names, reach)
        assert [moved[name][0] for name in names] == pytest.approx(best, abs=1e-5)
        assert moved[None][0] == pytest.approx(best.sum(), abs=1e-5)


def test_they_add_up_and_nothing_falls_below_zero():
    draw = random.Random(6)
    for _ in range(200):
        names = [f"a{number}" for number in range(draw.randint(1, 8))]
        forecasts = {name: [draw.choice([0.0, draw.uniform(0, 3)]) for _ in range(7)] for name in (None, *names)}
        reach = {name: draw.choice([0.0, draw.uniform(0, 4)]) for name in (None, *names)}
        moved = coherent(forecasts, names, reach)
        for position in range(7):
            assert moved[None][position] == pytest.approx(sum(moved[name][position] for name in names), abs=1e-9)
        assert min(min(days) for days in moved.values()) >= 0


def test_what_adds_up_already_stays():
    forecasts = {None: [7.0, 3.0], "a": [4.0, 1.0], "b": [3.0, 2.0]}
    assert coherent(forecasts, ["a", "b"], {None: 1.0, "a": 1.0, "b": 2.0}) == forecasts
