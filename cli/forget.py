"""`energy forget`: everything of a site deleted, in all its versions."""

import collections
import datetime as dt
import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import daily, pipelines, sources
from cli import stack as stacks
from cli.output import Answer, fail, print_table, safe, write_text
from energy import lake as layout

if TYPE_CHECKING:
    from rich.console import Console

    from cli.pipelines import Pipeline

RECORDS_PREFIX = "forgotten/"
_QUERY_RESULTS_PREFIX = "athena-results/"
# What S3 and Glue delete at most in a call.
_S3_BATCH, _GLUE_BATCH = 1000, 25
# Events tell of deletions; their executions find nothing to do, but one that began before may have written meanwhile.
_MOST_ROUNDS = 10
# S3 tells of most deletions within so long; whatever comes later finds nothing to do.
_EVENT_SECONDS = 5.0
NOT_DELETED = (
    "executions in Step Functions' history and in X-Ray (names of files, counts; 90 and 30 days)",
    "arguments of the Glue job's runs (names of files; 90 days)",
    "log lines (names of files, counts; LogRetentionDays), the access log of the bucket where there is one",
    "messages that were sent, and those that wait in a dead-letter queue (14 days)",
    "files that config/SITE.yaml names, which other sites may share",
    "copies that people have made",
)


@dataclass(frozen=True)
class Found:
    """What there is of a site: versions of objects and delete markers by area, unfinished uploads, partitions by table.

    `query_results` are everybody's: whose rows they hold cannot be told.
    """

    versions: list[dict[str, Any]]
    query_results: list[dict[str, Any]]
    unfinished: list[tuple[str, str]]
    partitions: dict[str, list[list[str]]]
    executions: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """Whether no trace is left."""
        return not (self.versions or self.unfinished or self.partitions)

    def counts(self) -> dict[str, int]:
        """How many, by area."""
        areas = collections.Counter(str(each["Key"]).split("/", 1)[0] + "/" for each in self.versions)
        told = dict(sorted(areas.items()))
        told |= {_QUERY_RESULTS_PREFIX: len(self.query_results)} if self.query_results else {}
        told |= {"unfinished uploads": len(self.unfinished)} if self.unfinished else {}
        told |= {f"partitions of {table}": len(found) for table, found in sorted(self.partitions.items())}
        return told


def forget(  # noqa: PLR0913, PLR0917 - options of the command
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site whose data is deleted.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete it. Without this, only say what would be.")] = False,
    reference: Annotated[
        str,
        typer.Option(metavar="TEXT", help="What ties the record to the request, such as a ticket's number."),
    ] = "",
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was deleted as JSON.")] = False,
) -> None:
    """Delete everything of a site for good: uploads, configuration, results, reports, in all versions, and partitions.

    Nothing brings it back. A record below forgotten/ says when, by whom and how much, and nothing of whose it was; what
    cannot be deleted so is said. Exit 1 if something of it is left, or there is nothing.
    """
    from rich.console import Console

    console = Console(stderr=as_json)
    daily.check_lake(lake, stack)
    with stacks.refused(), pipelines.opened(lake, stack, None, console) as pipeline:
        found = everything(pipeline, site)
        if found.nothing and not found.executions:
            fail(f"There is nothing of a site {site}.")
        if found.executions and yes:
            fail(
                f"Executions of the site are running ({', '.join(found.executions[:3])}): what they write would stay. "
                "Wait for their end, or stop them, and try again."
            )
        record: dict[str, Any] | None = None
        left = None
        if yes:
            left = delete(pipeline, site, found)
            record = _record(pipeline, found, reference, complete=left.nothing)
        if not as_json:
            _show(site, found, left, pipeline, console)
    if as_json:
        document = {
            "site": site,
            "deleted": yes,
            "counts": found.counts(),
            "left": left.counts() if left else None,
            "record": record,
            "not_deleted": NOT_DELETED,
        }
        write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if left is not None and not left.nothing:
        raise typer.Exit(1)


def everything(pipeline: "Pipeline", site: str) -> Found:
    """All that there is of a site now."""
    s3 = pipeline.client("s3")
    versions, query_results = [], []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=pipeline.bucket):
        for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            answers = each["Key"].startswith(layout.CRUNCHED_PREFIX)
            if _is_of_site(each["Key"], site) or (answers and _answers(pipeline, each) == site):
                versions.append(each)
            elif each["Key"].startswith(_QUERY_RESULTS_PREFIX):
                query_results.append(each)
    return Found(
        versions=versions,
        query_results=query_results,
        unfinished=_unfinished(pipeline, site),
        partitions=dict(_partitions(pipeline, site)),
        executions=_running(pipeline, site),
    )


def delete(pipeline: "Pipeline", site: str, found: Found, query_results: bool = True) -> Found:
    """Deletes all of it, until a look finds nothing; what is left then, if anything.

    The manifest goes first: without it an execution that an event of a deletion starts has nothing to take back. What
    an execution has written all the same is found by the next look, once it has ended.
    """
    _delete_versions(pipeline, [each for each in found.versions if each["Key"] == layout.manifest_key(site)])
    if query_results:
        _delete_versions(pipeline, found.query_results)
    left = found
    for round_ in range(_MOST_ROUNDS):
        _abort(pipeline, left.unfinished)
        # Oldest first: a version that comes to light would be an upload again.
        ordered = sorted(left.versions, key=lambda each: (each["IsLatest"], each["LastModified"]))
        _delete_versions(pipeline, ordered)
        _delete_partitions(pipeline, left.partitions)
        if pipeline.folder is None and round_ == 0:
            time.sleep(_EVENT_SECONDS)
        while _running(pipeline, site):
            time.sleep(pipeline.poll_seconds)
        left = everything(pipeline, site)
        if left.nothing:
            break
    if pipeline.folder is not None:
        pipeline.save()
        pipeline.folder.forget_executions(lambda each: layout.site_of_key(each.key) == site)
    return left


