"""The backlog: what lies under raw/ and is not published, in lists for the state machine that works it off."""

from energy import backlog
from energy.backlog import BacklogRequest
from energy.observability import logger, observed


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Returns what is left to read, to publish, or what failed, as it was asked."""
    found = backlog.find(BacklogRequest.model_validate(event))
    answer = found.model_dump(mode="json")
    logger.info("Backlog", extra={"backlog": answer})
    return answer
