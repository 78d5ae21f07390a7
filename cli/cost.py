"""`energy cost`: what a month costs on AWS, from the template's figures, measured durations and dated list prices."""

import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli import daily, pipelines, sources
from cli import stack as stacks
from cli.athena import LEAST_BYTES_CHARGED
from cli.output import Answer, fail, print_table, write_text

if TYPE_CHECKING:
    from rich.console import Console

    from local.history import ExecutionRecord

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).resolve().parents[1]
# What the specification of this system estimates for 100 uploads a month.
SPECIFIED_USD, SPECIFIED_UPLOADS = 3.50, 100
DAYS_A_MONTH, HOURS_A_MONTH = 30.4, 730
# Lambda gives a function this much memory for each vCPU (Lambda Developer Guide, "Configure Lambda function memory").
MEMORY_MB_A_VCPU = 1769
# A request to S3 or Glue from Lambda in the same region; of the order of what AWS's own performance guide tells.
REQUEST_SECONDS = 0.03
# One line of Step Functions' log for each event of an execution, without execution data.
_LOGGED_BYTES_AN_EVENT = 600
# What a report asks a model and what that answers; assumed, as no model was asked when this was measured.
_TOKENS_IN, _TOKENS_OUT = 4000, 900
_KEPT_MONTHS = 12
_GB, _TB = 1e9, 1024**4
_MOST_EXECUTIONS = 20


@dataclass(frozen=True)
class Line:
    """One position of the bill. `usd` is at list price; `usd_beyond_free` leaves out what is free every month."""

    what: str
    amount: float
    unit: str
    usd: float
    usd_beyond_free: float


class Prices:
    """Dated list prices, and what is free every month."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.region, self.as_of, self.note = document["region"], document["as_of"], document["note"]
        self._prices = document["prices"]

    def line(self, name: str, what: str, amount: float, unit: str) -> Line:
        """What an amount costs."""
        price = self._prices[name]
        beyond = max(0.0, amount - price["free"])
        return Line(what, amount, unit, amount * price["usd"], beyond * price["usd"])


def cost(  # noqa: PLR0913, PLR0917 - options of the command
    uploads: Annotated[int, typer.Option(min=0, help="Uploads a month.")] = SPECIFIED_UPLOADS,
    queries: Annotated[int, typer.Option(min=0, help="Queries a month, each of at most 10 MB.")] = 100,
    text: Annotated[
        Literal["rules", "bedrock"], typer.Option(help="Who writes the reports: the rules, or a model of Bedrock's.")
    ] = "rules",
    lake: sources.LakeOption = None,
    stack: sources.StackOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the positions as JSON.")] = False,
) -> None:
    """Estimate what a month costs on AWS, position by position.

    How long functions run is what was measured with a month of readings, started cold; with --lake or --stack it is
    what the newest successful executions there took. Memory, alarms, keys and the like are the template's.
    """
    from rich.console import Console

    sources.check_one_place(lake, stack)
    prices, measured = Prices(_read("prices.json")), _read("measured.json")
    template = Template.read()
    seconds, told = _seconds(measured, template, lake, stack)
    lines = bill(prices, measured, template, seconds, uploads, queries, text)
    total, beyond = sum(line.usd for line in lines), sum(line.usd_beyond_free for line in lines)
    if as_json:
        document = {
            "uploads": uploads,
            "region": prices.region,
            "prices_as_of": prices.as_of,
            "durations": told,
            "lines": [asdict(line) for line in lines],
            "usd": round(total, 4),
            "usd_beyond_free": round(beyond, 4),
            "specified_usd": SPECIFIED_USD if uploads == SPECIFIED_UPLOADS else None,
        }
        write_text(json.dumps(document, indent=1) + "\n")
        return
    _show(lines, total, beyond, uploads, prices, told, Console())


class Template:
    """What template.yaml says that is billed, with its parameters as they are by default."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._resources = document["Resources"]
        self._conditions = document.get("Conditions", {})
        self._defaults = {name: each.get("Default", "") for name, each in document.get("Parameters", {}).items()}
        globals_ = document.get("Globals", {}).get("Function", {})
        self.memory_mb: dict[str, int] = {}
        self.arm64 = self._architecture(globals_) == "arm64"
        for resource in self._resources.values():
            if resource["Type"] == "AWS::Serverless::Function" and self._is_made(resource):
                properties = {**globals_, **resource["Properties"]}
                memory = self._value(properties["MemorySize"])
                self.memory_mb[str(properties["CodeUri"]).rpartition("/")[2]] = int(memory)

    @classmethod
    def read(cls) -> "Template":
        """The one that is deployed from this folder."""
        from samtranslator.yaml_helper import yaml_parse

        return cls(yaml_parse((ROOT / "template.yaml").read_text()))

    def count(self, kind: str) -> int:
        """How many resources of a type there are."""
        return sum(each["Type"] == kind and self._is_made(each) for each in self._resources.values())

    def alarm_metrics(self) -> int:
        """How many metrics alarms ask for: each is billed, several where an alarm computes with them."""
        alarms = (one for one in self._resources.values() if one["Type"] == "AWS::CloudWatch::Alarm")
        asked = [one["Properties"].get("Metrics") for one in alarms if self._is_made(one)]
        return sum(sum("MetricStat" in query for query in queries) if queries else 1 for queries in asked)

    def _architecture(self, globals_: Mapping[str, Any]) -> Any:
        return self._value((globals_.get("Architectures") or ["x86_64"])[0])

    def _is_made(self, resource: Mapping[str, Any]) -> bool:
        return "Condition" not in resource or self._holds(self._conditions[resource["Condition"]])

    def _holds(self, condition: Any) -> bool:
        ((name, operands),) = condition.items()
        match name:
            case "Fn::Equals":
                first, second = (str(self._value(each)) for each in operands)
                return first == second
            case "Fn::Not":
                return not self._holds(operands[0])
            case "Fn::And":
                return all(self._holds(each) for each in operands)
            case "Fn::Or":
                return any(self._holds(each) for each in operands)
            case "Condition":
                return self._holds(self._conditions[operands])
        raise ValueError(f"{name} is no condition that is known here")

    def _value(self, value: Any) -> Any:
        """A value with references to parameters replaced by their defaults; of what else there is, itself."""
        if not isinstance(value, dict) or len(value) != 1:
            return value
        ((name, operand),) = value.items()
        match name:
            case "Ref":
                return self._defaults.get(operand, operand)
            case "Fn::If":
                chosen = operand[1] if self._holds(self._conditions[operand[0]]) else operand[2]
                return self._value(chosen)
            case "Fn::Join":
                separator, parts = operand
                values = self._value(parts)
                return separator.join(values) if isinstance(values, list) else str(values)
        return str(value)


