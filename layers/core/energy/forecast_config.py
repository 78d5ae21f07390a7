"""`forecast` in `config/<site>.yaml`: what a forecast may go by besides the readings."""

from typing import Annotated

from pydantic import StringConstraints

from energy.config_section import Section, TableFile


class ForecastConfig(Section):
    """`holidays` is a country by its two letters (ISO 3166); `temperature` a CSV of the days' mean temperatures."""

    holidays: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Z]{2}$")] | None = None
    temperature: TableFile | None = None
