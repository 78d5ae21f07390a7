"""The languages that the report speaks."""

from typing import Literal, get_args

LanguageCode = Literal["en", "de"]
LANGUAGES: tuple[str, ...] = get_args(LanguageCode)
