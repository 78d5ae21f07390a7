"""Deletes a stack, and its data only where that is said.

    python -m tools.destroy NAME [--delete-data]

Buckets outlive the stack; their names are printed. With --delete-data they are emptied, in all versions, and deleted,
once the stack's name has been typed again. Nothing brings that back.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def destroy(stack: str, delete_data: bool, client: Callable[[str], Any]) -> list[str]:
    """Deletes the stack and waits for its end; the buckets that are left, or were deleted with it."""
    cloudformation = client("cloudformation")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = [each for page in pages for each in page["StackResourceSummaries"]]
    buckets = [each["PhysicalResourceId"] for each in found if each["ResourceType"] == "AWS::S3::Bucket"]
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)
    if delete_data:
        for bucket in buckets:
            empty(bucket, client("s3"))
            client("s3").delete_bucket(Bucket=bucket)
    return buckets


def kept_keys(stack: str, client: Callable[[str], Any]) -> list[str]:
    """The ids of the stack's keys that outlive it: LakeKey, which the lake's objects cannot be read without."""
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    found = [each for page in pages for each in page["StackResourceSummaries"]]
    return [each["PhysicalResourceId"] for each in found if each["LogicalResourceId"] == "LakeKey"]


def left_behind(keys: list[str], stack: str) -> list[str]:
    """What to tell of keys that were kept."""
    return [
        f"left, at 1 USD a month: the key {key} of the lake of {stack}. Once nothing is left that it encrypts: "
        f"aws kms schedule-key-deletion --key-id {key}"
        for key in keys
    ]


def empty(bucket: str, s3: Any) -> None:
    """Deletes every version of every object of a bucket."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if versions:
            objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise RuntimeError(f"{answer['Errors'][0]['Key']} could not be deleted: {answer['Errors'][0]['Code']}")


def main() -> None:
    """Asks, where data is to go, then says what is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack")
    parser.add_argument("--delete-data", action="store_true")
    arguments = parser.parse_args()
    stack = arguments.stack
    if arguments.delete_data and input(f"All data of {stack} will be gone. Type the stack's name: ") != stack:
        sys.exit("That is not its name: nothing was deleted.")
    try:
        keys = kept_keys(stack, boto3.client)
        buckets = destroy(stack, arguments.delete_data, boto3.client)
    except (BotoCoreError, ClientError) as error:
        sys.exit(str(error))
    told = "deleted with all data" if arguments.delete_data else "left with all data"
    for bucket in buckets:
        print(f"{told}: s3://{bucket}")
    for line in left_behind(keys, stack):
        print(line)
    if not arguments.delete_data:
        print("DATA=delete finds no data any more once the stack is gone: empty and delete these buckets by hand.")


if __name__ == "__main__":
    main()
