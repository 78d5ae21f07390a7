"""Everything in moto that has to be bent so that the stack behaves as it does on AWS: one function for each seam.

Written against moto 5.2.5. tests/e2e/test_seams.py tests each seam, so that an upgrade that breaks one says so.
"""

import contextlib
import copy
import datetime as dt
import functools
import itertools
import json
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import boto3
import jsonata
import moto.awslambda.models
import moto.cloudformation.parsing
import moto.core.config
import moto.events.models
import moto.glue.models
import moto.s3.notifications
import moto.s3.responses
import moto.sns.models
import moto.sqs.models
import moto.stepfunctions.models
import moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk as aws_sdk_tasks
import moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback as sync_tasks
import moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_glue as glue_tasks
import moto.stepfunctions.parser.asl.utils.boto_client
import moto.stepfunctions.parser.models
import moto.stepfunctions.responses
from botocore.config import Config
from moto.events.utils import EventTemplateParser
from moto.s3.models import FakeDeleteMarker, FakeKey
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType, ResourceNotFound
from moto.stepfunctions.parser.asl.antlr.runtime.ASLLexer import ASLLexer
from moto.stepfunctions.parser.asl.antlt4utils.antlr4utils import is_terminal
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    distributed_item_processor_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback,
    state_task_service_sfn,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

from local.lambda_runtime import ShutDown

Invoker = Callable[[str, Any], tuple[str, bool, str]]
"""(function name, event) to (payload as JSON, whether it is an error, log)."""
Judging = Callable[[str, str, dict[str, Any]], None]
"""(ARN of a role, call, its parameters): raises a ClientError where the role may not make the call."""
RunJob = Callable[[str, str, dict[str, str]], Any]
"""(name of a job, id of a run, its arguments) to the run, of which `state` and `error` tell how it stands."""
Started = Callable[[str, str | None, str], None]
"""(key, version id, execution arn), called for every execution that an S3 event started."""

# Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation".
ASYNCHRONOUS_ATTEMPTS = 3
# How often an execution looks whether the one that it waits for has ended.
_SYNC_SECONDS = 0.1
_s3_lock = threading.RLock()
_sequencers = itertools.count()
_REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "s3:ObjectRemoved:Delete": "DeleteObject",
    "s3:ObjectRemoved:DeleteMarkerCreated": "DeleteObject",
}
_DELETED, _MARKED = "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated"
_DELETION_TYPES = {_DELETED: "Permanently Deleted", _MARKED: "Delete Marker Created"}


class JsonataFailed(Exception):
    """A JSONata expression that raised; Step Functions calls it States.QueryEvaluationError."""


@contextlib.contextmanager
def s3_stands_still() -> Iterator[None]:
    """No object of the local S3 changes inside this block."""
    with _s3_lock:
        yield


@contextlib.contextmanager
def applied(  # noqa: PLR0913, PLR0917
    endpoint_url: str,
    invoke: Invoker,
    started: Started,
    before_call: Callable[..., Any] | None,
    sleep: Callable[[float], None],
    judge: Judging | None = None,
    run_job: RunJob | None = None,
) -> Iterator[None]:
    """All seams, for as long as the block lasts."""
    with contextlib.ExitStack() as seams:
        for seam in (
            state_machines_run(),
            jsonata_is_evaluated(),
            strings_are_quoted(),
            definitions_are_read_as_json(),
            failed_expressions_have_their_name(),
            service_calls_come_back_here(endpoint_url, before_call, judge),
            s3_writes_are_atomic(),
            s3_events_look_like_aws(),
            rules_reach_their_targets(started, invoke, judge),
            executions_tell_their_end(),
            functions_run_without_docker(invoke),
            *([jobs_run(run_job)] if run_job is not None else []),
            objects_are_read_as_text(),
            names_are_stable(),
            retries_wait(sleep),
            stopped_states_know_their_timeout(),
            maps_go_through_long_lists(),
            map_runs_are_told_from_the_start(),
            executions_start_executions(),
        ):
            seams.enter_context(seam)
        yield


@contextlib.contextmanager
def state_machines_run() -> Iterator[None]:
    """moto only pretends to run executions unless told otherwise, and its CloudFormation registers state machines in
    the backend that pretends. Its responses keep the backends that they find when they are imported: with this module,
    so that nothing of this stays behind.
    """
    with (
        mock.patch.dict(moto.core.config.default_user_config, {"stepfunctions": {"execute_state_machine": True}}),
        mock.patch.object(
            moto.stepfunctions.models,
            "stepfunctions_backends",
            moto.stepfunctions.parser.models.stepfunctions_parser_backends,
        ),
    ):
        yield


