"""The local AWS: one stack, deployed from template.yaml onto moto, for as long as a `with` block lasts."""

import atexit
import contextlib
import datetime as dt
import json
import logging
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local.environment import ACCOUNT_ID, REGION, isolated_environment, left_out
from local.guard import Guard
from local.history import ExecutionRecord, StateChange, Telling, record
from local.lake_folder import LakeFolder, StoredObject

# moto asks boto3 for its regions while it is imported: a broken profile would break that. For a check of addresses that
# nothing here needs, the libraries behind it build a grammar first, which takes as long as half of all else.
with isolated_environment(), left_out("rfc3987_syntax"):
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
    from moto.athena.models import athena_backends
    from moto.glue.models import glue_backends
    from moto.moto_api._internal import moto_api_backend
    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer
    from moto.sns.models import sns_backends
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    from local import moto_seams
    from local.deploy import Deployment, deploy
    from local.glue_jobs import GlueJobs, JobRun
    from local.lambda_runtime import Function, Invocation, InvokeResult, LambdaRuntime
    from local.permissions import Permissions

ROOT = Path(__file__).resolve().parents[1]
_POLL_SECONDS = 0.05
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Execution:
    """A finished execution; `status` as Step Functions names it."""

    arn: str
    name: str
    status: str
    output: dict[str, Any] | None
    error: str | None
    cause: str | None
    history: list[dict[str, Any]]

    @property
    def states(self) -> list[str]:
        """The names of the states in the order in which they were entered."""
        return [
            event["stateEnteredEventDetails"]["name"] for event in self.history if event["type"].endswith("Entered")
        ]


@dataclass
class _Fault:
    target: str
    error_type: str
    message: str
    times: int


