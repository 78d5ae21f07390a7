"""The local IAM: what a policy allows, what a call asks for. Each case is worked out from the IAM User Guide."""

import pytest
from botocore.exceptions import ClientError

from local.iam import (
    Grant,
    Journal,
    Judge,
    Request,
    Role,
    Surroundings,
    UnmappedCall,
    decide,
    grants,
    requests,
)

BUCKET = "arn:aws:s3:::lake"
HERE = Surroundings("eu-west-1", "123456789012")


def role(*statements):
    return Role("Role", "arn:aws:iam::123456789012:role/r", ({"Version": "2012-10-17", "Statement": list(statements)},))


def allow(action="s3:GetObject", resource=f"{BUCKET}/raw/*", **more):
    return {"Sid": "S", "Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(**more):
    return {"Effect": "Deny", "Action": "s3:*", "Resource": "*", **more}


def allowed(policy, action="s3:GetObject", resource=f"{BUCKET}/raw/a.csv", **context):
    keys = {name.replace("__", ":"): value for name, value in context.items()}
    return decide(policy, Request(action, resource, keys)).allowed


# ---------------------------------------------------------------------------------------------- actions and resources


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("raw/*", "raw/a.csv", True),
        ("raw/*", "raw/a/b/c.csv", True),
        ("raw/*", "rawx/a.csv", False),
        ("raw/*", "processed/raw/a.csv", False),
        ("raw/?.csv", "raw/a.csv", True),
        ("raw/?.csv", "raw/ab.csv", False),
        ("reports/site=*/latest.html", "reports/site=home/latest.html", True),
        ("reports/site=*/latest.html", "reports/site=home/latestXhtml", False),
        ("raw/[ab].csv", "raw/a.csv", False),
    ],
)
def test_a_resource_matches_by_star_and_question_mark_only(pattern, key, expected):
    assert allowed(role(allow(resource=f"{BUCKET}/{pattern}")), resource=f"{BUCKET}/{key}") is expected


def test_actions_know_no_case_and_resources_do():
    assert allowed(role(allow("S3:getobject")))
    assert not allowed(role(allow(resource=f"{BUCKET}/RAW/*")))


@pytest.mark.parametrize("action", ["s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectAcl"])
def test_another_action_on_the_same_object_is_denied(action):
    assert not allowed(role(allow()), action)


def test_nothing_is_allowed_by_default():
    assert not allowed(role())
    assert "no identity-based policy allows" in decide(role(), Request("s3:GetObject", "x")).reason


def test_a_deny_wins_whatever_stands_before_or_after_it():
    for statements in ([deny(), allow()], [allow(), deny()]):
        assert not allowed(role(*statements))


def test_not_resource_and_not_action_name_the_exceptions():
    but_raw = role({"Effect": "Allow", "Action": "s3:GetObject", "NotResource": f"{BUCKET}/raw/*"})
    assert not allowed(but_raw)
    assert allowed(but_raw, resource=f"{BUCKET}/config/home.yaml")
    but_delete = role({"Effect": "Allow", "NotAction": ["s3:Delete*"], "Resource": "*"})
    assert allowed(but_delete)
    assert not allowed(but_delete, "s3:DeleteObject")


def test_statements_of_several_policies_add_up():
    two = Role("Role", "arn", tuple(role(one).policies[0] for one in (allow(), allow("s3:PutObject"))))
    assert allowed(two, "s3:PutObject")
    assert allowed(two, "s3:GetObject")


# ---------------------------------------------------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringEquals": {"s3:prefix": "raw/"}}, {"s3__prefix": "raw/"}, True),
        ({"StringEquals": {"s3:prefix": "raw/"}}, {"s3__prefix": "raw/a"}, False),
        ({"StringEquals": {"s3:prefix": "raw/"}}, {}, False),
        ({"StringLike": {"s3:prefix": ["raw/*", "config/*"]}}, {"s3__prefix": "config/home"}, True),
        ({"StringLike": {"S3:Prefix": "raw/*"}}, {"s3__prefix": "raw/a"}, True),
        ({"StringNotEquals": {"s3:prefix": "raw/"}}, {"s3__prefix": "raw/"}, False),
        ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {"s3__prefix": "b"}, False),
        ({"StringNotEquals": {"s3:prefix": "raw/"}}, {}, True),
        ({"StringEqualsIfExists": {"s3:prefix": "raw/"}}, {}, True),
        ({"StringEqualsIfExists": {"s3:prefix": "raw/"}}, {"s3__prefix": "x"}, False),
        ({"StringEqualsIgnoreCase": {"k": "A"}}, {"k": "a"}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}, {"aws__sourcearn": BUCKET}, True),
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:sns:::x"}}, {"aws__sourcearn": BUCKET}, False),
        ({"Bool": {"aws:SecureTransport": True}}, {"aws__securetransport": "true"}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws__securetransport": "true"}, False),
        ({"Null": {"s3:prefix": "true"}}, {}, True),
        ({"Null": {"s3:prefix": "true"}}, {"s3__prefix": "x"}, False),
        # Two keys must both hold, and so must two operators.
        ({"StringEquals": {"a": "1", "b": "2"}}, {"a": "1", "b": "3"}, False),
        ({"StringEquals": {"a": "1"}, "StringLike": {"b": "2*"}}, {"a": "1", "b": "23"}, True),
    ],
)
def test_a_condition_holds_or_not(condition, context, expected):
    assert allowed(role(allow(Condition=condition)), **context) is expected


