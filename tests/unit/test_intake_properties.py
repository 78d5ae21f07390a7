"""Laws of reading a file: nothing is lost, nothing is made up, and how a file is written does not matter."""

import csv
import datetime as dt
import gzip
import io
import math
import tempfile
import unicodedata
from collections import defaultdict
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energy.errors import InputRejected
from energy.intake import names, records
from energy.intake.judging import judge
from energy.site_config import ReadingsConfig, Rules
from tests.fuzz import invariants

UPLOADED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HEADER = ["timestamp", "appliance", "kwh"]
BERLIN = ZoneInfo("Europe/Berlin")
# No clock changes in these months, in no zone that is used here.
START = dt.datetime(2024, 5, 1)
HOURS = 24 * 90

profile = settings(deadline=None, derandomize=True, database=None)


def judged(content, name="readings.csv", timezone="UTC", **readings):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        rules = Rules(timezone=timezone, readings=ReadingsConfig(**readings))
        result = judge(path, rules, UPLOADED, Path(folder), name)
        assert invariants.breaches(result) == []
        return result, invariants.published(result), sorted(result.readings()["kwh"])


def written(rows, delimiter=",", quoting=csv.QUOTE_MINIMAL, newline="\n", header=HEADER):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=newline)
    writer.writerows([header, *rows])
    return text.getvalue()


# Cells, each with what it means; a code where it means that the row is bad.
PLAIN_NAMES = ["fridge", "Heizung", "Kühlschrank", 'the "old" one', "a, b", "x;y", "two\nlines", "電気", "O'Neil", "#1"]
BAD_NAMES = ["", "   ", "\u200b", "x" * 129]
BAD_TIMES = ["2024-02-30 10:00:00", "", "soon", "2024-05-01 25:00:00", "1980-01-01 00:00:00", "2199-01-01 00:00:00"]
BAD_VALUES = ["", "NA", "null", "nan", "-inf", "1e999", "0x1F", "1_000", "50%", "#REF!", "1.2.3", "-0.5", "1e12", "one"]

values = st.integers(0, 99_999).map(lambda n: f"{n / 10_000:.4f}")
times = st.integers(0, HOURS - 1).map(lambda hours: f"{START + dt.timedelta(hours=hours):%Y-%m-%d %H:%M:%S}")
good_rows = st.tuples(times, st.sampled_from(PLAIN_NAMES), values)
bad_rows = st.one_of(
    st.tuples(st.sampled_from(BAD_TIMES), st.sampled_from(PLAIN_NAMES), values),
    st.tuples(times, st.sampled_from(BAD_NAMES), values),
    st.tuples(times, st.sampled_from(PLAIN_NAMES), st.sampled_from(BAD_VALUES)),
    st.tuples(times, st.sampled_from(PLAIN_NAMES)),
    st.tuples(times, st.sampled_from(PLAIN_NAMES), values, st.just("more")),
    st.just(tuple(HEADER)),
)
# One appliance in one hour again and again, with few values: duplicates and conflicts.
crowded_rows = st.tuples(
    st.sampled_from([f"2024-06-01 0{hour}:00:00" for hour in range(3)]),
    st.sampled_from(["fridge", "Heizung", " fridge ", "FRIDGE"]),
    st.sampled_from(["0.5", "0.50", "5e-1", "0.7", "0.7", "0.7"]),
)
# Rows drawn one by one rarely meet: some of every list are crowded.
some_crowded = st.lists(crowded_rows, min_size=3, max_size=12)


def with_crowded(rows, most):
    return st.tuples(some_crowded, st.lists(rows, max_size=most)).map(lambda lists: [*lists[0], *lists[1]])


any_rows = with_crowded(st.one_of(good_rows, bad_rows), most=28)
usable_rows = with_crowded(good_rows, most=15)
# Enough that a few bad rows are few: what a file is refused for is tested by examples elsewhere.
MANY_GOOD = [(f"{START + dt.timedelta(hours=n):%Y-%m-%d %H:%M:%S}", "boiler", f"{n}.25") for n in range(60)]


def is_bad(row):
    return len(row) != 3 or row[0] in BAD_TIMES or row[1] in BAD_NAMES or row[2] in BAD_VALUES or list(row) == HEADER


