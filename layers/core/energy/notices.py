"""The door to people: the stack's topic, and a Slack channel that listens to it."""

import functools
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from pydantic import AliasPath, BaseModel, ConfigDict, Field

from energy import secrets_manager
from energy.errors import SlackRefused, TransientError
from energy.failures import Notice
from energy.settings import settings
from energy.store import client_config, transient

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

POST_TIMEOUT_SECONDS = 10
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
# Slack cuts longer texts off (Slack API, "Truncating content").
SLACK_TEXT_LENGTH = 4000


class TopicMessage(BaseModel):
    """A message as SNS hands it to a function."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    subject: str | None = Field(default=None, validation_alias=AliasPath("Sns", "Subject"))
    text: str = Field(validation_alias=AliasPath("Sns", "Message"))


class TopicEvent(BaseModel):
    """What a function that listens to a topic is called with."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    messages: list[TopicMessage] = Field(validation_alias="Records")


@functools.cache
def topic_client() -> "SNSClient":
    """One client of SNS per process."""
    return boto3.client("sns", config=client_config())


def publish(notice: Notice) -> None:
    """Tells all who listen to the stack's topic."""
    with transient("Publish"):
        topic_client().publish(TopicArn=settings().required("topic_arn"), Subject=notice.subject, Message=notice.text)


def slack_text(subject: str | None, message: str) -> str:
    """A message of the topic as Slack shows it; CloudWatch's alarms, which are JSON, in words."""
    alarm = _alarm(message)
    if alarm is not None:
        subject = f"{alarm['NewStateValue']}: {alarm['AlarmName']}"
        message = "\n".join(str(alarm[name]) for name in ("AlarmDescription", "NewStateReason") if alarm.get(name))
    text = f"{subject}\n{message}" if subject else message
    # Slack API, "Formatting text for app surfaces": these three and no others.
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, escaped)
    return text[:SLACK_TEXT_LENGTH]


def post_to_slack(text: str, open_url: Callable[..., Any] = urllib.request.urlopen) -> None:
    """Posts a text to the channel of the webhook in the stack's secret. TransientError where Slack may take it later,
    SlackRefused where it will not. The webhook's address is a secret, so no error says it.
    """
    webhook = secrets_manager.secret(settings().required("slack_webhook_secret_arn"))
    if not webhook.startswith("https://"):
        raise SlackRefused("the secret holds no https:// address")
    request = urllib.request.Request(  # noqa: S310 - https, as was checked
        webhook, data=json.dumps({"text": text}).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with open_url(request, timeout=POST_TIMEOUT_SECONDS) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        if error.code == TOO_MANY_REQUESTS or error.code >= SERVER_ERROR:
            raise TransientError("Slack", RuntimeError(f"HTTP {error.code}")) from None
        secrets_manager.secret.cache_clear()  # it may have been rotated: Lambda calls again
        raise SlackRefused(f"HTTP {error.code}") from None
    except (urllib.error.URLError, TimeoutError) as error:
        raise TransientError("Slack", RuntimeError(type(error).__name__)) from None


def _alarm(message: str) -> dict[str, Any] | None:
    try:
        found = json.loads(message)
    except ValueError:
        return None
    is_alarm = isinstance(found, dict) and {"AlarmName", "NewStateValue"} <= found.keys()
    return found if is_alarm else None
