"""The report of a publication: facts first, then text that cites them, then HTML, Markdown and JSON."""

import hashlib

from energy import lake, recipes, store
from energy.contracts import GenerateReportInput, ReportResult
from energy.documents import AnomalySummary, CostsSummary, ForecastSummary, ReadingsSummary
from energy.report import document, headlines, render, rules, writers
from energy.report.facts import FactSheet
from energy.report.money_facts import Money
from energy.report.narrative import Narrative, Narrator, NotGrounded, checked, without_refused
from energy.report.sheet import fact_sheet


def publish(request: GenerateReportInput, write_text: Narrator | None = None) -> ReportResult:
    """Reads what the earlier steps found, writes the report in its three forms, and says where."""
    readings = ReadingsSummary.model_validate_json(store.read(request.publication.summary_key))
    anomalies = AnomalySummary.model_validate_json(store.read(request.anomalies.summary_key))
    result = request.forecast.result
    forecast = ForecastSummary.model_validate_json(store.read(result.summary_key)) if result else None

    snapshot = recipes.publication_config(request.publication)
    key = request.publication.costs_key
    money = Money(CostsSummary.model_validate_json(store.read(key)) if key else None, snapshot)
    sheet = fact_sheet(request, readings, anomalies, forecast, snapshot.config.language or "en", money)
    write = write_text or writers.narrator(request.publication)
    narrative = _borne(write(sheet), sheet)
    forms = {
        "html": (render.html(sheet, narrative), "text/html; charset=utf-8"),
        "md": (render.markdown(sheet, narrative), "text/markdown; charset=utf-8"),
        "json": (document.json_document(sheet, narrative), "application/json"),
    }
    digest = hashlib.sha256(forms["json"][0]).hexdigest()[:12]
    keys = {
        extension: lake.report_key(request.publication.site, request.publication.pub, digest, extension)
        for extension in forms
    }
    for extension, (content, content_type) in forms.items():
        store.put_once(keys[extension], content, content_type)
    return ReportResult(
        html_key=keys["html"],
        markdown_key=keys["md"],
        json_key=keys["json"],
        provider=narrative.provider,
        message=headlines.plain_message(sheet, narrative),
        attempts=[one.told() for one in narrative.origin.attempts],
        tokens=narrative.origin.tokens,
        cost_usd=narrative.origin.cost_usd,
    )


def _borne(narrative: Narrative, sheet: FactSheet) -> Narrative:
    """The narrative where all of it stands on the facts. What does not of the rules' own is left out, and logged."""
    try:
        return checked(narrative, sheet)
    except NotGrounded as refused:
        if narrative.provider != rules.PROVIDER:
            raise
        from energy.observability import logger  # reads the environment of a function

        logger.error("Sentences of the rules were left out", problems=[str(one) for one in refused.problems])
        return without_refused(narrative, sheet)
