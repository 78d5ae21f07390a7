"""The parameters that a stage of samconfig.toml sets, and some beside them: what `sam deploy` takes for all of them.

    python -m tools.overrides STAGE NAME=VALUE …

Named on the command line, `--parameter-overrides` would replace the stage's own. Exit 1 where both say otherwise.
"""

import sys
import tomllib
from pathlib import Path

CONFIG = Path(__file__).resolve().parents[1] / "samconfig.toml"


def merged(stage: str, more: list[str], config: Path = CONFIG) -> list[str]:
    """NAME=VALUE of each parameter. ValueError where there is no such stage, or it says something else."""
    stages = tomllib.loads(config.read_text())
    if "deploy" not in stages.get(stage, {}):
        known = ", ".join(name for name, found in stages.items() if isinstance(found, dict) and "deploy" in found)
        raise ValueError(f"{config.name} has no stage {stage}; it has {known}")
    overrides = stages[stage]["deploy"]["parameters"].get("parameter_overrides", "").split()
    found = dict(pair.split("=", 1) for pair in overrides)
    for name, value in (pair.split("=", 1) for pair in more):
        if found.setdefault(name, value) != value:
            raise ValueError(f"{config.name} sets {name}={found[name]} for {stage}, and {value} was asked for: which?")
    return [f"{name}={value}" for name, value in found.items()]


if __name__ == "__main__":
    try:
        print(*merged(sys.argv[1], sys.argv[2:]))
    except ValueError as error:
        sys.exit(str(error))
