"""The costs of a site: of the months that a publication changes they are added up anew, of the others kept."""

import io
import zipfile
from collections.abc import Mapping
from functools import partial

import polars as pl

import energy
from energy import lake, monthly_costs, parquet, store
from energy.costs import Costs, costs
from energy.manifest import Manifest
from energy.monthly_costs import CostParts, Pricing
from energy.recipes import ConfigSnapshot
from energy.schema import READINGS
from energy.spreading import Each

_MADE_OF = "made_of"
# The format of zip knows no earlier time; equal parts shall be equal bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def pricing(snapshot: ConfigSnapshot, timezone: str) -> Pricing | None:
    """By what the energy is priced; None where the configuration says neither what it costs nor what CO2 it makes."""
    config = snapshot.config
    if not config.tariff and not config.co2:
        return None
    current = [config.tariff] if config.tariff else []
    currency = config.tariff.currency if config.tariff else None
    compared = [plan.model_copy(update={"name": name, "currency": currency}) for name, plan in config.plans.items()]
    return Pricing(timezone, (*current, *compared), config.co2, snapshot.files)


def build(  # noqa: PLR0913, PLR0917
    base: Manifest | None, readings: Mapping[str, str], site: str, pub: str, by: Pricing, each: Each = map
) -> Costs:
    """The costs of the months whose readings lie below these prefixes, at least one; kept for the next publication.

    A month whose readings stay where they are, priced alike by the same code, is not read again; `each` spreads the
    others. SiteConfigInvalid where a file of prices or intensities cannot be used.
    """
    recipe = lake.recipe(energy.__version__, by.canonical())
    made_of, parts = _published(base, recipe) if base else ({}, None)
    kept = {month for month, prefix in readings.items() if made_of.get(month) == prefix}
    found = [_of_months(parts, kept)] if parts and kept else []
    found.extend(each(partial(_priced, by), [(month, readings[month]) for month in sorted(readings.keys() - kept)]))
    together = monthly_costs.together(found)
    store.put_once(lake.cost_parts_key(site, pub), _to_bytes(together, readings, recipe))
    return costs(together, by)


def _priced(by: Pricing, readings: tuple[str, str]) -> CostParts:
    """The part of a month whose readings lie below a prefix."""
    month, prefix = readings
    return monthly_costs.part(parquet.from_bytes(store.read(prefix + READINGS.file_name)), month, by)


def _published(base: Manifest, recipe: str) -> tuple[dict[str, str], CostParts | None]:
    """What each month's part was made of, and the parts; nothing where they were made otherwise."""
    found = store.read_with_etag(lake.cost_parts_key(base.site, base.pub))
    if found is None:
        return {}, None
    with zipfile.ZipFile(io.BytesIO(found[0])) as packed:
        if packed.comment.decode() != recipe:
            return {}, None
        made_of = parquet.from_bytes(packed.read(f"{_MADE_OF}.parquet"))
        frames = {name: parquet.from_bytes(packed.read(f"{name}.parquet")) for name in monthly_costs.SCHEMAS}
    return dict(made_of.select("month", "prefix").iter_rows()), CostParts(**frames)


def _of_months(parts: CostParts, months: set[str]) -> CostParts:
    chosen = pl.col("month").is_in(sorted(months))
    return CostParts(**{name: frame.filter(chosen) for name, frame in parts.frames().items()})


def _to_bytes(parts: CostParts, readings: Mapping[str, str], recipe: str) -> bytes:
    made_of = pl.DataFrame(sorted(readings.items()), schema={"month": pl.String, "prefix": pl.String}, orient="row")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, frame in {**parts.frames(), _MADE_OF: made_of}.items():
            packed.writestr(zipfile.ZipInfo(f"{name}.parquet", _NO_TIME), parquet.to_bytes(frame))
        packed.comment = recipe.encode()
    return buffer.getvalue()
