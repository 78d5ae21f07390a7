"""The functions that run once a day on AWS, called now: in a lake folder, or in a deployed stack."""

import json
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cli import sources
from cli import stack as stacks
from cli.output import fail

if TYPE_CHECKING:
    from rich.console import Console

    from local import LocalAws

# Lambda's limit is 900 s; an answer that comes later never will.
_ANSWER_SECONDS = 910


def check_lake(lake: Path | None, stack: str | None) -> Path:
    """The lake folder that is meant; ends the command if there is none, or a stack is named as well."""
    from local.lake_folder import LakeFolder

    sources.check_one_place(lake, stack)
    folder = lake or sources.DEFAULT_LAKE
    if stack is None and not LakeFolder(folder).exists():
        fail(f"There is no lake in {folder}. Name another one with --lake, or a deployed stack with --stack.", code=2)
    return folder


def open_lake(context: ExitStack, lake: Path, timezone: str | None, console: "Console") -> "LocalAws":
    """The local AWS on that folder, until `context` ends."""
    from cli import progress
    from local.lake_folder import LakeDamaged, LakeInUse

    with progress.waiting(console, "Starting the local AWS"):
        from local import LocalAws
        from local.glue_jobs import parameters_without_spark

        parameters = parameters_without_spark() | ({"SiteTimezone": timezone} if timezone else {})
        try:
            return context.enter_context(LocalAws(lake=lake, parameters=parameters, warm=False))
        except (LakeDamaged, LakeInUse) as error:
            fail(f"{error}.")


def zone_of_lake(lake: Path, sites: Sequence[str] | None = None) -> str | None:
    """The time zone that all sites of the lake, or these, are published in; None where nothing is published.

    Ends the command where there are several.
    """
    import pydantic

    from energy import lake as layout
    from energy.manifest import Manifest
    from local.lake_folder import LakeFolder

    zones = set()
    for stored, path in LakeFolder(lake).objects():
        meant = not sites or stored.key in {layout.manifest_key(site) for site in sites}
        if stored.key.startswith(layout.MANIFESTS_PREFIX) and meant:
            # The function reports a manifest that cannot be read.
            with suppress(pydantic.ValidationError):
                zones.add(Manifest.model_validate_json(path.read_bytes()).timezone)
    if len(zones) > 1:
        fail(f"The sites of {lake} are published in {', '.join(sorted(zones))}. Name one with --timezone.", code=2)
    return next(iter(zones), None)


def invoke_locally(aws: "LocalAws", verb: str, event: dict[str, Any]) -> dict[str, Any]:
    """What the function answers; ends the command if it failed."""
    result = aws.invoke(verb, event)
    if result.error_type is not None:
        _failed(result.payload)
    answer: dict[str, Any] = result.payload
    return answer


def invoke_on_aws(stack: str, output: str, event: dict[str, Any]) -> dict[str, Any]:
    """What the function answers whose name is that output of the stack; ends the command if it failed."""
    import boto3
    from botocore.config import Config

    # Called once: it goes on working where its answer does not come.
    once = Config(read_timeout=_ANSWER_SECONDS, retries={"total_max_attempts": 1})
    (name,) = stacks.output(stack, output)
    with stacks.refused():
        function = boto3.client("lambda", config=once)
        answer: Any = function.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        _failed(payload)
    return payload


def _failed(payload: dict[str, Any]) -> NoReturn:
    fail(f"{payload.get('errorType', 'The function failed')}: {payload.get('errorMessage', '')}")
