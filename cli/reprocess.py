"""`energy reprocess`: everything of a site made anew from its uploads, as its configuration and the code are now."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import checks, daily, pipelines, sources
from cli import stack as stacks
from cli.output import fail, safe, write_text
from energy import lake as layout

if TYPE_CHECKING:
    from rich.console import Console

    from cli.pipelines import Pipeline
    from energy.manifest import Manifest

SOURCE = "energy.reprocess"


@dataclass(frozen=True)
class _Upload:
    """The current version of a key under raw/, and the execution that goes through it."""

    key: str
    execution: str
    event: dict[str, Any]


def reprocess(  # noqa: PLR0913, PLR0917 - options of the command
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site whose uploads are read again.")],
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be started, and start nothing.")] = False,
    wait: Annotated[bool, typer.Option(help="Follow every execution to its end.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was started and how it ended as JSON.")] = False,
) -> None:
    """Make everything of a site anew from what lies under raw/: after its configuration or the code has changed.

    What is published stays until what takes its place is complete. Each upload has one execution, whose name says what
    it is for: the same command again while they run starts nothing twice. Exit 1 if one did not succeed.
    """
    from rich.console import Console

    console = Console(stderr=as_json)
    folder = daily.check_lake(lake, stack)
    manifest = None
    if stack is None:
        manifest = checks.published(sources.open_folder(folder), site)
    zone = manifest.timezone if manifest else None
    with stacks.refused(), pipelines.opened(lake, stack, zone, console) as pipeline:
        uploads = _uploads(pipeline, site)
        if not uploads:
            fail(f"Nothing under raw/ belongs to the site {site}.")
        if dry_run:
            started, before = uploads, []
        else:
            started = [one for one in uploads if pipeline.start(one.execution, one.event)]
            before = [one for one in uploads if one not in started]
        if not as_json:
            _show(started, before, dry_run, console)
        ended = _followed(pipeline, started + before, console) if wait and not dry_run else {}
    if as_json:
        document = {
            "site": site,
            "dry_run": dry_run,
            "started": {one.key: one.execution for one in started},
            "started_before": {one.key: one.execution for one in before},
            "ended": ended,
        }
        write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if set(ended.values()) - {"SUCCEEDED"}:
        raise typer.Exit(1)


def _uploads(pipeline: "Pipeline", site: str) -> list[_Upload]:
    """The site's current uploads, by key."""
    manifest, config_etag = _manifest(pipeline, site), _config_etag(pipeline, site)
    pages = (
        pipeline.client("s3")
        .get_paginator("list_object_versions")
        .paginate(Bucket=pipeline.bucket, Prefix=layout.RAW_PREFIX)
    )
    current = [found for page in pages for found in page.get("Versions", []) if found["IsLatest"]]
    return [
        _upload(pipeline.bucket, found, manifest, config_etag)
        for found in sorted(current, key=lambda found: str(found["Key"]))
        if layout.site_of_key(found["Key"]) == site and not layout.is_passed_over(found["Key"])
    ]


def _upload(bucket: str, found: dict[str, Any], manifest: "Manifest | None", config_etag: str) -> _Upload:
    """An upload told of again, as the manifest knows it: neither its time nor its place among its versions changes."""
    import energy

    key, etag = found["Key"], found["ETag"].strip('"')
    version_id = None if found["VersionId"] == "null" else found["VersionId"]
    version = version_id or etag
    held = manifest.uploads.get(key) if manifest else None
    known = held.upload if held and held.upload.version == version else None
    again = 1 + (known.reprocessed if known else 0)
    told_at = known.told_at if known else found["LastModified"]
    described = {"key": key, "size": found["Size"], "etag": etag}
    described |= {"version-id": version_id} if version_id else {}
    described |= {"sequencer": known.sequencer} if known and known.sequencer else {}
    # A version that was never published, because it was refused, may be tried after each change of its configuration.
    instead = known.change_id if known else "nothing"
    named = f"{bucket}/{key}@{version} in place of {instead} with {config_etag} by {energy.__version__}"
    return _Upload(
        key=key,
        execution=f"reprocess-{hashlib.sha256(named.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}",
        event={
            "version": "0",
            "detail-type": "Object Created",
            "source": SOURCE,
            "time": told_at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"),
            "detail": {"bucket": {"name": bucket}, "object": described, "reprocess": again},
        },
    )


def _manifest(pipeline: "Pipeline", site: str) -> "Manifest | None":
    from botocore.exceptions import ClientError

    from energy.manifest import Manifest

    try:
        answer = pipeline.client("s3").get_object(Bucket=pipeline.bucket, Key=layout.manifest_key(site))
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "404"}:
            raise
        return None
    return Manifest.model_validate_json(answer["Body"].read())


def _config_etag(pipeline: "Pipeline", site: str) -> str:
    """Which configuration it is; ends the command where it cannot be used, once instead of in every execution."""
    from botocore.exceptions import ClientError

    from energy import site_config
    from energy.errors import SiteConfigInvalid

    key = layout.site_config_key(site)
    try:
        answer = pipeline.client("s3").get_object(Bucket=pipeline.bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "404"}:
            raise
        return ""
    try:
        site_config.read(answer["Body"].read(site_config.MAX_BYTES + 1), key)
    except SiteConfigInvalid as error:
        fail(str(error))
    return str(answer["ETag"]).strip('"')


def _followed(pipeline: "Pipeline", uploads: list[_Upload], console: "Console") -> dict[str, str]:
    """Shows the executions until all have ended; how each did, by its name."""
    from rich.text import Text

    from cli import progress

    ended = {}
    for one in uploads:
        console.print(Text.assemble("\n", (safe(one.key), "bold")), soft_wrap=True)
        progress.show(pipeline.follow(one.execution), console)
        done = pipeline.ended(one.execution)
        ended[one.execution] = done.status
        if done.why:
            console.print(Text(safe(done.why), style="red"), soft_wrap=True)
    return ended


def _show(started: list[_Upload], before: list[_Upload], dry_run: bool, console: "Console") -> None:
    from rich.text import Text

    verb = "would be started" if dry_run else "started"
    for status, uploads in ((verb, started), ("started before", before)):
        for one in uploads:
            console.print(Text.assemble("• ", (safe(one.key), "bold"), f"  {status}"), soft_wrap=True)
            console.print(Text(f"  execution {one.execution}", style="dim"), soft_wrap=True)
