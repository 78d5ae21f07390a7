"""Records events/*.json: what each function is called with when events/sample.csv goes through the pipeline.

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
        last_modified=UPLOADED.isoformat(),
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
    if execution.status != "SUCCEEDED":
        raise RuntimeError(f"the sample's execution ended {execution.status}: {execution.error} {execution.cause}")
    events = {"s3_event": s3_event()} | payloads(execution, verbs)
    return [_write(EVENTS / f"{name}.json", event) for name, event in events.items()]


def _write(path: Path, event: dict[str, Any]) -> Path:
    path.write_text(json.dumps(event, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    for path in record():
        print(path.relative_to(ROOT))
