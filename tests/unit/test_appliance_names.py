"""One name for one appliance, however it is spelled."""

from itertools import permutations

from energy.intake.names import identity, shown, tidy


def test_names_that_differ_by_case_unicode_form_or_space_are_one_appliance() -> None:
    spellings = ["Sèche  linge", "se\u0300che linge", " SÈCHE\u00a0LINGE ", "sèche\u200b linge"]
    assert len({identity(name) for name in spellings}) == 1
    assert identity("Straße") == identity("STRASSE")
    assert identity("seche linge") != identity("sèche linge")


def test_a_tidy_name_stays_as_it_is() -> None:
    name = tidy("\u00adse\u0300che \t linge ")
    assert name == "sèche linge"
    assert tidy(name) == name


def test_the_order_of_spellings_does_not_decide_which_is_shown() -> None:
    assert {shown(order) for order in permutations(["Fridge", "fridge", "FRIDGE"])} == {"fridge"}
