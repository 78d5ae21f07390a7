"""Records events/*.json: what each function is called with when events/sample.csv goes through the pipeline, when an
execution fails, and once a day.

    python -m local.record_events

The upload has no version id, so the events hold for the sample in any bucket: S3 is asked for it by its etag.
"""

import datetime as dt
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from local.aws import ROOT, Execution, LocalAws
from local.environment import ACCOUNT_ID, REGION
from local.lake_folder import LakeFolder, StoredObject

EVENTS = ROOT / "events"
SAMPLE = EVENTS / "sample.csv"
SAMPLE_KEY = "raw/sample.csv"
UPLOADED = dt.datetime(2024, 2, 1, tzinfo=dt.UTC)


def sample_lake(folder: Path) -> LakeFolder:
    """A lake that holds the sample alone; putting it there started nothing."""
    lake = LakeFolder(folder)
    content = SAMPLE.read_bytes()
    sample = StoredObject(
        key=SAMPLE_KEY,
        version_id="sample",
        etag=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        last_modified=UPLOADED.replace(tzinfo=None).isoformat(),  # moto's moments are in UTC and do not say so
        metadata={},
        sequencer="00",
        size=len(content),
    )
    lake.save([sample], lambda _: content, {})
    return lake


def s3_event() -> dict[str, Any]:
    """The event with which EventBridge starts the state machine, as S3 documents it."""
    content = SAMPLE.read_bytes()
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": UPLOADED.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "eu-west-1",
        "resources": ["arn:aws:s3:::energy-lake"],
        "detail": {
            "version": "0",
            "bucket": {"name": "energy-lake"},
            "object": {
                "key": SAMPLE_KEY,
                "size": len(content),
                "etag": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            },
            "request-id": "C3D13FE58DE4C810",
            "requester": "123456789012",
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject",
        },
    }


def scheduled_event(rule: str) -> dict[str, Any]:
    """The event with which a schedule calls a function, as EventBridge documents it."""
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT_ID,
        "time": UPLOADED.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/energy-{rule}"],
        "detail": {},
    }


def failing_execution(aws: LocalAws) -> Execution:
    """An execution for the sample that fails in its first function."""
    aws.fail_next("validate", "RuntimeError", "recorded")
    return aws.wait(aws.start(s3_event(), name="recorded-failure"))


def failure_event(execution: Execution, state_machine_arn: str) -> dict[str, Any]:
    """The event that tells of an execution that failed, as Step Functions documents it."""
    moment = int(UPLOADED.timestamp() * 1000)
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": ACCOUNT_ID,
        "time": UPLOADED.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [execution.arn],
        "detail": {
            "executionArn": execution.arn,
            "stateMachineArn": state_machine_arn,
            "name": execution.name,
            "status": execution.status,
            "startDate": moment,
            "stopDate": moment,
            "input": json.dumps(s3_event()),
            "output": None,
            "error": execution.error,
            "cause": execution.cause,
        },
    }


def topic_event(subject: str | None, message: str, topic_arn: str) -> dict[str, Any]:
    """The event with which SNS calls a function that listens to a topic, as SNS documents it."""
    return {
        "Records": [
            {
                "EventVersion": "1.0",
                "EventSource": "aws:sns",
                "EventSubscriptionArn": f"{topic_arn}:21be56ed-a058-49f5-8c98-aedd2564c486",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
                    "TopicArn": topic_arn,
                    "Subject": subject,
                    "Message": message,
                    "Timestamp": UPLOADED.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                    "MessageAttributes": {},
                },
            }
        ]
    }


def payloads(execution: Execution, verbs: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What each function was called with, by its folder's name, in the order of the calls."""
    found: dict[str, dict[str, Any]] = {}
    for event in execution.history:
        if event["type"] != "TaskScheduled":
            continue
        parameters = json.loads(event["taskScheduledEventDetails"]["parameters"])
        if "Payload" in parameters:
            name = parameters["FunctionName"].rpartition(":function:")[2]
            found[verbs[name]] = parameters["Payload"]
    return found


def record() -> list[Path]:
    """Runs the sample and writes every event; the files written."""
    with tempfile.TemporaryDirectory() as folder:
        sample_lake(Path(folder))
        with LocalAws(Path(folder)) as aws:
            execution = aws.wait(aws.start(s3_event(), name="recorded"))
            verbs = aws.verbs
            failure = failure_event(failing_execution(aws), aws.state_machine_arn)
            aws.invoke("explain_failure", failure)
            notice = topic_event(*aws.notifications()[-1], aws.outputs["TopicArn"])
    if execution.status != "SUCCEEDED":
        raise RuntimeError(f"the sample's execution ended {execution.status}: {execution.error} {execution.cause}")
    events = {
        "s3_event": s3_event(),
        **payloads(execution, verbs),
        "reconcile": scheduled_event("ReconcileSchedule"),
        "collect_garbage": scheduled_event("CollectGarbageSchedule"),
        # As a person asks what there is to do: nothing is written then.
        "list_backlog": {"find": "uploads", "sites": [], "anew": False},
        "explain_failure": failure,
        "notify_slack": notice,
    }
    return [_write(EVENTS / f"{name}.json", event) for name, event in events.items()]


def _write(path: Path, event: dict[str, Any]) -> Path:
    path.write_text(json.dumps(event, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    for path in record():
        print(path.relative_to(ROOT))
