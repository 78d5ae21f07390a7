"""Limits that every execution of every test has to keep."""

import sys
from typing import Any

import pytest

# An eighth of what Step Functions takes in a state, and a twenty-fifth of the events that it takes in an execution
# (Step Functions Developer Guide, "Quotas"): a larger site or one more retry must not come near them.
MOST_STATE_BYTES = 32 * 1024
MOST_EVENTS = 1000
_CARRIED = ("input", "output", "parameters", "result")


def check_limits(history: list[dict[str, Any]]) -> None:
    """AssertionError where a state carries too much, or the history is too long."""
    assert len(history) <= MOST_EVENTS, f"{len(history)} events in one execution"
    for event in history:
        for details in (value for name, value in event.items() if name.endswith("EventDetails")):
            for name in _CARRIED:
                carried = str(details.get(name) or "")
                size = len(carried.encode("utf-8", "surrogatepass"))
                assert size <= MOST_STATE_BYTES, f"{event['type']}: {name} of {size:,} bytes: {carried[:300]} …"


@pytest.fixture(scope="session", autouse=True)
def _executions_keep_their_limits():
    """Whatever follows an execution of the local AWS, or waits for it, finds out."""
    module = sys.modules.get("local.aws")
    if module is None:  # none of these tests runs one
        yield
        return
    follow = module.LocalAws.follow

    def checked(self: Any, execution_arn: str, *arguments: Any, **named: Any) -> Any:
        yield from follow(self, execution_arn, *arguments, **named)
        check_limits(module._history(self._execution(execution_arn)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.LocalAws, "follow", checked)
        yield
