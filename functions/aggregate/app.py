"""State "Aggregate readings": all uploads of a site in, its tables out, not yet committed."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import drafting
from energy.contracts import AggregateInput
from energy.observability import metrics, observed


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Returns where the publication's tables, draft manifest and summary lie."""
    request = AggregateInput.model_validate(event)
    publication = drafting.aggregate(request)
    metrics.add_metric("ReadingsPublished", MetricUnit.Count, publication.readings)
    return publication.model_dump(mode="json")
