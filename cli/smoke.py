"""`energy smoke`: after a deployment, one site from upload to tables and report, and everything of it deleted again."""

import datetime as dt
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import daily, pipelines, sources
from cli import forget as forgetting
from cli import stack as stacks
from cli.output import safe, write_text
from energy import lake as layout

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

    from cli.pipelines import Pipeline

# The second file holds the days that were forecast after the first: then there is something to judge forecasts by.
_FIRST_DAYS, _NEXT_DAYS = 21, 7
_FIRST_DAY = dt.date(2026, 3, 2)
_SEED = 42
# Without a tariff a site has no costs, and their tables no rows.
_CONFIG = b"tariff: {currency: EUR, price: 0.32, standing_per_month: 12}\n"
_STARTED_SECONDS = 300
_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Check:
    """Something that was looked at. `found` says what there was."""

    what: str
    passed: bool
    found: str


def smoke(
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the site there, to look at.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every check as JSON.")] = False,
) -> None:
    """Upload two files of sample readings to a site of their own, check every table and the report, delete it all.

    For after a deployment. The site's name is made up anew each time. Exit 1 if anything is not as it has to be.
    """
    from rich.console import Console

    console = Console(stderr=as_json)
    folder = daily.check_lake(lake, stack)
    site = f"smoke-{dt.datetime.now(dt.UTC):%Y%m%d%H%M%S}-{secrets.token_hex(3)}"
    checks: list[Check] = []

    def note(check: Check) -> bool:
        checks.append(check)
        if not as_json:
            _show(check, console)
        return check.passed

    with stacks.refused():
        try:
            with pipelines.opened(lake, stack, None, console) as pipeline:
                sample = _sample()
                pipeline.client("s3").put_object(Bucket=pipeline.bucket, Key=layout.site_config_key(site), Body=_CONFIG)
                uploaded = all(note(_through(pipeline, site, name, rows)) for name, rows in _files(sample))
                if uploaded:
                    note(_report(pipeline, site))
                    pipeline.save()
            if uploaded:
                with sources.opened(folder if stack is None else None, stack) as tables:
                    for check in _tables(tables, site, sample):
                        note(check)
        finally:
            # Whatever happened: made-up readings do not stay in tables that people ask.
            if not keep:
                note(_deleted(lake, stack, site, console))
    passed = all(check.passed for check in checks)
    if as_json:
        document = {"site": site, "passed": passed, "checks": [asdict(check) for check in checks]}
        write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    elif keep:
        where = f"--stack {stack}" if stack else f"--lake {folder}"
        console.print(
            f"Left there: the site {site}. Delete it with: energy forget {site} {where} --yes", highlight=False
        )
    if not passed:
        raise typer.Exit(1)


def _deleted(lake: Path | None, stack: str | None, site: str, console: "Console") -> Check:
    with pipelines.opened(lake, stack, None, console) as pipeline:
        left = forgetting.delete(pipeline, site, forgetting.everything(pipeline, site), query_results=False)
    return Check("everything of it is deleted again", left.nothing, str(left.counts() or "nothing is left"))


def _sample() -> "pl.DataFrame":
    from cli import synthetic

    return synthetic.readings(_FIRST_DAY, _FIRST_DAYS + _NEXT_DAYS, _SEED, noise=0.1).drop("is_anomaly")


def _files(sample: "pl.DataFrame") -> "Iterator[tuple[str, pl.DataFrame]]":
    import polars as pl

    turn = dt.datetime.combine(_FIRST_DAY + dt.timedelta(days=_FIRST_DAYS), dt.time())
    yield "first.csv", sample.filter(pl.col("timestamp") < turn)
    yield "next.csv", sample.filter(pl.col("timestamp") >= turn)


def _through(pipeline: "Pipeline", site: str, name: str, rows: "pl.DataFrame") -> Check:
    """Uploads a file and waits for the end of its execution."""
    from cli import synthetic

    key = f"{layout.RAW_PREFIX}{site}/{name}"
    pipeline.client("s3").put_object(Bucket=pipeline.bucket, Key=key, Body=synthetic.to_csv(rows))
    execution = _started(pipeline, key)
    if execution is None:
        return Check(f"{name} starts an execution", False, f"none within {_STARTED_SECONDS} s of the upload")
    done = pipeline.ended(execution)
    found = f"{done.status}, {done.seconds or 0:.1f} s" + (f": {done.why}" if done.why else "")
    return Check(f"{name} goes through the pipeline", done.status == "SUCCEEDED", found)


def _started(pipeline: "Pipeline", key: str) -> str | None:
    """The execution that the upload's event has started."""
    give_up = time.monotonic() + _STARTED_SECONDS
    known: set[str] = set()
    while time.monotonic() < give_up:
        # Whatever has started since is among the newest.
        for name, _ in _first(pipeline.executions(), 50):
            if name in known:
                continue
            found = pipeline.execution(name, with_states=False)
            if found is not None and found.key == key:
                return name
            known.add(name)
        time.sleep(_POLL_SECONDS if pipeline.folder is None else pipeline.poll_seconds)
    return None


def _first[T](found: Iterator[T], most: int) -> Iterator[T]:
    return (each for each, _ in zip(found, range(most), strict=False))


def _report(pipeline: "Pipeline", site: str) -> Check:
    from botocore.exceptions import ClientError

    key = layout.latest_report_key(site)
    try:
        text = pipeline.client("s3").get_object(Bucket=pipeline.bucket, Key=key)["Body"].read().decode()
    except ClientError as error:
        return Check("the report is there", False, f"{key}: {error.response['Error']['Code']}")
    whole = text.lstrip().lower().startswith("<!doctype html") and "<svg" in text and "</html>" in text
    return Check("the report is there, with its charts", whole, f"{key}, {len(text):,} characters")


def _tables(tables: sources.Tables, site: str, sample: "pl.DataFrame") -> Iterator[Check]:
    """Every reading is in the lake once, and no table or view of the site is empty."""
    from cli.dialect import QueryFailed

    def ask(sql: str) -> tuple[Any, ...]:
        return tables.answer(sql).rows[0]

    count, kwh = ask(f"SELECT COUNT(*), SUM(kwh) FROM raw_energy_data WHERE site = '{site}'")  # noqa: S608
    right = count == sample.height and abs(kwh - sample["kwh"].sum()) < 1e-6
    yield Check("raw_energy_data has every reading once", right, f"{count:,} readings, {kwh or 0:,.3f} kWh")
    for table in tables.tables():
        if table.is_text or "site" not in [name for name, *_ in (*table.columns, *table.partition_keys)]:
            continue
        try:
            (rows,) = ask(f"SELECT COUNT(*) FROM {table.name} WHERE site = '{site}'")  # noqa: S608
        except QueryFailed as error:
            yield Check(f"{table.name} can be asked", False, str(error))
            continue
        yield Check(f"{table.name} has rows", bool(rows), f"{rows:,} rows")


def _show(check: Check, console: "Console") -> None:
    from rich.text import Text

    mark, colour = ("✓", "green") if check.passed else ("✗", "red")
    console.print(Text.assemble((f"{mark} ", colour), f"{check.what}: ", safe(check.found)), soft_wrap=True)
