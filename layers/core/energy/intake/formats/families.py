"""All families, the most particular first."""

from collections.abc import Callable

from energy.intake.layout import Head, Layout
from energy.site_config import Rules

FAMILIES: tuple[Callable[[Head, Rules], Layout | None], ...] = ()
