"""Logs and metrics, the same for every function. Powertools reads POWERTOOLS_SERVICE_NAME and its kin itself."""

from aws_lambda_powertools import Logger, Metrics

logger = Logger()
metrics = Metrics()
