"""Each place where moto is bent, tested on a small stack: an upgrade that breaks one says so here."""

import concurrent.futures
import datetime as dt
import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds

from local import LakeFolder, LakeInUse, LocalAws
from local.moto_seams import evaluate_jsonata

SMALL = Path(__file__).parent / "small_stack" / "template.yaml"


@pytest.fixture(scope="module")
def aws():
    with LocalAws(template=SMALL, skip_retry_waits=True, parameters={"Greeting": "moin"}) as aws:
        yield aws


def test_an_upload_runs_the_state_machine_through_eventbridge(aws):
    done = aws.wait(aws.put("raw/home/march.csv", b"12345"), timeout_seconds=60)
    assert done.status == "SUCCEEDED", (done.error, done.cause)
    assert done.output["left"] == {"number": 10, "word": 'a "quoted"\nword'}
    assert done.output["right"] == {
        "kept": 'NOT_CSV: "a" is no\nnumber \\ here',
        "error": "InputRejected",
        "nothing": None,
    }
    assert done.output["name"] == done.name
    assert done.states[0] == "Remember"
    assert done.states[-1] == "Done"
    assert {"Double", "Look", "Fail", "Keep"} < set(done.states)


def test_the_event_has_the_shape_that_aws_documents(aws):
    events = []
    for content in (b"12345", b"123456"):
        events.append(aws.wait(aws.put("raw/home/shape of é.csv", content)).output["event"])
    for event, size in zip(events, (5, 6), strict=True):
        head = aws.client("s3").head_object(
            Bucket=aws.bucket, Key="raw/home/shape of é.csv", VersionId=event["detail"]["object"]["version-id"]
        )
        assert event["source"] == "aws.s3"
        assert event["detail-type"] == "Object Created"
        assert event["detail"]["bucket"] == {"name": aws.bucket}
        assert event["detail"]["reason"] == "PutObject"
        assert event["detail"]["object"].keys() == {"key", "size", "etag", "version-id", "sequencer"}
        assert event["detail"]["object"]["key"] == "raw/home/shape of é.csv"
        assert event["detail"]["object"]["size"] == size
        assert f'"{event["detail"]["object"]["etag"]}"' == head["ETag"]
        dt.datetime.fromisoformat(event["time"])
    first, second = (event["detail"]["object"]["sequencer"] for event in events)
    assert int(first, 16) < int(second, 16)
    assert re.fullmatch("[0-9A-F]+", first)
    assert events[0]["id"] != events[1]["id"]


@pytest.mark.parametrize(
    ("key", "content"), [("raw/.DS_Store", b"x"), ("raw/empty.csv", b""), ("processed/a.csv", b"x"), ("raw/", b"")]
)
def test_what_the_pattern_does_not_match_starts_nothing(aws, key, content):
    before = aws.executions()
    assert aws.put(key, content) is None
    assert aws.executions() == before


def test_a_multipart_upload_fires_once(aws):
    s3, key = aws.client("s3"), "raw/home/parts.csv"
    before = len(aws.executions())
    upload = s3.create_multipart_upload(Bucket=aws.bucket, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=aws.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"12")
    s3.complete_multipart_upload(
        Bucket=aws.bucket,
        Key=key,
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    started = aws.executions()[before:]
    assert len(started) == 1
    event = aws.wait(started[0]).output["event"]
    assert event["detail"]["reason"] == "CompleteMultipartUpload"
    assert event["detail"]["object"]["size"] == 2


def test_a_copy_is_an_upload_too(aws):
    aws.put("elsewhere/a.csv", b"1234")
    before = len(aws.executions())
    aws.client("s3").copy_object(
        Bucket=aws.bucket, Key="raw/copied.csv", CopySource={"Bucket": aws.bucket, "Key": "elsewhere/a.csv"}
    )
    (started,) = aws.executions()[before:]
    assert aws.wait(started).output["event"]["detail"]["reason"] == "CopyObject"


def test_of_racing_conditional_writes_exactly_one_wins(aws):
    s3 = aws.client("s3")

    def write(number: int, key: str, **condition: str) -> bool:
        try:
            s3.put_object(Bucket=aws.bucket, Key=key, Body=str(number).encode(), **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for race in range(25):
            key = f"race/{race}"
            wins = list(pool.map(lambda number, key=key: write(number, key, IfNoneMatch="*"), range(8)))
            assert sum(wins) == 1
            etag = s3.head_object(Bucket=aws.bucket, Key=key)["ETag"]
            wins = list(pool.map(lambda number, key=key, etag=etag: write(100 + number, key, IfMatch=etag), range(8)))
            assert sum(wins) == 1


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 1", 2),
        ("null", None),
        ('{"a": null, "b": [1, 2][$ > 1]}', {"a": None, "b": 2}),
        ("$append([1], [])", [1]),
        ("($x := {'a': -1.5e-7}; $x.a)", -1.5e-7),
        ("$merge([{'a': 1}, {'b': true}])", {"a": 1, "b": True}),
        ("$type(null)", "null"),
    ],
)
def test_jsonata_gives_plain_json(expression, value):
    assert evaluate_jsonata(expression) == value
    assert type(evaluate_jsonata(expression)) is type(value)


