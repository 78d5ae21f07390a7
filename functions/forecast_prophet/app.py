"""State "Forecast with Prophet": the next seven days by Prophet alone, fit to be published as they are."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import forecast_prophet, forecast_publication
from energy.contracts import ForecastProphetInput
from energy.observability import metrics, observed


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Forecasts; returns where the forecast is."""
    request = ForecastProphetInput.model_validate(event)
    history = forecast_publication.read_history(request.publication)
    forecast = forecast_prophet.forecast(history)
    result = forecast_publication.publish(forecast, history, request.publication, by=forecast_prophet.NAME)
    metrics.add_metric("AppliancesForecast", MetricUnit.Count, len(forecast.appliances))
    return result.model_dump(mode="json")
