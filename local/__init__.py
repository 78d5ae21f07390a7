"""A local AWS: deploys template.yaml onto moto, runs its state machine and the real handlers, keeps the lake in a folder."""

from local.aws import Execution, InvokeResult, LocalAws, StateChange
from local.lake_folder import CatalogTable, LakeFolder, LakeInUse

__all__ = ["CatalogTable", "Execution", "InvokeResult", "LakeFolder", "LakeInUse", "LocalAws", "StateChange"]