@contextlib.contextmanager
def jsonata_is_evaluated() -> Iterator[None]:
    """moto has no JSONata evaluator: calling it calls None (getmoto/moto issue 10105)."""
    with _replaced_everywhere("eval_jsonata_expression", evaluate_jsonata):
        yield


def evaluate_jsonata(expression: str) -> Any:
    """The value of a JSONata expression as plain JSON types; None for null and for nothing."""
    try:
        return _plain(jsonata.Jsonata(expression).evaluate(None))
    except Exception as error:
        raise JsonataFailed(str(error)) from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if "NULL" in repr(value).upper():
        return None
    raise JsonataFailed(f"the expression returned a {type(value).__name__}, which is not JSON")


@contextlib.contextmanager
def strings_are_quoted() -> Iterator[None]:
    """moto writes a variable that is a string between quotes as it is: a quote or line break inside breaks the
    expression, and error causes are full of both.
    """

    def declarations(bindings: dict[str, Any]) -> str:
        return "".join(f"{name}:={to_json_str(value, separators=(',', ':'))};" for name, value in bindings.items())

    with _replaced_everywhere("encode_jsonata_variable_declarations", declarations):
        yield


@contextlib.contextmanager
def definitions_are_read_as_json() -> Iterator[None]:
    """moto keeps the escapes of some strings of a definition as they are, and reads others as Python's."""

    def text_of(parser_rule_context: Any) -> str | None:
        if is_terminal(parser_rule_context, ASLLexer.NULL):
            return None
        text = str(parser_rule_context.getText())
        quoted = len(text) > 1 and text[0] == text[-1] == '"'
        return str(json.loads(text)) if quoted else text

    with (
        _replaced_everywhere("from_string_literal", text_of),
        mock.patch.object(Preprocessor, "_inner_string_of", staticmethod(text_of)),
    ):
        yield


@contextlib.contextmanager
def failed_expressions_have_their_name() -> Iterator[None]:
    """An expression that raises fails with States.QueryEvaluationError on AWS; in moto with States.Runtime."""
    original = string_expression.StringJSONata._eval_body

    def evaluated(self: Any, env: Any) -> None:
        try:
            original(self, env)
        except JsonataFailed as error:
            name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
            cause = f"The JSONata expression '{self.expression}' failed: {error}"
            details = EvaluationFailedEventDetails(cause=cause, error=name.error_name)
            raise FailureEventException(
                FailureEvent(
                    env=env,
                    error_name=name,
                    event_type=HistoryEventType.EvaluationFailed,
                    event_details=EventDetails(evaluationFailedEventDetails=details),
                )
            ) from error

    with mock.patch.object(string_expression.StringJSONata, "_eval_body", evaluated):
        yield


@contextlib.contextmanager
def service_calls_come_back_here(
    endpoint_url: str, before_call: Callable[..., Any] | None, judge: Judging | None = None
) -> Iterator[None]:
    """moto makes a new boto3 client for every Task, at a fixed port, from the default session; two branches of a
    Parallel state that do so at once disturb each other. Here: one client for each service, made under a lock. `judge`
    is asked whether the state machine's role allows the call; moto asks nobody.
    """
    lock = threading.Lock()
    session = boto3.Session(aws_access_key_id="states", aws_secret_access_key="states", region_name="us-east-1")

    @functools.cache
    def client(service: str, region: str, role_arn: str | None) -> Any:
        made = session.client(  # type: ignore[call-overload]
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            config=Config(
                parameter_validation=False,
                proxies={},
                max_pool_connections=50,
                retries={"total_max_attempts": 1},
                connect_timeout=10,
                read_timeout=3600,
            ),
        )
        made.meta.events.register("provide-client-params.s3.PutObject", _body_as_json)
        if before_call is not None:
            made.meta.events.register("before-call", before_call)
        if judge is not None and role_arn is not None:

            def ask(params: dict[str, Any], model: Any, **_: Any) -> None:
                judge(role_arn, f"{model.service_model.service_name}.{model.name}", params)

            made.meta.events.register("provide-client-params", ask)
        return made

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        with lock:
            return client(service, region, getattr(state_credentials, "role_arn", None))

    with _replaced_everywhere("boto_client_for", client_for):
        yield