class LocalAws:
    """Deploys the stack on entry, stops everything on exit. One at a time in a process.

    `lake`: the folder that the lake is restored from and saved to; None keeps it in memory. `built`: run what
    `sam build` made, with nothing beside it but what Lambda itself brings. `skip_retry_waits`: retries come at once;
    `retry_waits` has the seconds that they would have taken. `under_roles`: functions, the state machine and the upload
    rule may do what their roles in the template allow, and are refused the rest as on AWS.
    """

    def __init__(  # noqa: PLR0913
        self,
        lake: Path | None = None,
        *,
        built: bool = False,
        parameters: dict[str, str] | None = None,
        template: Path = ROOT / "template.yaml",
        skip_retry_waits: bool = False,
        warm: bool = True,
        under_roles: bool = True,
    ) -> None:
        self.lake = LakeFolder(Path(lake).resolve()) if lake is not None else None
        self.retry_waits: list[float] = []
        self._built = built
        self._parameters = dict(parameters or {})
        self._source_template = Path(template).resolve()
        self._skip_retry_waits = skip_retry_waits
        self._warm = warm
        self._under_roles = under_roles
        self._faults: list[_Fault] = []
        self._started: dict[tuple[str, str | None], str] = {}
        self._recorded: set[str] = set()
        self._lock = threading.RLock()
        self._saving = threading.Lock()
        self._on_exit = contextlib.ExitStack()
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if not _one_at_a_time.acquire(blocking=False):
            raise RuntimeError("another LocalAws is open in this process; close it first")
        self._on_exit.callback(_one_at_a_time.release)
        atexit.register(self.close)
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.save()
        finally:
            self.close()

    def close(self) -> None:
        """Stops everything without saving; `with` does it by itself."""
        atexit.unregister(self.close)
        self._on_exit.close()

    @property
    def bucket(self) -> str:
        """The lake's bucket."""
        return self._deployment.bucket

    @property
    def state_machine_arn(self) -> str:
        """The pipeline."""
        return self._deployment.state_machine_arn

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return self._deployment.outputs

    @property
    def verbs(self) -> dict[str, str]:
        """The functions' folders (`validate`, `aggregate`, …) by the functions' names."""
        folders = {logical_id: verb for verb, logical_id in self._deployment.verbs.items()}
        return {name: folders[function.logical_id] for name, function in self._deployment.functions.items()}

    @property
    def permissions(self) -> Permissions:
        """The stack's roles, and the journal of what they were asked."""
        return self._deployment.permissions

    @property
    def skipped(self) -> dict[str, str]:
        """Resources of the template without a local counterpart: logical id to type."""
        return self._deployment.skipped

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(  # type: ignore[call-overload]
                    service,
                    endpoint_url=self.endpoint_url,
                    config=Config(proxies={}, max_pool_connections=50, retries={"total_max_attempts": 1}),
                )
            return self._clients[service]

    def upload(self, path: Path, key: str) -> str | None:
        """Puts a file into the lake; the execution that its event started, None if no rule matched."""
        with Path(path).open("rb") as content:
            return self.put(key, content)

    def put(self, key: str, content: Any) -> str | None:
        """Like `upload`, with bytes or an open file."""
        answer = self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)
        # S3's event has run through EventBridge by the time that moto answers.
        return self._started.get((key, answer.get("VersionId")))

    def delete(self, key: str, version_id: str | None = None) -> str | None:
        """Deletes an object, or one version of it; the execution that the event started, None if no rule matched."""
        version: dict[str, str] = {"VersionId": version_id} if version_id else {}
        answer = self.client("s3").delete_object(Bucket=self.bucket, Key=key, **version)
        return self._started.get((key, answer.get("VersionId")))

    def start(self, state_input: dict[str, Any], name: str | None = None) -> str:
        """Starts an execution directly."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.state_machine_arn,
            name=name or f"started-{time.time_ns()}",
            input=json.dumps(state_input),
        )
        return str(started["executionArn"])

    def follow(self, execution_arn: str, timeout_seconds: float = 900) -> Iterator[StateChange]:
        """What happens in an execution, as it happens, until it ends; TimeoutError if it takes longer."""
        execution = self._execution(execution_arn)
        give_up = time.monotonic() + timeout_seconds
        told = Telling()
        while True:
            running = not getattr(execution, "has_ended", False)
            yield from told.changes(_history(execution))
            if not running:
                self.save()
                return
            if time.monotonic() > give_up:
                raise TimeoutError(f"{execution_arn} still runs after {timeout_seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def wait(self, execution_arn: str, timeout_seconds: float = 900) -> Execution:
        """The execution when it has ended."""
        for _ in self.follow(execution_arn, timeout_seconds):
            pass
        execution = self._execution(execution_arn)
        succeeded = execution.status == "SUCCEEDED"
        return Execution(
            arn=execution_arn,
            name=execution.name,
            status=execution.status,
            output=execution.output if succeeded else None,
            error=execution.error,
            cause=execution.cause,
            history=_history(execution),
        )

    def executions(self) -> list[str]:
        """The ARNs of all executions since entry, oldest first."""
        backend = stepfunctions_parser_backends[ACCOUNT_ID][REGION]
        return [execution.exec_arn for execution in backend.describe_state_machine(self.state_machine_arn).executions]

    def notifications(self) -> list[tuple[str | None, str]]:
        """Subject and message of everything that was published to topics since entry, oldest first in each topic."""
        topics = sns_backends[ACCOUNT_ID][REGION].topics.values()
        return [(subject, message) for topic in topics for _, message, subject, *_ in topic.sent_notifications]

    def invoke(self, function: str, event: dict[str, Any]) -> InvokeResult:
        """Runs one function; `function` is its logical id, its name or its folder (`validate`)."""
        return self._runtime.invoke(self._function(function), event)

    def working(self) -> list[Invocation]:
        """The invocations that functions work on at this moment."""
        return self._runtime.working()

    def log(self, function: str) -> str:
        """Everything that a function has written since entry."""
        file = self._runtime.log_file(self._function(function))
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def fail_next(self, function: str, error_type: str, message: str = "injected", times: int = 1) -> None:
        """The next `times` invocations of a function return this error and run nothing."""
        self._add_fault(self._function(function).name, error_type, message, times)

    def fail_next_call(self, service_action: str, error_code: str, message: str = "injected", times: int = 1) -> None:
        """The next `times` calls that the state machine itself makes (`sns.Publish`) fail with this AWS error code."""
        self._add_fault(service_action, error_code, message, times)

    def clear_faults(self) -> None:
        """Whatever was to fail will not."""
        with self._lock:
            self._faults.clear()

    def save(self) -> None:
        """Saves the lake to its folder; does nothing without one."""
        if self.lake is None:
            return
        with self._saving:
            self._save(self.lake)

    def _save(self, lake: LakeFolder) -> None:
        with moto_seams.s3_stands_still():
            keys = {name: self._s3_bucket.keys[name] for name in sorted(self._s3_bucket.keys)}
            current = {name: key for name, key in keys.items() if hasattr(key, "value")}
            catalog = _catalog()
        stored = (_stored(key) for key in current.values())
        lake.save(stored, lambda one: bytes(current[one.key].value), catalog, _named_queries())
        lake.add_executions(self._ended())

    def _ended(self) -> list[ExecutionRecord]:
        """What became of the executions that have ended and are not recorded yet, oldest first."""
        states = self.client("stepfunctions")
        ended = []
        for arn in self.executions():
            execution = self._execution(arn)
            if arn not in self._recorded and getattr(execution, "has_ended", False):
                ended.append(record(states.describe_execution(executionArn=arn), _history(execution)))
                self._recorded.add(arn)
        return ended

    def _open(self) -> None:
        self._on_exit.enter_context(_quiet())
        self._on_exit.enter_context(isolated_environment())
        moto_api_backend.reset()
        self._on_exit.callback(moto_api_backend.reset)
        self.endpoint_url = self._serve()
        self._session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
        self._on_exit.enter_context(
            moto_seams.applied(
                endpoint_url=self.endpoint_url,
                invoke=self._invoked_by_aws,
                started=self._remember_start,
                before_call=self._fail_service_call,
                sleep=self._sleep,
                judge=self._judge if self._under_roles else None,
                run_job=self._run_job,
            )
        )
        self._runtime = self._start_runtime()
        template = self._source_template
        if self._built:
            template = template.parent / ".aws-sam" / "build" / "template.yaml"
            if not template.exists():
                raise FileNotFoundError(f"{template} is missing: run `make build` first")
        self._deployment: Deployment = deploy(
            template,
            self._source_template,
            self._parameters,
            self.client,
            self._runtime.state_folder / "roles",
            bare=self._built,
            under_roles=self._under_roles,
        )
        self._jobs.jobs.update(self._deployment.jobs)
        if self.lake is not None:
            self._restore(self.lake)
        if self._warm:
            for function in self._called_by_the_pipeline():
                self._runtime.warm(function)

    def _called_by_the_pipeline(self) -> list[Function]:
        """The functions of the state machine; others are rarely called, and start then."""
        machine = self.client("stepfunctions").describe_state_machine(stateMachineArn=self.state_machine_arn)
        return [found for found in self._deployment.functions.values() if found.name in machine["definition"]]

    def _serve(self) -> str:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        self._on_exit.callback(server.stop)
        host, port = server.get_host_and_port()
        return f"http://{host}:{port}"

    def _start_runtime(self) -> LambdaRuntime:
        state = Path(tempfile.mkdtemp(prefix="local-aws-"))
        self._on_exit.callback(shutil.rmtree, state, ignore_errors=True)
        guard = Guard()
        self._on_exit.callback(guard.stop)
        environment = {
            "AWS_ACCESS_KEY_ID": "function",
            "AWS_SECRET_ACCESS_KEY": "function",
            "AWS_SESSION_TOKEN": "function",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_XRAY_CONTEXT_MISSING": "IGNORE_ERROR",
            "NO_PROXY": "127.0.0.1",
            "PYTHONPYCACHEPREFIX": str(self._source_template.parent / ".aws-sam" / "pycache"),
        }
        runtime = LambdaRuntime(state, environment, guard)
        self._on_exit.callback(runtime.stop)
        self._jobs = GlueJobs(state, environment, guard)
        self._on_exit.callback(self._jobs.stop)
        self._on_exit.callback(self._stop_executions)
        return runtime

    def _stop_executions(self) -> None:
        for execution in stepfunctions_parser_backends[ACCOUNT_ID][REGION]._get_executions():
            if execution.status == "RUNNING":
                with contextlib.suppress(Exception):
                    execution.stop(dt.datetime.now(dt.UTC), "LocalAws.Closed", "the local AWS was shut down")

    def _restore(self, lake: LakeFolder) -> None:
        lake.lock()
        self._on_exit.callback(lake.unlock)
        bucket = self._s3_bucket
        for stored, file in lake.objects():
            moto_seams.restore_object(
                bucket,
                stored.key,
                file.read_bytes(),
                {
                    "etag": stored.etag,
                    "version_id": stored.version_id,
                    "last_modified": stored.last_modified,
                    "metadata": stored.metadata,
                    "sequencer": stored.sequencer,
                },
            )
        tables = {(database.name, name) for database in _glue().databases.values() for name in database.tables}
        for database, saved in lake.catalog().items():
            for table in saved:
                if (database, table["Name"]) in tables and table.get("Partitions"):
                    for first in range(0, len(table["Partitions"]), 100):
                        self.client("glue").batch_create_partition(
                            DatabaseName=database,
                            TableName=table["Name"],
                            PartitionInputList=table["Partitions"][first : first + 100],
                        )

    @property
    def _s3_bucket(self) -> Any:
        return s3_backends[ACCOUNT_ID]["aws"].buckets[self.bucket]

    def _execution(self, arn: str) -> Any:
        return stepfunctions_parser_backends[ACCOUNT_ID][REGION].describe_execution(arn)

    def _function(self, name: str) -> Function:
        functions = self._deployment.functions
        if name in functions:
            return functions[name]
        logical_id = self._deployment.verbs.get(name, name)
        for function in functions.values():
            if function.logical_id == logical_id:
                return function
        raise KeyError(f"the stack has no function {name}; it has {', '.join(sorted(self._deployment.verbs))}")

    def _invoked_by_aws(self, name: str, event: Any) -> tuple[str, bool, str]:
        if fault := self._take_fault(name):
            payload = {"errorType": fault.error_type, "errorMessage": fault.message}
            return json.dumps(payload), True, ""
        result = self._runtime.invoke(self._deployment.functions[name], event)
        return json.dumps(result.payload), result.error_type is not None, result.log[-4096:]

    def _run_job(self, name: str, run_id: str, arguments: dict[str, str]) -> JobRun:
        return self._jobs.start(name, run_id, arguments)

    def _judge(self, role_arn: str, call: str, parameters: dict[str, Any]) -> None:
        self.permissions.judge(role_arn).check(call, parameters)

    def _fail_service_call(self, model: Any, **_: Any) -> None:
        action = f"{model.service_model.service_name}.{model.name}"
        if fault := self._take_fault(action):
            error = {"Error": {"Code": fault.error_type, "Message": fault.message}}
            metadata = {"ResponseMetadata": {"HTTPStatusCode": 500, "RequestId": "injected"}}
            raise ClientError(error | metadata, model.name)  # type: ignore[arg-type]

    def _add_fault(self, target: str, error_type: str, message: str, times: int) -> None:
        with self._lock:
            self._faults.append(_Fault(target, error_type, message, times))

    def _take_fault(self, target: str) -> _Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.target == target and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def _remember_start(self, key: str, version_id: str | None, execution_arn: str) -> None:
        self._started[key, version_id] = execution_arn

    def _sleep(self, seconds: float) -> None:
        self.retry_waits.append(seconds)
        if not self._skip_retry_waits:
            time.sleep(seconds)


def _history(execution: Any) -> list[dict[str, Any]]:
    return [
        {name: getattr(value, "value", value) if name == "type" else value for name, value in event.items()}
        for event in execution.to_history_output()["events"]
    ]


def _stored(key: Any) -> StoredObject:
    return StoredObject(
        key=key.name,
        version_id=key.version_id,
        etag=key.etag.strip('"'),
        last_modified=key.last_modified.isoformat(),
        metadata={str(name): str(value) for name, value in key.metadata.items()},
        sequencer=moto_seams.sequencer_of(key),
        size=key.size,
    )


def _glue() -> Any:
    return glue_backends[ACCOUNT_ID][REGION]


def _catalog() -> dict[str, list[dict[str, Any]]]:
    kept = (
        "Name",
        "Description",
        "StorageDescriptor",
        "PartitionKeys",
        "TableType",
        "Parameters",
        "ViewOriginalText",
    )
    return {
        database.name: [
            {
                **{name: value for name, value in table.as_dict().items() if name in kept},
                "Partitions": [partition.partition_input for partition in table.partitions.values()],
            }
            for table in database.tables.values()
        ]
        for database in _glue().databases.values()
    }


def _named_queries() -> list[dict[str, str]]:
    queries = athena_backends[ACCOUNT_ID][REGION].named_queries.values()
    return [{"Name": one.name, "Description": one.description, "QueryString": one.query_string} for one in queries]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The servers' own chatter stays out of the terminal."""
    loggers = [logging.getLogger(name) for name in ("werkzeug", "moto", "samtranslator", "botocore.credentials")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="moto")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
