"""Stands in for triad, which Fugue is made with."""

from collections.abc import Callable


class Schema:
    """Column names and types of a Fugue frame; there are none."""


def conditional_dispatcher(function: Callable) -> Callable:
    """The function itself: further implementations can be registered, but their condition, an engine, never holds."""

    def candidate(*_args: object, **_kwargs: object) -> Callable:
        return lambda implementation: implementation

    function.candidate = candidate
    return function
