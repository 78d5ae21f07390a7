"""State "Detect anomalies": the hours of a publication that used far more than usual."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import anomalies
from energy.contracts import DetectInput
from energy.observability import metrics, observed


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Returns how many hours are unusual, and where they lie."""
    request = DetectInput.model_validate(event)
    found = anomalies.detect(request)
    metrics.add_metric("Anomalies", MetricUnit.Count, found.count)
    return found.model_dump(mode="json")