def test_a_deny_with_an_unmet_condition_denies_nothing():
    over_http = deny(Condition={"Bool": {"aws:SecureTransport": "false"}})
    assert allowed(role(allow(), over_http), aws__securetransport="true")
    assert not allowed(role(allow(), over_http), aws__securetransport="false")


@pytest.mark.parametrize(
    "condition", [{"NumericLessThan": {"s3:max-keys": "10"}}, {"ForAllValues:StringLike": {"a": "b"}}]
)
def test_an_operator_that_is_not_known_is_no_silent_yes(condition):
    with pytest.raises(ValueError, match="not known here"):
        allowed(role(allow(Condition=condition)))


def test_policy_variables_are_no_silent_yes():
    with pytest.raises(ValueError, match="policy variables"):
        allowed(role(allow(resource=f"{BUCKET}/${{aws:username}}/*")))


# -------------------------------------------------------------------------------------------------------------- grants


def test_grants_are_the_smallest_pieces_of_what_is_allowed():
    policy = role(
        allow(["s3:GetObject", "s3:PutObject"], [f"{BUCKET}/a/*", f"{BUCKET}/b/*"]),
        allow("s3:ListBucket", BUCKET, Condition={"StringLike": {"s3:prefix": ["a/*", "b/*"]}}),
        deny(),
    )
    assert len(grants(policy)) == 2 * 2 + 2


def test_only_the_pieces_that_a_call_needed_count_as_used():
    policy = role(allow("s3:ListBucket", BUCKET, Condition={"StringLike": {"s3:prefix": ["a/*", "b/*"]}}))
    used = decide(policy, Request("s3:ListBucket", BUCKET, {"s3:prefix": "b/c"})).used
    assert used == (Grant("Role", "S", "s3:ListBucket", BUCKET, (("StringLike s3:prefix", "b/*"),)),)


# --------------------------------------------------------------------------------------------------------------- calls


def asked(call, **parameters):
    return [(one.action, one.resource) for one in requests(call, parameters, HERE)]


def test_a_version_asks_for_another_action_than_the_object():
    assert asked("s3.GetObject", Bucket="lake", Key="k") == [("s3:GetObject", f"{BUCKET}/k")]
    assert asked("s3.HeadObject", Bucket="lake", Key="k", VersionId="v") == [("s3:GetObjectVersion", f"{BUCKET}/k")]
    assert asked("s3.DeleteObject", Bucket="lake", Key="k") == [("s3:DeleteObject", f"{BUCKET}/k")]
    assert asked("s3.DeleteObject", Bucket="lake", Key="k", VersionId="v") == [
        ("s3:DeleteObjectVersion", f"{BUCKET}/k")
    ]


def test_a_write_that_depends_on_an_etag_asks_to_read_and_one_that_must_be_the_first_does_not():
    assert asked("s3.PutObject", Bucket="lake", Key="k", IfNoneMatch="*") == [("s3:PutObject", f"{BUCKET}/k")]
    assert asked("s3.PutObject", Bucket="lake", Key="k", IfMatch="e") == [
        ("s3:PutObject", f"{BUCKET}/k"),
        ("s3:GetObject", f"{BUCKET}/k"),
    ]


@pytest.mark.parametrize(
    "source", [{"Bucket": "other", "Key": "a b", "VersionId": "v"}, "other/a%20b?versionId=v", "/other/a b?versionId=v"]
)
def test_a_copy_reads_its_source_and_writes_its_target(source):
    assert asked("s3.CopyObject", Bucket="lake", Key="k", CopySource=source) == [
        ("s3:GetObjectVersion", "arn:aws:s3:::other/a b"),
        ("s3:PutObject", f"{BUCKET}/k"),
    ]


