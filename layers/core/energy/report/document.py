"""The report as one JSON document: everything that it says, and all that it takes to say it in another language."""

import json
from typing import Any

from energy.languages import LanguageCode
from energy.report.facts import FactSheet
from energy.report.language import message
from energy.report.narrative import Narrative

FORMAT = 2
PROVENANCE_FACTS = (
    ("run.upload", message("Upload")),
    ("run.version", message("Version")),
    ("run.change", message("What became of it")),
    ("run.uploaded", message("When")),
    ("run.id", message("Run")),
    ("run.publication", message("Publication")),
    ("run.code_version", message("Code version")),
    ("F.method", message("Forecast by")),
    ("F.reason", message("Why by these models")),
)


def json_document(sheet: FactSheet, narrative: Narrative) -> bytes:
    """Facts, tables and texts. Values and units are in no language, the titles of tables in English; the `text` of a
    fact and the texts as read are in the report's; `written` has those with their placeholders.
    """
    written = narrative.model_dump(mode="json", exclude={"origin"})
    document = {
        "format": FORMAT,
        "language": sheet.language,
        "provenance": {
            "provider": narrative.provider,
            **narrative.origin.model_dump(mode="json"),
            "tokens": narrative.origin.tokens,
            "cost_usd": narrative.origin.cost_usd,
            **{name: sheet.facts[name].value for name, _ in PROVENANCE_FACTS if name in sheet.facts},
        },
        "text": _filled(written, sheet),
        "written": written,
        **sheet.model_dump(mode="json", exclude={"language", "facts", "tables"}),
        "facts": {
            name: {**fact.model_dump(mode="json", exclude={"id"}), "text": sheet.text(name)}
            for name, fact in sheet.facts.items()
        },
        "tables": {name: table.model_dump(mode="json", exclude={"id"}) for name, table in sheet.tables.items()},
    }
    return (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def restored(content: bytes, language: LanguageCode) -> FactSheet:
    """The fact sheet of a document, to be told in this language; pydantic's ValidationError for another format's."""
    document = json.loads(content)
    facts = {
        name: {"id": name, **{key: value for key, value in fact.items() if key != "text"}}
        for name, fact in document["facts"].items()
    }
    tables = {name: {"id": name, **table} for name, table in document["tables"].items()}
    fields = {name: document[name] for name in FactSheet.model_fields if name in document}
    return FactSheet.model_validate(fields | {"language": language, "facts": facts, "tables": tables})


def _filled(part: Any, sheet: FactSheet) -> Any:
    if isinstance(part, str):
        return sheet.filled(part)
    if isinstance(part, list):
        return [_filled(item, sheet) for item in part]
    if isinstance(part, dict):
        return {name: _filled(item, sheet) for name, item in part.items()}
    return part