def settled(rows):
    """(energies accepted, rows rejected, duplicates), by a plain loop."""
    groups = defaultdict(list)
    rejected = 0
    for row in rows:
        if is_bad(row):
            rejected += 1
        else:
            groups[row[0], names.identity(row[1])].append(float(row[2]))
    accepted, duplicates = [], 0
    for found in groups.values():
        if len(set(found)) > 1:
            rejected += len(found)
        else:
            accepted.append(found[0])
            duplicates += len(found) - 1
    return sorted(accepted), rejected, duplicates


@pytest.mark.slow
@settings(profile, max_examples=250)
@given(any_rows, st.randoms())
def test_every_row_is_accepted_rejected_or_a_duplicate_and_energy_is_conserved(drawn, random):
    rows = [*MANY_GOOD, *drawn]
    random.shuffle(rows)
    result, _, energies = judged(written(rows).encode())
    accepted, rejected, duplicates = settled(rows)
    assert result.refusal is None
    assert (result.rows.read, result.rows.rejected, result.rows.duplicates) == (len(rows), rejected, duplicates)
    assert energies == accepted
    assert math.isclose(invariants.total_kwh(result), math.fsum(accepted), abs_tol=1e-9)


@pytest.mark.slow
@settings(profile, max_examples=100)
@given(any_rows)
def test_rejected_rows_are_told_by_the_line_that_they_start_in(drawn):
    rows = [*MANY_GOOD, *drawn]
    result, *_ = judged(written(rows).encode())
    lines, line = {}, 2
    for row in rows:
        text = written([], header=row).removesuffix("\n")
        lines[line] = (row, text)
        line += 1 + text.count("\n")
    shown = [(line, text) for frame in result.rejected() for line, text in frame.select("line", "text").iter_rows()]
    assert [text for _, text in shown] == [lines[line][1] for line, _ in shown]
    assert {line for line, (row, _) in lines.items() if is_bad(row)} <= {line for line, _ in shown}


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]


def encoded(text, encoding, packed):
    content = text.encode(encoding)
    if encoding == "utf-16-be":
        content = b"\xfe\xff" + content
    return gzip.compress(content, compresslevel=1) if packed else content


@st.composite
def dialects(draw):
    delimiter = draw(st.sampled_from(",;\t|"))
    decimal_comma = delimiter != "," and draw(st.booleans())
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return delimiter, decimal_comma, quoting, newline, draw(st.sampled_from(ENCODINGS)), draw(st.booleans())


@pytest.mark.slow
@settings(profile, max_examples=250)
@given(usable_rows, dialects(), st.randoms())
def test_order_dialect_newlines_encoding_and_packing_publish_the_same_bytes(drawn, dialect, random):
    # A delimiter in a name is a matter of quotes; of line ends in quotes only \n stays what it is.
    rows = [*MANY_GOOD, *drawn]
    _, expected, _ = judged(written(rows).encode())
    delimiter, decimal_comma, quoting, newline, encoding, packed = dialect
    shuffled = random.sample(rows, len(rows))
    if decimal_comma:
        shuffled = [(time, name, value.replace(".", ",")) for time, name, value in shuffled]
    text = written(shuffled, delimiter, quoting, newline)
    _, found, _ = judged(encoded(text, encoding, packed), name="readings.csv.gz" if packed else "readings.csv")
    assert found == expected


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("header", [["Timestamp", " Appliance ", "KWH"], HEADER])
def test_the_order_and_case_of_columns_do_not_matter(order, header):
    _, expected, _ = judged(written(MANY_GOOD).encode())
    rows = [[row[position] for position in order] for row in MANY_GOOD]
    _, found, _ = judged(written(rows, header=[header[position] for position in order]).encode())
    assert found == expected


@pytest.mark.slow
@settings(profile, max_examples=100)
@given(usable_rows, st.sampled_from(["UTC", "Europe/Berlin"]))
def test_what_was_published_and_is_uploaded_again_is_published_as_it_was(drawn, timezone):
    """Reading is a projection: a second time changes nothing."""
    result, expected, _ = judged(written([*MANY_GOOD, *drawn]).encode(), timezone=timezone)
    readings = result.readings()
    for column, ending in (("timestamp", ""), ("timestamp_utc", "Z")):
        again = [
            (f"{row[column]}{ending}", row["appliance"], repr(row["kwh"])) for row in readings.iter_rows(named=True)
        ]
        _, found, _ = judged(written(again).encode(), timezone=timezone)
        assert found == expected


