"""A few of the kills that `make kills` makes by the hundred."""

import random

import pytest

from tests.storm import kills


@pytest.mark.slow
def test_what_is_published_after_kills_is_what_a_quiet_run_publishes() -> None:
    quiet = kills.play(0, random.Random(0))
    killed = kills.play(kills.FUNCTIONS, random.Random(1))

    assert 4 <= killed.killed.total() <= kills.FUNCTIONS
    assert killed.retried > 0
    assert len(quiet.tables) >= 2 * 9
    assert kills.different(quiet, killed) == []
    # The second file of each site was taken back.
    assert killed.uploads == quiet.uploads
    assert quiet.uploads == {site: {f"raw/{site}/{number}.csv" for number in (0, 2, 3)} for site in kills.SITES}


def test_a_table_that_differs_or_lacks_is_named() -> None:
    def ended(tables: kills.Tables) -> kills.Round:
        return kills.Round(tables, {}, kills.collections.Counter(), 0, kills.collections.Counter())

    quiet = ended({("daily", "home"): b"1", ("hourly", "home"): b"2"})
    assert kills.different(quiet, ended({("daily", "home"): b"1", ("hourly", "home"): b"3"})) == ["hourly/home"]
    assert kills.different(quiet, ended({("hourly", "home"): b"2"})) == ["daily/home"]
