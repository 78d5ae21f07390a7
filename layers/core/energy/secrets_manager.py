"""The door to Secrets Manager. A secret is read when it is first needed, and stays in this process's memory until it is
refused where it is used: then it may have been rotated.
"""

import functools
import json
from typing import TYPE_CHECKING

import boto3

from energy.errors import SecretUnusable
from energy.store import client_config, transient

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@functools.cache
def client() -> "SecretsManagerClient":
    """One client per process."""
    return boto3.client("secretsmanager", config=client_config())


@functools.cache
def secret(arn: str) -> str:
    """A secret that is one string: plain, or the only value of a JSON object, as the console stores it."""
    with transient("GetSecretValue"):
        stored = client().get_secret_value(SecretId=arn).get("SecretString", "").strip()
    try:
        document = json.loads(stored)
    except ValueError:
        document = stored
    values = list(document.values()) if isinstance(document, dict) else [document]
    if len(values) != 1 or not isinstance(values[0], str) or not values[0].strip():
        raise SecretUnusable(arn)
    return values[0].strip()


def read_anew(arn: str) -> str:
    """The secret as it is now."""
    secret.cache_clear()
    return secret(arn)
