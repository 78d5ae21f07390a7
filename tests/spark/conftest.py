"""What the job needs beyond the rest: Java, and PySpark in an environment of its own (make spark-setup)."""

import os

import pytest

from local.glue_jobs import what_is_missing


@pytest.fixture(scope="session", autouse=True)
def _spark_is_there():
    missing = what_is_missing()
    if missing and os.environ.get("REQUIRE_SPARK"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
