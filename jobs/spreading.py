"""How work travels to Spark's workers and back: as frames where it is rows, pickled where it is anything else.

Whatever is computed is computed by the energy package on whole Arrow batches (mapInArrow): Spark distributes, shuffles
and keeps, and sees no single row.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

Piece = TypeVar("Piece")
Made = TypeVar("Made")

ANSWER = "number long, content binary"
ANSWER_SCHEMA = pa.schema([("number", pa.int64()), ("content", pa.binary())])
# Of pieces that a task takes up: fewer tasks cost less to start, more of them balance better.
_TASKS_PER_CORE = 3
Batches = Iterator[pa.RecordBatch]


class Spread:
    """`map` over the workers of a session; the answers come in the order of the pieces."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark

    def __call__(self, make: Callable[[Piece], Made], pieces: Iterable[Piece], /) -> Iterator[Made]:
        """Calls `make` with each piece, on whichever worker is free."""
        given = list(pieces)
        if not given:
            return iter(())
        made = spread_out(self._spark, given).mapInArrow(_making(make), ANSWER)
        answers = dict(received(made))
        return (answers[number] for number in range(len(given)))


def spread_out(spark: SparkSession, pieces: Sequence[Any]) -> DataFrame:
    """number, content: pieces, pickled, each in a row; neighbours are worked on one after the other."""
    rows = spark.createDataFrame([(number, pickle.dumps(piece)) for number, piece in enumerate(pieces)], ANSWER)
    cores = spark.sparkContext.defaultParallelism
    count = len(pieces)
    # As they come the rows lie in one task for each core.
    return rows if count <= cores else rows.repartitionByRange(min(count, _TASKS_PER_CORE * cores), "number")


def pieces_in(batches: Batches) -> Iterator[tuple[int, Any]]:
    """The pieces of a task, by number."""
    found = [row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)]
    for number, content in sorted(found):
        yield number, pickle.loads(content)  # noqa: S301 - our own driver has written it


def received(answers: DataFrame) -> Iterator[tuple[int, Any]]:
    """number and what was pickled of each row of number, content; the tasks run side by side."""
    for row in answers.collect():
        yield row["number"], pickle.loads(row["content"])  # noqa: S301 - our own workers have written it


def arriving(kept: DataFrame) -> Iterator[tuple[int, Any]]:
    """`received`, of rows that Spark keeps: those of one task at a time are in memory."""
    for row in kept.toLocalIterator():
        yield row["number"], pickle.loads(row["content"])  # noqa: S301 - our own workers have written it


def batches_of(frame: pl.DataFrame, schema: pa.Schema) -> Batches:
    """A frame as Spark takes it: the columns of the schema that it lacks are null."""
    missing = [pl.lit(None).alias(name) for name in schema.names if name not in frame.columns]
    yield from frame.with_columns(missing).select(schema.names).to_arrow().cast(schema).to_batches()


def answer(number: int, content: object, schema: pa.Schema = ANSWER_SCHEMA) -> Batches:
    """A row of number and content, pickled; every other column is null."""
    frame = pl.DataFrame({"number": [number], "content": [pickle.dumps(content)]})
    yield from batches_of(frame, schema)


def _making(make: Callable[[Any], Any]) -> Callable[[Batches], Batches]:
    def made(batches: Batches) -> Batches:
        for number, piece in pieces_in(batches):
            yield from answer(number, make(piece))

    return made
