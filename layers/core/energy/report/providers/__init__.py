"""Who can be asked for the text of a report: one module a provider. Its libraries are loaded when it is first asked."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from energy.report.prompt import Answer, Prompt
from energy.settings import Settings

# Why there is no answer. After a refusal asking once more would change nothing.
REFUSAL = "refusal"
TRUNCATED = "truncated"


@dataclass(frozen=True)
class Reply:
    """What came back: an answer, or in a word why there is none; and the tokens that are paid for either way."""

    answer: Answer | None
    problem: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


# Seconds is how long may be waited for the network; any exception means that there is no reply.
Ask = Callable[[Prompt, float], Reply]


@dataclass(frozen=True)
class Provider:
    """A model that can be asked."""

    name: str
    model: str
    ask: Ask


def configured(settings: Settings) -> list[Provider]:
    """The models to be asked, in order; OpenAI's only where there is a key. None: the text is by rules alone."""
    able = {"bedrock"} | ({"openai"} if settings.openai_secret_arn else set())
    return [_provider(name, settings) for name in settings.report_providers if name in able]


def _provider(name: str, settings: Settings) -> Provider:
    if name == "bedrock":
        return Provider(name, settings.bedrock_model_id, functools.partial(_ask_bedrock, settings.bedrock_model_id))
    return Provider(
        name,
        settings.openai_model,
        functools.partial(_ask_openai, settings.openai_model, settings.openai_secret_arn or ""),
    )


def _ask_bedrock(model: str, prompt: Prompt, seconds: float) -> Reply:
    from energy.report.providers import bedrock

    return bedrock.ask(model, prompt, seconds)


def _ask_openai(model: str, secret_arn: str, prompt: Prompt, seconds: float) -> Reply:
    from energy.report.providers import openai

    return openai.ask(model, secret_arn, prompt, seconds)
