"""Settled readings, whatever the meter counts, as energy used in intervals that begin at their timestamps."""

from energy.intake.reading import File
from energy.intake.spool import Spool


def of(file: File, settled: Spool[int], names: list[str]) -> tuple[Spool[int], dict[str, str]]:
    """Energy by the local month of the interval's start (line, code, utc, kwh, estimated), and what has to be said of
    it, by code.
    """
    kinds = {column.kind for column in file.layout.values}
    if kinds == {"energy"} and file.layout.marks == "start":
        return settled, {}
    raise NotImplementedError(names)