# Any text but what no cell can hold: controls reject the row, surrogates are no characters.
any_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@settings(profile, max_examples=150)
@given(st.lists(any_names, min_size=1, max_size=12))
def test_names_of_any_script_are_published_tidy_and_differ_by_more_than_case_form_and_space(drawn):
    assume(all(len(names.tidy(name)) <= 128 for name in drawn))
    rows = [(f"{START + dt.timedelta(hours=n):%Y-%m-%d %H:%M:%S}", name, "0.5") for n, name in enumerate(drawn)]
    result, *_ = judged(written([*MANY_GOOD, *rows]).encode())
    groups = defaultdict(set)
    for name in drawn:
        if names.tidy(name):
            groups[names.identity(name)].add(names.tidy(name))
    published = set(result.readings()["appliance"]) - {"boiler"}
    assert published == {names.shown(spellings) for spellings in groups.values()} - {"boiler"}
    assert result.codes == ({"MISSING_APPLIANCE": empty} if (empty := sum(not names.tidy(n) for n in drawn)) else {})


@settings(profile, max_examples=60)
@given(any_names.map(names.tidy).filter(bool), st.data())
def test_spellings_of_one_name_are_one_appliance(name, data):
    spellings = [name, f" {name}  ", *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))]
    assert len({names.identity(spelling) for spelling in spellings}) == 1
    rows = [(f"2024-08-01 {n:02d}:00:00", spelling, "0.5") for n, spelling in enumerate(spellings)]
    result, *_ = judged(written(data.draw(st.permutations([*MANY_GOOD, *rows]))).encode())
    assert result.readings()["appliance"].n_unique() == len({names.identity(name), "boiler"})


FORMS = [
    repr,
    "{:.17e}".format,
    "{:.17E}".format,
    "+{!r}".format,
    "  {!r} ".format,
    lambda x: f"{x:.20f}",
    lambda x: f"{x:.18f}".removeprefix("0"),
    lambda x: f"000{x:.17g}",
]


@settings(profile, max_examples=150)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(FORMS)), min_size=1, max_size=30))
def test_a_number_means_the_same_however_it_is_written(drawn):
    texts = [form(number) for number, form in drawn]
    rows = [(f"{START + dt.timedelta(hours=n):%Y-%m-%d %H:%M:%S}", "fridge", text) for n, text in enumerate(texts)]
    *_, energies = judged(written([*MANY_GOOD, *rows]).encode())
    expected = [float(value) for *_, value in MANY_GOOD] + [float(text) for text in texts]
    assert energies == sorted(expected)


OFFSETS = ["Z", "+00:00", "+01:00", "+0530", "-05:00", "+14:00", "-12:00", "+05:45"]


def with_offset(instant, offset):
    sign = -1 if offset.startswith("-") else 1
    digits = offset[1:].replace(":", "") or "0000"
    local = instant + sign * dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return f"{local:%Y-%m-%dT%H:%M:%S}{offset}"


@pytest.mark.slow
@settings(profile, max_examples=100)
@given(
    st.lists(
        st.tuples(st.integers(0, 8783), st.sampled_from(OFFSETS), st.sampled_from(OFFSETS)), min_size=1, max_size=40
    )
)
def test_timestamps_with_offsets_are_instants_whatever_the_offset(drawn):
    """Through a whole year in Berlin, with both changes of the clocks."""
    instants = {hour: dt.datetime(2024, 1, 1) + dt.timedelta(hours=hour) for hour, *_ in drawn}
    chosen = {hour: (first, second) for hour, first, second in drawn}
    files = [
        judged(
            written([(with_offset(instants[h], chosen[h][n]), "fridge", f"{h}.25") for h in instants]).encode(),
            timezone="Europe/Berlin",
        )
        for n in (0, 1)
    ]
    (result, first, energies), (_, second, _) = files
    assert first == second
    assert energies == sorted(hour + 0.25 for hour in instants)
    for row in result.readings().iter_rows(named=True):
        assert row["timestamp_utc"] == instants[int(row["kwh"])]
        local = row["timestamp_utc"].replace(tzinfo=dt.UTC).astimezone(BERLIN).replace(tzinfo=None)
        assert row["timestamp"] == local


