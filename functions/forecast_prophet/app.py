"""State "Forecast with Prophet": the next seven days by Prophet alone, fit to be published as they are."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import forecast_prophet, forecast_publication
from energy.contracts import ForecastProphetInput
from energy.observability import metrics, observed
from energy.settings import settings


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Forecasts; returns where the forecast is."""
    request = ForecastProphetInput.model_validate(event)
    history = forecast_publication.read_history(request.publication)
    outside = forecast_publication.read_outside(request.publication, history)
    forecast = forecast_prophet.forecast(history, settings().prophet_max_series, outside)
    result = forecast_publication.publish(forecast, history, request.publication, by=forecast_prophet.NAME)
    metrics.add_metric("AppliancesForecast", MetricUnit.Count, len(forecast.appliances))
    return result.model_dump(mode="json")
