"""Files that nobody would write on purpose: a few hundred of them, always the same. `make fuzz` judges many more."""

from collections import Counter

import pytest

from tests.fuzz.mutations import mutated, seeds
from tests.fuzz.outcome import outcome_of

FILES = 300


@pytest.fixture(scope="module")
def originals():
    return seeds()


@pytest.mark.slow
def test_no_mutated_file_is_more_than_a_refusal(originals):
    outcomes = [(number, *outcome_of(*mutated(originals, 0, number), seconds=20)) for number in range(FILES)]
    assert [found for found in outcomes if found[1].startswith("DEFECT")] == []
    kinds = Counter(outcome.split()[0] for _, outcome, _ in outcomes)
    # The files have to be worth judging: each kind of verdict is among them.
    assert set(kinds) == {"accept", "accept_warn", "partial", "reject"}


def test_equal_seeds_give_equal_files(originals):
    assert mutated(originals, 1, 7) == mutated(originals, 1, 7)
    assert len({mutated(originals, 1, number) for number in range(50)}) > 45


def test_several_fields_that_are_too_large_are_set_apart():
    good = "".join(f"2024-05-01 {hour:02d}:00,fridge,0.5\n" for hour in range(24))
    large = "".join(f"2024-05-02 {hour:02d}:00,oven,{'x' * 70_000}\n" for hour in range(2))
    content = f"timestamp,appliance,kwh\n{good}{large}".encode()
    assert outcome_of("readings.csv", content, seconds=20) == ("partial", "")
