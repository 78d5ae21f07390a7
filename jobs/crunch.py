"""What is too much for functions, on AWS Glue 5.1 (Spark 3.5.6, Python 3.11).

State "Crunch with Spark" validates, aggregates and detects anomalies where an upload or a site is too large for them;
state "Forecast with Spark" forecasts where there are more series than they have time for.

Results are the functions' own, by their own code (`energy`): here only what is done for each part of a file, for each
month and for each series is spread over many machines. What there is to tell is left in S3 for the state machine.
"""

import argparse
import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession

from energy import anomalies, drafting, forecast_publication, forecast_statsforecast, ingestion, lake, store
from energy.contracts import (
    AggregateInput,
    CrunchOutput,
    DetectInput,
    ForecastBySpark,
    Publication,
    ValidateInput,
    ValidateOutput,
)
from energy.errors import ForecastFailed, InputRejected, NotEnoughHistory, ObjectMissing
from energy.settings import Settings
from jobs.judging import judge
from jobs.spreading import Spread

# Ten thousand meters that are read every quarter of an hour have 350 million readings a year. A month of them is in the
# memory of one worker at once, and all their hours in the driver's.
MOST_READINGS = 500_000_000
# Frames of so many rows travel together: Spark's 10,000 are few for polars.
_ROWS_A_BATCH = 250_000


def main(arguments: Sequence[str] | None = None, archive: Path | None = None) -> None:
    """Crunches the upload, or forecasts the publication, that the arguments name; Glue adds arguments of its own, which
    nobody needs here. `archive` holds this code, where the workers do not have it.
    """
    told, _ = _parser().parse_known_args(arguments)
    environment = {name.upper(): value for name in Settings.model_fields if (value := getattr(told, name)) is not None}
    os.environ |= environment
    spark = session(environment)
    if archive is not None:
        spark.sparkContext.addPyFile(str(archive))
    done: CrunchOutput | ForecastBySpark
    if told.publication is None:
        done = crunch(spark, json.loads(told.event), told.execution, told.round)
        key = lake.crunched_key(told.execution, told.round)
    else:
        done = forecast(spark, Publication.model_validate_json(told.publication))
        key = lake.forecast_by_spark_key(told.execution, told.round)
    store.put(key, done.model_dump_json(indent=1).encode(), "application/json")


def session(environment: dict[str, str]) -> SparkSession:
    """The Spark session, whose workers know the settings of the stack, too."""
    builder = SparkSession.builder.appName("crunch")
    # A task has one core.
    for name, value in {**environment, "POLARS_MAX_THREADS": "1"}.items():
        builder = builder.config(f"spark.executorEnv.{name}", value)
    return (
        builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", _ROWS_A_BATCH)
        # Whatever comes back to the driver was made small before, and there is a lot of it where there are many months.
        .config("spark.driver.maxResultSize", 0)
        .getOrCreate()
    )


def crunch(spark: SparkSession, event: dict[str, object], execution: str, round_number: int) -> CrunchOutput:
    """What three functions answer in turn: whether it is usable, its tables, its anomalies."""
    request = ValidateInput.model_validate(event)
    try:
        validated = _validated_before(execution, round_number) or ingestion.validate(request, partial(judge, spark))
    except InputRejected as refusal:
        return CrunchOutput(site=lake.site_of_key(request.object.key), rejection=str(refusal))
    except ObjectMissing:
        return CrunchOutput(site=lake.site_of_key(request.object.key), gone=True)
    finally:
        spark.catalog.clearCache()
    if validated.already_published:
        return CrunchOutput(site=validated.site, validated=validated)
    publication = drafting.aggregate(AggregateInput(validated=validated), Spread(spark), MOST_READINGS)
    if publication.already_published or not publication.readings:
        return CrunchOutput(site=validated.site, validated=validated, publication=publication)
    found = anomalies.detect(DetectInput(publication=publication))
    return CrunchOutput(site=validated.site, validated=validated, publication=publication, anomalies=found)


def forecast(spark: SparkSession, publication: Publication) -> ForecastBySpark:
    """What "Forecast with statsforecast" answers without Prophet, each series on whichever worker is free."""
    try:
        history = forecast_publication.read_history(publication)
        outside = forecast_publication.read_outside(publication, history)
        made = forecast_statsforecast.forecast(history, {}, outside, Spread(spark))
    except (NotEnoughHistory, ForecastFailed) as error:
        return ForecastBySpark(site=publication.site, reason=str(error))
    result = forecast_publication.publish_of_many(made, history, publication)
    return ForecastBySpark(site=publication.site, result=result)


def _validated_before(execution: str, round_number: int) -> ValidateOutput | None:
    """What an earlier round has found: where another upload was published first, only the tables are made again."""
    for earlier in range(round_number - 1, 0, -1):
        if found := store.read_with_etag(lake.crunched_key(execution, earlier)):
            return CrunchOutput.model_validate_json(found[0]).validated
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--event", help="what S3 told of the upload to crunch, as the state machine has it: JSON")
    asked.add_argument("--publication", help="whose tables to forecast from, as the state machine has it: JSON")
    parser.add_argument("--execution", required=True, help="the execution to answer")
    parser.add_argument("--round", type=int, default=1, help="how often it has tried to publish")
    for name in Settings.model_fields:
        parser.add_argument(f"--{name}", help="a setting of the stack")
    return parser


if __name__ == "__main__":
    main()
