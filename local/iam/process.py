"""Runs a function under its role: started in place of `python -m awslambdaric`, with the same arguments.

The file that FUNCTION_ROLE names holds the role. Of all this the function's own code sees nothing: what was imported
to judge it is taken out of its sight again.
"""

import json
import os
import runpy
import sys
import types
from pathlib import Path


def enforce_role(file: Path) -> None:
    """From now on every call of this process is that of the role in the file."""
    package = types.ModuleType("local")  # without what local/__init__.py and its moto bring
    package.__path__ = [str(Path(__file__).resolve().parents[1])]
    sys.modules["local"] = package
    from local import iam

    told = json.loads(file.read_text())
    role = iam.Role(told["role"], told["arn"], tuple(told["policies"]))
    surroundings = iam.Surroundings(told["region"], told["account"], told["keys"])
    iam.enforce(iam.Judge(role, surroundings, iam.Journal(Path(told["journal"]))))
    for name in [name for name in sys.modules if name.split(".")[0] == "local"]:
        del sys.modules[name]


if __name__ == "__main__":
    enforce_role(Path(os.environ.pop("FUNCTION_ROLE")))
    sys.path[0] = os.getcwd()  # as with `python -m`
    sys.argv[0] = "awslambdaric"
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