@settings(profile, max_examples=40)
@given(st.integers(1, 23), st.integers(0, 3))
def test_the_repeated_autumn_hour_has_twice_its_readings(first_hour, appliances):
    """Local times in order, without offsets, around 27 October 2024 in Berlin."""
    midnight = dt.datetime(2024, 10, 26, first_hour, tzinfo=dt.UTC)
    instants = [midnight + dt.timedelta(minutes=30 * n) for n in range(96)]
    rows = [
        (f"{instant.astimezone(BERLIN):%Y-%m-%d %H:%M:%S}", f"a{appliance}", f"{n}.5")
        for n, instant in enumerate(instants)
        for appliance in range(appliances + 1)
    ]
    result, *_ = judged(written(rows).encode(), timezone="Europe/Berlin")
    assert result.rows.accepted == len(rows)
    for row in result.readings().iter_rows(named=True):
        assert row["timestamp_utc"] == instants[int(row["kwh"])].replace(tzinfo=None)


def everything(content, timezone):
    """All that is told of a file, as far as it can be compared."""
    try:
        result, months, _ = judged(content, timezone=timezone)
    except InputRejected as refused:
        return refused.code, refused.problem
    rejected = [row for frame in result.rejected() for row in frame.iter_rows()]
    told = (result.codes, result.warnings, result.notes, str(result.refusal), result.quality, result.rows)
    return months, rejected, told


@pytest.mark.slow
@settings(profile, max_examples=150)
@given(
    any_rows,
    st.sampled_from([50, 200, 201, 1_000]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.randoms(),
)
def test_it_does_not_matter_where_a_file_is_cut_into_chunks(drawn, size, quoting, random):
    rows = [*MANY_GOOD, *drawn]
    random.shuffle(rows)
    content = written(rows, quoting=quoting).encode()
    whole = everything(content, "Europe/Berlin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "CHUNK_BYTES", size)
        assert everything(content, "Europe/Berlin") == whole


@settings(profile, max_examples=150)
@given(st.lists(st.sampled_from([*',;"\n\r\t |x1.:- \0é', "timestamp,appliance,kwh\n", "2024-05-01 10:00", "\ufeff"])))
def test_any_text_below_a_header_gets_a_verdict(pieces):
    # Whatever the verdict: what is told of it holds together, and nothing but a refusal is raised.
    assert everything(("timestamp,appliance,kwh\n" + "".join(pieces)).encode(), "UTC")


def green_button(readings, separator):
    """Hourly readings of one meter as a feed."""
    entry = "<entry><link rel='self' href='{}'/><content>{}</content></entry>".format
    kind = {"accumulationBehaviour": 4, "commodity": 1, "flowDirection": 1, "intervalLength": 3600, "uom": 72}
    blocks = separator.join(
        f"<IntervalReading><timePeriod><duration>3600</duration><start>{1_640_995_200 + 3600 * n}</start></timePeriod>"
        f"<value>{500 + n % 50}</value></IntervalReading>"
        for n in range(readings)
    )
    parts = [
        "<feed xmlns='http://www.w3.org/2005/Atom'>",
        entry("/ReadingType/1", f"<ReadingType>{''.join(f'<{k}>{v}</{k}>' for k, v in kind.items())}</ReadingType>"),
        entry("/UsagePoint/1/MeterReading/1/IntervalBlock/1", f"<IntervalBlock>{blocks}</IntervalBlock>"),
    ]
    text = separator.join([*parts, "</feed>"])
    for name in ("ReadingType", "IntervalBlock"):
        text = text.replace(f"<{name}>", f"<{name} xmlns='http://naesb.org/espi'>")
    return text.encode()


@pytest.mark.slow
def test_a_feed_in_one_long_line_is_the_feed_that_it_is_in_many():
    """Utilities write their XML without a single line end, and years of it."""
    lines, one_line = green_button(9_000, "\n"), green_button(9_000, "")
    assert len(one_line) > records.MAX_RECORD_BYTES
    _, expected, energies = judged(lines, name="usage.xml")
    assert len(energies) == 9_000
    _, found, _ = judged(one_line, name="usage.xml")
    assert found == expected
