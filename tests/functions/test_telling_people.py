"""Failures explained to the topic; the topic's messages posted to Slack."""

import io
import json
import urllib.error

import boto3
import pytest

from energy import notices
from energy.errors import SlackRefused, TransientError

EVENT = {
    "region": "eu-west-1",
    "detail": {
        "name": "run-1",
        "status": "FAILED",
        "error": "States.Runtime",
        "cause": "an expression failed",
        "input": json.dumps({"detail": {"object": {"key": "raw/cabin/march.csv"}}}),
    },
}


@pytest.fixture
def queue(lake_on_moto, monkeypatch):
    """What reaches somebody who listens to the topic."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    url = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    monkeypatch.setenv("TOPIC_ARN", topic)
    monkeypatch.setenv("STACK_NAME", "energy")
    return lambda: [json.loads(one["Body"]) for one in sqs.receive_message(QueueUrl=url).get("Messages", [])]


def test_a_failure_reaches_who_listens_to_the_topic(queue, load_handler, context):
    sfn = boto3.client("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    role = "arn:aws:iam::123456789012:role/pipeline"
    machine = sfn.create_state_machine(name="pipeline", definition=definition, roleArn=role)["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine, name="run-1")["executionArn"]
    event = {**EVENT, "detail": {**EVENT["detail"], "executionArn": arn}}
    assert load_handler("explain_failure")(event, context) == {"subject": "Energy readings: FAILED raw/cabin/march.csv"}
    (told,) = queue()
    assert told["Subject"] == "Energy readings: FAILED raw/cabin/march.csv"
    assert "Why: States.Runtime: an expression failed" in told["Message"]
    assert "energy redrive run-1 --stack energy" in told["Message"]


def test_a_history_that_cannot_be_had_is_no_silence(queue, load_handler, context):
    """Lambda tries again, and keeps the event where that does not help."""
    missing = "arn:aws:states:eu-west-1:123456789012:execution:pipeline:gone"
    event = {**EVENT, "detail": {**EVENT["detail"], "executionArn": missing}}
    with pytest.raises(Exception, match="ExecutionDoesNotExist"):
        load_handler("explain_failure")(event, context)


# ------------------------------------------------------------------------------------------------------------- Slack


@pytest.fixture
def secret(lake_on_moto, monkeypatch):
    """Puts a webhook's address into the stack's secret."""

    def put(text):
        made = boto3.client("secretsmanager").create_secret(Name="slack", SecretString=text)
        monkeypatch.setenv("SLACK_WEBHOOK_SECRET_ARN", made["ARN"])

    return put


class Slack:
    """Takes what is posted, or fails as it is told to."""

    def __init__(self, failure=None):
        self.failure, self.posted = failure, []

    def __call__(self, request, timeout):
        assert timeout <= 10
        if self.failure:
            raise self.failure
        self.posted.append((request.full_url, json.loads(request.data)))
        return io.BytesIO(b"ok")


HOOK = "https://hooks.slack.example/services/T0/B0/secret-part"


def test_a_text_is_posted_to_the_address_in_the_secret(secret):
    secret(HOOK + "\n")
    slack = Slack()
    notices.post_to_slack("words", slack)
    assert slack.posted == [(HOOK, {"text": "words"})]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (urllib.error.HTTPError(HOOK, 429, "", {}, None), TransientError),
        (urllib.error.HTTPError(HOOK, 503, "", {}, None), TransientError),
        (urllib.error.URLError(OSError(f"no route to {HOOK}")), TransientError),
        (TimeoutError(HOOK), TransientError),
        (urllib.error.HTTPError(HOOK, 404, "no_service", {}, None), SlackRefused),
        (urllib.error.HTTPError(HOOK, 403, "invalid_token", {}, None), SlackRefused),
    ],
)
def test_no_error_of_slack_says_the_address(secret, failure, error):
    secret(HOOK)
    with pytest.raises(error) as raised:
        notices.post_to_slack("words", Slack(failure))
    chain = [raised.value]
    while chain[-1].__context__ is not None and not chain[-1].__suppress_context__:
        chain.append(chain[-1].__context__)
    assert "secret-part" not in "".join(map(str, chain))


@pytest.mark.parametrize("text", ["http://hooks.slack.example/x", "file:///etc/passwd"])
def test_only_an_https_address_is_posted_to(secret, text):
    secret(text)
    slack = Slack()
    with pytest.raises(SlackRefused, match="no https"):
        notices.post_to_slack("words", slack)
    assert slack.posted == []


def test_an_address_that_slack_refuses_is_read_anew_the_next_time(secret):
    secret(HOOK)
    gone = Slack(urllib.error.HTTPError(HOOK, 410, "channel_is_archived", {}, None))
    with pytest.raises(SlackRefused):
        notices.post_to_slack("words", gone)
    boto3.client("secretsmanager").put_secret_value(SecretId="slack", SecretString=f"{HOOK}-new")
    slack = Slack()
    notices.post_to_slack("words", slack)
    assert [address for address, _ in slack.posted] == [f"{HOOK}-new"]


def test_an_alarm_is_told_in_words():
    alarm = {
        "AlarmName": "energy-UploadsStopped",
        "AlarmDescription": "Nothing was uploaded.",
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold crossed: 36.0 > 35.0",
        "Trigger": {"MetricName": "DaysSinceUpload"},
    }
    assert notices.slack_text("ALARM: in words of SNS", json.dumps(alarm)) == (
        "ALARM: energy-UploadsStopped\nNothing was uploaded.\nThreshold crossed: 36.0 &gt; 35.0"
    )


@pytest.mark.parametrize("message", ["plain words", '{"no": "alarm"}', "[1]", "7"])
def test_other_messages_stay_as_they_are(message):
    assert notices.slack_text("Subject", message) == f"Subject\n{message}"
    assert notices.slack_text(None, message) == message


def test_names_of_files_cannot_write_slack_s_markup():
    assert notices.slack_text(None, "<!channel> raw/a&b.csv") == "&lt;!channel&gt; raw/a&amp;b.csv"
    assert len(notices.slack_text(None, "x" * 100_000)) == 4000


def test_each_record_of_the_topic_is_posted(secret, load_handler, context, monkeypatch):
    secret(HOOK)
    slack = Slack()
    monkeypatch.setattr(notices.post_to_slack, "__defaults__", (slack,))
    records = [{"Sns": {"Subject": "One", "Message": "first"}}, {"Sns": {"Subject": None, "Message": "second"}}]
    assert load_handler("notify_slack")({"Records": records}, context) == {"posted": 2}
    assert [body["text"] for _, body in slack.posted] == ["One\nfirst", "second"]
