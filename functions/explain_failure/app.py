"""When an execution ended red, or told nobody: tells people at which state, why, and how it goes on."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import executions, failures, lake, notices
from energy.failures import EndedExecution
from energy.observability import logger, metrics, observed
from energy.settings import settings


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Returns the subject of what was told."""
    ended = EndedExecution.model_validate(event)
    if ended.told_nobody:
        metrics.add_metric("MessagesNotTold", MetricUnit.Count, 1)
    history = executions.last_events(ended.arn)
    site = lake.site_of_key(ended.key) if ended.key else None
    notice = failures.explain(ended, history, settings().stack_name, site)
    notices.publish(notice)
    logger.info("Failure explained", extra={"told": notice.text})
    return {"subject": notice.subject}
