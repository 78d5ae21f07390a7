"""When the stack tells people something: a Slack channel hears it too."""

from energy import notices
from energy.notices import TopicEvent
from energy.observability import observed


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Returns how many messages were posted."""
    told = TopicEvent.model_validate(event).messages
    for message in told:
        notices.post_to_slack(notices.slack_text(message.subject, message.text))
    return {"posted": len(told)}