def _body_as_json(params: dict[str, Any], **_: Any) -> dict[str, Any] | None:
    """An object that a state writes to S3 is written as JSON on AWS; moto hands it to boto3 as it is."""
    return {**params, "Body": json.dumps(params["Body"]).encode()} if isinstance(params.get("Body"), dict) else None


@contextlib.contextmanager
def s3_writes_are_atomic() -> Iterator[None]:
    """moto checks the condition of a conditional write, then writes: two racing writers can both win."""

    def locked(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def write(*arguments: Any, **named: Any) -> Any:
            with _s3_lock:
                return original(*arguments, **named)

        return write

    response = moto.s3.responses.S3Response
    with contextlib.ExitStack() as patches:
        for name in ("put_object", "copy_object", "delete_object", "_key_response_post"):
            patches.enter_context(mock.patch.object(response, name, locked(getattr(response, name))))
        yield


@contextlib.contextmanager
def s3_events_look_like_aws() -> Iterator[None]:
    """moto's S3 events have a constant id and sequencer, `eTag` for `etag` and an own kind of reason; a multipart
    upload fires twice; errors on the way are swallowed; and of deletions in a versioned bucket hardly any is told.
    """
    delete_object = moto.s3.models.S3Backend.delete_object

    def delete(
        self: Any, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
    ) -> tuple[bool, dict[str, Any]]:
        bucket = self.get_bucket(bucket_name)
        held = {str(version.version_id) for version in bucket.keys.getlist(key_name, [])}
        done, answer = delete_object(self, bucket_name, key_name, version_id, bypass)
        if done and bucket.is_versioned and bucket.notification_configuration is not None:
            marker = version_id is None
            if marker or str(version_id) in held:
                gone = types.SimpleNamespace(name=key_name, version_id=answer["version-id"], multipart=None)
                send(self.account_id, bucket, _MARKED if marker else _DELETED, gone)
        return done, answer

    def send(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
        name = getattr(event_name, "value", event_name)
        half_of_a_multipart = name == "s3:ObjectCreated:Put" and key.multipart is not None
        told_by_us = name == _DELETED and bucket.is_versioned and isinstance(key, FakeKey | FakeDeleteMarker)
        if name not in _REASONS or half_of_a_multipart or told_by_us:
            return
        event = s3_event(account_id, bucket, name, key)
        backend = moto.events.models.events_backends[account_id][bucket.region_name]
        for bus in backend.event_buses.values():
            for rule in list(bus.rules.values()):
                if rule.state == "ENABLED":
                    rule.send_to_targets(event, transform_input=False)

    with (
        mock.patch.object(moto.s3.notifications, "_send_event_bridge_message", send),
        mock.patch.object(moto.s3.models.S3Backend, "delete_object", delete),
    ):
        yield


def s3_event(account_id: str, bucket: Any, event_name: str, key: Any) -> dict[str, Any]:
    """The event that S3 sends to EventBridge (S3 User Guide, "EventBridge event message structure")."""
    described: dict[str, Any] = {"key": key.name, "sequencer": sequencer_of(key)}
    created = event_name.startswith("s3:ObjectCreated")
    if created:
        described |= {"size": key.size, "etag": key.etag.strip('"')}
    if key.version_id not in (None, "null"):
        described["version-id"] = key.version_id
    deletion = {} if created else {"deletion-type": _DELETION_TYPES[event_name]}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Object Created" if created else "Object Deleted",
        "source": "aws.s3",
        "account": account_id,
        "time": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": described,
            "request-id": uuid.uuid4().hex[:16].upper(),
            "requester": account_id,
            "source-ip-address": "127.0.0.1",
            "reason": _REASONS[event_name],
            **deletion,
        },
    }


def sequencer_of(key: Any) -> str:
    """The sequencer of a version of an object: hexadecimal, later than that of every version before it."""
    if not hasattr(key, "sequencer"):
        key.sequencer = f"{time.time_ns():016X}{next(_sequencers):06X}"
    return str(key.sequencer)


