"""Every English message of the report: from its modules, its templates and its rules of advice."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "layers" / "core" / "energy" / "report"
# Where a call holds a message: the place of an argument, or its name.
_HOLDERS: dict[str, tuple[int | str, ...]] = {
    "message": (0,),
    "say": (0,),
    "plural": (0, 1),
    "Column": ("title",),
    "Table": ("title",),
    "_energy": (0,),
}
_RULE_TEXTS = ("title", "condition", "source")

Message = str | tuple[str, str]


def messages() -> dict[Message, set[str]]:
    """The messages, each with the files that say it; a plural is a pair."""
    found: dict[Message, set[str]] = {}
    for path in sorted(REPORT.rglob("*.py")):
        for one in in_python(path.read_text()):
            found.setdefault(one, set()).add(path.relative_to(REPORT).as_posix())
    for path in sorted(REPORT.rglob("*.j2")):
        for one in in_template(path):
            found.setdefault(one, set()).add(path.relative_to(REPORT).as_posix())
    for one in in_rules(json.loads((REPORT / "advice_rules.json").read_text())):
        found.setdefault(one, set()).add("advice_rules.json")
    return found


def catalogue(locale: str | None = None) -> Catalog:
    """All messages, without a translation."""
    empty = Catalog(locale=locale, project="energy", charset="utf-8", fuzzy=False)
    for one, places in sorted(messages().items(), key=lambda item: (sorted(item[1]), str(item[0]))):
        empty.add(one, locations=[(place, 0) for place in sorted(places)])
    return empty


def in_python(source: str) -> Iterator[Message]:
    """Messages in a module; ValueError where a sentence is put together before it is translated."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        given: dict[int | str, ast.expr] = dict(enumerate(node.args)) | {
            one.arg: one.value for one in node.keywords if one.arg
        }
        held = [_literal(given[place]) for place in _HOLDERS.get(name, ()) if place in given]
        if len(held) == 2 and held[0] and held[1]:
            yield held[0], held[1]
        elif len(held) == 1 and held[0]:
            yield held[0]


def in_template(path: Path) -> Iterator[Message]:
    """Messages in a template."""
    keywords = {"say": None, "plural": (1, 2)}
    with path.open("rb") as lines:
        for _, message, *_ in extract(
            "jinja2.ext:babel_extract", lines, keywords=keywords, options={"trimmed": "true"}
        ):
            yield message


def in_rules(book: dict[str, list[dict[str, str | None]]]) -> Iterator[Message]:
    """What rules of advice say."""
    for rule in book["rules"]:
        for text in _RULE_TEXTS:
            if said := rule.get(text):
                yield said


def _literal(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr | ast.BinOp | ast.IfExp):
        raise ValueError(f"line {node.lineno}: a message must be one literal, so that it can be translated")
    return None
