"""A local AWS: the stack of template.yaml on this machine, its state machine and its handlers; the lake a folder."""

from typing import TYPE_CHECKING, Any

from local.history import ExecutionRecord, StateChange
from local.lake_folder import CatalogTable, LakeDamaged, LakeFolder, LakeInUse

if TYPE_CHECKING:
    from local.aws import Execution, LocalAws
    from local.lambda_runtime import Invocation, InvokeResult

__all__ = [
    "CatalogTable",
    "Execution",
    "ExecutionRecord",
    "Invocation",
    "InvokeResult",
    "LakeDamaged",
    "LakeFolder",
    "LakeInUse",
    "LocalAws",
    "StateChange",
]


def __getattr__(name: str) -> Any:
    """LocalAws brings moto, which takes seconds to import; whoever only reads a lake folder need not wait for it."""
    if name not in __all__:
        raise AttributeError(f"module 'local' has no attribute {name!r}")
    from local import aws

    return getattr(aws, name)
