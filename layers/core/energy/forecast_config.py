"""`forecast` in `config/<site>.yaml`: what a forecast may go by besides the readings."""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from energy.config_section import Section, TableFile


def _two_letters(country: str) -> str:
    if not re.fullmatch("[A-Z]{2}", country):
        raise ValueError("it must be a country by its two letters, as DE")
    return country


Country = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True), AfterValidator(_two_letters)]


class ForecastConfig(Section):
    """`holidays` is a country by its two letters (ISO 3166); `temperature` a CSV of the days' mean temperatures."""

    holidays: Country | None = None
    temperature: TableFile | None = None
