"""The door to Glue: makes a site's partitions lie where its manifest says."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any, TypeAlias

import boto3

from energy.errors import CatalogError, TransientError
from energy.schema import TABLES
from energy.settings import settings
from energy.store import client_config, heals, transient

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

# Glue takes at most this many partitions a call to create or update, and this many to delete.
WRITE_BATCH = 100
DELETE_BATCH = 25

Locations: TypeAlias = dict[tuple[str, ...], str]


@functools.cache
def client() -> "GlueClient":
    """One client per process."""
    return boto3.client("glue", config=client_config())


def follow(site: str, wanted: Mapping[str, Locations], is_current: Callable[[], bool]) -> int:
    """Makes the site's partitions of every table exactly `wanted` (partition values to S3 location, by table).

    Returns how many partitions were created, moved or deleted. A reader sees a partition's old location or its new one;
    new ones appear before old ones go. Before anything is moved or deleted `is_current` is asked, so that whoever
    follows a manifest that was replaced meanwhile stops there. CatalogError if Glue refuses some.
    """
    return sum(_follow_table(table, site, wanted.get(table, {}), is_current) for table in TABLES)


def _follow_table(table: str, site: str, wanted: Locations, is_current: Callable[[], bool]) -> int:
    actual = _locations(table, site)
    created = [values for values in wanted if values not in actual]
    moved = [values for values in wanted if values in actual and actual[values] != wanted[values]]
    deleted = [values for values in actual if values not in wanted]
    storage = _storage_descriptor(table) if created or moved else {}
    named: dict[str, Any] = {"DatabaseName": settings().glue_database, "TableName": table}

    def partition(values: tuple[str, ...]) -> Any:
        return {"Values": list(values), "StorageDescriptor": {**storage, "Location": wanted[values]}}

    for batch in batched(created, WRITE_BATCH, strict=False):
        with transient(f"BatchCreatePartition {table}"):
            answer: Any = client().batch_create_partition(**named, PartitionInputList=[partition(v) for v in batch])
        # Another run that follows the same manifest may have been first; the caller re-reads until all agree.
        _check(table, answer.get("Errors", []), harmless="AlreadyExistsException")
    if (moved or deleted) and not is_current():
        return len(created)
    for batch in batched(moved, WRITE_BATCH, strict=False):
        entries: Any = [{"PartitionValueList": list(v), "PartitionInput": partition(v)} for v in batch]
        with transient(f"BatchUpdatePartition {table}"):
            answer = client().batch_update_partition(**named, Entries=entries)
        _check(table, answer.get("Errors", []), harmless="EntityNotFoundException")
    for batch in batched(deleted, DELETE_BATCH, strict=False):
        with transient(f"BatchDeletePartition {table}"):
            answer = client().batch_delete_partition(**named, PartitionsToDelete=[{"Values": list(v)} for v in batch])
        _check(table, answer.get("Errors", []), harmless="EntityNotFoundException")
    return len(created) + len(moved) + len(deleted)


def _locations(table: str, site: str) -> Locations:
    with transient(f"GetPartitions {table}"):
        pages: Iterable[Any] = (
            client()
            .get_paginator("get_partitions")
            .paginate(DatabaseName=settings().glue_database, TableName=table, Expression=f"site = '{site}'")
        )
        return {
            tuple(found["Values"]): found["StorageDescriptor"]["Location"]
            for page in pages
            for found in page["Partitions"]
        }


def _storage_descriptor(table: str) -> dict[str, Any]:
    with transient(f"GetTable {table}"):
        return dict(client().get_table(DatabaseName=settings().glue_database, Name=table)["Table"]["StorageDescriptor"])


def _check(table: str, errors: Sequence[Any], harmless: str) -> None:
    failures = [
        f"{'/'.join(error.get('PartitionValues') or error.get('PartitionValueList') or [])}: "
        f"{error['ErrorDetail'].get('ErrorCode')} {error['ErrorDetail'].get('ErrorMessage', '')}"
        for error in errors
        if error["ErrorDetail"].get("ErrorCode") != harmless
    ]
    healing = [str(error["ErrorDetail"]) for error in errors if heals(error["ErrorDetail"].get("ErrorCode", ""))]
    if healing:
        raise TransientError(f"Partitions of {table}", CatalogError(table, healing))
    if failures:
        raise CatalogError(table, failures)
