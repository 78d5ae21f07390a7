"""What a plan charges for a month: exact, not rounded before the sum."""

from dataclasses import dataclass, field
from decimal import Decimal

from energy.tariffs.plans import Contract, Tier

ZERO = Decimal(0)


@dataclass(frozen=True)
class Use:
    """What was used under one contract in one month: on `days` of its `days_in_month` days.

    `bands` has the energy by band; `energy_cost` what it costs where prices change too often to have bands. `demand_kw`
    has the highest mean power for each demand charge; None where it cannot be known.
    """

    days: int
    days_in_month: int
    bands: dict[str, Decimal]
    demand_kw: tuple[Decimal | None, ...] = ()
    exported_kwh: Decimal = ZERO
    listed_cost: Decimal = ZERO

    @property
    def kwh(self) -> Decimal:
        """All energy that is paid for."""
        return sum(self.bands.values(), ZERO)


@dataclass(frozen=True)
class Charges:
    """What it costs, by kind; `exported` is what is paid for energy fed in, taken off the total."""

    energy: Decimal = ZERO
    tiers: Decimal = ZERO
    standing: Decimal = ZERO
    demand: Decimal = ZERO
    exported: Decimal = ZERO
    unknown_demand: tuple[str, ...] = field(default=())

    @property
    def total(self) -> Decimal:
        """What is to be paid."""
        return self.energy + self.tiers + self.standing + self.demand - self.exported

    def __add__(self, other: "Charges") -> "Charges":
        """Both together."""
        return Charges(
            self.energy + other.energy,
            self.tiers + other.tiers,
            self.standing + other.standing,
            self.demand + other.demand,
            self.exported + other.exported,
            tuple(dict.fromkeys(self.unknown_demand + other.unknown_demand)),
        )


def charges(contract: Contract, use: Use) -> Charges:
    """What a contract charges for what was used under it in a month.

    What is charged by the month counts by its days: a contract that ends on the 10th of April charges a third of it.
    """
    part = Decimal(use.days) / Decimal(use.days_in_month)
    known = [(charge, kw) for charge, kw in zip(contract.demand, use.demand_kw, strict=True) if kw is not None]
    return Charges(
        energy=energy_cost(contract, use),
        tiers=tier_cost(contract.tiers, use.kwh, use.days, part),
        standing=contract.standing_per_day * use.days + contract.standing_per_month * part,
        demand=sum((charge.price_per_kw * kw * part for charge, kw in known), ZERO),
        exported=contract.export.price * use.exported_kwh if contract.export else ZERO,
        unknown_demand=tuple(
            charge.name for charge, kw in zip(contract.demand, use.demand_kw, strict=True) if kw is None
        ),
    )


def energy_cost(contract: Contract, use: Use) -> Decimal:
    """What the energy costs by the time at which it was used."""
    if contract.prices:
        return use.listed_cost
    if contract.bands:
        prices = {band.name: band.price for band in contract.bands}
        return sum((prices[name] * kwh for name, kwh in use.bands.items()), ZERO)
    return (contract.price or ZERO) * use.kwh


def tier_cost(tiers: tuple[Tier, ...], kwh: Decimal, days: int, part: Decimal) -> Decimal:
    """What the blocks cost that the energy of a month fills, in their order; `part` of the month is billed."""
    cost, filled = ZERO, ZERO
    for tier in tiers:
        per_day, per_month = tier.up_to_kwh_per_day, tier.up_to_kwh_per_month
        limit = per_day * days if per_day is not None else per_month * part if per_month is not None else None
        upto = kwh if limit is None else min(kwh, limit)
        cost += tier.price * max(upto - filled, ZERO)
        filled = max(filled, upto)
    return cost