def test_every_object_of_a_batch_is_asked_for():
    batch = {"Objects": [{"Key": "a"}, {"Key": "b", "VersionId": "v"}]}
    assert asked("s3.DeleteObjects", Bucket="lake", Delete=batch) == [
        ("s3:DeleteObject", f"{BUCKET}/a"),
        ("s3:DeleteObjectVersion", f"{BUCKET}/b"),
    ]


def test_a_listing_tells_its_prefix_and_one_without_tells_none():
    (listing,) = requests("s3.ListObjectsV2", {"Bucket": "lake", "Prefix": "raw/"}, HERE)
    assert (listing.action, listing.resource, listing.context["s3:prefix"]) == ("s3:ListBucket", BUCKET, "raw/")
    (whole,) = requests("s3.ListObjectVersions", {"Bucket": "lake"}, HERE)
    assert (whole.action, "s3:prefix" in whole.context) == ("s3:ListBucketVersions", False)


def test_glue_asks_for_catalog_database_and_table():
    assert asked("glue.GetPartitions", DatabaseName="d", TableName="t") == [
        ("glue:GetPartitions", f"arn:aws:glue:eu-west-1:123456789012:{place}")
        for place in ("catalog", "database/d", "table/d/t")
    ]


def test_a_profile_of_bedrock_asks_for_itself_and_for_its_model_by_it():
    profile = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.maker.model-1:0"
    first, second = requests("bedrock-runtime.Converse", {"modelId": "eu.maker.model-1:0"}, HERE)
    assert (first.resource, "bedrock:inferenceprofilearn" in first.context) == (profile, False)
    assert second.resource == "arn:aws:bedrock:eu-west-1::foundation-model/maker.model-1:0"
    assert second.context["bedrock:inferenceprofilearn"] == profile


def test_what_is_encrypted_with_a_key_asks_for_the_key_too():
    here = Surroundings("eu-west-1", "123456789012", {BUCKET: "KEY", "arn:topic": "KEY"})

    def actions(call, **parameters):
        return [(one.action, one.context.get("kms:viaservice")) for one in requests(call, parameters, here)]

    through = "s3.eu-west-1.amazonaws.com"
    assert actions("s3.GetObject", Bucket="lake", Key="k") == [("s3:GetObject", None), ("kms:Decrypt", through)]
    assert actions("s3.PutObject", Bucket="lake", Key="k") == [("s3:PutObject", None), ("kms:GenerateDataKey", through)]
    assert [action for action, _ in actions("sns.Publish", TopicArn="arn:topic")] == [
        "sns:Publish",
        "kms:GenerateDataKey",
        "kms:Decrypt",
    ]


def test_a_call_that_nobody_has_mapped_may_not_be_made(tmp_path):
    judge = Judge(role(allow("*", "*")), HERE, Journal(tmp_path / "calls"))
    with pytest.raises(UnmappedCall, match=r"s3\.PutBucketPolicy"):
        judge.check("s3.PutBucketPolicy", {"Bucket": "lake"})
    (noted,) = judge.journal.read()
    assert (noted.unmapped, noted.allowed) == (True, False)


def test_a_refusal_reads_as_aws_writes_it_and_every_judgement_is_noted(tmp_path):
    judge = Judge(role(allow()), HERE, Journal(tmp_path / "calls"))
    judge.check("s3.GetObject", {"Bucket": "lake", "Key": "raw/a"})
    with pytest.raises(ClientError) as refused:
        judge.check("s3.PutObject", {"Bucket": "lake", "Key": "raw/a"})
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert f"not authorized to perform: s3:PutObject on resource: {BUCKET}/raw/a" in str(refused.value)
    assert [(one.action, one.allowed) for one in judge.journal.read()] == [
        ("s3:GetObject", True),
        ("s3:PutObject", False),
    ]
    assert judge.journal.read()[0].used == tuple(grants(judge.role))


def test_who_may_not_list_is_not_told_that_an_object_is_missing(tmp_path):
    missing = {"Bucket": "lake", "Key": "raw/a"}
    listing = allow("s3:ListBucket", BUCKET)
    Judge(role(listing), HERE, Journal(tmp_path / "a")).check_absence("s3.GetObject", missing)
    of_a_prefix = {**listing, "Condition": {"StringLike": {"s3:prefix": "raw/*"}}}
    for policy in (role(allow()), role(of_a_prefix)):
        with pytest.raises(ClientError, match="s3:ListBucket"):
            Judge(policy, HERE, Journal(tmp_path / "b")).check_absence("s3.GetObject", missing)