def bill(  # noqa: PLR0913, PLR0917 - what a bill depends on
    prices: Prices,
    measured: Mapping[str, Any],
    template: Template,
    seconds: Mapping[str, float],
    uploads: int,
    queries: int,
    text: str,
) -> list[Line]:
    """The positions of a month. `seconds` are those of each function, at an upload or, of the daily ones, a day."""
    times = {verb: DAYS_A_MONTH if verb in measured["daily"] else uploads for verb in seconds}
    gb_seconds = sum(times[verb] * seconds[verb] * template.memory_mb[verb] / 1024 for verb in seconds)
    an_upload, a_day = measured["requests_an_upload"], measured["requests_a_day"]

    def requests(service: str, kind: str) -> float:
        name = f"{service}_{kind}"
        return float(uploads * an_upload.get(name, 0) + DAYS_A_MONTH * a_day.get(name, 0))

    logged = uploads * (measured["bytes_logged_an_upload"] + measured["history_events"] * _LOGGED_BYTES_AN_EVENT)
    stored = uploads * _KEPT_MONTHS * measured["bytes_stored_an_upload"]
    metrics = measured["custom_metrics"] * min(1.0, uploads / HOURS_A_MONTH)
    gb_second = "lambda_gb_second_arm64" if template.arm64 else "lambda_gb_second_x86_64"
    invocations = sum(times.values())
    positions = [
        (gb_second, "Lambda: memory by time", gb_seconds, "GB-s"),
        ("lambda_request", "Lambda: requests", invocations, ""),
        ("state_transition", "Step Functions: transitions", uploads * measured["transitions_an_upload"], ""),
        ("s3_write_request", "S3: writes and lists", requests("s3", "write") + uploads, ""),
        ("s3_read_request", "S3: reads", requests("s3", "read"), ""),
        ("s3_gb_month", f"S3: kept after {_KEPT_MONTHS} months", stored / _GB, "GB"),
        ("glue_request", "Glue: requests", requests("glue", "write"), ""),
        ("athena_tb", "Athena: scanned, at 10 MB a query", queries * LEAST_BYTES_CHARGED / _TB, "TB"),
        ("event", "EventBridge: events", 2 * uploads, ""),
        ("sns_email", "SNS: messages", uploads, ""),
        ("log_gb", "CloudWatch: logs", logged / _GB, "GB"),
        ("custom_metric_month", "CloudWatch: metrics, by the hour", metrics, "months"),
        ("alarm_month", "CloudWatch: alarms", template.alarm_metrics(), "metrics"),
        ("dashboard_month", "CloudWatch: dashboards", template.count("AWS::CloudWatch::Dashboard"), ""),
        ("trace", "X-Ray: traces", uploads, ""),
        ("kms_key_month", "KMS: keys", template.count("AWS::KMS::Key"), ""),
        ("secret_month", "Secrets Manager: secrets", template.count("AWS::SecretsManager::Secret"), ""),
    ]
    if text == "bedrock":
        positions += [
            ("bedrock_input_token", "Bedrock: tokens asked", uploads * _TOKENS_IN, ""),
            ("bedrock_output_token", "Bedrock: tokens answered", uploads * _TOKENS_OUT, ""),
        ]
    return [prices.line(*position) for position in positions if position[2]]


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / name).read_text("utf-8"))
    return document


