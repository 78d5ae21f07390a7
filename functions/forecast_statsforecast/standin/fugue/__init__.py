"""Stands in for Fugue, through which statsforecast reaches Spark, Dask and Ray (and needs 200 MB of packages).

statsforecast imports these names when it is imported, and uses them only to run on one of those. Here there is none:
pandas frames are forecast in this process.
"""


class _Absent:
    """A class that can be named, but not made."""

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        raise NotImplementedError("only pandas frames are forecast here; Spark, Dask and Ray need fugue itself")


class AnyDataFrame(_Absent):
    """Any of Fugue's data frames."""


class DataFrame(_Absent):
    """Fugue's data frame."""


class ExecutionEngine(_Absent):
    """Spark, Dask or Ray."""


class FugueWorkflow(_Absent):
    """Fugue's graph of tasks."""


def transform(*_args: object, **_kwargs: object) -> object:
    """Runs a function on an engine, of which there is none."""
    return _Absent()
