"""The environment variables of this process, kept apart from those of its user while the local AWS is at work."""

import contextlib
import os
import sys
from collections.abc import Iterator

ACCOUNT_ID = "123456789012"
REGION = "eu-central-1"


@contextlib.contextmanager
def isolated_environment() -> Iterator[None]:
    """No setting, profile or proxy of this machine's user reaches the local AWS; all is put back afterwards."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


@contextlib.contextmanager
def left_out(module: str) -> Iterator[None]:
    """Whoever can do without a library, and takes it where it is there, does without inside this block."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
