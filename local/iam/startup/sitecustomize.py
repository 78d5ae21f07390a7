"""Python runs this at its start: where JOB_ROLE names a file, the process makes its calls under the role in it.

Spark starts processes of its own for a job's workers, which no other way would reach.
"""

import os
import runpy
from pathlib import Path

if _role := os.environ.get("JOB_ROLE"):
    runpy.run_path(str(Path(__file__).resolve().parents[1] / "process.py"))["enforce_role"](Path(_role))
