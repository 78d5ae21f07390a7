"""How far apart the readings of each appliance are, and how large: what looks wrong about a file as a whole."""

import datetime as dt
from dataclasses import dataclass

import polars as pl

from energy.intake.timestamps import to_local

# Shorter gaps are counted among the results' data quality; a file is warned about where days are missing.
GAP_FROM = dt.timedelta(days=3)
# And only where readings are not always so far apart.
GAP_FROM_STEPS = 3
# Three phases of 63 A at 230 V are 43 kW: no home's mean is above it, and watt-hours taken for kWh are.
IMPLAUSIBLE_MEAN_KW = 50.0
_SHOWN = 3


_STEP = pl.col("utc").diff()
# What is counted of the readings (utc, kwh) of an appliance, which are in the order of time.
COUNTS = (
    pl.col("utc").first().alias("first"),
    pl.col("utc").last().alias("last"),
    pl.len(),
    pl.col("kwh").sum(),
    _STEP.max().alias("gap"),
    pl.col("utc").get(_STEP.fill_null(dt.timedelta()).arg_max()).alias("gap_end"),
)


@dataclass
class _Appliance:
    last: dt.datetime
    first: dt.datetime
    readings: int = 0
    kwh: float = 0.0
    gap: dt.timedelta = dt.timedelta()
    gap_start: dt.datetime = dt.datetime.min

    @property
    def usual(self) -> dt.timedelta | None:
        """The mean step without the longest."""
        if self.readings < 3:
            return None
        return (self.last - self.first - self.gap) / (self.readings - 2)


class Steps:
    """Taken from an upload's readings (utc, code, kwh), month by month in the order of time."""

    def __init__(self) -> None:
        self._appliances: dict[int, _Appliance] = {}

    def add(self, readings: pl.DataFrame) -> None:
        """Takes the next readings into account, those of each code in the order of time."""
        self.add_counted(self.counted(readings))

    @staticmethod
    def counted(readings: pl.DataFrame) -> pl.DataFrame:
        """What `add` takes into account of readings: one row for each code."""
        return readings.group_by("code").agg(*COUNTS)

    def add_counted(self, counted: pl.DataFrame) -> None:
        """`add`, of readings that were counted elsewhere."""
        for code, first, last, count, kwh, gap, gap_end in counted.iter_rows():
            known = self._appliances.setdefault(code, _Appliance(last=first, first=first))
            self._note_gap(known, first - known.last, known.last)
            if gap is not None:
                self._note_gap(known, gap, gap_end - gap)
            known.last = last
            known.readings += count
            known.kwh += kwh

    @staticmethod
    def _note_gap(known: _Appliance, gap: dt.timedelta, start: dt.datetime) -> None:
        if gap > known.gap:
            known.gap, known.gap_start = gap, start

    def warnings(self, names: list[str], timezone: str) -> dict[str, str]:
        """By code what looks wrong: days without readings, values as of another unit."""
        found = {}
        gaps = {
            code: one
            for code, one in self._appliances.items()
            if one.usual is not None and one.gap >= max(GAP_FROM, GAP_FROM_STEPS * one.usual)
        }
        if gaps:
            code = max(sorted(gaps), key=lambda code: gaps[code].gap)
            widest = gaps[code]
            start = pl.select(to_local(pl.lit(widest.gap_start), timezone)).item()
            found["GAP"] = (
                f"{len(gaps):,} appliance(s) have days without readings. The longest gap is that of {names[code]!r}: "
                f"{widest.gap / dt.timedelta(days=1):,.0f} days from {start:%Y-%m-%d %H:%M}. Nothing is made up for "
                "it: missing readings are not zeros."
            )
        large = {code: kw for code, one in self._appliances.items() if (kw := _mean_kw(one)) > IMPLAUSIBLE_MEAN_KW}
        if large:
            code = max(sorted(large), key=lambda code: large[code])
            found["IMPLAUSIBLE_SCALE"] = (
                f"{names[code]!r} would draw {large[code]:,.0f} kW on average. This looks like watt-hours or watts "
                "under a header that says kWh or kW: if so, name the unit in the header, as wh, or under readings in "
                "config/<site>.yaml, and upload again. The values were read as the header says."
            )
        return found


def _mean_kw(one: _Appliance) -> float:
    usual = one.usual
    if usual is None or usual <= dt.timedelta():
        return 0.0
    return one.kwh / (one.readings * (usual / dt.timedelta(hours=1)))
