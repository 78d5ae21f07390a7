"""A few of the kills that `make kills` makes by the hundred."""

import random

import pytest

from tests.storm import kills


@pytest.mark.slow
def test_what_is_published_after_kills_is_what_a_quiet_run_publishes() -> None:
    quiet = kills.play(0, random.Random(0))
    killed = kills.play(8, random.Random(1))

    assert killed.killed.total() >= 4
    assert killed.retried > 0
    assert len(quiet.recovered.tables) >= 2 * 9
    assert kills.wrong(quiet, quiet) == []
    assert kills.wrong(quiet, killed) == []
    # The second file of each site was taken back.
    assert killed.again.uploads == {site: {f"raw/{site}/{number}.csv" for number in (0, 2, 3)} for site in kills.SITES}


def test_a_table_that_differs_or_lacks_and_a_site_with_other_uploads_are_named() -> None:
    quiet = kills.Published({"home": {"a"}, "cabin": {"b"}}, {("daily", "home"): b"1", ("hourly", "home"): b"2"})
    other = kills.Published({"home": {"a"}, "cabin": set()}, {("hourly", "home"): b"3"})
    assert kills.different(quiet, other, but=set()) == ["cabin", "daily/home", "hourly/home"]
    assert kills.different(quiet, other, but={"daily"}) == ["cabin", "hourly/home"]
