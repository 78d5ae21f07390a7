"""Results of a Fugue workflow."""


class Yielded:
    """A result; there are none."""
