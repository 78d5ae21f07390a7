"""A run that dies for good between its commit and the catalog: the daily reconciliation sees to it."""

import datetime as dt

import pytest

from energy import executions, ingestion, publishing, reconciliation, store
from energy.contracts import ForecastOutcome, Publication, RefreshInput, ValidateInput
from energy.reconciliation import ReconcileInput
from tests.storm import pipeline
from tests.storm.pipeline import BUCKET, Event, lake_in_memory

KEY = "raw/home/1.csv"
UPLOADED = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
ROWS = [f"{dt.datetime(2024, 1, 1) + dt.timedelta(hours=hour)},oven,1" for hour in range(48)]
CONTENT = "\n".join(["timestamp,appliance,kwh", *ROWS]).encode()


class Died(BaseException):
    """A process that is gone catches nothing."""


def die_after_commit(operation: str, key: str) -> None:
    if operation == "PutObject" and key.startswith("manifests/"):
        raise Died


def test_the_catalog_follows_though_the_run_that_committed_died(monkeypatch: pytest.MonkeyPatch) -> None:
    with lake_in_memory() as double:
        double.upload(KEY, CONTENT, "v1", UPLOADED)
        double.after_write = die_after_commit
        with pytest.raises(Died):
            pipeline.run(Event(KEY, "v1", "01", UPLOADED, len(CONTENT)))
        double.after_write = lambda operation, key: None
        manifest = pipeline.manifest(double, "home")
        assert manifest is not None
        assert not any(double.partitions.values())

        started: dict[str, dict] = {}
        version = store.Version(KEY, "v1", "e", len(CONTENT), UPLOADED, is_latest=True, is_deletion=False)
        monkeypatch.setattr(store, "versions", lambda prefix: [version])
        monkeypatch.setattr(
            store, "objects", lambda prefix: [store.Stored(key, 1, UPLOADED) for key in double.keys(prefix)]
        )
        monkeypatch.setattr(executions, "undelivered", list)
        monkeypatch.setattr(executions, "start", lambda name, event: started.setdefault(name, event) is event)
        found = reconciliation.reconcile(ReconcileInput(), UPLOADED + dt.timedelta(days=1))
        assert (found.started.count, found.need_a_person) == (1, 0)

        (event,) = started.values()
        validated = ingestion.validate(ValidateInput.model_validate(event["detail"]))
        assert validated.already_published
        nothing_new = Publication(site="home", already_published=True)
        publishing.publish(RefreshInput(validated=validated, publication=nothing_new, forecast=ForecastOutcome()))
        for name, partitions in manifest.tables.items():
            wanted = {tuple(one.values): f"s3://{BUCKET}/{one.prefix}" for one in partitions}
            assert double.partitions.get(name, {}) == wanted, name
        assert reconciliation.reconcile(ReconcileInput(), UPLOADED + dt.timedelta(days=2)).missed == 0
