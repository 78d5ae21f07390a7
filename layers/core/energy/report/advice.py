"""Which advice applies to a home, and what it may save: rules as data, judged by facts.

What a rule saves is a share of the appliance's own energy over the period that was read. Two actions on one appliance
do not add up: the second works on what the first left, 1 - (1 - p)(1 - q).
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from energy.report.facts import Appliance, Collector, Part, Recommendation

RULES_FILE = Path(__file__).with_name("advice_rules.json")
BEHAVIOUR: tuple[str, ...] = ("behaviour", "maintenance")
MAX_ACTIONS = 5

_SOURCE = "advice_rules.json"
_EVIDENCE_ORDER = ("verified", "verified_with_assumption", "assumption", "own_readings", "not_verified")
_KIND_ORDER = ("behaviour", "maintenance", "upgrade", "check", "shift")


class Trigger(Part):
    """A condition on facts: one metric that is at least so large, or all or any of several."""

    metric: str | None = None
    at_least: float | None = None
    all: tuple["Trigger", ...] = ()
    any: tuple["Trigger", ...] = ()

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Trigger":
        forms = [self.metric is not None and self.at_least is not None, bool(self.all), bool(self.any)]
        if sum(forms) != 1:
            raise ValueError("a trigger is either a metric with at_least, or all, or any")
        return self

    def reasons(self, value: Callable[[str], float | None]) -> list[str]:
        """The metrics by which the condition holds, in order; none: it does not hold."""
        if self.all:
            parts = [trigger.reasons(value) for trigger in self.all]
            return list(itertools.chain.from_iterable(parts)) if all(parts) else []
        if self.any:
            return next((found for trigger in self.any if (found := trigger.reasons(value))), [])
        metric, known = str(self.metric), value(str(self.metric))
        return [metric] if known is not None and known >= float(self.at_least or 0) else []


class Saving(Part):
    """Share of the appliance's energy, or of its base load, that an action saves; or, where only money is saved, of
    what its energy cost more than in the cheapest hours of its days.
    """

    low: float
    high: float
    of: Literal["own_kwh", "base_kwh", "dearer_kwh"]


class Rule(Part):
    """One piece of advice; `condition` is what readings cannot show and the reader has to know."""

    id: str
    scope: Literal["appliance", "site"]
    classes: list[str]
    kind: Literal["behaviour", "maintenance", "upgrade", "check", "shift"]
    title: str
    saving: Saving | None
    trigger: Trigger
    group: str
    condition: str | None
    evidence: Literal["verified", "verified_with_assumption", "assumption", "own_readings", "not_verified"]
    source: str
    url: str

    @model_validator(mode="after")
    def _figures_are_verified(self) -> "Rule":
        if self.saving and self.evidence == "not_verified":
            raise ValueError(f"rule {self.id} states a saving whose source was not verified")
        return self


class RuleBook(Part):
    """advice_rules.json."""

    version: int
    note: str
    behaviour_cap_share: float
    behaviour_cap_source: str
    rules: list[Rule]


@functools.cache
def rule_book() -> RuleBook:
    """The rules of the product."""
    return RuleBook.model_validate_json(RULES_FILE.read_bytes())


def combined(shares: Iterable[float]) -> float:
    """What several actions on one appliance save together, as a share of its energy."""
    return 1 - math.prod(1 - share for share in shares)


def recommend(facts: Collector, appliances: list[Appliance], book: RuleBook) -> list[Recommendation]:
    """The advice whose trigger holds, the largest saving first; one rule per group and appliance. Adds its facts."""
    found: list[tuple[Rule, str | None, list[str]]] = []
    for appliance in appliances:
        rules = [rule for rule in book.rules if rule.scope == "appliance" and appliance.kind in rule.classes]
        found += [(rule, appliance.ref, reasons) for rule, reasons in _applying(facts, rules, appliance.ref)]
    rules = [rule for rule in book.rules if rule.scope == "site"]
    found += [(rule, None, reasons) for rule, reasons in _applying(facts, rules, "site")]

    places = {rule.id: place for place, rule in enumerate(book.rules)}
    found.sort(key=lambda item: (*_rank(facts, *item[:2]), places[item[0].id]))
    return [
        _recommendation(facts, f"R{number}", rule, ref, reasons) for number, (rule, ref, reasons) in enumerate(found, 1)
    ]


def add_totals(facts: Collector, recommendations: list[Recommendation], book: RuleBook) -> None:
    """What all habits, and all upgrades, may save together. Conditional actions count in the high figure only.

    Habits are capped at a share of the site's total. Unknown where no action has a figure.
    """
    site_kwh = _number(facts, "site.total_kwh") or 0.0
    cap_kwh = book.behaviour_cap_share * site_kwh
    for name, kinds in (("behaviour", BEHAVIOUR), ("upgrade", ("upgrade",))):
        counted = [one for one in recommendations if one.quantified and one.kind in kinds]
        sure = [one for one in counted if not one.conditional]
        low, high = _combined(facts, sure, "low", "kwh"), _combined(facts, counted, "high", "kwh")
        part_low, part_high = 1.0, 1.0
        if name == "behaviour":
            facts.add("save.cap_share", book.behaviour_cap_share, "share", _SOURCE)
            facts.add("save.cap_reached", "yes" if high > cap_kwh else "no", "word", _SOURCE)
            part_low, part_high = (min(1.0, cap_kwh / kwh) if kwh else 1.0 for kwh in (low, high))
            low, high = min(low, cap_kwh), min(high, cap_kwh)
        known = bool(counted) and site_kwh > 0
        facts.kwh(f"save.{name}_low", low if known else None, _SOURCE)
        facts.kwh(f"save.{name}_high", high if known else None, _SOURCE)
        facts.share(f"save.{name}_share_low", low / site_kwh if known else None, _SOURCE)
        facts.share(f"save.{name}_share_high", high / site_kwh if known else None, _SOURCE)
        for kind, of, total in (("cost", "cost", "site.energy_cost"), ("co2", "co2_kg", "site.co2_kg")):
            if known and (whole := facts.facts.get(total)) and whole.value is not None:
                amounts = {
                    "low": part_low * _combined(facts, sure, "low", of),
                    "high": part_high * _combined(facts, counted, "high", of),
                }
                for bound, amount in amounts.items():
                    facts.add(f"save.{name}_{kind}_{bound}", round(amount, 6), whole.unit, _SOURCE, whole.dp)


def _combined(facts: Collector, counted: list[Recommendation], bound: Literal["low", "high"], of: str) -> float:
    """What they save together of the appliances' energy, cost or CO2."""
    saved = 0.0
    for ref in sorted({one.appliance for one in counted if one.appliance}):
        shares = [_number(facts, f"{one.id}.own_share_{bound}") or 0.0 for one in counted if one.appliance == ref]
        saved += combined(shares) * (_number(facts, f"{ref}.{of}") or 0.0)
    return saved