def test_a_failing_expression_has_its_name(aws):
    aws.fail_next("fragile", "InputRejected")
    done = aws.wait(aws.put("raw/big.csv", b"x" * 1001))
    assert done.status == "FAILED"
    assert done.error == "States.QueryEvaluationError"


def test_a_task_that_dies_is_retried_and_fails_the_execution_there(aws):
    aws.retry_waits.clear()
    changes = list(aws.follow(arn := aws.put("raw/big.csv", b"y" * 1001), timeout_seconds=60))
    done = aws.wait(arn)
    assert (done.status, done.error) == ("FAILED", "Runtime.ExitError")
    assert "exit status 3" in done.cause
    assert aws.retry_waits == [60]
    assert [change.status for change in changes if change.state == "Fragile step"] == ["entered", "failed", "failed"]


def test_a_failed_execution_is_told_through_its_rule(aws):
    before = len(aws.notifications())
    failed = aws.wait(aws.put("raw/big.csv", b"z" * 1001))
    assert aws.notifications()[before:] == [(None, f'"{failed.name} is FAILED"')]
    aws.wait(aws.put("raw/small.csv", b"12345"))
    told = 'Doubled to 10; NOT_CSV: "a" is no\nnumber \\ here'
    assert aws.notifications()[before + 1 :] == [(None, told)]


def test_follow_tells_what_was_caught(aws):
    changes = list(aws.follow(aws.put("raw/follow.csv", b"1"), timeout_seconds=60))
    by_state = {}
    for change in changes:
        by_state.setdefault(change.state, []).append(change.status)
        assert change.seconds >= 0
    assert by_state["Fail"] == ["entered", "failed", "caught"]
    assert by_state["Double"] == ["entered", "succeeded"]
    assert by_state["Both"] == ["entered", "succeeded"]
    (caught,) = [change for change in changes if change.status == "caught"]
    assert caught.detail.startswith("InputRejected: NOT_CSV")


def test_injected_errors_heal_through_the_machines_own_retries(aws):
    aws.retry_waits.clear()
    aws.fail_next("fragile", "TransientError", times=2)
    done = aws.wait(aws.put("raw/heals.csv", b"1"))
    assert done.status == "SUCCEEDED"
    assert aws.retry_waits == [30, 40]


@pytest.mark.usefixtures("aws")
def test_a_state_that_is_stopped_as_it_begins_knows_its_timeout():
    """With anything else in its place the history cannot be read, and nobody is told why the execution failed."""
    stopped = types.SimpleNamespace(is_running=lambda: False, stack=[{"what": "was evaluated before"}])
    TimeoutSeconds(330).eval(stopped)
    assert stopped.stack.pop() == 330


def test_a_failing_service_call_is_named_as_aws_names_it(aws):
    aws.fail_next_call("sns.Publish", "InternalError")
    done = aws.wait(aws.put("raw/untold.csv", b"1"))
    assert done.output == {"untold": "SNS.InternalErrorException"}


