"""A deployed stack on AWS: where its parts are."""

import contextlib
from collections.abc import Iterator

from cli.output import fail


def output(stack: str, *names: str) -> list[str]:
    """The values of a stack's outputs; ends the command where one is missing."""
    import boto3

    with refused():
        described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    found = {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
    for name in names:
        if name not in found:
            fail(f"The stack {stack} has no output {name}: deploy this version of it first.")
    return [found[name] for name in names]


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Ends the command with AWS's own sentence where AWS, or the way to it, says no."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        fail(f"{error}.".replace("..", "."))