def measured_seconds(measured: Mapping[str, Any], template: Template) -> dict[str, float]:
    """How long each function takes on Lambda: its CPU seconds on the share of a vCPU that its memory gives it, on one
    where that is more, and the time of its requests.
    """
    daily_requests, upload_requests = (
        sum(measured[name].values()) for name in ("requests_a_day", "requests_an_upload")
    )
    of_daily = measured["daily"]
    of_upload = [verb for verb in measured["cpu_seconds"] if verb not in of_daily]
    waits = dict.fromkeys(of_daily, daily_requests / len(of_daily) * REQUEST_SECONDS)
    waits |= dict.fromkeys(of_upload, upload_requests / len(of_upload) * REQUEST_SECONDS)
    return {
        verb: cpu / min(1.0, template.memory_mb[verb] / MEMORY_MB_A_VCPU) + waits[verb]
        for verb, cpu in measured["cpu_seconds"].items()
    }


def _seconds(
    measured: Mapping[str, Any], template: Template, lake: Path | None, stack: str | None
) -> tuple[dict[str, float], str]:
    """How long each function takes, and where that is from."""
    seconds = measured_seconds(measured, template)
    if lake is None and stack is None:
        return seconds, f"CPU seconds of {measured['measured_on']}: {measured['upload']}"
    executions = _succeeded(lake, stack)
    if not executions:
        fail("No execution has succeeded there yet.")
    by_verb: dict[str, list[float]] = {verb: [] for verb in seconds}
    for execution in executions:
        for visit in execution.states:
            if (verb := _VERBS.get(visit.state)) in by_verb:
                by_verb[verb].append(visit.seconds)
    seconds |= {verb: statistics.median(found) for verb, found in by_verb.items() if found}
    return (
        seconds,
        f"median of the newest {len(executions)} successful executions {pipelines.where(lake, stack)}".rstrip(),
    )


# The function that a Task is.
_VERBS = {
    "Validate upload": "validate",
    "Aggregate readings": "aggregate",
    "Detect anomalies": "detect_anomalies",
    "Forecast with Prophet": "forecast_prophet",
    "Forecast with statsforecast": "forecast_statsforecast",
    "Generate report": "generate_report",
    "Refresh partitions": "refresh_partitions",
}


def _succeeded(lake: Path | None, stack: str | None) -> "list[ExecutionRecord]":
    if stack is None:
        folder = sources.open_folder(daily.check_lake(lake, stack))
        found = [each for each in reversed(folder.executions()) if each.status == "SUCCEEDED"]
        return found[:_MOST_EXECUTIONS]
    with stacks.refused():
        pipeline = pipelines.of_stack(stack)
        executions = []
        for name, _ in pipeline.executions("SUCCEEDED"):
            each = pipeline.execution(name)
            executions += [each] if each else []
            if len(executions) == _MOST_EXECUTIONS:
                break
        return executions


def _show(  # noqa: PLR0913, PLR0917 - what a bill shows
    lines: list[Line], total: float, beyond: float, uploads: int, prices: Prices, told: str, console: "Console"
) -> None:
    rows: list[tuple[Any, ...]] = [
        (line.what, f"{_number(line.amount)} {line.unit}".strip(), line.usd, line.usd_beyond_free)
        for line in sorted(lines, key=lambda line: -line.usd)
    ]
    rows.append(("together", "", total, beyond))
    print_table(Answer(["a month", "amount", "USD at list price", "USD beyond what is free"], rows), console)
    told_of_prices = f"{uploads:,} uploads a month, {prices.region}, prices as of {prices.as_of}. {prices.note}"
    console.print(told_of_prices, highlight=False, soft_wrap=True)
    console.print(f"Durations: {told}.", style="dim", highlight=False, soft_wrap=True)
    if uploads == SPECIFIED_UPLOADS:
        console.print(f"The specification estimates {SPECIFIED_USD:.2f} USD for them.", highlight=False)


def _number(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.3g}"
