"""State "Aggregate readings" against S3: several uploads of a site, in any order, become the same tables."""

import itertools
import json
import random

import pytest

from energy import __version__, drafting, lake, parquet, recipes, store
from energy.contracts import Publication, RowCounts, Upload
from energy.documents import ReadingsSummary
from energy.errors import SiteTooLarge, TimezoneChanged
from energy.manifest import Manifest
from energy.schema import APPLIANCES, DAILY, HOURLY, PROFILE, QUALITY, READINGS, TABLES
from energy.settings import settings

HEADER = "timestamp,appliance,kwh\n"
MARCH = HEADER + "2024-03-01 10:00,oven,1\n2024-03-01 11:00,oven,2\n"
APRIL = HEADER + "2024-03-01 11:00,oven,5\n2024-04-01 10:00,oven,4\n"
# Two appliances, however they are written.
SPELLINGS = ["Oven", "oven", " OVEN ", "Kühlschrank", "KÜHLSCHRANK", "Ku\u0308hlschrank"]


def draft_of(publication):
    return Manifest.model_validate_json(store.read(publication["draft_key"]))


def commit(publication):
    """What the commit does with a draft."""
    content = store.read(publication["draft_key"])
    store.swap(lake.manifest_key(publication["site"]), content, publication["base_etag"])
    return Manifest.model_validate_json(content)


def published_readings(manifest):
    return [
        row
        for partition in manifest.tables[READINGS.name]
        for row in parquet.from_bytes(store.read(partition.prefix + "readings.parquet"))
        .select("timestamp", "appliance", "kwh", "upload")
        .iter_rows()
    ]


def test_the_first_upload_of_a_site_becomes_its_tables(lake_on_moto, validated, aggregate):
    output = validated(MARCH)
    publication = aggregate(output)
    pub = publication["pub"]
    assert (publication["pub"], publication["base_etag"], publication["readings"]) == (pub, None, 2)
    assert (publication["appliances"], publication["timezone"]) == (1, "UTC")
    draft = draft_of(publication)
    assert (draft.pub, draft.code_version, list(draft.uploads)) == (pub, __version__, ["raw/a.csv"])
    assert draft.uploads["raw/a.csv"].rows == RowCounts(read=2, accepted=2, rejected=0, duplicates=0)
    assert {name: [(p.values, p.prefix) for p in partitions] for name, partitions in draft.tables.items()} == {
        "raw_energy_data": [(["home", "2024-03"], f"processed/readings/site=home/month=2024-03/pub={pub}/")],
        "processed_energy_data": [(["home"], f"processed/appliances/site=home/pub={pub}/")],
        "hourly_energy_data": [(["home", "2024-03"], f"processed/hourly/site=home/month=2024-03/pub={pub}/")],
        "hourly_profile_data": [(["home"], f"processed/profile/site=home/pub={pub}/")],
        "daily_energy_data": [(["home"], f"processed/daily/site=home/pub={pub}/")],
        "quality_data": [(["home"], f"processed/quality/site=home/pub={pub}/")],
        "forecast_accuracy": [(["home"], f"processed/accuracy/site=home/pub={pub}/")],
        "forecast_history": [],
    }
    for table, name in (
        (READINGS, "readings"),
        (APPLIANCES, "appliances"),
        (HOURLY, "hourly"),
        (PROFILE, "profile"),
        (DAILY, "daily"),
        (QUALITY, "quality"),
    ):
        frame = parquet.from_bytes(store.read(draft.tables[table.name][0].prefix + f"{name}.parquet"))
        assert dict(frame.schema) == dict(parquet.polars_schema(table))
        assert frame.height > 0
    assert publication["daily_key"] == f"processed/daily/site=home/pub={pub}/daily.parquet"
    summary = ReadingsSummary.model_validate_json(store.read(publication["summary_key"]))
    assert (summary.total_kwh, summary.uploads, summary.site) == (3.0, 1, "home")
    assert lake.manifest_key("home") not in keys(lake_on_moto)


def keys(s3):
    return [found["Key"] for found in s3.list_objects_v2(Bucket="lake")["Contents"]]


