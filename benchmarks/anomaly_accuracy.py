"""How well unusual hours are found, by the product's own code: where it is known which are, and how long it takes.

Made-up homes are those of `energy generate`, and the same for two years, heated in winter and cooled in summer. Into
the real ones, a FOLDER of CSVs of hourly readings (`timestamp, appliance, kwh`), spikes are put: hours drawn by a seed
take 2 to 3.5 times as much. What is odd in them anyway has no label and counts as wrong, so that their precision is a
lower bound; the two rules are to be compared, not believed.

`flagged` is the share of the hours judged, before anything is put in, that the rule finds, too high or too low.
"""

import datetime as dt
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.accuracy import Row
from cli import synthetic
from energy import aggregation, anomalies, monthly
from energy.anomaly_hours import MEAN_2STD

NOISES = (0.05, 0.10, 0.20)
# What is aimed at, by noise; for real homes, as a multiple of the specification's.
F1_AIMS = {0.05: 0.97, 0.10: 0.93, 0.20: 0.85}
HOMES_AIM, FLAGGED_AIM, SECONDS_AIM = 1.4, 0.04, 1.5
SEEDS = range(8)
DAYS, LONG_DAYS = 30, 730
# Heating and cooling of a day, about their season's.
WEATHER = 0.2
SPIKES, MULTIPLE = 0.02, (2.0, 3.5)
MINUTE_ROWS, MINUTE_APPLIANCES = 1_100_000, 5
ROBUST, SPECIFICATION = "robust", "mean_2std"


def rows(homes: Path | None) -> list[Row]:
    """Made-up homes by noise, real ones one by one and together where a folder is named, and the time."""
    return [
        *_synthetic("made up", _month),
        *_synthetic("made up, two years", _two_years),
        *(_real(homes) if homes else ()),
        _seconds(),
    ]


def _synthetic(case: str, home: Callable[[int, float], pl.DataFrame]) -> Iterator[Row]:
    for noise in NOISES:
        found = []
        for seed in SEEDS:
            frame = home(seed, noise)
            found.append(_verdicts(frame.select("timestamp", "appliance", "kwh"), frame["is_anomaly"]))
        for method in (ROBUST, SPECIFICATION):
            told = [_measured(one[method]) for one in found]
            yield {
                "case": f"{case}, noise {noise:.0%}, {len(SEEDS)} seeds",
                "method": method,
                **{name: statistics.fmean(float(one[name] or 0.0) for one in told) for name in told[0]},
                "aim": F1_AIMS[noise] if method == ROBUST and home is _month else None,
            }


def _month(seed: int, noise: float) -> pl.DataFrame:
    return synthetic.readings(dt.date(2024, 1, 1), DAYS, seed, noise)


def _two_years(seed: int, noise: float) -> pl.DataFrame:
    """The same home from winter to summer and back: what heats and what cools takes twice as much at the height of its
    season, and a fifth in the other.
    """
    frame = synthetic.readings(dt.date(2024, 1, 1), LONG_DAYS, seed, noise)
    days = np.arange(LONG_DAYS)
    winter = np.cos(2 * np.pi * days / 365.25)
    weather = np.clip(np.random.default_rng([seed, 1]).normal(1, WEATHER, LONG_DAYS), 0, None)
    in_season = {"Heater": winter, "AC": -winter}
    by_appliance = {name: (0.2 + 1.8 * np.clip(season, 0, None)) * weather for name, season in in_season.items()}
    day = np.repeat(days, 24 * len(synthetic.BASE_KWH))
    names = frame["appliance"].to_numpy()
    times = np.select([names == name for name in by_appliance], [by[day] for by in by_appliance.values()], 1.0)
    return frame.with_columns(pl.col("kwh") * pl.Series(times))


def _real(folder: Path) -> Iterator[Row]:
    every = list(_homes(folder))
    if not every:
        raise SystemExit(f"{folder} has no CSV of hourly readings.")
    for of, name in (("used", "hours in use"), ("all", "all hours")):
        counts = {stem: _spiked(frame, of) for stem, frame in every}
        counts["all homes"] = {
            method: np.sum([one[method] for one in counts.values()], axis=0) for method in (ROBUST, SPECIFICATION)
        }
        for stem, one in counts.items():
            specification = _measured(one[SPECIFICATION])
            for method in (ROBUST, SPECIFICATION):
                measured = _measured(one[method])
                yield {
                    "case": f"{stem}, spikes in {SPIKES:.0%} of {name}",
                    "method": method,
                    **measured,
                    "aim": HOMES_AIM * float(specification["f1"] or 0.0) if method == ROBUST else None,
                }