def test_a_function_gets_its_environment_layers_and_context(aws):
    result = aws.invoke("double", {"number": 4})
    assert result.error_type is None
    assert result.payload["number"] == 8
    assert result.payload["greeting"] == "moin small_db"
    assert 0 < result.payload["remaining_ms"] <= 2000
    assert result.payload["function"] == aws.invoke("DoubleFunction", {"number": 1}).payload["function"]
    assert result.payload["memory"] == "256"
    assert "doubling 4" in result.log
    assert "doubling 4" in aws.log("double")


def test_a_function_stays_warm(aws):
    first = aws.invoke("double", {"number": 1}).payload["calls"]
    assert aws.invoke("double", {"number": 1}).payload["calls"] == first + 1


def test_functions_reach_the_local_aws_and_nothing_else(aws):
    assert aws.bucket in aws.invoke("fragile", {"do": "buckets"}).payload["buckets"]


def test_a_function_past_its_timeout_is_killed_with_all_that_it_started(aws):
    started = time.monotonic()
    result = aws.invoke("fragile", {"do": "sleep"})
    assert result.error_type == "Sandbox.Timedout"
    assert "timed out after 2.00 seconds" in result.payload["errorMessage"]
    assert 2 <= time.monotonic() - started < 15
    child = int(re.search(r"child (\d+)", result.log)[1])
    assert _gone(child)
    assert aws.invoke("fragile", {}).error_type is None


@pytest.mark.parametrize(("do", "how"), [("exit", "exit status 3"), ("kill", "signal: SIGKILL")])
def test_a_function_that_dies_is_reported_and_replaced(aws, do, how):
    result = aws.invoke("fragile", {"do": do})
    assert result.error_type == "Runtime.ExitError"
    assert how in result.payload["errorMessage"]
    assert aws.invoke("fragile", {}).error_type is None


def test_an_exception_keeps_its_class_name_and_message(aws):
    result = aws.invoke("fragile", {"do": "reject"})
    assert result.error_type == "InputRejected"
    assert result.payload["errorMessage"] == 'NOT_CSV: "a" is no\nnumber \\ here'


def test_two_at_once_in_one_process_are_refused(aws):
    with pytest.raises(RuntimeError, match="another LocalAws"), LocalAws(template=SMALL):
        pass


_RESTART = """
import json, os, sys
from pathlib import Path
from local import LocalAws
before = dict(os.environ)
with LocalAws(lake=Path(sys.argv[2]), template=Path(sys.argv[1]), skip_retry_waits=True) as aws:
    s3, glue = aws.client("s3"), aws.client("glue")
    if sys.argv[3] == "first":
        aws.wait(aws.put("raw/home/a.csv", b"12345"))
        s3.put_object(Bucket=aws.bucket, Key="things/site=home/x.parquet", Body=b"x", Metadata={"sha256": "abc"})
        s3.put_object(Bucket=aws.bucket, Key="gone", Body=b"x")
        s3.put_object(Bucket=aws.bucket, Key="Odd/../..", Body=b"odd")
        s3.put_object(Bucket=aws.bucket, Key="odd", Body=b"odd")
        s3.put_object(Bucket=aws.bucket, Key="athena-results/x.csv", Body=b"x")
        glue.create_partition(DatabaseName="small_db", TableName="things", PartitionInput={
            "Values": ["home"], "StorageDescriptor": {"Location": f"s3://{aws.bucket}/things/site=home/"}})
    if sys.argv[3] == "second":
        s3.delete_object(Bucket=aws.bucket, Key="gone")
        s3.put_object(Bucket=aws.bucket, Key="odd", Body=b"even")
    heads = {}
    for item in s3.list_objects_v2(Bucket=aws.bucket).get("Contents", []):
        head = s3.head_object(Bucket=aws.bucket, Key=item["Key"])
        heads[item["Key"]] = [head["VersionId"], head["ETag"], str(head["LastModified"]), head["Metadata"]]
    partitions = glue.get_partitions(DatabaseName="small_db", TableName="things")["Partitions"]
    print(json.dumps({"heads": heads, "locations": [p["StorageDescriptor"]["Location"] for p in partitions],
        "executions": len(aws.executions())}))
assert dict(os.environ) == before
"""