def test_a_second_upload_wins_where_both_have_a_reading_and_leaves_other_months_alone(validated, aggregate):
    first = commit(aggregate(validated(HEADER + "2024-02-01 10:00,oven,8\n" + MARCH.removeprefix(HEADER))))
    publication = aggregate(validated(APRIL, key="raw/z.csv"))
    second = commit(publication)
    a, z = lake.upload_id("raw/a.csv"), lake.upload_id("raw/z.csv")
    assert [(str(t), kwh, upload) for t, _, kwh, upload in published_readings(second)] == [
        ("2024-02-01 10:00:00", 8.0, a),
        ("2024-03-01 10:00:00", 1.0, a),
        ("2024-03-01 11:00:00", 5.0, z),
        ("2024-04-01 10:00:00", 4.0, z),
    ]
    february = {m.pub: m.tables[READINGS.name][0].prefix for m in (first, second)}
    assert set(february.values()) == {f"processed/readings/site=home/month=2024-02/pub={first.pub}/"}
    assert publication["readings"] == 4
    assert ReadingsSummary.model_validate_json(store.read(publication["summary_key"])).total_kwh == 18.0


def test_a_newer_version_replaces_the_older_and_a_month_left_empty_goes(validated, aggregate):
    commit(aggregate(validated(APRIL)))
    manifest = commit(aggregate(validated(MARCH, sequencer="0B")))
    assert [(str(t), kwh) for t, _, kwh, _ in published_readings(manifest)] == [
        ("2024-03-01 10:00:00", 1.0),
        ("2024-03-01 11:00:00", 2.0),
    ]
    assert [p.values for p in manifest.tables[READINGS.name]] == [["home", "2024-03"]]
    assert manifest.uploads["raw/a.csv"].months == ["2024-03"]


def test_an_older_version_that_comes_late_changes_nothing(validated, aggregate):
    older, newer = validated(APRIL), validated(MARCH, sequencer="0B")
    before = commit(aggregate(newer))
    late = aggregate(older)
    assert (late["already_published"], late["draft_key"]) == (True, "")
    assert store.read_with_etag(lake.manifest_key("home"))[0] == before.to_json()


def test_any_order_of_uploads_publishes_the_same_tables(lake_on_moto, validated, aggregate):
    contents = {
        "a": MARCH + "2024-03-01 11:00,oven,2\n2024-03-01 12:00,oven,much\n",
        "b": APRIL.replace("oven", "OVEN"),
        "c": HEADER + "2024-03-01 10:00,Oven,7\n2024-05-01 00:00,fridge,0.1\n2024-05-01 01:00,fridge,\n",
    }
    outputs = {name: validated(content, key=f"raw/{name}.csv") for name, content in contents.items()}
    seen = {
        published(lake_on_moto, aggregate, [outputs[name] for name in order])
        for order in itertools.permutations(contents)
    }
    assert len(seen) == 1


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_uploads_with_any_spellings_publishes_the_same_tables(seed, lake_on_moto, validated, aggregate):
    chance = random.Random(seed)
    outputs = []
    for number in range(4):
        times = [f"2024-0{chance.randint(1, 3)}-01 0{chance.randint(0, 3)}:00" for _ in range(8)]
        rows = [f"{time},{chance.choice(SPELLINGS)},{chance.choice('129x')}" for time in times]
        content = HEADER + "".join(f"{row}\n" for row in [f"2024-01-02 0{number}:00,fan,1", *dict.fromkeys(rows)])
        outputs.append(validated(content, key=f"raw/{number}.csv"))
    orders = [chance.sample(outputs, len(outputs)) for _ in range(4)]
    assert len({published(lake_on_moto, aggregate, order) for order in orders}) == 1


def published(s3, aggregate, outputs):
    """The bytes of every table and document after these uploads to a new site, in this order."""
    for key in [lake.manifest_key("home"), *store.list_keys(lake.pending_prefix("home"))]:
        store.delete(key)
    for output in outputs:
        publication = aggregate(output)
        manifest = commit(publication)
    tables = {
        (name, *partition.values): store.read(partition.prefix + TABLES[name].file_name)
        for name, partitions in manifest.tables.items()
        for partition in partitions
    }
    return str(sorted(tables.items())), store.read(publication["summary_key"]), uploads_counted(publication)


def uploads_counted(publication):
    return store.read(lake.publication_document_key("processed", publication["site"], publication["pub"], "uploads"))