def _homes(folder: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    for path in sorted(folder.glob("*.csv")):
        frame = pl.read_csv(path, try_parse_dates=True)
        if missing := {"timestamp", "appliance", "kwh"} - set(frame.columns):
            print(f"{path.name} has no {', '.join(sorted(missing))}: left out", file=sys.stderr)
        else:
            yield path.stem, frame


def _spiked(frame: pl.DataFrame, of: str) -> dict[str, np.ndarray]:
    """Counts of verdicts over all seeds, and of what was found in the home as it is.

    Spikes are a share of the hours in which an appliance uses something, or as many as that share of all its hours.
    """
    readings = frame.select(pl.col("timestamp").cast(pl.Datetime("us")), "appliance", pl.col("kwh").cast(pl.Float64))
    as_it_is = _verdicts(readings, pl.Series([False] * readings.height))
    total = {method: np.zeros(6) for method in as_it_is}
    kwh, names = readings["kwh"].to_numpy(), readings["appliance"].to_numpy()
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        spike = np.zeros(readings.height, dtype=bool)
        for name in sorted(set(names)):
            used = np.flatnonzero((names == name) & (kwh > 0))
            hours = len(used) if of == "used" else int((names == name).sum())
            spike[random.choice(used, size=min(round(SPIKES * hours), len(used) // 4), replace=False)] = True
        more = np.where(spike, kwh * random.uniform(*MULTIPLE, readings.height), kwh)
        for method, counts in _verdicts(readings.with_columns(kwh=pl.Series(more)), pl.Series(spike)).items():
            total[method] += counts
    for method, counts in as_it_is.items():
        total[method][3:] = counts[3:]
    return total


def _verdicts(readings: pl.DataFrame, wanted: pl.Series) -> dict[str, np.ndarray]:
    """By rule: hours rightly and wrongly found too high, and those missed; hours found at all, and hours judged."""
    hourly = readings.with_columns(timestamp_utc="timestamp", readings=pl.lit(1, dtype=pl.Int64))
    found = anomalies.find(hourly, _days(hourly), "UTC")
    keys = ["timestamp", "appliance"]
    verdict = (
        readings.select(keys)
        .with_columns(wanted=wanted)
        .join(found.hours.select(*keys, "kind", "method", "event_id"), on=keys, how="left", maintain_order="left")
    )
    leads = pl.col("event_id").is_not_null()
    by_mean = pl.col("method").str.contains(MEAN_2STD, literal=True)
    high = pl.col("kind") == "high_use"
    judged = anomalies.summary(found).hours_judged
    rules = {ROBUST: (leads & high, leads), SPECIFICATION: (by_mean, by_mean)}
    counts = {}
    for method, (too_high, at_all) in rules.items():
        told = verdict.select(high=too_high.fill_null(False), all=at_all.fill_null(False), wanted="wanted")
        is_high, is_wanted = told["high"].to_numpy(), told["wanted"].to_numpy()
        right, wrong, missed = is_high & is_wanted, is_high & ~is_wanted, ~is_high & is_wanted
        counts[method] = np.array([right.sum(), wrong.sum(), missed.sum(), told["all"].sum(), judged, 1.0])
    return counts


def _measured(counts: np.ndarray) -> dict[str, float | None]:
    right, wrong, missed, flagged, judged, _ = counts
    return {
        "f1": float(2 * right / (2 * right + wrong + missed)) if right + wrong + missed else None,
        "precision": float(right / (right + wrong)) if right + wrong else None,
        "recall": float(right / (right + missed)) if right + missed else None,
        "flagged": float(flagged / judged),
    }


def _days(hourly: pl.DataFrame) -> pl.DataFrame:
    """daily_energy_data, as far as slow faults need it."""
    return (
        hourly.group_by("appliance", pl.col("timestamp").dt.date().alias("date"))
        .agg(pl.col("kwh").sum(), coverage=pl.len() / 24)
        .with_columns(complete=pl.col("coverage") >= aggregation.COMPLETE_FROM_COVERAGE)
    )


def _seconds() -> Row:
    """From minutes to hours to events: the best of three, as other work on a machine only adds."""
    minutes = MINUTE_ROWS // MINUTE_APPLIANCES
    random = np.random.default_rng(1)
    start = np.datetime64("2024-01-01", "us")
    times = np.repeat(start + np.arange(minutes) * np.timedelta64(1, "m"), MINUTE_APPLIANCES)
    names = np.tile([f"appliance {number}" for number in range(MINUTE_APPLIANCES)], minutes)
    kwh = random.gamma(2.0, 0.005, minutes * MINUTE_APPLIANCES)
    readings = pl.DataFrame({"timestamp": times, "timestamp_utc": times, "appliance": names, "kwh": kwh})
    readings = readings.with_columns(estimated=pl.lit(False))
    took = []
    for _ in range(3):
        began = time.perf_counter()
        hourly = monthly.hourly_table(monthly.by_appliance(readings))
        anomalies.find(hourly, _days(hourly), "UTC")
        took.append(time.perf_counter() - began)
    return {"case": f"{MINUTE_ROWS:,} rows by the minute", "method": "both", "seconds": min(took), "aim": SECONDS_AIM}
