"""Amazon Bedrock, by its Converse API and an inference profile."""

from botocore.config import Config
from langchain_aws import ChatBedrockConverse

from energy.report.prompt import Prompt
from energy.report.providers import Reply
from energy.report.providers.structured import SHAPE, ask_for_answer

# Models that think first spend part of it on that.
MAX_TOKENS = 6000
CONNECT_SECONDS = 3
ATTEMPTS = 3


def ask(model: str, prompt: Prompt, seconds: float) -> Reply:
    """One answer of a model by its inference profile. Throttled and broken calls are tried again within the time."""
    chat = ChatBedrockConverse(
        model=model,
        max_tokens=MAX_TOKENS,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=seconds,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        ),
        # Only application inference profiles need the control plane's client.
        bedrock_client=object(),
    )
    # Newer models refuse to be told which tool to use; a schema of the answer they take.
    forced = "tool" in (chat.supports_tool_choice_values or ())
    structured = chat.with_structured_output(
        SHAPE, method="function_calling" if forced else "json_schema", include_raw=True
    )
    return ask_for_answer(structured, prompt)
