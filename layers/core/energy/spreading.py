"""How work on independent pieces is spread: over one process, or over many machines."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

Piece = TypeVar("Piece")
Made = TypeVar("Made")


class Each(Protocol):
    """As `map`: what a function makes of each piece, in the order of the pieces. Where it is spread over machines, the
    function and the pieces are pickled.
    """

    def __call__(self, make: Callable[[Piece], Made], pieces: Iterable[Piece], /) -> Iterable[Made]:
        """Calls `make` with each piece."""
