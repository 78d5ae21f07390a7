"""Once a day: starts executions for uploads and deletions that were missed."""

import datetime as dt

from aws_lambda_powertools.metrics import MetricUnit

from energy import reconciliation
from energy.observability import logger, metrics, observed
from energy.reconciliation import ReconcileInput


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Returns what was missed, what was started for it, and what a person has to see to."""
    request = ReconcileInput.model_validate(event)
    now = dt.datetime.now(dt.UTC)
    reconciled = reconciliation.reconcile(request, now)
    answer = reconciled.model_dump(mode="json")
    metrics.add_metric("MissedUploads", MetricUnit.Count, reconciled.missed)
    metrics.add_metric("UndeliveredEvents", MetricUnit.Count, reconciled.undelivered)
    metrics.add_metric("UploadsInNeedOfAPerson", MetricUnit.Count, reconciled.need_a_person)
    if reconciled.newest_upload:
        days = (now - reconciled.newest_upload) / dt.timedelta(days=1)
        metrics.add_metric("DaysSinceUpload", MetricUnit.NoUnit, days)
    logger.info("Reconciled", extra={"reconciled": answer})
    return answer
