"""State "Generate report": what the earlier states found in, a report as HTML, Markdown and JSON out."""

from typing import Any

from energy import report
from energy.contracts import GenerateReportInput
from energy.observability import logger, metrics


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Writes the report of one publication."""
    return report.publish(GenerateReportInput.model_validate(event)).model_dump(mode="json")