@contextlib.contextmanager
def rules_reach_their_targets(started: Started, invoke: Invoker, judge: Judging | None = None) -> Iterator[None]:
    """moto's rules know no state machine, no topic and no function as a target, and no dead-letter queue. AWS names
    such executions after the event, and calls a function three times at most. A rule with a schedule waits for no
    event, and no time passes here.
    """
    rule_class = moto.events.models.Rule
    original = rule_class.send_to_targets

    def send(self: Any, original_event: Any, transform_input: bool = True) -> None:
        if self.scheduled_expression:
            return
        machines = [target for target in self.targets if ":stateMachine:" in target["Arn"]]
        if machines and self.event_pattern.matches_event(original_event):
            for target in machines:
                if judge is not None:
                    judge(target["RoleArn"], "stepfunctions.StartExecution", {"stateMachineArn": target["Arn"]})
                arn = _start(self, target, original_event)
                described = original_event.get("detail", {}).get("object", {})
                started(described.get("key", ""), described.get("version-id"), arn)
        topics = [target for target in self.targets if target["Arn"].split(":")[2] == "sns"]
        if topics and self.event_pattern.matches_event(original_event):
            for target in topics:
                try:
                    _notify(self, target, original_event)
                except Exception:  # noqa: BLE001 - whatever it is: EventBridge gives up on this target alone
                    _set_aside(self, target, original_event)
        functions = [target for target in self.targets if target["Arn"].split(":")[2] == "lambda"]
        if functions and self.event_pattern.matches_event(original_event):
            for target in functions:
                if not _called(target["Arn"], original_event, invoke):
                    _set_aside(self, target, original_event)
        known = machines + topics + functions
        if len(known) < len(self.targets):
            others = copy.copy(self)
            others.targets = [target for target in self.targets if target not in known]
            original(others, {**original_event, "time": time.time()}, transform_input)

    with mock.patch.object(rule_class, "send_to_targets", send):
        yield


def _start(rule: Any, target: dict[str, Any], event: dict[str, Any]) -> str:
    state_input: Any = event
    for part in target.get("InputPath", "$").split(".")[1:]:
        state_input = state_input[part]
    backend = moto.stepfunctions.parser.models.stepfunctions_parser_backends[rule.account_id][rule.region_name]
    execution = backend.start_execution(
        target["Arn"], name=f"{event['id']}_{uuid.uuid4()}"[:80], execution_input=json.dumps(state_input)
    )
    return str(execution.exec_arn)


def _called(function_arn: str, event: dict[str, Any], invoke: Invoker) -> bool:
    """Whether a function took an event, at the latest when asked for the third time."""
    return any(not invoke(function_arn.split(":")[6], event)[1] for _ in range(ASYNCHRONOUS_ATTEMPTS))


def _notify(rule: Any, target: dict[str, Any], event: dict[str, Any]) -> None:
    message: Any = event
    if transformer := target.get("InputTransformer"):
        message = EventTemplateParser.parse(
            transformer["InputTemplate"],
            transformer.get("InputPathsMap", {}),
            {**event, "ingestion-time": event["time"]},
        )
    moto.sns.models.sns_backends[rule.account_id][rule.region_name].publish(json.dumps(message), arn=target["Arn"])


def _set_aside(rule: Any, target: dict[str, Any], event: dict[str, Any]) -> None:
    """What could not be delivered waits in the target's dead-letter queue, where it has one."""
    arn = target.get("DeadLetterConfig", {}).get("Arn")
    if arn is not None:
        queue = arn.rpartition(":")[2]
        moto.sqs.models.sqs_backends[rule.account_id][rule.region_name].send_message(queue, json.dumps(event))


@contextlib.contextmanager
def executions_tell_their_end() -> Iterator[None]:
    """moto shows a status before the output or error that belongs to it, and no event tells of the end (Step
    Functions Developer Guide, "Step Functions Execution Status Change").
    """
    original = BaseExecutionWorkerCommunication.terminated

    def terminated(self: Any) -> None:
        try:
            original(self)
            # Whoever shuts the local AWS down hears no more of what it stops.
            with contextlib.suppress(ShutDown):
                _tell_end(self.execution)
        finally:
            self.execution.has_ended = True

    with mock.patch.object(BaseExecutionWorkerCommunication, "terminated", terminated):
        yield


def _tell_end(execution: Any) -> None:
    event = execution_event(execution)
    backend = moto.events.models.events_backends[execution.account_id][execution.region_name]
    for bus in backend.event_buses.values():
        for rule in list(bus.rules.values()):
            if rule.state == "ENABLED":
                rule.send_to_targets(event, transform_input=False)


