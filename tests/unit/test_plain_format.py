"""Our own format: what the header says, in whatever order, case and dialect, and what it has to say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputRejected
from energy.intake.formats import recognise
from energy.intake.layout import Head
from energy.site_config import parse, rules


def layout(*lines, config=""):
    return recognise(Head(lines), rules(parse(config), "UTC", 0.5))


def refusal(*lines, config=""):
    with pytest.raises(InputRejected) as refused:
        layout(*lines, config=config)
    return refused.value


@settings(max_examples=300, deadline=None)
@given(
    st.permutations(["timestamp", "appliance", "kwh", "room", "note 1"]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([str.lower, str.upper, str.title]),
    st.sampled_from(["", " "]),
    st.booleans(),
)
def test_order_case_padding_quotes_and_delimiter_do_not_change_the_meaning(names, delimiter, cased, pad, quoted):
    cells = [f'"{cased(name)}"' if quoted else f"{pad}{cased(name)}{pad}" for name in names]
    found = layout(delimiter.join(cells))
    assert found.timestamp == (names.index("timestamp"),)
    assert found.appliance == names.index("appliance")
    assert [(column.position, column.unit, column.kind) for column in found.values] == [
        (names.index("kwh"), "kWh", "energy")
    ]
    assert (found.columns, found.delimiter, found.header_line) == (5, delimiter, 1)
    assert {name.lower() for name in found.ignored} == {"room", "note 1"}
    assert set(found.warnings) == (set() if delimiter == "," else {"DIALECT"})


@pytest.mark.parametrize(
    ("name", "unit", "kind"),
    [
        ("wh", "Wh", "energy"),
        ("energy_mwh", "MWh", "energy"),
        ("Consumption (kWh)", "kWh", "energy"),
        ("usage [Wh]", "Wh", "energy"),
        ("power_w", "W", "power"),
        ("Avg Power (kW)", "kW", "power"),
        ("watts", "W", "power"),
        ("meter_reading_kwh", "kWh", "register"),
        ("total kwh", "kWh", "register"),
        ("register_wh", "Wh", "register"),
    ],
)
def test_the_header_says_unit_and_kind(name, unit, kind):
    (column,) = layout(f"timestamp,appliance,{name}").values
    assert (column.unit, column.kind) == (unit, kind)


@pytest.mark.parametrize("name", ["gas_kwh", "max_kwh", "kwh_wh", "kvarh", "power_kwh", "register_kw", "kw h", "price"])
def test_a_name_of_which_a_word_is_not_known_is_no_reading(name):
    refused = refusal(f"timestamp,appliance,{name}")
    assert refused.code == "MISSING_COLUMN"
    assert "lacks kwh" in refused.problem


def test_a_column_without_a_unit_needs_the_configuration():
    refused = refusal("timestamp,appliance,energy")
    assert (refused.code, "unit under readings" in refused.problem) == ("MISSING_COLUMN", True)
    (column,) = layout("timestamp,appliance,energy", config="readings: {unit: Wh}").values
    assert (column.unit, column.kind) == ("Wh", "energy")
    (column,) = layout("timestamp,appliance,value", config="readings: {unit: kWh, kind: register}").values
    assert column.kind == "register"


def test_kwh_goes_before_other_quantities_and_two_others_are_refused():
    assert layout("timestamp,appliance,power_w,kwh").values[0].position == 3
    assert refusal("timestamp,appliance,power_w,energy_wh").code == "DUPLICATE_COLUMN"


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_a_first_line_that_names_the_separator_is_obeyed(separator):
    found = layout(f"sep={separator}", separator.join(["timestamp", "appliance", "kwh"]))
    assert (found.delimiter, found.header_line) == (separator, 2)


def test_leading_blank_lines_are_no_header():
    assert layout("", "  ", "timestamp,appliance,kwh").header_line == 3


def test_a_preamble_is_refused_without_repeating_it_and_says_where_the_header_is():
    refused = refusal("Customer,Jane Example", "Account,0000", "timestamp,appliance,kwh", "2024-05-01 00:00,a,1")
    assert refused.code == "MISSING_HEADER"
    assert "Jane" not in refused.problem
    assert "It seems to be in line 3" in refused.problem


@pytest.mark.parametrize(
    ("header", "code", "said"),
    [
        ("2024-03-01T00:00:00Z,fridge,0.5", "MISSING_HEADER", "has 3 field(s)"),
        ("# export", "MISSING_HEADER", "Put the header into the first line"),
        ("timestamp,appliance", "MISSING_COLUMN", "lacks kwh; it names 'timestamp, appliance'"),
        ("time,appliance,kwh", "MISSING_COLUMN", "lacks timestamp"),
        ("timestamp,appliance,kwh,kWh", "DUPLICATE_COLUMN", "names kwh 2 times"),
        ("timestamp,appliance,kwh," + ",".join(f"c{n}" for n in range(5_000)), "TOO_MANY_COLUMNS", "5,003 columns"),
        ('timestamp,"appliance,kwh', "MISSING_HEADER", ""),
    ],
)
def test_a_header_that_cannot_be_used_says_what_was_found(header, code, said):
    refused = refusal(header)
    assert refused.code in {code, "MALFORMED_CSV"}
    assert said in refused.problem
