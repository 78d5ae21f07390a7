"""Groups of neighbours."""

import itertools

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from energy.stretches import begins, stretch

ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([1, 2, None])), max_size=30)


@given(ROWS)
def test_a_stretch_is_what_itertools_groups(rows):
    frame = pl.DataFrame(rows, schema={"name": pl.String, "number": pl.Int64}, orient="row")
    found = frame.group_by(stretch("name", "number"), maintain_order=True).agg(pl.col("name", "number"))
    expected = [list(group) for _, group in itertools.groupby(rows)]
    assert [list(zip(names, numbers, strict=True)) for _, names, numbers in found.iter_rows()] == expected
    assert frame.select(begins("name", "number")).to_series().sum() == len(expected)
