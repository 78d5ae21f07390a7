"""OpenAI, by its chat completions; the key lies in Secrets Manager."""

from langchain_openai import ChatOpenAI
from openai import AuthenticationError, LengthFinishReasonError
from pydantic import SecretStr

from energy import secrets_manager
from energy.report.prompt import Prompt
from energy.report.providers import TRUNCATED, Reply
from energy.report.providers.structured import SHAPE, ask_for_answer

MAX_TOKENS = 6000
RETRIES = 2


def ask(model: str, secret_arn: str, prompt: Prompt, seconds: float) -> Reply:
    """One answer of a model. Throttled and broken calls are tried again within the time; with a refused key once, where
    the secret holds another one by now.
    """
    key = secrets_manager.secret(secret_arn)
    try:
        return _ask_with(key, model, prompt, seconds)
    except AuthenticationError:
        rotated = secrets_manager.read_anew(secret_arn)
        if rotated == key:
            raise
        return _ask_with(rotated, model, prompt, seconds)


def _ask_with(key: str, model: str, prompt: Prompt, seconds: float) -> Reply:
    chat = ChatOpenAI(
        model=model,
        api_key=SecretStr(key),
        timeout=seconds,
        max_retries=RETRIES,
        max_completion_tokens=MAX_TOKENS,
    )
    structured = chat.with_structured_output(SHAPE, method="json_schema", strict=True, include_raw=True)
    try:
        return ask_for_answer(structured, prompt)
    except LengthFinishReasonError as error:
        usage = error.completion.usage
        counted = (usage.prompt_tokens, usage.completion_tokens) if usage else (None, None)
        return Reply(None, TRUNCATED, *counted)
