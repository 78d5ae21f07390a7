"""What becomes of one file: a verdict, a refusal, or a defect."""

import csv
import datetime as dt
import io
import math
import signal
import tempfile
import traceback
from pathlib import Path

from polars.exceptions import PanicException

from energy.errors import InputRejected
from energy.intake.judging import Judged, judge
from energy.site_config import Rules
from tests.fuzz import invariants

UPLOADED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
RULES = (Rules(), Rules(timezone="Europe/Berlin"))


class Hang(BaseException):
    """A file took longer than it may. No `Exception`, so that nothing on the way takes it for its own."""


def outcome_of(name: str, content: bytes, seconds: int) -> tuple[str, str]:
    """The outcome in few words (DEFECT first where it is one), and the details of a defect."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        signal.signal(signal.SIGALRM, _hang)
        signal.alarm(seconds)
        try:
            return _judged(path, name, content)
        except Hang:
            return "DEFECT hang", traceback.format_exc()
        # Whatever else comes is what is looked for here; a panic of polars is no Exception.
        except (Exception, PanicException) as defect:  # noqa: BLE001
            return f"DEFECT {type(defect).__name__}", traceback.format_exc()
        finally:
            signal.alarm(0)


def _hang(*_: object) -> None:
    raise Hang


def _judged(path: Path, name: str, content: bytes) -> tuple[str, str]:
    # Each file in one zone; which one is told by the file alone.
    rules = RULES[len(content) % 2]
    try:
        result = judge(path, rules, UPLOADED, path.parent, name)
    except InputRejected as refused:
        found = invariants.of_refusal(refused)
        return ("DEFECT message", "\n".join(found)) if found else (f"reject {refused.code}", "")
    found = invariants.breaches(result)
    if result.verdict == "accept" and not found:
        found = _against_plain_reader(result, content)
    if found:
        return "DEFECT invariant", "\n".join(found)
    return (f"reject {result.refusal.code}" if result.refusal else result.verdict), ""


def _against_plain_reader(result: Judged, content: bytes) -> list[str]:
    """A file accepted without a word, by Python's own reader of CSV: as many rows, as much energy."""
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        header = [cell.strip().casefold() for cell in rows[0]]
        if sorted(header) != ["appliance", "kwh", "timestamp"]:
            return []
        position = header.index("kwh")
        energies = [float(row[position]) for row in rows[1:] if row and "".join(row).strip()]
    except (UnicodeDecodeError, ValueError, csv.Error, IndexError):
        return []
    if len(energies) != result.rows.read:
        return [f"{len(energies)} rows are in the file, {result.rows.read} were read"]
    if not invariants.one_reading_a_row(result):
        return []
    if not math.isclose(math.fsum(energies), invariants.total_kwh(result), rel_tol=1e-12, abs_tol=1e-9):
        return [f"{math.fsum(energies)} kWh are in the file, {invariants.total_kwh(result)} were published"]
    return []
