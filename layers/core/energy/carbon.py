"""`co2` of a site's configuration: how much CO2 a kWh stands for, by country, by a number, or by the hour."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from energy.config_section import Section, TableFile
from energy.tariffs import series

GRAMS_PER_KG = 1000


@dataclass(frozen=True)
class Factor:
    """A country's mean of one year, kg of CO2 equivalents a kWh, and who says so."""

    kg_per_kwh: Decimal
    year: int
    source: str


_EMBER_2023 = "Ember, carbon intensity of electricity generation, as Our World in Data lists it"
_EMBER_2025 = "Ember, Yearly Electricity Data, as GreenCalculus lists it"
# Of generation in the country. Shown with year and source; a site may set its own number instead.
FACTORS: dict[str, Factor] = {
    "AU": Factor(Decimal("0.525"), 2025, _EMBER_2025),
    "BR": Factor(Decimal("0.110"), 2025, _EMBER_2025),
    "CN": Factor(Decimal("0.526"), 2025, _EMBER_2025),
    "DE": Factor(Decimal("0.330"), 2025, _EMBER_2025),
    "FR": Factor(Decimal("0.041"), 2025, _EMBER_2025),
    "GB": Factor(Decimal("0.177"), 2025, "DEFRA and DESNZ, UK Government GHG Conversion Factors 2025"),
    "IN": Factor(Decimal("0.670"), 2025, _EMBER_2025),
    "JP": Factor(Decimal("0.477"), 2025, _EMBER_2025),
    "US": Factor(Decimal("0.350"), 2023, "EPA, eGRID 2023, as GreenCalculus lists it"),
    **{
        country: Factor(Decimal(grams) / GRAMS_PER_KG, 2023, _EMBER_2023)
        for country, grams in {
            "AR": 354,
            "AT": 111,
            "BE": 138,
            "BG": 335,
            "CA": 170,
            "CL": 291,
            "CO": 260,
            "CR": 53,
            "CY": 534,
            "CZ": 450,
            "DK": 152,
            "EE": 417,
            "EG": 570,
            "FI": 79,
            "GR": 337,
            "HR": 205,
            "HU": 204,
            "IE": 291,
        }.items()
    },
}


def _known(country: str) -> str:
    if country not in FACTORS:
        raise ValueError(f"there is no factor for it; known are {', '.join(sorted(FACTORS))}. Set kg_per_kwh instead")
    return country


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class Carbon(Section):
    """`intensity` is a CSV with the columns start and value, grams of CO2 a kWh; `country` or `kg_per_kwh` count where
    it has nothing.
    """

    country: Annotated[str, BeforeValidator(_upper), AfterValidator(_known)] | None = None
    kg_per_kwh: Annotated[Decimal, Field(ge=0, le=10, decimal_places=12)] | None = None
    intensity: TableFile | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.country and self.kg_per_kwh is not None:
            raise ValueError("set either country or kg_per_kwh, not both")
        if not self.country and self.kg_per_kwh is None and not self.intensity:
            raise ValueError("it must have country, or kg_per_kwh, or intensity")
        return self

    @property
    def factor(self) -> Decimal | None:
        """What counts at all times, or where no intensity is known."""
        return FACTORS[self.country].kg_per_kwh if self.country else self.kg_per_kwh

    @property
    def source(self) -> str:
        """Where the factor comes from, in words."""
        if self.country:
            found = FACTORS[self.country]
            return f"{found.source}, {found.year}"
        return "the site's configuration"


def intensities(carbon: Carbon, timezone: str, files: Mapping[str, str]) -> list[series.Value]:
    """kg of CO2 a kWh over time, where a file tells it; SiteConfigInvalid where that cannot be used."""
    if not carbon.intensity:
        return []
    told = series.parse(files[carbon.intensity.file], carbon.intensity.file, timezone)
    return [series.Value(one.start, one.end, one.value / GRAMS_PER_KG) for one in told]