def _is_of_site(key: str, site: str) -> bool:
    """Whether an object is of that site alone."""
    if key.startswith(layout.RAW_PREFIX):
        return layout.site_of_key(key) == site
    if key in {layout.manifest_key(site), layout.site_config_key(site)}:
        return True
    return re.search(rf"/site={re.escape(site)}/", key) is not None


def _answers(pipeline: "Pipeline", version: dict[str, Any]) -> str | None:
    """The site of which a job has answered an execution; None where the answer was deleted."""
    if "Size" not in version:
        return None
    named = {"Bucket": pipeline.bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
    return str(json.loads(pipeline.client("s3").get_object(**named)["Body"].read())["site"])


def _unfinished(pipeline: "Pipeline", site: str) -> list[tuple[str, str]]:
    """Uploads in several parts that were never completed."""
    pages = pipeline.client("s3").get_paginator("list_multipart_uploads").paginate(Bucket=pipeline.bucket)
    return [
        (each["Key"], each["UploadId"])
        for page in pages
        for each in page.get("Uploads", [])
        if _is_of_site(each["Key"], site)
    ]


def _partitions(pipeline: "Pipeline", site: str) -> Iterator[tuple[str, list[list[str]]]]:
    glue = pipeline.client("glue")
    for page in glue.get_paginator("get_tables").paginate(DatabaseName=pipeline.database):
        for table in page["TableList"]:
            if "site" not in [key["Name"] for key in table.get("PartitionKeys", [])]:
                continue
            place = [key["Name"] for key in table["PartitionKeys"]].index("site")
            pages = glue.get_paginator("get_partitions").paginate(
                DatabaseName=pipeline.database, TableName=table["Name"], Expression=f"site = '{site}'"
            )
            found = [one["Values"] for each in pages for one in each["Partitions"] if one["Values"][place] == site]
            if found:
                yield table["Name"], found


def _running(pipeline: "Pipeline", site: str) -> list[str]:
    """The executions of the site that run."""
    running = (pipeline.execution(name, with_states=False) for name, _ in pipeline.executions(pipelines.RUNNING))
    return [each.name for each in running if each and each.key and layout.site_of_key(each.key) == site]


def _delete_versions(pipeline: "Pipeline", versions: Iterable[dict[str, Any]]) -> None:
    for batch in batched(versions, _S3_BATCH, strict=False):
        objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in batch]
        answer = pipeline.client("s3").delete_objects(
            Bucket=pipeline.bucket, Delete={"Objects": objects, "Quiet": True}
        )
        for error in answer.get("Errors", []):
            fail(f"{error['Key']} could not be deleted: {error.get('Code')} {error.get('Message', '')}. Try again.")


def _abort(pipeline: "Pipeline", unfinished: Iterable[tuple[str, str]]) -> None:
    for key, upload_id in unfinished:
        pipeline.client("s3").abort_multipart_upload(Bucket=pipeline.bucket, Key=key, UploadId=upload_id)


def _delete_partitions(pipeline: "Pipeline", partitions: dict[str, list[list[str]]]) -> None:
    for table, values in partitions.items():
        for batch in batched(values, _GLUE_BATCH, strict=False):
            pipeline.client("glue").batch_delete_partition(
                DatabaseName=pipeline.database,
                TableName=table,
                PartitionsToDelete=[{"Values": each} for each in batch],
            )


def _record(pipeline: "Pipeline", found: Found, reference: str, complete: bool) -> dict[str, Any]:
    """What is kept of it, written; the names of the site, of its files and of its appliances are not in it."""
    import energy

    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    record = {
        "format": 1,
        "at": now.isoformat(),
        "by": pipeline.client("sts").get_caller_identity()["Arn"],
        "reference": reference,
        "complete": complete,
        "deleted": found.counts(),
        "code_version": energy.__version__,
    }
    content = json.dumps(record, indent=1, ensure_ascii=False).encode()
    key = f"{RECORDS_PREFIX}{now:%Y-%m-%dT%H%M%SZ}-{hashlib.sha256(content).hexdigest()[:8]}.json"
    pipeline.client("s3").put_object(
        Bucket=pipeline.bucket, Key=key, Body=content, ContentType="application/json", IfNoneMatch="*"
    )
    return {"key": key, **record}


def _show(site: str, found: Found, left: Found | None, pipeline: "Pipeline", console: "Console") -> None:
    from rich.text import Text

    print_table(Answer(["where", "how many"], list(found.counts().items())), console)
    if left is None:
        command = f"energy forget {site} {pipeline.option} --yes"
        console.print(Text(f"Nothing was deleted. To delete it for good: {safe(command)}"), soft_wrap=True)
    elif left.nothing:
        console.print(Text(f"Deleted: nothing of the site {site} is left."), soft_wrap=True)
    else:
        console.print(Text(f"Still there: {left.counts()}. Run the command again.", style="red"), soft_wrap=True)
    console.print("Not deleted so:", style="dim")
    for each in NOT_DELETED:
        console.print(Text(f"• {each}", style="dim"), soft_wrap=True)
