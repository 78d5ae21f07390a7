"""The door to Step Functions, and to the queue of events that the upload rule could not deliver to it."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from energy.settings import settings
from energy.store import client_config, error_code, transient

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

# While a message is at work nobody else sees it; one that stays is seen again after that.
HIDDEN_SECONDS = 120
MESSAGES_A_CALL = 10
# More than lead from the end of an execution back to the state that it ended in.
LAST_EVENTS = 100


@dataclass(frozen=True)
class Message:
    """An event that could not be delivered. `body` is what EventBridge sent, as JSON."""

    id: str
    receipt: str
    body: str


@functools.cache
def client() -> "SFNClient":
    """One client of Step Functions per process."""
    return boto3.client("stepfunctions", config=client_config())


@functools.cache
def queue_client() -> "SQSClient":
    """One client of SQS per process."""
    return boto3.client("sqs", config=client_config())


def start(name: str, event: dict[str, Any]) -> bool:
    """Starts the pipeline with this event; False if an execution of that name was started before.

    The same event again, while its execution runs, is no second start either.
    """
    try:
        with transient(f"StartExecution {name}"):
            client().start_execution(stateMachineArn=_state_machine(), name=name, input=json.dumps(event))
    except ClientError as error:
        if error_code(error) != "ExecutionAlreadyExists":
            raise
        return False
    return True


def status(name: str) -> str | None:
    """How an execution stands, as Step Functions says it (RUNNING, FAILED, …); None if there is none of that name."""
    try:
        with transient(f"DescribeExecution {name}"):
            return client().describe_execution(executionArn=execution_arn(name))["status"]
    except ClientError as error:
        if error_code(error) != "ExecutionDoesNotExist":
            raise
        return None


def last_events(arn: str) -> list[dict[str, Any]]:
    """The last hundred events of an execution's history, newest first."""
    with transient(f"GetExecutionHistory {arn}"):
        answer = client().get_execution_history(executionArn=arn, reverseOrder=True, maxResults=LAST_EVENTS)
    return [dict(event) for event in answer["events"]]


def execution_arn(name: str) -> str:
    """The ARN of the pipeline's execution of that name."""
    return f"{_state_machine().replace(':stateMachine:', ':execution:', 1)}:{name}"


def undelivered() -> Iterator[Message]:
    """The events that wait in the queue, each once; those that were seen, and not taken away, end it."""
    seen: set[str] = set()
    while undelivered_count() and (unseen := [message for message in _received() if message.id not in seen]):
        seen |= {message.id for message in unseen}
        yield from unseen


def undelivered_count() -> int:
    """About how many events wait in the queue."""
    with transient("GetQueueAttributes"):
        answer = queue_client().get_queue_attributes(QueueUrl=_queue(), AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def take_away(message: Message) -> None:
    """Deletes a message from the queue: its event is told now."""
    with transient("DeleteMessage"):
        queue_client().delete_message(QueueUrl=_queue(), ReceiptHandle=message.receipt)


def _received() -> list[Message]:
    with transient("ReceiveMessage"):
        answer = queue_client().receive_message(
            QueueUrl=_queue(), MaxNumberOfMessages=MESSAGES_A_CALL, VisibilityTimeout=HIDDEN_SECONDS, WaitTimeSeconds=1
        )
    return [Message(each["MessageId"], each["ReceiptHandle"], each["Body"]) for each in answer.get("Messages", [])]


def _state_machine() -> str:
    return settings().required("state_machine_arn")


def _queue() -> str:
    return settings().required("undelivered_queue_url")