def test_a_later_spelling_renames_the_appliance_in_every_month(validated, aggregate):
    commit(aggregate(validated(HEADER + "2024-01-01 10:00,OVEN,1\n2024-02-01 10:00,OVEN,2\n")))
    manifest = commit(aggregate(validated(HEADER + "2024-02-01 10:00, Oven,3\n", key="raw/b.csv")))
    assert [(name, kwh) for _, name, kwh, _ in published_readings(manifest)] == [("Oven", 1.0), ("Oven", 3.0)]
    manifest = commit(aggregate(validated(HEADER + "2024-03-01 10:00,fan,3\n", key="raw/b.csv", sequencer="0B")))
    assert [(name, kwh) for _, name, kwh, _ in published_readings(manifest)] == [
        ("OVEN", 1.0),
        ("OVEN", 2.0),
        ("fan", 3.0),
    ]


def test_rows_set_apart_in_any_upload_that_counts_are_in_the_quality(lake_on_moto, validated, aggregate):
    commit(aggregate(validated(MARCH + "2024-03-01 12:00,oven,much\n2024-03-01 11:00,oven,2\n")))
    publication = aggregate(validated(APRIL + "2024-04-01 11:00,oven,\n", key="raw/b.csv"))
    commit(publication)
    summary = ReadingsSummary.model_validate_json(store.read(publication["summary_key"]))
    assert (summary.quality.rejected, summary.quality.duplicates) == (2, 1)
    assert summary.appliances[0].quality.rejected == 2
    corrected = aggregate(validated(MARCH, sequencer="0B"))
    summary = ReadingsSummary.model_validate_json(store.read(corrected["summary_key"]))
    assert (summary.quality.rejected, summary.quality.duplicates) == (1, 0)


def test_what_became_of_older_uploads_is_read_from_the_publication_before(lake_on_moto, validated, aggregate):
    first = validated(MARCH)
    commit(aggregate(first))
    quality_key = lake.upload_quality_key("home", lake.upload_id(first["key"]), first["run_id"])
    for version in lake_on_moto.list_object_versions(Bucket="lake", Prefix=quality_key)["Versions"]:
        lake_on_moto.delete_object(Bucket="lake", Key=version["Key"], VersionId=version["VersionId"])
    publication = aggregate(validated(APRIL, key="raw/b.csv"))
    assert list(json.loads(uploads_counted(publication))["uploads"]) == ["raw/a.csv", "raw/b.csv"]


def test_the_time_zone_is_the_one_that_validation_read_the_file_in(validated, aggregate):
    output = validated(MARCH) | {"timezone": "Asia/Tokyo"}
    assert draft_of(aggregate(output)).timezone == "Asia/Tokyo"


def test_the_same_state_twice_writes_the_same_bytes(lake_on_moto, validated, aggregate):
    output = validated(MARCH)
    assert aggregate(output) == aggregate(output)
    versions = lake_on_moto.list_object_versions(Bucket="lake")["Versions"]
    assert len(versions) == len(keys(lake_on_moto))


def test_sites_do_not_see_each_other(validated, aggregate):
    commit(aggregate(validated(MARCH, key="raw/one/a.csv")))
    publication = aggregate(validated(APRIL, key="raw/two/a.csv"))
    assert (publication["site"], publication["base_etag"], publication["readings"]) == ("two", None, 2)
    assert list(draft_of(publication).uploads) == ["raw/two/a.csv"]


def test_the_upload_in_the_manifest_is_the_one_of_the_event(validated, aggregate):
    output = validated(MARCH)
    draft = json.loads(store.read(aggregate(output)["draft_key"]))
    assert Upload.model_validate(draft["uploads"]["raw/a.csv"]["upload"]) == Upload.model_validate(output["upload"])


def test_a_site_stays_in_the_time_zone_that_it_is_published_in(lake_on_moto, validated, aggregate, monkeypatch):
    commit(aggregate(validated(MARCH)))
    monkeypatch.setenv("SITE_TIMEZONE", "Asia/Tokyo")
    settings.cache_clear()
    other = validated(MARCH, key="raw/b.csv")
    with pytest.raises(TimezoneChanged, match=r"published in the time zone UTC.*Asia/Tokyo"):
        aggregate(other)


def test_new_code_writes_beside_what_older_code_left_behind(lake_on_moto, validated, aggregate, monkeypatch):
    """A run that died is repeated after a fix was deployed: nothing that it wrote is in the way."""
    before = validated(MARCH)
    old = aggregate(before)
    monkeypatch.setattr("energy.recipes.__version__", "99.0.0")
    assert validated(MARCH)["run_id"] != before["run_id"]
    assert aggregate(validated(MARCH))["pub"] != old["pub"]


