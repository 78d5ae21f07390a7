"""Builds what is committed in two checkouts at different places, and compares what comes out.

    python -m tools.reproducible

Exit 1 where an archive is not the same in both; the names of the files that are not are printed.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.zips import ROOT, archives


def build(checkout: Path, umask: int) -> dict[str, str]:
    """Checks out what is committed and builds it; SHA-256 of each archive by logical id."""
    checkout.mkdir(parents=True)
    before = os.umask(umask)
    try:
        archived = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", checkout], input=archived, check=True)
        environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "PYTHONHASHSEED": str(umask)}
        done = subprocess.run(
            ["sam", "build"], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        os.umask(before)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return archives(checkout / ".aws-sam" / "build", checkout / ".aws-sam" / "zips")


def different_files(one: Path, other: Path) -> list[str]:
    """The files of two archives that are not the same."""
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        told = [{each.filename: each.CRC for each in made.infolist()} for made in (first, second)]
    return sorted(name for name in told[0].keys() | told[1].keys() if told[0].get(name) != told[1].get(name))


def main() -> None:
    """Prints each archive with its digest and whether it is the same."""
    with tempfile.TemporaryDirectory(prefix="energy-builds-") as folder:
        places = [Path(folder) / "one", Path(folder) / "another" / "place"]
        first, second = (build(place, umask) for place, umask in zip(places, (0o022, 0o077), strict=True))
        differing = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
        for name in sorted(first):
            print(f"{'differs' if name in differing else 'same':<8} {first[name]}  {name}")
        for name in differing:
            one, other = (place / ".aws-sam" / "zips" / f"{name}.zip" for place in places)
            if one.exists() and other.exists():
                print(f"{name}: {', '.join(different_files(one, other)[:20]) or 'order or permissions'}")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
