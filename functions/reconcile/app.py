"""Once a day: starts executions for uploads and deletions that were missed."""

import datetime as dt

from aws_lambda_powertools.metrics import MetricUnit

from energy import reconciliation
from energy.observability import logger, metrics
from energy.reconciliation import ReconcileInput


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Returns what was missed, what was started for it, and what a person has to see to."""
    request = ReconcileInput.model_validate(event)
    reconciled = reconciliation.reconcile(request, dt.datetime.now(dt.UTC))
    answer = reconciled.model_dump(mode="json")
    metrics.add_metric("MissedUploads", MetricUnit.Count, reconciled.missed)
    metrics.add_metric("UndeliveredEvents", MetricUnit.Count, reconciled.undelivered)
    metrics.add_metric("UploadsInNeedOfAPerson", MetricUnit.Count, reconciled.need_a_person)
    logger.info("Reconciled", extra={"reconciled": answer})
    return answer
