"""A small process that ends the functions' processes when this one dies, however it dies."""

import contextlib
import subprocess
import sys
import threading

_PROGRAM = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    verb, group = line.split()
    (groups.add if verb == "watch" else groups.discard)(int(group))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


class Guard:
    """Knows the process groups that must not outlive us; the pipe to it breaks with our death."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def watch(self, group: int) -> None:
        """This group ends with us."""
        self._tell(f"watch {group}\n")

    def forget(self, group: int) -> None:
        """This group has ended; its number may come to mean another."""
        self._tell(f"forget {group}\n")

    def stop(self) -> None:
        """Ends what is still watched, then the guard itself."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.wait(10)

    def _tell(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.write(line)
                self._process.stdin.flush()
