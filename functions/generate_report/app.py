"""State "Generate report": what the earlier states found in, a report as HTML, Markdown and JSON out."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import report
from energy.contracts import GenerateReportInput
from energy.observability import logger, metrics, observed


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Writes the report of one publication."""
    request = GenerateReportInput.model_validate(event)
    written = report.publish(request)
    logger.info("report written", provider=written.provider, attempts=written.attempts)
    metrics.add_metric("NarrativeTokens", MetricUnit.Count, written.tokens or 0)
    metrics.add_metric("NarrativeCost", MetricUnit.NoUnit, written.cost_usd or 0)
    return written.model_dump(mode="json")
