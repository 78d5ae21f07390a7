"""How large a file each function completes under a hard limit of its memory: `make bench BENCH=--limits`.

Each is given what is worst for it: validation many rows; aggregation all of them in one month, priced by the hour, as
one month is in memory at a time; anomalies all of them in an hour of their own, as all hours are. The limit is the
kernel's, by a memory cgroup of its own that counts what Lambda counts, the memory that is really in use; a limit of the
address space (RLIMIT_AS) would count what allocators only reserve. The functions' own limits are lifted for it.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import readings_file
from benchmarks.pipeline import VERBS, FunctionFailed, Lake, deployed
from benchmarks.readings_file import Shape

_V2, _V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")
NAME = "energy-benchmark"
# Enough for a price by the hour of the day, which is what takes most.
CONFIG = """tariff:
  currency: EUR
  bands:
    - {name: night, hours: "22:00-07:00", price: 0.22}
    - {name: day, price: 0.35}
"""


@dataclass(frozen=True)
class Worst:
    """What is worst for a function: the shape of a file, and the numbers of rows to try."""

    verb: str
    shape: Shape
    rows: Sequence[int]
    config: str | None = None


WORST = (
    # Every 20 s: by the minute so many rows would reach into the future.
    Worst("validate", Shape(seconds=20), (30_000_000, 60_000_000, 120_000_000)),
    Worst(
        "aggregate",
        Shape(seconds=1, appliances=16),
        (8_000_000, 12_000_000, 16_000_000, 24_000_000, 32_000_000),
        CONFIG,
    ),
    Worst("detect_anomalies", Shape(seconds=3600, appliances=400), (8_000_000, 12_000_000, 16_000_000, 24_000_000)),
)


@dataclass(frozen=True)
class Try:
    """One function at one file under its limit. `failed` says how it ended where it did not complete."""

    verb: str
    limit_megabytes: int
    rows: int
    file_megabytes: float
    wall: float
    peak: float
    failed: str | None


def measured(verbs: Sequence[str] = VERBS) -> list[Try]:
    """Larger and larger files for each function, up to the first that it does not complete."""
    found = []
    for worst in WORST:
        if worst.verb not in verbs:
            continue
        for rows in worst.rows:
            one = _tried(worst, rows)
            print(one, flush=True)
            found.append(one)
            if one.failed:
                break
    return found


def table(found: list[Try]) -> str:
    """As text."""
    lines = ["function            limit MB        rows  file MB   seconds  peak MB"]
    for one in found:
        figures = "did not complete" if one.failed else f"{one.wall:8.1f} {one.peak:8,.0f}"
        lines.append(f"{one.verb:<18} {one.limit_megabytes:9,} {one.rows:11,} {one.file_megabytes:8,.0f}  {figures}")
    return "\n".join(lines)


def _tried(worst: Worst, rows: int) -> Try:
    limit = int(deployed(worst.verb, "MemorySize"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = folder / "readings.csv"
        read = readings_file.write(path, rows, shape=worst.shape)["read"]
        size = path.stat().st_size / 1e6
        lake = Lake(folder / "lake", lift_limits=True)
        lake.upload(path, worst.config)
        path.unlink()
        for verb in VERBS[: VERBS.index(worst.verb)]:
            lake.invoke(verb)
        try:
            with limited(limit) as prefix:
                lake.invoke(worst.verb, prefix)
        except FunctionFailed as failure:
            return Try(worst.verb, limit, read, size, 0.0, 0.0, str(failure)[-300:])
        figures = lake.figures[worst.verb]
        return Try(worst.verb, limit, read, size, figures["wall"], figures["peak"], None)


@contextlib.contextmanager
def limited(megabytes: int) -> Iterator[list[str]]:
    """The command in front of a command that must not use more memory, swap included."""
    is_v2 = (_V2 / "cgroup.controllers").exists()
    group = (_V2 if is_v2 else _V1) / NAME
    try:
        group.mkdir()
        (group / ("memory.max" if is_v2 else "memory.limit_in_bytes")).write_text(str(megabytes << 20))
    except OSError as error:
        raise SystemExit(
            f"A memory limit needs a cgroup that may be made: as root, with {group.parent} ({error})."
        ) from error
    with contextlib.suppress(OSError):  # not there where swap is not counted
        swap, most = ("memory.swap.max", 0) if is_v2 else ("memory.memsw.limit_in_bytes", megabytes << 20)
        (group / swap).write_text(str(most))
    try:
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
    finally:
        group.rmdir()
