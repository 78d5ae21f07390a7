"""Logs, metrics and traces, the same for every function.

Powertools reads POWERTOOLS_SERVICE_NAME and its kin from the environment itself. Metrics have two dimensions: `stack`,
since stacks of one account share the namespace, and `service`, the function.
"""

import functools
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from energy.errors import InputRejected
from energy.settings import settings

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

logger = Logger()
metrics = Metrics()


def observed(handler: Handler) -> Handler:
    """A handler whose log lines say which execution and which upload they are about, and whose metrics are written out.

    A file that is refused is counted here: it ends the handler with an error, like much that is nobody's file's fault.
    """

    @functools.wraps(handler)
    def watched(event: dict[str, Any], context: Any) -> dict[str, Any]:
        logger.append_keys(**correlation(event))
        if "stack" not in metrics.default_dimensions:
            metrics.set_default_dimensions(stack=settings().stack_name)
        try:
            return handler(event, context)
        except InputRejected:
            metrics.add_metric("UploadsRefused", MetricUnit.Count, 1)
            raise
        finally:
            if metrics.metric_set:
                metrics.flush_metrics()

    return logger.inject_lambda_context(clear_state=True)(watched)


def correlation(event: dict[str, Any]) -> dict[str, str]:
    """What an event is about, as far as it says: the execution; the upload's key and version; its site; its run and
    publication, which name what is written for them.
    """
    validated, publication = _part(event, "validated"), _part(event, "publication")
    told = _part(event, "object")
    upload = _part(validated, "upload") or _part(validated, "deletion")
    found = {
        "execution": event.get("execution"),
        "upload": told.get("key") or validated.get("key"),
        "version": told.get("version-id") or upload.get("version"),
        "site": validated.get("site") or publication.get("site"),
        "run_id": validated.get("run_id") or publication.get("run_id"),
        "pub": publication.get("pub"),
    }
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def _part(event: dict[str, Any], name: str) -> dict[str, Any]:
    part = event.get(name)
    return part if isinstance(part, dict) else {}
