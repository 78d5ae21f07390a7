"""AWS Glue on this machine: a job run is a process with PySpark on two cores, in an environment of its own.

The script, its arguments and its role are those of the template. What Glue brings is in requirements/spark.txt.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from energy.intake.source import MAX_TEXT_BYTES
from local.guard import Guard

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-spark" / "bin" / "python"
# With its functions, the S3 of moto and Spark's workers beside it a laptop has no more to spare.
_MASTER, _DRIVER_MEMORY = "local[2]", "2g"
# Puts every process of a job, Spark's workers too, under the job's role.
_STARTUP = Path(__file__).resolve().parent / "iam" / "startup"
_JAVA_NEEDED = 17
# More appliances than any site has.
_ANY_NUMBER = 1_000_000
_MOST_CHARACTERS = 2000
# The last line of a Python traceback: what was raised, and what it says.
_RAISED = re.compile(r"^(?:[a-z_]\w*\.)*([A-Z]\w+): (.+)$")


class SparkMissing(Exception):
    """What a job needs is not on this machine."""


@dataclass(frozen=True)
class Job:
    """A deployed job. `folders` are those that its script imports from; a script that is packed needs none.

    `role_file` holds the role that its calls are judged by; without one it may do all.
    """

    name: str
    script: Path
    timeout_minutes: float
    folders: tuple[Path, ...] = (ROOT, ROOT / "layers" / "core")
    role_file: Path | None = None


@dataclass
class JobRun:
    """A run as Glue tells of it: `state` is RUNNING, SUCCEEDED, FAILED, TIMEOUT or STOPPED."""

    state: str = "RUNNING"
    error: str | None = None
    process: subprocess.Popen[bytes] | None = None


@dataclass
class GlueJobs:
    """Runs jobs, one process each."""

    state_folder: Path
    base_environment: dict[str, str]
    guard: Guard
    jobs: dict[str, Job] = field(default_factory=dict)
    _runs: list[JobRun] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, name: str, run_id: str, arguments: dict[str, str]) -> JobRun:
        """Starts a run; one that cannot start has FAILED, and says why."""
        run = JobRun()
        try:
            missing = what_is_missing()
            if missing:
                raise SparkMissing(missing)
            run.process = self._spawn(self.jobs[name], run_id, arguments)
        except (SparkMissing, OSError) as error:
            run.state, run.error = "FAILED", str(error)
            return run
        with self._lock:
            self._runs.append(run)
        threading.Thread(target=self._follow, args=(run, self.jobs[name], run_id), daemon=True).start()
        return run

    def log_file(self, run_id: str) -> Path:
        """What a run has written."""
        return self.state_folder / "logs" / f"{run_id}.log"

    def stop(self) -> None:
        """Ends every run that is at work."""
        with self._lock:
            runs, self._runs = self._runs, []
        for run in runs:
            _end(run, "STOPPED", "the local AWS was shut down")

    def _spawn(self, job: Job, run_id: str, arguments: dict[str, str]) -> subprocess.Popen[bytes]:
        log_file = self.log_file(run_id)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.state_folder / "spark"
        scratch.mkdir(parents=True, exist_ok=True)
        told = [part for name, value in arguments.items() for part in (name, str(value))]
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                [str(PYTHON), str(job.script), "--JOB_NAME", job.name, "--JOB_RUN_ID", run_id, *told],
                cwd=scratch,
                env=self._environment(job, scratch),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.guard.watch(process.pid)
        return process

    def _environment(self, job: Job, scratch: Path) -> dict[str, str]:
        role = {} if job.role_file is None else {"JOB_ROLE": str(job.role_file)}
        submit = ["--master", _MASTER, "--driver-memory", _DRIVER_MEMORY, "--conf", "spark.ui.enabled=false"]
        java = {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
        return {
            **self.base_environment,
            **role,
            **java,
            "HOME": str(scratch),
            "LANG": "en_US.UTF-8",
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "PYSPARK_PYTHON": str(PYTHON),
            "PYSPARK_SUBMIT_ARGS": " ".join([*submit, "pyspark-shell"]),
            "PYTHONPATH": os.pathsep.join(str(folder) for folder in (_STARTUP, *job.folders)),
            "SPARK_LOCAL_DIRS": str(scratch),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "TMPDIR": str(scratch),
            "TZ": "UTC",
        }

    def _follow(self, run: JobRun, job: Job, run_id: str) -> None:
        process = run.process
        if process is None:
            raise AssertionError(f"{run_id} was never started")
        try:
            code = process.wait(job.timeout_minutes * 60)
        except subprocess.TimeoutExpired:
            _end(run, "TIMEOUT", f"it ran for longer than {job.timeout_minutes:g} minutes")
            return
        finally:
            self.guard.forget(process.pid)
        if run.state != "RUNNING":  # it was stopped
            return
        if code:
            run.error = _raised(self.log_file(run_id)) or f"the process ended with {code}"
        run.state = "FAILED" if code else "SUCCEEDED"


def what_is_missing() -> str | None:
    """Why no job can run here, and what to do; None where one can."""
    if not PYTHON.exists():
        return "Spark runs in an environment of its own, which is not there yet. Make it: make spark-setup"
    java = shutil.which("java", path=_java_path())
    if java is None:
        return f"Spark needs Java {_JAVA_NEEDED}, and no java was found. Install one, or set JAVA_HOME."
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) != _JAVA_NEEDED:
        found = told.splitlines()[0] if told else "one that does not tell its version"
        return f"Spark needs Java {_JAVA_NEEDED}; {java} is {found}. Set JAVA_HOME to one of {_JAVA_NEEDED}."
    return None


def parameters_without_spark() -> dict[str, str]:
    """The stack's parameters where no job can run: functions do whatever they can, more than a deployed stack would let
    these say. Empty where one can.
    """
    if not what_is_missing():
        return {}
    return {"LambdaMaxBytes": str(MAX_TEXT_BYTES), "LambdaMaxAppliances": str(_ANY_NUMBER)}


def _java_path() -> str:
    home = os.environ.get("JAVA_HOME")
    return f"{home}/bin" if home else os.environ.get("PATH", "")


def _end(run: JobRun, state: str, error: str) -> None:
    run.state, run.error = state, error
    if run.process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait()


def _raised(log_file: Path) -> str | None:
    """What ended a run, as its traceback says."""
    lines = log_file.read_text("utf-8", "replace").splitlines()
    found = next((match for line in reversed(lines) if (match := _RAISED.match(line))), None)
    return f"{found[1]}: {found[2]}"[:_MOST_CHARACTERS] if found else None
