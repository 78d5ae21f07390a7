"""Lambda without Docker: a process for each function runs the real runtime client against a Runtime API on loopback.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import contextlib
import http.server
import importlib.util
import json
import os
import queue
import signal
import socketserver
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.guard import Guard

INIT_SECONDS = 180
# Of one function at a time, as with reserved concurrency: fifty Prophets at once do not fit into a laptop's memory.
CONCURRENCY = 4
# What runs the runtime client where a role's policies apply.
_UNDER_ROLE = Path(__file__).resolve().parent / "iam" / "process.py"
# What a python3.13 function finds beside its own package: boto3 with what it needs, and the runtime client.
_RUNTIME_MODULES = (
    "awslambdaric",
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "runtime_client",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot_restore_py",
    "urllib3",
)


class ShutDown(Exception):
    """A function was called when its runtime had been stopped."""


@dataclass(frozen=True)
class Function:
    """A deployed function. `folders` are its own and its layers', in the order of its import path.

    `role_file` holds the role that its calls are judged by; without one it may do all.
    """

    logical_id: str
    name: str
    handler: str
    timeout_seconds: float
    memory_mb: int
    environment: dict[str, str]
    folders: tuple[Path, ...]
    bare: bool
    role_file: Path | None = None


@dataclass(frozen=True)
class InvokeResult:
    """What Lambda answers. `payload` is the handler's result, or Lambda's description of the error."""

    payload: Any
    error_type: str | None
    log: str


@dataclass(frozen=True)
class Invocation:
    """An invocation that a process works on."""

    function: str
    request_id: str
    pid: int


@dataclass
class LambdaRuntime:
    """Runs functions. Sandboxes stay warm; a function that is called while it works gets another one, up to
    CONCURRENCY of them. Whoever comes then waits.
    """

    state_folder: Path
    base_environment: dict[str, str]
    guard: Guard
    _idle: dict[str, list["Sandbox"]] = field(default_factory=dict)
    _all: list["Sandbox"] = field(default_factory=list)
    _slots: dict[str, threading.Semaphore] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def warm(self, function: Function) -> None:
        """Starts a sandbox; its imports go on while others work."""
        self._give_back(function, self._start(function))

    def invoke(self, function: Function, event: Any) -> InvokeResult:
        """Runs the handler once; every way to fail is in the result, as Lambda reports it."""
        with self._lock:
            slot = self._slots.setdefault(function.name, threading.Semaphore(CONCURRENCY))
        with slot:
            sandbox = self._take(function)
            try:
                return sandbox.invoke(event)
            finally:
                self._give_back(function, sandbox)

    def working(self) -> list[Invocation]:
        """The invocations that functions work on at this moment."""
        with self._lock:
            found = [sandbox.invocation for sandbox in self._all]
        return [invocation for invocation in found if invocation is not None]

    def log_file(self, function: Function) -> Path:
        """Everything that the function's processes wrote, newest last."""
        return self.state_folder / "logs" / f"{function.logical_id}.log"

    def stop(self) -> None:
        """Ends every process."""
        with self._lock:
            self._stopped = True
            sandboxes, self._all = self._all, []
            self._idle.clear()
        for sandbox in sandboxes:
            sandbox.stop()

    def _take(self, function: Function) -> "Sandbox":
        with self._lock:
            idle = self._idle.get(function.name, [])
            while idle:
                sandbox = idle.pop()
                if sandbox.alive:
                    return sandbox
        return self._start(function)

    def _give_back(self, function: Function, sandbox: "Sandbox") -> None:
        with self._lock:
            if sandbox.alive and not self._stopped:
                self._idle.setdefault(function.name, []).append(sandbox)
                return
            if sandbox in self._all:
                self._all.remove(sandbox)
        sandbox.stop()

    def _start(self, function: Function) -> "Sandbox":
        log_file = self.log_file(function)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if self._stopped:
                raise ShutDown("the local AWS is shut down")
            sandbox = Sandbox(function, self._environment(function), log_file, self.guard)
            self._all.append(sandbox)
        return sandbox

    def _environment(self, function: Function) -> dict[str, str]:
        scratch = self.state_folder / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        folders = list(function.folders)
        if function.bare:
            folders.append(bare_runtime(self.state_folder / "runtime"))
        return {
            **self.base_environment,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "HOME": str(scratch),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "LAMBDA_TASK_ROOT": str(function.folders[0]),
            "LANG": "en_US.UTF-8",
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "PYTHONPATH": os.pathsep.join(str(folder) for folder in folders),
            "TMPDIR": str(scratch),
            "TZ": ":UTC",
            "_HANDLER": function.handler,
            **function.environment,
        }


def bare_runtime(folder: Path) -> Path:
    """A folder with boto3, what boto3 needs, and the runtime client: all that Lambda adds to a function's package."""
    if folder.exists():
        return folder
    making = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    making.mkdir(parents=True)
    for name in _RUNTIME_MODULES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"the bare runtime needs {name}; install the locked requirements")
        source = Path(spec.origin)
        if source.name == "__init__.py":
            source = source.parent
        (making / source.name).symlink_to(source)
    with contextlib.suppress(OSError):
        making.rename(folder)
    return folder


