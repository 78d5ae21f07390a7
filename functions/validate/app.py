"""State "Validate upload": every row of one version of one upload judged; good rows to the lake, bad ones set apart."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import ingestion
from energy.contracts import ValidateInput
from energy.observability import metrics, observed


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Returns how many rows were read, accepted, rejected and counted once, and the months they lie in."""
    request = ValidateInput.model_validate(event)
    validated = ingestion.validate(request)
    metrics.add_metric("RowsAccepted", MetricUnit.Count, validated.rows.accepted)
    metrics.add_metric("RowsRejected", MetricUnit.Count, validated.rows.rejected)
    return validated.model_dump(mode="json")
