"""`make messages`: puts what the report can say into its catalogues, beside the translations that are there."""

import sys

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from energy.report.language import CATALOGUES, LANGUAGES
from translations.extraction import catalogue

SOURCE = "en"
# Dates would make the file differ from run to run, and nobody is named in it.
_LEFT_OUT = (
    '"POT-Creation-Date: ',
    '"PO-Revision-Date: ',
    '"Project-Id-Version: ',
    '"Report-Msgid-Bugs-To: ',
    '"Last-Translator: ',
    '"Language-Team: ',
    '"Generated-By: ',
    "#, python-format",
)


def main() -> int:
    """0 where every message is translated, else 1."""
    missing = 0
    for language in LANGUAGES:
        if language != SOURCE:
            untranslated = update(language)
            print(f"{language}: {len(untranslated)} without a translation")
            for one in untranslated:
                print(f"  {one if isinstance(one, str) else one[0]}")
            missing += len(untranslated)
    return 1 if missing else 0


def update(language: str) -> list[str | tuple[str, str]]:
    """Rewrites one catalogue; the messages that nobody has translated yet."""
    path = CATALOGUES / language / "LC_MESSAGES" / "report.po"
    known = Catalog(locale=language)
    if path.exists():
        with path.open("rb") as lines:
            known = read_po(lines, locale=language)
    now = catalogue(language)
    now.header_comment = "# What the report says. `make messages` keeps it up to date; translations are written here."
    for one in now:
        if one.id and (before := known.get(one.id[0] if one.pluralizable else one.id)):
            one.string = before.string
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as lines:
        write_po(lines, now, width=120, omit_header=False, include_lineno=False)
    kept = [line for line in path.read_text().splitlines(keepends=True) if not line.startswith(_LEFT_OUT)]
    path.write_text("".join(kept))
    return [one.id for one in now if one.id and not all(_strings(one.string))]


def _strings(string: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return string if isinstance(string, tuple) else (string or "",)


if __name__ == "__main__":
    sys.exit(main())
