"""What a site's configuration may say, and what is said of one that cannot be used."""

import pytest
from pydantic import ValidationError

from energy.errors import SiteConfigInvalid
from energy.site_config import Rules, Section, SiteConfig, TableFile, named_files, parse, read, rules


def refusal(text):
    with pytest.raises(SiteConfigInvalid) as refused:
        parse(text, "config/home.yaml")
    return str(refused.value)


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "{}"])
def test_nothing_said_leaves_everything_as_it_is(text):
    assert parse(text) == SiteConfig()


def test_every_setting_is_read():
    config = parse(
        """
timezone: Europe/Berlin
readings:
  columns: {timestamp: [Datum, Uhrzeit], appliance: Gerät, value: " Verbrauch "}
  delimiter: ";"
  decimal: ","
  date_order: day_first
  timestamps_mark: end
  unit: Wh
  kind: energy
  interval_minutes: 15
limits: {rejected_share: 0.1, appliances: 20000}
"""
    )
    assert config.timezone == "Europe/Berlin"
    assert config.readings.columns.timestamp == ("Datum", "Uhrzeit")
    assert config.readings.columns.value == "Verbrauch"
    assert (config.readings.delimiter, config.readings.decimal, config.readings.interval_minutes) == (";", ",", 15)
    assert (config.limits.rejected_share, config.limits.appliances, config.limits.columns) == (0.1, 20_000, 1_000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timezon: UTC", "timezon is no setting; did you mean timezone?"),
        ("readings: {units: Wh}", "readings.units is no setting; did you mean unit?"),
        ("readings: {columns: {time: a, timestamp: t, value: v}}", "readings.columns.time is no setting; did you mean"),
        ("colour: red", "colour is no setting; known are timezone, language, readings, limits, "),
        ("timezone: Mars/Base", "timezone is 'Mars/Base': it is not an IANA time zone such as Europe/Berlin."),
        ("readings: {unit: therm}", "readings.unit is 'therm': it may be 'Wh', 'kWh', 'MWh', 'W' or 'kW'."),
        ("readings: {delimiter: ':'}", "readings.delimiter is ':': it may be"),
        ("readings: {interval_minutes: 0}", "readings.interval_minutes is 0: it must be greater than 0."),
        ("limits: {rejected_share: 2}", "limits.rejected_share is 2: it must be less than or equal to 1."),
        ("readings: {columns: {timestamp: t}}", "readings.columns.value is missing."),
        ("readings: [1]", "readings is [1]: it must hold settings by name."),
        ("- a\n- b", "it must hold settings by name, as timezone: Europe/Berlin."),
        ("timezone: UTC\ntimezone: Europe/Berlin", "timezone is there twice, last in line 2. Keep one."),
        ("a: &x [1]\nb: *x", "line 1 has a reference (&, *): write out what it stands for."),
        ("readings: {unit: Wh", "it is no YAML"),
        ("timezone: !!python/object/apply:os.system [ls]", "line 1 has a tag"),
        ("readings: {unit: on}", "readings.unit is True: YAML reads on, off, yes and no so"),
        ("readings: {columns: {timestamp: [a, b, c], value: v}}", "it must be the name of a column, or a list of two"),
        ("readings: {columns: {timestamp: t, value: t}}", "it names the column 't' twice"),
        ("a: [[[[[[[[[[1]]]]]]]]]]", "is nested more than 8 deep"),
        ("readings:\n\tunit: Wh", "indent with spaces"),
    ],
)
def test_a_wrong_configuration_names_the_key_and_what_it_may_be(text, said):
    message = refusal(text)
    assert message.startswith("config/home.yaml: ")
    assert said in message
    assert "\n" not in message


def test_the_site_goes_before_the_stack():
    found = rules(parse("timezone: Europe/Berlin\nlimits: {rejected_share: 0.2}"), "UTC", 0.5)
    assert (found.timezone, found.rejected_share) == ("Europe/Berlin", 0.2)
    found = rules(parse(""), "America/New_York", 0.4)
    assert (found.timezone, found.rejected_share) == ("America/New_York", 0.4)


def test_rules_have_one_text_each():
    texts = [
        rules(parse(text), "UTC", 0.5).canonical()
        for text in ("", "timezone: Europe/Berlin", "readings: {unit: Wh}", "limits: {columns: 5}")
    ]
    assert len(set(texts)) == len(texts)
    assert rules(parse("limits: {}\nreadings: {}"), "UTC", 0.5).canonical() == Rules().canonical()


def test_a_file_has_to_be_small_and_utf_8():
    assert read(b"\xef\xbb\xbftimezone: UTC\r\n").timezone == "UTC"
    with pytest.raises(SiteConfigInvalid, match="it is larger than 65,536 bytes"):
        read(b"# " + b"x" * 70_000)
    with pytest.raises(SiteConfigInvalid, match=r"home\.yaml: it is not UTF-8 from byte 10 on"):
        read(b"timezone: \xff", "home.yaml")


def test_a_key_without_a_value_is_as_good_as_none():
    assert parse("timezone:\nreadings:\nlimits: {columns: }") == SiteConfig()


def test_the_files_that_settings_name_are_found_wherever_they_stand():
    class Weather(TableFile):
        column: str = "t"

    class Nested(Section):
        one: Weather
        many: tuple[TableFile, ...] = ()
        by_name: dict[str, TableFile]

    nested = Nested.model_validate(
        {"one": {"file": "b.csv"}, "many": [{"file": "a.csv"}, {"file": "b.csv"}], "by_name": {"x": {"file": "c.csv"}}}
    )
    assert sorted(set(named_files(nested))) == ["a.csv", "b.csv", "c.csv"]
    assert SiteConfig().named_files() == []


@pytest.mark.parametrize("name", ["../raw/a.csv", "a/b.csv", ".csv", "a.txt", "/a.csv", "a b.csv", ""])
def test_a_named_file_lies_beside_the_configuration(name):
    with pytest.raises(ValidationError):
        TableFile(file=name)
