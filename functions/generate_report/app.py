"""State "Generate report": what the earlier states found in, a report as HTML, Markdown and JSON out."""

from energy import report
from energy.contracts import GenerateReportInput
from energy.observability import logger


@logger.inject_lambda_context
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Writes the report of one publication."""
    request = GenerateReportInput.model_validate(event)
    written = report.publish(request)
    logger.info("report written", provider=written.provider, attempts=written.attempts)
    return written.model_dump(mode="json")
