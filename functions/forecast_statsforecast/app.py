"""State "Forecast with statsforecast": the next seven days by the median of all models, Prophet's among them."""

from aws_lambda_powertools.metrics import MetricUnit

from energy import forecast_publication, forecast_statsforecast
from energy.contracts import ForecastStatsforecastInput
from energy.observability import metrics, observed
from energy.settings import settings


@observed
def handler(event: dict, context: object) -> dict:  # noqa: ARG001
    """Forecasts; returns where the forecast is."""
    request = ForecastStatsforecastInput.model_validate(event)
    history = forecast_publication.read_history(request.publication)
    outside = forecast_publication.read_outside(request.publication, history)
    forecast = forecast_statsforecast.forecast(history, forecast_publication.forecasts_by_prophet(request), outside)
    result = forecast_publication.publish_median(forecast, history, request, settings().prophet_max_series)
    metrics.add_metric("AppliancesForecast", MetricUnit.Count, len(forecast.appliances))
    return result.model_dump(mode="json")