class Sandbox:
    """One process of a function with its own Runtime API; one invocation at a time."""

    def __init__(self, function: Function, environment: dict[str, str], log_file: Path, guard: Guard) -> None:
        self._function = function
        self._log_file = log_file
        self._guard = guard
        self._events: queue.Queue[tuple[str, float, bytes] | None] = queue.Queue()
        self._answers: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
        self._ready = threading.Event()
        self._init_error: bytes | None = None
        self._request_id = ""
        self._server = _RuntimeApi(self)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._process = self._start(environment)
        threading.Thread(target=self._wait, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether another event can be given to it."""
        return self._process.poll() is None and self._init_error is None

    @property
    def invocation(self) -> Invocation | None:
        """What the process works on; None while it starts or waits."""
        request_id = self._request_id
        return Invocation(self._function.name, request_id, self._process.pid) if request_id else None

    def invoke(self, event: Any) -> InvokeResult:
        """Hands the event to the process and waits for its answer, its death or its timeout."""
        request_id = str(uuid.uuid4())
        log_start = self._log_file.stat().st_size if self._log_file.exists() else 0
        try:
            payload, is_error = self._run(request_id, json.dumps(event).encode())
        finally:
            self._request_id = ""
        answer = json.loads(payload) if payload else None
        error_type = str((answer or {}).get("errorType", "Unhandled")) if is_error else None
        return InvokeResult(answer, error_type, self._log_since(log_start))

    def _run(self, request_id: str, event: bytes) -> tuple[bytes, bool]:
        self._ready.wait(INIT_SECONDS)
        if self._init_error is not None:
            self.stop()
            return self._init_error, True
        timeout_seconds = self._function.timeout_seconds
        self._request_id = request_id
        self._events.put((request_id, time.time() + timeout_seconds, event))
        give_up = time.monotonic() + timeout_seconds
        while True:
            try:
                answered, payload, is_error = self._answers.get(timeout=max(0.0, give_up - time.monotonic()))
            except queue.Empty:
                self.stop()
                message = f"RequestId: {request_id} Error: Task timed out after {timeout_seconds:.2f} seconds"
                return _error("Sandbox.Timedout", message), True
            if answered == request_id:
                return payload, is_error
            if answered == "":  # the process is gone
                return _error("Runtime.ExitError", f"RequestId: {request_id} Error: {payload.decode()}"), True

    def stop(self) -> None:
        """Ends the process and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._events.put(None)

    def next_event(self) -> tuple[str, float, bytes] | None:
        """The Runtime API's "next invocation": waits for one; None when there will be none."""
        self._ready.set()
        return self._events.get()

    def answer(self, request_id: str, payload: bytes, is_error: bool) -> None:
        """The Runtime API's "invocation response" and "invocation error"."""
        self._answers.put((request_id, payload, is_error))

    def init_failed(self, payload: bytes) -> None:
        """The Runtime API's "initialization error"."""
        self._init_error = payload
        self._ready.set()

    @property
    def invoked_function_arn(self) -> str:
        """The ARN that the context carries."""
        region = self._function.environment.get("AWS_REGION", "us-east-1")
        return f"arn:aws:lambda:{region}:123456789012:function:{self._function.name}"

    def _start(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        isolation = ["-S", "-s"] if self._function.bare else []
        role_file = self._function.role_file
        runtime = ["-m", "awslambdaric"] if role_file is None else [str(_UNDER_ROLE)]
        role = {} if role_file is None else {"FUNCTION_ROLE": str(role_file)}
        with self._log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *isolation, *runtime, self._function.handler],
                cwd=self._function.folders[0],
                env={**environment, **role, "AWS_LAMBDA_RUNTIME_API": self._server.address},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard.watch(process.pid)
        return process

    def _wait(self) -> None:
        code = self._process.wait()
        self._guard.forget(self._process.pid)
        ended = f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        if not self._ready.is_set():
            self.init_failed(_error("Runtime.ExitError", f"Runtime exited with error during start: {ended}"))
        self._answers.put(("", f"Runtime exited with error: {ended}".encode(), True))
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()

    def _log_since(self, position: int) -> str:
        with self._log_file.open("rb") as log:
            log.seek(position)
            return log.read().decode("utf-8", "replace")


class _RuntimeApi(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(("127.0.0.1", 0), _RuntimeApiRequest)
        self.sandbox = sandbox

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that was killed hangs up; that is no news."""


class _RuntimeApiRequest(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _RuntimeApi

    def do_GET(self) -> None:
        if not self.path.endswith("/runtime/invocation/next"):
            self.send_error(404)
            return
        event = self.server.sandbox.next_event()
        if event is None:
            self.close_connection = True
            return
        request_id, deadline, body = event
        self._reply(
            200,
            body,
            {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": self.server.sandbox.invoked_function_arn,
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            },
        )

    def do_POST(self) -> None:
        body = self._body()
        parts = self.path.strip("/").split("/")
        if self.path.endswith("/runtime/init/error"):
            self.server.sandbox.init_failed(body)
        else:
            self.server.sandbox.answer(parts[-2], body, is_error=parts[-1] == "error")
        self._reply(202, b'{"status":"OK"}', {})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return _read_chunks(self.rfile)

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Requests are not news."""


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def _read_chunks(stream: Any) -> bytes:
    """The body of a request with Transfer-Encoding: chunked."""
    body = bytearray()
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return bytes(body)