def test_a_month_of_more_readings_than_memory_holds_is_refused(validated, aggregate, monkeypatch):
    monkeypatch.setattr(drafting, "MAX_MONTH_READINGS", 3)
    commit(aggregate(validated(MARCH)))
    commit(aggregate(validated(APRIL, key="raw/b.csv")))
    third = validated(APRIL, key="raw/c.csv")
    with pytest.raises(SiteTooLarge, match=r"site 'home' would have 4 readings in 2024-03; .* at most 3\."):
        aggregate(third)


def test_a_site_of_more_hours_than_memory_holds_is_refused(validated, aggregate, monkeypatch):
    monkeypatch.setattr(drafting, "MAX_HOURS", 2)
    commit(aggregate(validated(MARCH)))
    second = validated(APRIL, key="raw/b.csv")
    with pytest.raises(SiteTooLarge, match=r"site 'home' would have 3 hours with readings, .* at most 2\."):
        aggregate(second)


def configure(s3, text):
    s3.put_object(Bucket="lake", Key="config/home.yaml", Body=text.encode())


def config_of(publication):
    return recipes.publication_config(Publication.model_validate(publication)).config


def test_a_publication_keeps_the_configuration_that_it_was_begun_with(lake_on_moto, validated, aggregate):
    configure(lake_on_moto, "limits: {appliances: 20}")
    publication = aggregate(validated(MARCH))
    configure(lake_on_moto, "limits: {appliances: 30}")
    assert config_of(publication).limits.appliances == 20
    later = aggregate(validated(MARCH))
    assert later["pub"] != publication["pub"]
    assert config_of(later).limits.appliances == 30


def test_the_report_speaks_the_stack_s_language_where_the_site_names_none(
    lake_on_moto, validated, aggregate, monkeypatch
):
    reading = "timestamp,appliance,kwh\n2024-01-01T00:00:00,Heater,1\n"
    assert config_of(aggregate(validated(reading))).language == "en"
    monkeypatch.setenv("REPORT_LANGUAGE", "de")
    settings.cache_clear()
    german = aggregate(validated(reading))
    configure(lake_on_moto, "language: en")
    english = aggregate(validated(reading))
    assert [config_of(german).language, config_of(english).language] == ["de", "en"]
    assert german["pub"] != english["pub"]


def test_the_same_version_is_published_anew_where_the_configuration_changed_and_only_then(
    lake_on_moto, validated, aggregate
):
    output = validated(MARCH)
    before = commit(aggregate(output))
    assert aggregate(output)["already_published"] is True
    configure(lake_on_moto, "limits: {appliances: 20}")
    publication = aggregate(output)
    assert publication["changes"] == ["the same uploads, by the configuration of now"]
    after = commit(publication)
    assert after.tables[READINGS.name] == before.tables[READINGS.name], "no month is written again"
    assert published_readings(after) == published_readings(before)
    assert aggregate(output)["already_published"] is True


def test_an_upload_that_is_read_anew_by_the_rules_of_now_replaces_what_was_read(
    lake_on_moto, load_handler, aggregate, context
):
    text = HEADER + "03/04/2024 10:00,oven,1\n"
    answer = lake_on_moto.put_object(Bucket="lake", Key="raw/a.csv", Body=text.encode())
    found = {
        "key": "raw/a.csv",
        "size": len(text),
        "etag": answer["ETag"].strip('"'),
        "version-id": answer["VersionId"],
    }
    event = {"bucket": {"name": "lake"}, "object": found | {"sequencer": "0A"}}
    validate = load_handler("validate")
    configure(lake_on_moto, "readings: {date_order: month_first}")
    first = validate(event, context)
    assert [str(row[0]) for row in published_readings(commit(aggregate(first)))] == ["2024-03-04 10:00:00"]
    assert validate(event, context)["already_published"] is True

    configure(lake_on_moto, "readings: {date_order: day_first}")
    second = validate(event, context)
    assert [str(row[0]) for row in published_readings(commit(aggregate(second)))] == ["2024-04-03 10:00:00"]
    assert validate(event, context)["already_published"] is True
    assert aggregate(first)["already_published"] is True, "a late run of the old rules does not bring them back"
