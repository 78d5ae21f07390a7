"""One question and one answer of a fixed shape, through langchain, whatever the provider."""

from typing import Any

from langchain_core.exceptions import ModelRefusalError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable
from langsmith import tracing_context
from pydantic import ValidationError

from energy.report.prompt import Answer, Prompt
from energy.report.providers import REFUSAL, TRUNCATED, Reply

# A plain schema: given the class, some of langchain's parsers raise, and the message with its tokens is lost.
SHAPE = Answer.model_json_schema()
# As Bedrock and OpenAI name why a model stopped.
_CUT_OFF = {"max_tokens", "length", "model_context_window_exceeded"}
_REFUSED = {"refusal", "content_filter", "content_filtered", "guardrail_intervened"}


def ask_for_answer(structured: Runnable[Any, Any], prompt: Prompt) -> Reply:
    """The answer in its shape, or why there is none. `structured` gives the raw message as well.

    That a model answers in other words is no exception to langchain: nothing was parsed then, as after a guardrail.
    """
    # Wherever this runs, no environment variable can have prompts sent to LangSmith.
    with tracing_context(enabled=False):
        result = structured.invoke([SystemMessage(prompt.system), HumanMessage(prompt.user)])
    raw: AIMessage = result["raw"]
    usage = raw.usage_metadata
    counted = (usage["input_tokens"], usage["output_tokens"]) if usage else (None, None)
    stopped = raw.response_metadata.get("stopReason") or raw.response_metadata.get("finish_reason")
    if stopped in _CUT_OFF:
        return Reply(None, TRUNCATED, *counted)
    if stopped in _REFUSED or isinstance(result["parsing_error"], ModelRefusalError):
        return Reply(None, REFUSAL, *counted)
    if result["parsed"] is None and not result["parsing_error"]:
        return Reply(None, "no answer", *counted)
    try:
        return Reply(Answer.model_validate(result["parsed"]), None, *counted)
    except ValidationError:
        return Reply(None, "wrong shape", *counted)
