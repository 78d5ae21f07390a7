"""The pipeline's steps on a lake in memory, in the order in which the state machine takes them."""

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

from energy import anomalies, catalog, drafting, ingestion, lake, publishing, settings, store
from energy.contracts import AggregateInput, DetectInput, ForecastOutcome, Publication, RefreshInput, ValidateInput
from energy.errors import InputRejected, ManifestConflict, ObjectMissing
from energy.manifest import Manifest
from tests.storm.lake_double import LakeDouble

BUCKET = "lake"
# Depend on the order in which publications came, by their nature: what was forecast when.
RECORDS = {"forecast_history", "forecast_accuracy"}
ROUNDS = 100


@dataclass(frozen=True)
class Event:
    """`detail` of an event of S3's, and its time."""

    key: str
    version_id: str
    sequencer: str
    time: dt.datetime
    size: int = 1
    deletion_type: str | None = None

    def request(self) -> ValidateInput:
        found = {"key": self.key, "version-id": self.version_id, "sequencer": self.sequencer}
        if self.deletion_type is None:
            found |= {"size": self.size, "etag": "e"}
        return ValidateInput.model_validate(
            {
                "bucket": {"name": BUCKET},
                "object": found,
                "deletion-type": self.deletion_type,
                "time": self.time,
            }
        )


@contextlib.contextmanager
def lake_in_memory() -> Iterator[LakeDouble]:
    """`energy.store` and `energy.catalog` talk to an empty lake."""
    double = LakeDouble()
    environment = {"LAKE_BUCKET": BUCKET, "POWERTOOLS_METRICS_NAMESPACE": "Energy", "POWERTOOLS_SERVICE_NAME": "test"}
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch.object(store, "client", return_value=double),
        mock.patch.object(catalog, "client", return_value=double),
    ):
        settings.settings.cache_clear()
        try:
            yield double
        finally:
            settings.settings.cache_clear()


def steps(event: Event) -> Iterator[str]:
    """An execution that pauses before every state; each pause names it."""
    yield "Validate upload"
    try:
        validated = ingestion.validate(event.request())
    except (InputRejected, ObjectMissing):
        return
    publication = Publication(site=validated.site, already_published=validated.already_published)
    for _ in range(ROUNDS):
        if not publication.already_published:
            yield "Aggregate readings"
            publication = drafting.aggregate(AggregateInput(validated=validated))
        found = None
        if publication.readings:
            yield "Detect anomalies"
            found = anomalies.detect(DetectInput(publication=publication))
        yield "Refresh partitions"
        with contextlib.suppress(ManifestConflict):
            publishing.publish(
                RefreshInput(validated=validated, publication=publication, anomalies=found, forecast=ForecastOutcome())
            )
            return
    raise AssertionError(f"{event.key} was not published in {ROUNDS} rounds")


def run(event: Event) -> None:
    """A whole execution."""
    for _ in steps(event):
        pass


def manifest(double: LakeDouble, site: str) -> Manifest | None:
    content = double.read(lake.manifest_key(site))
    return Manifest.model_validate_json(content) if content else None


def tables(double: LakeDouble, site: str) -> dict[tuple[str, ...], list[bytes]]:
    """The bytes of every file of the site's tables, by table and partition, where the catalog says that they lie."""
    found = {}
    for name, partitions in double.partitions.items():
        for values, location in partitions.items():
            if values[0] == site and name not in RECORDS:
                prefix = location.removeprefix(f"s3://{BUCKET}/")
                found[name, *values] = [double.read(key) or b"" for key in double.keys(prefix)]
    return found
