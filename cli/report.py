"""`energy report`: a site's published report, shown, printed, or told in another language."""

import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import sources
from cli import stack as stacks
from cli.output import fail, write_text
from energy import lake as layout
from energy.languages import LANGUAGES, LanguageCode
from energy.manifest import Manifest, ReportLocation

if TYPE_CHECKING:
    from local.lake_folder import LakeFolder

Read = Callable[[str], bytes]


class Form(StrEnum):
    """How a report is written."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


# What --lang takes.
Speech = StrEnum("Speech", {code.upper(): code for code in LANGUAGES})  # type: ignore[misc]


def report(  # noqa: PLR0913, PLR0917 - each is an option of the command
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site to report on.")] = layout.DEFAULT_SITE,
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="Print the report itself, in this form.", show_default=False)
    ] = None,
    lang: Annotated[
        Speech | None,
        typer.Option(help="Tell it in this language; from the published facts, by rules.", show_default=False),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Show where a site's report is, open it, or print it.

    It is the report that was published. In another language than that it is written anew from the facts that were
    published with it: nothing is computed again.
    """
    sources.check_one_place(lake, stack)
    if form and show:
        fail("Give --open or --format, not both.", code=2)
    name = layout.site_name(site)
    if stack is not None:
        _from_stack(stack, name, form, lang, show)
    else:
        _from_lake(sources.open_folder(lake or sources.DEFAULT_LAKE), name, form, lang, show)


def _from_lake(folder: "LakeFolder", site: str, form: Form | None, lang: str | None, show: bool) -> None:
    from cli.summary import report_path

    def read(key: str) -> bytes:
        return folder.path_of(key).read_bytes()

    found = _published(site, lambda: read(layout.manifest_key(site)), KeyError)
    if form or _in_another_language(read, found, lang):
        _tell(read, found, site, form, lang, show)
        return
    path = report_path(folder, site, found.html_key)
    typer.echo(str(path))
    if show:
        _browse(path)


def _from_stack(stack: str, site: str, form: Form | None, lang: str | None, show: bool) -> None:
    import boto3

    (bucket,) = stacks.output(stack, "BucketName")
    s3 = boto3.client("s3")

    def read(key: str) -> bytes:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    with stacks.refused():
        found = _published(site, lambda: read(layout.manifest_key(site)), s3.exceptions.NoSuchKey)
        if form or show or _in_another_language(read, found, lang):
            _tell(read, found, site, form, lang, show)
        else:
            typer.echo(f"s3://{bucket}/{found.html_key}")


def _published(site: str, manifest: Callable[[], bytes], missing: type[Exception]) -> ReportLocation:
    """Where the published report is; ends the command where there is none."""
    try:
        found = Manifest.model_validate_json(manifest()).report
    except missing:
        fail(f"Nothing is published for the site {site}.")
    if found is None:
        fail(f"The numbers of the site {site} are published without a report; the execution says why.")
    return found


def _in_another_language(read: Read, found: ReportLocation, lang: str | None) -> bool:
    import json

    return lang is not None and json.loads(read(found.json_key))["language"] != lang


def _tell(  # noqa: PLR0913, PLR0917 - what the command was asked for
    read: Read, found: ReportLocation, site: str, form: Form | None, lang: str | None, show: bool
) -> None:
    """Prints the report in its form, or writes it to a file that can be opened."""
    wanted = form or Form.HTML
    if _in_another_language(read, found, lang):
        content = _told_anew(read(found.json_key), wanted, str(lang))  # type: ignore[arg-type]
    else:
        keys = {Form.HTML: found.html_key, Form.MARKDOWN: found.markdown_key, Form.JSON: found.json_key}
        content = read(keys[wanted])
    if form:
        write_text(content.decode())
        return
    path = Path(tempfile.mkdtemp(prefix="energy-")) / f"{site}-report.html"
    path.write_bytes(content)
    typer.echo(str(path))
    if show:
        _browse(path)


def _told_anew(published: bytes, form: Form, lang: LanguageCode) -> bytes:
    """The published facts in another language."""
    from energy.report import document, render, rules

    sheet = document.restored(published, lang)
    narrative = rules.write_text(sheet)
    match form:
        case Form.MARKDOWN:
            return render.markdown(sheet, narrative)
        case Form.JSON:
            return document.json_document(sheet, narrative)
    return render.html(sheet, narrative)


def _browse(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        fail("No browser could be opened; open the file yourself.")