def _restart(lake: Path, which: str) -> dict:
    import json

    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _RESTART, str(SMALL), str(lake), which],
        env=os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'layers' / 'core'}", "AWS_PROFILE": "not-there"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_lake_survives_the_process(tmp_path):
    lake = tmp_path / "lake"
    first, second, third = (_restart(lake, which) for which in ("first", "second", "third"))
    assert first["executions"] == 1
    assert second["executions"] == third["executions"] == 0
    assert second["locations"] == third["locations"] == first["locations"]
    assert len(first["locations"]) == 1
    kept = {"raw/home/a.csv", "things/site=home/x.parquet", "Odd/../.."}
    for key in kept:
        assert first["heads"][key] == second["heads"][key] == third["heads"][key]
    assert third["heads"].keys() == kept | {"odd"}
    assert third["heads"]["odd"] == second["heads"]["odd"] != first["heads"]["odd"]

    folder = LakeFolder(lake)
    assert folder.exists()
    assert folder.path_of("raw/home/a.csv") == lake / "raw" / "home" / "a.csv"
    assert folder.path_of("odd").read_bytes() == b"even"
    assert folder.path_of("Odd/../..").read_bytes() == b"odd"
    assert folder.path_of("Odd/../..").resolve().is_relative_to(lake.resolve())
    assert folder.files_below("things/") == [lake / "things" / "site=home" / "x.parquet"]
    (table,) = folder.tables()
    assert (table.database, table.name) == ("small_db", "things")
    assert table.columns == [("thing", "double", "kWh")]
    assert table.partition_keys == [("site", "string", "where")]
    assert table.partitions == [(["home"], "things/site=home/")]
    with pytest.raises(KeyError):
        folder.path_of("gone")
    left = {str(path.relative_to(lake)) for path in lake.rglob("*") if path.is_file()}
    assert left - {".aws/lock", ".aws/lake.json", ".aws/executions.json"} == {
        "raw/home/a.csv",
        "things/site=home/x.parquet",
        str(folder.path_of("odd").relative_to(lake)),
        str(folder.path_of("Odd/../..").relative_to(lake)),
    }


def test_a_lake_has_one_writer(tmp_path):
    folder, other = LakeFolder(tmp_path), LakeFolder(tmp_path)
    folder.lock()
    with pytest.raises(LakeInUse):
        other.lock()
    folder.unlock()
    other.lock()
    other.unlock()


_KILLED = """
import os, signal, sys
from pathlib import Path
from local import LocalAws
aws = LocalAws(template=Path(sys.argv[1])).__enter__()
print(aws.invoke("fragile", {}).payload["pid"], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_function_outlives_a_killed_parent():
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(SMALL)],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert _gone(int(done.stdout))


def _gone(pid: int) -> bool:
    for _ in range(100):
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def test_a_distributed_map_goes_through_a_long_list_and_its_run_is_told(aws):
    """Longer than Python's recursion is deep."""
    states, items = aws.client("stepfunctions"), 1500
    machine = {
        "QueryLanguage": "JSONata",
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "Label": "Each",
                "MaxConcurrency": 1,
                "ToleratedFailurePercentage": 100.0,
                "Items": f"{{% [1..{items}] %}}",
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Odd?",
                    "States": {
                        "Odd?": {
                            "Type": "Choice",
                            "Choices": [{"Condition": "{% $states.input % 2 = 1 %}", "Next": "Odd"}],
                            "Default": "Even",
                        },
                        "Odd": {"Type": "Fail", "Error": "Odd"},
                        "Even": {"Type": "Succeed", "Output": True},
                    },
                },
                "Output": True,
                "End": True,
            }
        },
    }
    role = states.describe_state_machine(stateMachineArn=aws.state_machine_arn)["roleArn"]
    made = states.create_state_machine(name="each", definition=json.dumps(machine), roleArn=role)["stateMachineArn"]
    arn = states.start_execution(stateMachineArn=made, name="all", input="{}")["executionArn"]
    assert len(states.list_map_runs(executionArn=arn)["mapRuns"]) <= 1
    while states.describe_execution(executionArn=arn)["status"] == "RUNNING":
        time.sleep(0.1)
    assert states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"
    (run,) = states.list_map_runs(executionArn=arn)["mapRuns"]
    assert "/Each:" in run["mapRunArn"]
    counts = states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
    assert (counts["total"], counts["succeeded"], counts["failed"]) == (items, items // 2, items // 2)
