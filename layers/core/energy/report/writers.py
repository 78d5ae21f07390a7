"""Who writes the text of a report: the models that are configured, in their order and in one time; else the rules.

A model is asked, and once more with what was wrong with its answer; then the next one is. Whatever they answer, or if
none does: there is a text, and it stands on the facts.
"""

import contextlib
import hashlib
import re
import threading
import time
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from energy import __version__, lake, store
from energy.contracts import Publication
from energy.report import prices, prompt, rules
from energy.report.advice import MAX_ACTIONS
from energy.report.auditor import MAX_AUDITED
from energy.report.facts import FactSheet
from energy.report.narrative import Action, Attempt, Finding, Narrative, Narrator, Origin, Problem, problems
from energy.report.prompt import Answer, Prompt
from energy.report.providers import REFUSAL, Provider, Reply, configured
from energy.settings import settings

# With less time left nobody is asked: a model needs several seconds for a report.
MIN_SECONDS = 0.5
_ERROR_CODE = re.compile(r"[A-Za-z]{1,60}")


def narrator(publication: Publication) -> Narrator:
    """Who writes the text of this publication."""
    providers, seconds = configured(settings()), settings().report_seconds
    if not providers:
        return rules.write_text

    def write(sheet: FactSheet) -> Narrative:
        return recorded(publication, sheet, providers, lambda: by_models(sheet, providers, seconds))

    return write


def recorded(
    publication: Publication, sheet: FactSheet, providers: Sequence[Provider], write: Callable[[], Narrative]
) -> Narrative:
    """What was written before for the same question, or is now: a model says something else each time it is asked.

    So a run that died after its answer, or is repeated, publishes the same words and pays once.
    """
    question = prompt.first(sheet)
    asked = [__version__, question.system, question.user, *(f"{one.name} {one.model}" for one in providers)]
    digest = hashlib.sha256("\0".join(asked).encode()).hexdigest()[:12]
    key = lake.narrative_key(publication.site, publication.pub, digest)
    found = store.read_with_etag(key)
    if found is None:
        content = write().model_dump_json().encode()
        with contextlib.suppress(store.SwapLost):
            store.swap(key, content, expected_etag=None)
        found = store.read_with_etag(key) or (content, "")
    with contextlib.suppress(ValidationError):
        narrative = Narrative.model_validate_json(found[0])
        if not problems(narrative, sheet):
            return narrative
    return rules.write_text(sheet)


def by_models(sheet: FactSheet, providers: Sequence[Provider], seconds: float) -> Narrative:
    """The text of the first model whose answer stands on the facts, else by rules. Takes `seconds` at most.

    What is left of the time is shared out evenly among those who are still to be asked.
    """
    attempts: list[Attempt] = []
    ends = time.monotonic() + seconds
    for place, provider in enumerate(providers):
        share = (ends - time.monotonic()) / (len(providers) - place)
        narrative = _by_model(sheet, provider, time.monotonic() + share, attempts)
        if narrative:
            return narrative.model_copy(update={"origin": Origin(model=provider.model, attempts=tuple(attempts))})
    return rules.write_text(sheet).model_copy(update={"origin": Origin(attempts=tuple(attempts))})


def _by_model(sheet: FactSheet, provider: Provider, ends: float, attempts: list[Attempt]) -> Narrative | None:
    question = prompt.first(sheet)
    for _ in ("asked", "asked again"):
        left = ends - time.monotonic()
        try:
            reply = _within(left, provider, question)
        except Exception as error:  # noqa: BLE001 - whatever a library raises, the report is written
            attempts.append(
                Attempt(provider=provider.name, model=provider.model, outcome="failed", reasons=(_reason(error),))
            )
            return None
        narrative = _narrative(reply.answer, provider.name, sheet) if reply.answer else None
        found = _faults(narrative, sheet) if narrative else [Problem("answer", reply.problem or "no answer", "")]
        attempts.append(_attempt(provider, reply, found))
        if narrative and not found:
            return narrative
        if reply.problem == REFUSAL:
            return None
        question = prompt.again(prompt.first(sheet), reply.answer, found)
    return None


def _within(seconds: float, provider: Provider, question: Prompt) -> Reply:
    """The provider's reply; TimeoutError after so many seconds, even where a server sends a byte now and then, and at
    once where too few are left.

    A call cannot be stopped from outside: its thread is left to itself, and its reply is not waited for.
    """
    if seconds < MIN_SECONDS:
        raise TimeoutError
    outcome: list[Reply | Exception] = []

    def call() -> None:
        try:
            outcome.append(provider.ask(question, seconds))
        except Exception as error:  # noqa: BLE001 - is raised by the one who waits
            outcome.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _reason(error: Exception) -> str:
    """What went wrong, by name. Never the message: it may quote a key or the question."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else type(error).__name__


def _attempt(provider: Provider, reply: Reply, found: Sequence[Problem]) -> Attempt:
    return Attempt(
        provider=provider.name,
        model=provider.model,
        outcome="refused" if found else "accepted",
        # Not the details: they quote what was refused, and a report shows nothing that is not true.
        reasons=tuple(dict.fromkeys(f"{one.where}: {one.kind}" for one in found)),
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        cost_usd=prices.cost_usd(provider.name, provider.model, reply.input_tokens, reply.output_tokens),
    )


def _narrative(answer: Answer, provider: str, sheet: FactSheet) -> Narrative:
    """An answer as the whole text. What the readings lack and what limits the savings is always said by the rules, and
    so is a section that it leaves empty.
    """
    by_rules = rules.write_text(sheet)
    return Narrative(
        provider=provider,
        summary=answer.summary,
        quality=by_rules.quality,
        behaviour=answer.behaviour or by_rules.behaviour,
        peak=answer.peak or by_rules.peak,
        unusual=answer.unusual or by_rules.unusual,
        forecast=answer.forecast or by_rules.forecast,
        actions=[Action(recommendation=one.recommendation, text=one.text) for one in answer.actions],
        saving=by_rules.saving,
        findings=[
            Finding(
                appliance=one.appliance,
                text=one.text,
                upgrades=tuple(Action(recommendation=up.recommendation, text=up.text) for up in one.upgrades),
            )
            for one in answer.findings
        ],
        potential=by_rules.potential,
    )


def _faults(narrative: Narrative, sheet: FactSheet) -> list[Problem]:
    """What the facts do not bear, and what the rules would say but the answer does not, or says too much of."""
    by_rules = rules.write_text(sheet)
    found = problems(narrative, sheet)
    for name, most in (("actions", MAX_ACTIONS), ("findings", MAX_AUDITED)):
        given = getattr(narrative, name)
        if getattr(by_rules, name) and not given:
            found.append(Problem(name, "missing", "there is nothing in it"))
        if len(given) > most:
            found.append(Problem(name, "length", f"more than {most}"))
    return found