def execution_event(execution: Any) -> dict[str, Any]:
    """The event with which Step Functions tells how an execution ended."""
    output = None if execution.output is None else to_json_str(execution.output)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": execution.account_id,
        "time": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": execution.region_name,
        "resources": [execution.exec_arn],
        "detail": {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": execution.status,
            "startDate": int(execution.start_date.timestamp() * 1000),
            "stopDate": int(execution.stop_date.timestamp() * 1000),
            "input": execution.execution_input,
            "output": output,
            "error": execution.error,
            "cause": execution.cause,
        },
    }


@contextlib.contextmanager
def functions_run_without_docker(invoke: Invoker) -> Iterator[None]:
    """moto runs functions in Docker."""

    def run(self: Any, event: Any = None) -> tuple[str, bool, str]:
        return invoke(self.function_name, event)

    with mock.patch.object(moto.awslambda.models.LambdaFunction, "_invoke_lambda", run):
        yield


@contextlib.contextmanager
def jobs_run(run_job: RunJob) -> Iterator[None]:
    """moto's job runs only pretend to run: here their state is that of the run that was started in their place. And
    waiting for one always fails in moto's Step Functions, as it looks for a callback that such a task does not have.
    """
    job, job_run = moto.glue.models.FakeJob, moto.glue.models.FakeJobRun
    start, described = job.start_job_run, job_run.as_dict
    runs: dict[str, Any] = {}

    def started(self: Any, *arguments: Any, **named: Any) -> str:
        run_id = str(start(self, *arguments, **named))
        made = next(one for one in self.job_runs if one.job_run_id == run_id)
        runs[run_id] = run_job(self.name, run_id, dict(made.arguments or {}))
        return run_id

    def as_dict(self: Any) -> dict[str, Any]:
        run = runs.get(self.job_run_id)
        error = {"ErrorMessage": run.error} if run is not None and run.error else {}
        return {**described(self), **error}

    def status(self: Any) -> str:
        run = runs.get(self.job_run_id)
        return str(run.state) if run is not None else "STARTING"

    def wait(self: Any, env: Any, *arguments: Any, **named: Any) -> None:
        resolve = self._build_sync_resolver(env, *arguments, **named)
        found = self._eval_sync(env, resolve, None, None, None)
        env.stack.append(json.loads(json.dumps(found, default=str)))

    with (
        mock.patch.object(glue_tasks.StateTaskServiceGlue, "_eval_integration_pattern", wait),
        mock.patch.object(job, "start_job_run", started),
        mock.patch.object(job_run, "as_dict", as_dict),
        mock.patch.object(job_run, "status", property(status), create=True),
        mock.patch.object(sync_tasks, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", 0.2),
    ):
        yield


@contextlib.contextmanager
def objects_are_read_as_text() -> Iterator[None]:
    """s3:getObject of Step Functions gives the object's text as Body; moto's the open connection. And it names S3's
    errors after the service as it is written in the ARN, where AWS writes S3.
    """
    call = aws_sdk_tasks.StateTaskServiceAwsSdk._eval_service_task

    def called(self: Any, env: Any, *arguments: Any, **named: Any) -> None:
        call(self, env, *arguments, **named)
        answer = env.stack[-1]
        if isinstance(answer, dict) and hasattr(answer.get("Body"), "read"):
            answer["Body"] = answer["Body"].read().decode()

    with (
        mock.patch.object(aws_sdk_tasks.StateTaskServiceAwsSdk, "_eval_service_task", called),
        mock.patch.dict(aws_sdk_tasks._SERVICE_ERROR_NAMES, {"s3": "S3"}),
    ):
        yield


@contextlib.contextmanager
def names_are_stable() -> Iterator[None]:
    """moto ends generated names at random. A lake that is restored must find its bucket under the same name."""
    with mock.patch.object(moto.cloudformation.parsing, "random_suffix", return_value="LOCAL"):
        yield


@contextlib.contextmanager
def retries_wait(sleep: Callable[[float], None]) -> Iterator[None]:
    """Retries wait in real time; tests pass a clock that does not."""
    with mock.patch.object(retrier_decl, "time", types.SimpleNamespace(sleep=sleep)):
        yield


@contextlib.contextmanager
def stopped_states_know_their_timeout() -> Iterator[None]:
    """Once a branch has failed, moto evaluates nothing in the others: a state that just begins there takes whatever was
    evaluated last for its timeout, and the history with that in it cannot be read any more.
    """

    original = TimeoutSeconds.eval

    def evaluated(self: Any, env: Any) -> None:
        if env.is_running():
            original(self, env)
        else:
            env.stack.append(self.timeout_seconds)

    with mock.patch.object(TimeoutSeconds, "eval", evaluated):
        yield


@contextlib.contextmanager
def maps_go_through_long_lists() -> Iterator[None]:
    """A worker of moto's Distributed Map calls itself for each next item, which ends at Python's depth of recursion."""

    def work(self: Any) -> None:
        frame = self._env
        job = self._job_pool.next_job()
        while job is not None:
            job_frame = frame.open_inner_frame()
            self._eval_job(env=job_frame, job=job)
            frame.delete_frame(job_frame)
            stopped = isinstance(job.job_output, Exception) or self.stopped()
            following = None if stopped else self._job_pool.next_job()
            if following is None:
                # Before the job: whoever waits for the last job finds no frame of this worker any more.
                frame.delete_frame(frame)
            self._job_pool.close_job(job)
            job = following

    with mock.patch.object(distributed_item_processor_worker.DistributedItemProcessorWorker, "eval", work):
        yield


@contextlib.contextmanager
def map_runs_are_told_from_the_start() -> Iterator[None]:
    """moto fails to tell of any map run while any execution has not come to its first state."""
    backend_class = moto.stepfunctions.parser.models.StepFunctionsParserBackend

    def records(executions: list[Any]) -> list[Any]:
        begun = [execution.exec_worker.env for execution in executions if execution.exec_worker is not None]
        return [record for env in begun if env is not None for record in env.map_run_record_pool_manager.get_all()]

    def described(self: Any, map_run_arn: str) -> dict[str, Any]:
        for found in records(self._get_executions()):
            if found.map_run_arn == map_run_arn:
                return dict(found.describe())
        raise ResourceNotFound

    def listed(self: Any, execution_arn: str) -> dict[str, Any]:
        execution = self.describe_execution(execution_arn=execution_arn)
        return {"mapRuns": [found.list_item() for found in records([execution])]}

    with (
        mock.patch.object(backend_class, "describe_map_run", described),
        mock.patch.object(backend_class, "list_map_runs", listed),
    ):
        yield


@contextlib.contextmanager
def executions_start_executions() -> Iterator[None]:
    """What a state asks of Step Functions begins with capitals, and so does the answer; in boto3 neither does."""
    task = state_task_service_sfn.StateTaskServiceSfn
    original = task._normalise_parameters

    def asked(self: Any, parameters: dict[str, Any], *arguments: Any, **named: Any) -> None:
        original(self, parameters, *arguments, **named)
        _renamed(parameters, str.lower)

    def answered(self: Any, response: dict[str, Any], *_: Any, **__: Any) -> None:  # noqa: ARG001
        _renamed(response, str.upper)

    with (
        mock.patch.object(task, "_normalise_parameters", asked),
        mock.patch.object(task, "_normalise_response", answered),
        mock.patch.object(state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", _SYNC_SECONDS),
    ):
        yield


def _renamed(fields: dict[str, Any], first_letter: Callable[[str], str]) -> None:
    for name in list(fields):
        value = fields.pop(name)
        moment = isinstance(value, dt.datetime)
        fields[first_letter(name[0]) + name[1:]] = int(value.timestamp() * 1000) if moment else value


def restore_object(bucket: Any, name: str, content: bytes, saved: dict[str, Any]) -> None:
    """Puts an object back as it was: same version id, time and sequencer, no event. moto can only write new ones."""
    key = FakeKey(
        name=name,
        value=content,
        account_id=bucket.account_id,
        region_name=bucket.region_name,
        etag=saved["etag"],
        is_versioned=bucket.is_versioned,
        version_id=saved["version_id"],
        bucket_name=bucket.name,
    )
    key.last_modified = dt.datetime.fromisoformat(saved["last_modified"])
    key.set_metadata(dict(saved["metadata"]))
    key.sequencer = saved["sequencer"]
    bucket.keys.setlist(name, [key])


@contextlib.contextmanager
def _replaced_everywhere(name: str, replacement: Any) -> Iterator[None]:
    """Replaces a function in every module of moto's Step Functions that imported it by name."""
    modules = [
        module
        for path, module in list(sys.modules.items())
        if path.startswith("moto.stepfunctions") and name in vars(module)
    ]
    if not modules:
        raise RuntimeError(f"moto has no {name} any more: the seam has to be made anew")
    with contextlib.ExitStack() as patches:
        for module in modules:
            patches.enter_context(mock.patch.object(module, name, replacement))
        yield
