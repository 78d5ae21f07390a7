"""Once a day: removes what no manifest has named for a week."""

import datetime as dt

from aws_lambda_powertools.metrics import MetricUnit

from energy import garbage
from energy.garbage import CollectGarbageInput
from energy.observability import logger, metrics, observed


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Returns which prefixes were removed, and how much lay below them."""
    request = CollectGarbageInput.model_validate(event)
    collected = garbage.collect(request, dt.datetime.now(dt.UTC))
    answer = collected.model_dump(mode="json")
    if not request.dry_run:
        metrics.add_metric("GarbageObjects", MetricUnit.Count, collected.objects)
        metrics.add_metric("GarbageBytes", MetricUnit.Bytes, collected.bytes)
    logger.info("Garbage collected", extra={"collected": answer})
    return answer