def _applying(facts: Collector, rules: list[Rule], ref: str) -> list[tuple[Rule, list[str]]]:
    def value(metric: str) -> float | None:
        return _number(facts, _fact_of(metric, ref))

    chosen: dict[str, tuple[Rule, list[str]]] = {}
    for rule in sorted(rules, key=lambda rule: _EVIDENCE_ORDER.index(rule.evidence)):
        reasons = rule.trigger.reasons(value)
        if reasons and rule.group not in chosen:
            chosen[rule.group] = (rule, reasons)
    return list(chosen.values())


def _fact_of(metric: str, ref: str) -> str:
    """A metric is one of the thing that a rule is about; with a dot it is a fact by its own name."""
    return metric if "." in metric else f"{ref}.{metric}"


def _rank(facts: Collector, rule: Rule, ref: str | None) -> tuple[float, int, float]:
    own_kwh = _number(facts, f"{ref}.kwh") or 0.0
    high = _own_shares(facts, rule, ref)[1] * own_kwh if rule.saving else 0.0
    return -high, _KIND_ORDER.index(rule.kind), -own_kwh


def _own_shares(facts: Collector, rule: Rule, ref: str | None) -> tuple[float, float]:
    saving = rule.saving
    if saving is None or saving.of == "dearer_kwh":
        return 0.0, 0.0
    part = 1.0 if saving.of == "own_kwh" else (_number(facts, f"{ref}.base_share") or 0.0)
    return saving.low * part, saving.high * part


def _recommendation(facts: Collector, number: str, rule: Rule, ref: str | None, reasons: list[str]) -> Recommendation:
    facts.add(f"{number}.title", rule.title, "word", _SOURCE)
    facts.add(f"{number}.source", rule.source, "word", _SOURCE)
    if rule.condition:
        facts.add(f"{number}.condition", rule.condition, "word", _SOURCE)
    if rule.saving and ref:
        _add_saving(facts, number, rule, ref)
    return Recommendation(
        id=number,
        rule=rule.id,
        appliance=ref,
        kind=rule.kind,
        quantified=rule.saving is not None and (f"{number}.save_low" in facts.facts or _saves_money(facts, number)),
        conditional=rule.condition is not None,
        because=[_fact_of(metric, ref or "site") for metric in dict.fromkeys(reasons)],
        url=rule.url,
    )


def _add_saving(facts: Collector, number: str, rule: Rule, ref: str) -> None:
    """What it saves: energy and its share of the total, and what that costs and emits; or, of a run at other hours,
    money alone.
    """
    if rule.saving and rule.saving.of == "dearer_kwh":
        for bound, share in (("low", rule.saving.low), ("high", rule.saving.high)):
            _add_money(facts, f"{number}.save_cost_{bound}", share, f"{ref}.shift_cost")
        return
    own_kwh, site_kwh = _number(facts, f"{ref}.kwh") or 0.0, _number(facts, "site.total_kwh") or 0.0
    for bound, share in zip(("low", "high"), _own_shares(facts, rule, ref), strict=True):
        facts.share(f"{number}.own_share_{bound}", share, _SOURCE)
        facts.kwh(f"{number}.save_{bound}", share * own_kwh, f"{_SOURCE} x {ref}.kwh")
        facts.share(f"{number}.site_share_{bound}", share * own_kwh / site_kwh if site_kwh else None, _SOURCE)
        _add_money(facts, f"{number}.save_cost_{bound}", share, f"{ref}.cost")
        _add_money(facts, f"{number}.save_co2_{bound}", share, f"{ref}.co2_kg")


def _add_money(facts: Collector, fact: str, share: float, of: str) -> None:
    """A share of an amount, of money or of CO2, in the same unit; nothing where that is not known."""
    whole = facts.facts.get(of)
    if whole and isinstance(whole.value, int | float):
        facts.add(fact, round(share * whole.value, 6), whole.unit, f"{_SOURCE} x {of}", whole.dp)


def _saves_money(facts: Collector, number: str) -> bool:
    return bool(_number(facts, f"{number}.save_cost_high"))


def _number(facts: Collector, fact: str) -> float | None:
    known = facts.facts.get(fact)
    return float(known.value) if known and isinstance(known.value, int | float) else None
