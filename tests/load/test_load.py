"""The small version of `make load`: what executions publish at once is what they publish alone."""

import pytest

from tests.conftest import check_limits
from tests.load.__main__ import different, play


@pytest.mark.slow
def test_executions_at_once_publish_what_they_publish_alone():
    at_once, alone = play(6, at_once=True), play(6, at_once=False)
    assert set(at_once.ended + alone.ended) == {"SUCCEEDED"}
    assert len(at_once.tables) >= 6 * 8
    assert different(at_once, alone) == []


def test_a_state_that_carries_too_much_and_a_long_history_are_noticed():
    carried = {"type": "TaskStateExited", "stateExitedEventDetails": {"name": "x", "output": "é" * 16 * 1024}}
    check_limits([carried])
    carried["stateExitedEventDetails"]["output"] += "."
    with pytest.raises(AssertionError, match=r"output of 32,769 bytes"):
        check_limits([carried])
    with pytest.raises(AssertionError, match="1001 events"):
        check_limits([{"type": "TaskStateEntered"}] * 1001)
