"""The lake in memory answers as S3 does: the same calls to it and to moto."""

import os
from unittest import mock

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.storm.lake_double import LakeDouble

BUCKET = {"Bucket": "lake"}


def script(s3) -> list[object]:
    """What a client answers to a row of calls: etags, contents, and the code and status of what it refuses."""
    answers: list[object] = []

    def ask(call, *kept, **arguments):
        try:
            answer = call(**BUCKET, **arguments)
        except ClientError as error:
            answers.append((error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]))
            return {}
        answers.append([answer["Body"].read() if name == "Body" else answer[name] for name in kept])
        return answer

    first = ask(s3.put_object, "ETag", Key="a/1", Body=b"one", IfNoneMatch="*", Metadata={"sha256": "x"})
    ask(s3.put_object, "ETag", Key="a/1", Body=b"two", IfNoneMatch="*")
    ask(s3.put_object, "ETag", Key="a/1", Body=b"two", IfMatch='"00"')
    ask(s3.put_object, "ETag", Key="a/2", Body=b"two", IfMatch='"00"')
    second = ask(s3.put_object, "ETag", Key="a/1", Body=b"two", IfMatch=first["ETag"])
    ask(s3.get_object, "Body", "ETag", Key="a/1")
    ask(s3.get_object, "Body", "Metadata", Key="a/1", VersionId=first["VersionId"])
    ask(s3.get_object, "Body", Key="a/1", IfMatch=first["ETag"])
    ask(s3.get_object, "Body", Key="a/3")
    ask(s3.head_object, "ContentLength", "ETag", Key="a/1", VersionId=second["VersionId"])
    ask(s3.head_object, Key="a/3")
    ask(s3.copy_object, Key="a/4", CopySource={**BUCKET, "Key": "a/1"})
    ask(s3.delete_object, Key="a/1")
    ask(s3.get_object, "Body", Key="a/1")
    ask(s3.get_object, "Body", Key="a/1", VersionId=second["VersionId"])
    ask(s3.put_object, "ETag", Key="a/1", Body=b"again", IfNoneMatch="*")
    pages = s3.get_paginator("list_objects_v2").paginate(**BUCKET, Prefix="a/")
    answers.append([found["Key"] for page in pages for found in page.get("Contents", [])])
    return answers


def test_the_double_answers_what_moto_answers():
    environment = {"AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "us-east-1"}
    with mock.patch.dict(os.environ, environment), mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(**BUCKET)
        s3.put_bucket_versioning(**BUCKET, VersioningConfiguration={"Status": "Enabled"})
        expected = script(s3)
    found = script(LakeDouble())
    assert len(found) == 17
    assert found == expected


def test_a_write_can_crash_before_or_after_it_counts():
    double = LakeDouble()

    def die(operation, key):
        raise KeyboardInterrupt

    double.before_write = die
    with pytest.raises(KeyboardInterrupt):
        double.put_object(**BUCKET, Key="a", Body=b"x")
    assert double.keys() == []
    double.before_write, double.after_write = double.after_write, die
    with pytest.raises(KeyboardInterrupt):
        double.put_object(**BUCKET, Key="a", Body=b"x")
    assert double.keys() == ["a"]
