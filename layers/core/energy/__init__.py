"""Electricity readings in; statistics, anomalies, a forecast and a report out.

Everything that the product knows about energy is here. Only `store` (S3), `catalog` (Glue) and `settings` (the
environment) touch the world outside; importing this package loads nothing heavy.
"""

__version__ = "0.4.0"
