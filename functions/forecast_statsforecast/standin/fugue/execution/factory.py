"""Which engine to run on."""

from fugue import ExecutionEngine


def try_get_context_execution_engine() -> None:
    """No engine: statsforecast then forecasts pandas frames itself."""


def make_execution_engine(*_args: object, **_kwargs: object) -> ExecutionEngine:
    """Always an error: there are no engines."""
    return ExecutionEngine()
