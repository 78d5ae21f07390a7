"""The forecast of a site, of what models said of its total and of each appliance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from energy.documents import YearDecomposition
from energy.errors import ForecastFailed
from energy.forecast_calibration import Fitted, reach_kwh
from energy.forecast_coherence import coherent
from energy.forecast_history import History, Series
from energy.forecasting import MODEL_ERRORS, SeriesForecast, SiteForecast, noted_reason, reason, settled
from energy.spreading import Each

# kWh by day ahead, by days back, by appliance; None is the total.
Moved: TypeAlias = dict[str | None, dict[int, Sequence[float]]]


@dataclass(frozen=True)
class Answer:
    """What a state's models said of one series. `reason` says in words why by these models."""

    fitted: Fitted
    reason: str
    notes: list[str] = field(default_factory=list)


# What is asked of one series, by its name; the total's is None.
Ask: TypeAlias = Callable[[str | None, Series], Answer]


def site_forecast(  # noqa: PLR0913, PLR0917 (what is known of a site, and how it is asked)
    history: History,
    model: str,
    ask: Ask,
    year: YearDecomposition | None = None,
    notes: Sequence[str] = (),
    each: Each = map,
) -> SiteForecast:
    """The answers for the total (named None) and for every appliance, made to add up, with bands and backtests; `notes`
    are told beside those of each. No series knows of another until all have answered: `each` may ask them in any place.

    An appliance that the models cannot forecast is noted and left out; ForecastFailed if it is the total.
    """
    questions: list[tuple[str | None, Series]] = [(None, history.total), *history.appliances.items()]
    answers: dict[str | None, Answer] = {}
    skipped: list[str] = []
    for (name, _), answer in zip(questions, each(partial(_asked, ask), questions), strict=True):
        if isinstance(answer, Answer):
            answers[name] = answer
        elif name is None:
            raise ForecastFailed(model, reason(answer)) from answer
        else:
            skipped.append(f"{name}: no forecast by {model}: {noted_reason(answer)}")
    moved, adds_up = _made_to_add_up(history.members, {name: answer.fitted for name, answer in answers.items()})
    forecasts = {name: _series_forecast(name, answer, moved[name]) for name, answer in answers.items()}
    noted = [note for forecast in forecasts.values() for note in forecast.notes]
    return SiteForecast(
        total=forecasts[None],
        appliances={name: forecast for name, forecast in forecasts.items() if name is not None},
        notes=[*history.notes, *notes, *noted, *skipped],
        coherent=adds_up,
        year=year,
    )


def _asked(ask: Ask, question: tuple[str | None, Series]) -> Answer | Exception:
    """The answer, or why the models have none."""
    try:
        return ask(*question)
    except MODEL_ERRORS as error:
        return error


def _made_to_add_up(members: Sequence[str], fitted: Mapping[str | None, Fitted]) -> tuple[Moved, bool]:
    """The forecasts of now, and of each earlier day from which the total and all of its members were forecast.

    False where an appliance in the total has no forecast: then each stands for itself.
    """
    yhat: Moved = {name: dict(each.medians()) for name, each in fitted.items()}
    if not members or not all(name in fitted for name in members):
        return yhat, False
    together = (None, *members)
    reach = {name: reach_kwh(fitted[name].band(yhat[name])) for name in together}
    for back in yhat[None]:
        if all(back in yhat[name] for name in members):
            moved = coherent({name: yhat[name][back] for name in together}, members, reach)
            for name in together:
                yhat[name][back] = moved[name]
    return yhat, True


def _series_forecast(name: str | None, answer: Answer, yhat: Mapping[int, Sequence[float]]) -> SeriesForecast:
    fitted = answer.fitted
    raw, models = fitted.band(yhat), fitted.models()
    notes = (
        answer.notes if raw.has_bounds else [*answer.notes, f"{name or 'total'}: too few days to tell how sure this is"]
    )
    return SeriesForecast(
        band=settled(raw),
        method=fitted.method,
        reason=answer.reason,
        models=models[0],
        past={back: found for back, found in models.items() if back},
        backtest=fitted.backtest(yhat),
        notes=notes,
        has_spread=raw.has_bounds,
    )
