"""State "Forecast with statsforecast": the next seven days by the median of all models, Prophet's among them."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import forecast_publication, forecast_statsforecast
from energy.contracts import ForecastStatsforecastInput
from energy.observability import metrics, observed


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Forecasts; returns where the forecast is."""
    request = ForecastStatsforecastInput.model_validate(event)
    history = forecast_publication.read_history(request.publication)
    forecast = forecast_statsforecast.forecast(history, forecast_publication.forecasts_by_prophet(request))
    result = forecast_publication.publish_median(forecast, history, request)
    metrics.add_metric("AppliancesForecast", MetricUnit.Count, len(forecast.appliances))
    return result.model_dump(mode="json")
