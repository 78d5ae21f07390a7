"""Packs the script of the Glue job: one file that carries all it imports of ours.

    python3 pack_job.py ENTRY TARGET

ENTRY is its source, as jobs/crunch.py. Glue takes one file, and `sam deploy` uploads no other for it. `sam build` runs
this with the core layer, whose code the job shares; the standard library is enough. Equal sources give equal bytes.
"""

import base64
import io
import sys
import zipfile
from pathlib import Path

CORE = Path(__file__).resolve().parent / "energy"
# The earliest moment that an archive can tell.
_MOMENT = (1980, 1, 1, 0, 0, 0)
# It makes the archive importable, for the driver here and for Spark's workers there, and runs the job.
_CARRIER = """# Made of {name} by pack_job.py; do not edit.
import base64
import pathlib
import sys
import tempfile

path = pathlib.Path(tempfile.mkdtemp()) / "job.zip"
path.write_bytes(base64.b64decode("{archive}"))
sys.path.insert(0, str(path))

from jobs import {module}

{module}.main(archive=path)
"""


def pack(entry: Path, target: Path) -> None:
    """Writes the script."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for folder in (CORE, entry.parent):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
                    made.writestr(zipfile.ZipInfo(name, _MOMENT), path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    encoded = base64.b64encode(packed.getvalue()).decode()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_CARRIER.format(name=entry.name, module=entry.stem, archive=encoded))


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(sys.argv[2]))
