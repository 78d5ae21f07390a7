"""State "Refresh partitions": the commit; then Glue follows the manifest."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import publishing
from energy.contracts import RefreshInput
from energy.observability import logger, metrics


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Publishes; returns where the report is."""
    request = RefreshInput.model_validate(event)
    published = publishing.publish(request)
    metrics.add_metric("PartitionsChanged", MetricUnit.Count, published.partitions_changed)
    return published.model_dump(mode="json")
