"""The report of a publication: facts first, then text that cites them, then HTML, Markdown and JSON."""

from energy import lake, store
from energy.contracts import GenerateReportInput, ReportResult
from energy.documents import AnomalySummary, ForecastSummary, ReadingsSummary
from energy.report import render, rules
from energy.report.narrative import Narrator, checked
from energy.report.sheet import fact_sheet


def publish(request: GenerateReportInput, write_text: Narrator = rules.write_text) -> ReportResult:
    """Reads what the earlier steps found, writes the report in its three forms, and says where."""
    readings = ReadingsSummary.model_validate_json(store.read(request.publication.summary_key))
    anomalies = AnomalySummary.model_validate_json(store.read(request.anomalies.summary_key))
    result = request.forecast.result
    forecast = ForecastSummary.model_validate_json(store.read(result.summary_key)) if result else None

    sheet = fact_sheet(request, readings, anomalies, forecast)
    narrative = checked(write_text(sheet), sheet)
    keys = {
        extension: lake.report_key(request.publication.site, request.publication.pub, extension)
        for extension in ("html", "md", "json")
    }
    store.put_once(keys["html"], render.html(sheet, narrative), "text/html; charset=utf-8")
    store.put_once(keys["md"], render.markdown(sheet, narrative), "text/markdown; charset=utf-8")
    store.put_once(keys["json"], render.json_document(sheet, narrative), "application/json")
    return ReportResult(
        html_key=keys["html"], markdown_key=keys["md"], json_key=keys["json"], provider=narrative.provider
    )
