"""`make bench` runs the functions as the template deploys them."""

import pytest

from benchmarks.pipeline import deployed


@pytest.mark.parametrize(
    ("verb", "setting", "value"),
    [
        ("validate", "MemorySize", "3008"),
        ("validate", "POLARS_MAX_THREADS", "1"),
        ("aggregate", "POLARS_MAX_THREADS", "1"),
        ("detect_anomalies", "MemorySize", "2048"),
        # It stands at others, before and after.
        ("detect_anomalies", "POLARS_MAX_THREADS", ""),
        ("no_such_function", "MemorySize", ""),
    ],
)
def test_a_setting_is_that_of_the_function_itself(verb, setting, value):
    assert deployed(verb, setting) == value
