"""The text by rules: always there, needs no network, and what every other writer falls back to."""

from energy.report import auditor, insights
from energy.report.facts import FactSheet
from energy.report.language import message
from energy.report.narrative import Narrative

PROVIDER = message("rules")


def write_text(sheet: FactSheet) -> Narrative:
    """The whole narrative of a fact sheet."""
    return Narrative(
        provider=PROVIDER,
        summary=insights.summary(sheet),
        quality=insights.quality(sheet),
        behaviour=insights.behaviour(sheet),
        peak=insights.peak(sheet),
        unusual=insights.unusual(sheet),
        forecast=insights.forecast(sheet),
        actions=insights.actions(sheet),
        saving=insights.saving(sheet),
        findings=auditor.findings(sheet),
        potential=auditor.potential(sheet),
    )
