"""State "Refresh partitions": the commit; then Glue follows the manifest."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import publishing
from energy.contracts import RefreshInput
from energy.observability import metrics, observed


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Publishes; returns where the report is."""
    request = RefreshInput.model_validate(event)
    published = publishing.publish(request)
    metrics.add_metric("PartitionsChanged", MetricUnit.Count, published.partitions_changed)
    if request.publication.readings:
        metrics.add_metric("Publications", MetricUnit.Count, 1)
        metrics.add_metric("ForecastFallbacks", MetricUnit.Count, request.forecast.fell_back)
        metrics.add_metric("ReportFallbacks", MetricUnit.Count, request.report is None or request.report.fell_back)
    return published.model_dump(mode="json")
