"""State "Validate upload" against S3: what is in the lake afterwards."""

import datetime as dt
import gzip
import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from energy import __version__, lake, parquet, recipes, settings, store
from energy.contracts import Deletion, RowCounts, ValidateOutput
from energy.documents import UploadQuality
from energy.errors import InputRejected, ObjectMissing, SiteConfigInvalid
from energy.manifest import Manifest, ManifestUpload
from energy.site_config import Rules, SiteConfig

BUCKET = "lake"
HEADER = "timestamp,appliance,kwh\n"
GOOD = HEADER + "".join(f"2024-03-{day:02d} 10:00,oven,{day / 10}\n" for day in range(1, 21))


@pytest.fixture
def upload(lake_on_moto):
    """Puts an object under raw/ and returns `detail` of its event."""

    def put(content, key="raw/house/a.csv", sequencer="0A"):
        body = content.encode() if isinstance(content, str) else content
        answer = lake_on_moto.put_object(Bucket=BUCKET, Key=key, Body=body)
        found = {"key": key, "size": len(body), "etag": answer["ETag"].strip('"'), "sequencer": sequencer}
        if "VersionId" in answer:
            found["version-id"] = answer["VersionId"]
        return {"bucket": {"name": BUCKET}, "object": found, "reason": "PutObject"}

    return put


@pytest.fixture
def validate(load_handler, context):
    handler = load_handler("validate")
    return lambda event: handler(event, context)


def keys(s3, prefix=""):
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]


def written(s3):
    return [key for key in keys(s3) if not key.startswith("raw/")]


def quality_key(answer):
    return lake.upload_quality_key(answer["site"], lake.upload_id(answer["key"]), answer["run_id"])


def test_good_rows_are_written_by_month_and_nothing_else_is(lake_on_moto, upload, validate):
    event = upload(GOOD + "2024-04-01 10:00,oven,7\n2024-04-01 10:00,fridge,8\n")
    answer = validate(event)
    run, site = answer["run_id"], "house"
    recipe = lake.recipe(__version__, Rules().canonical())
    assert run == lake.run_id(BUCKET, "raw/house/a.csv", event["object"]["version-id"], recipe)
    assert answer["rows"] == {"read": 22, "accepted": 22, "rejected": 0, "duplicates": 0}
    assert (answer["site"], answer["months"], answer["already_published"]) == (site, ["2024-03", "2024-04"], False)
    expected = [
        lake.upload_readings_key(site, lake.upload_id("raw/house/a.csv"), run, month)
        for month in ("2024-03", "2024-04")
    ]
    waiting = lake.pending_key(site, ValidateOutput.model_validate(answer).change.change_id)
    assert written(lake_on_moto) == [waiting, *expected, quality_key(answer)]
    assert json.loads(store.read(waiting)) == answer
    april = parquet.from_bytes(store.read(expected[1]))
    assert april.columns == ["timestamp", "timestamp_utc", "appliance", "kwh", "estimated", "upload"]
    assert list(april.select("appliance", "kwh").iter_rows()) == [("fridge", 8.0), ("oven", 7.0)]


def test_the_month_is_that_of_the_local_clock(upload, validate, monkeypatch):
    monkeypatch.setenv("SITE_TIMEZONE", "Europe/Berlin")
    settings.settings.cache_clear()
    assert validate(upload(HEADER + "2024-03-31T22:30Z,oven,1\n"))["months"] == ["2024-04"]


def test_bad_rows_go_to_quarantine_with_line_code_and_reason(lake_on_moto, upload, validate):
    answer = validate(upload(GOOD + "2024-03-25 10:00,=oven,-1\n2024-03-01 10:00,oven,0.1\n"))
    assert answer["rows"] == {"read": 22, "accepted": 20, "rejected": 1, "duplicates": 1}
    assert answer["warnings"] == [
        "NEGATIVE: 1 row, the first in line 22: The reading is below zero; energy used in an interval cannot be.",
        "DUPLICATE_READING: 1 reading(s) appear more than once; each was counted once.",
    ]
    rejected, problems = (lake.quarantine_key("house", answer["run_id"], n) for n in ("rejected.csv", "problems.json"))
    assert keys(lake_on_moto, "quarantine/") == [problems, rejected]
    row = pl.read_csv(store.read(rejected)).row(0, named=True)
    assert (row["line"], row["code"], row["text"]) == (22, "NEGATIVE", "2024-03-25 10:00,=oven,-1")
    document = json.loads(store.read(problems))
    assert (document["verdict"], document["codes"], document["key"]) == ("partial", {"NEGATIVE": 1}, "raw/house/a.csv")


def test_a_refused_file_leaves_its_reason_and_no_reading(lake_on_moto, upload, validate):
    with pytest.raises(InputRejected, match="MISSING_COLUMN"):
        validate(upload("time,appliance,kwh\n1,2,3\n"))
    (problems,) = written(lake_on_moto)
    document = json.loads(store.read(problems))
    assert (document["verdict"], document["codes"], document["rows"]) == ("reject", {"MISSING_COLUMN": 1}, None)
    assert document["messages"][0].startswith("MISSING_COLUMN: The header in line 1 lacks timestamp;")


def test_a_file_with_too_many_bad_rows_leaves_them_and_no_reading(lake_on_moto, upload, validate):
    with pytest.raises(InputRejected, match="TOO_MANY_BAD_ROWS"):
        validate(upload(HEADER + "x,oven,1\n" * 10 + "2024-03-01 10:00,oven,1\n" * 2))
    assert [key.rsplit("/", 1)[1] for key in written(lake_on_moto)] == ["problems.json", "rejected.csv"]
    document = json.loads(store.read(written(lake_on_moto)[0]))
    assert document["codes"] == {"BAD_TIMESTAMP": 10, "TOO_MANY_BAD_ROWS": 1}
    assert document["rows"] == {"read": 12, "accepted": 1, "rejected": 10, "duplicates": 1}


@pytest.mark.parametrize("content", [GOOD + "x,oven,1\n", "x,oven,1\n"])
def test_the_same_event_again_writes_the_same_bytes(lake_on_moto, upload, validate, content):
    event = upload(content)
    answers = []
    for _ in range(2):
        try:
            answers.append(validate(event))
        except InputRejected as refused:
            answers.append(str(refused))
    assert answers[0] == answers[1]
    versions = lake_on_moto.list_object_versions(Bucket=BUCKET)["Versions"]
    assert len(versions) == len(keys(lake_on_moto))


def test_exactly_the_version_of_the_event_is_read(upload, validate):
    first = upload(GOOD)
    upload(HEADER + "2024-03-01 10:00,oven,9\n")
    assert validate(first)["rows"]["read"] == 20


def test_without_a_version_id_a_replaced_upload_is_missing_rather_than_mistaken(upload, validate):
    event = upload(GOOD)
    del event["object"]["version-id"]
    assert validate(event)["upload"]["version"] == event["object"]["etag"]
    upload(HEADER + "2024-03-01 10:00,oven,9\n")
    with pytest.raises(ObjectMissing):
        validate(event)


def test_a_key_is_taken_literally_and_decoded_only_if_there_is_none(upload, validate):
    literal = validate(upload(GOOD, key="raw/a%2Bb+c.csv"))
    assert literal["upload"]["key"] == "raw/a%2Bb+c.csv"
    event = upload(GOOD, key="raw/ü x.csv")
    event["object"]["key"] = "raw/%C3%BC+x.csv"
    assert validate(event)["upload"]["key"] == "raw/ü x.csv"
    event["object"]["key"] = "raw/nothing.csv"
    with pytest.raises(ObjectMissing):
        validate(event)


def publish(*outputs):
    uploads = [ValidateOutput.model_validate(output).upload for output in outputs]
    rows = RowCounts(read=1, accepted=1, rejected=0, duplicates=0)
    manifest = Manifest(
        site=uploads[0].site,
        pub="p",
        code_version="0",
        timezone="UTC",
        made_by=recipes.publication_recipe("UTC", recipes.ConfigSnapshot(config=SiteConfig(language="en"))),
        uploads={upload.key: ManifestUpload(upload=upload, rows=rows, months=["2024-03"]) for upload in uploads},
        tables={},
    )
    store.swap(lake.manifest_key(uploads[0].site), manifest.to_json(), None)


def test_a_published_version_and_an_older_one_are_not_read_again(lake_on_moto, upload, validate):
    older, newer = upload(GOOD, sequencer="0A"), upload("broken", sequencer="0B")
    current = upload(GOOD, sequencer="0C")
    publish(validate(current))
    before = written(lake_on_moto)
    for event in (older, newer, current):
        answer = validate(event)
        assert answer["already_published"] is True
        assert answer["rows"]["read"] == 0
        assert answer["months"] == []
    assert written(lake_on_moto) == before
    assert validate(upload(GOOD + "2024-03-25 10:00,oven,1\n", sequencer="0D"))["already_published"] is False


def test_a_packed_upload_gives_the_same_readings(upload, validate):
    plain, packed = validate(upload(GOOD, "raw/a.csv")), validate(upload(gzip.compress(GOOD.encode()), "raw/b.csv.gz"))
    first, second = (
        parquet.from_bytes(
            store.read(lake.upload_readings_key("home", lake.upload_id(o["upload"]["key"]), o["run_id"], "2024-03"))
        )
        for o in (plain, packed)
    )
    assert set(first["upload"]) == {lake.upload_id("raw/a.csv")}
    assert_frame_equal(first.drop("upload"), second.drop("upload"))
    assert packed["warnings"] == []


def test_the_answer_stays_small_whatever_the_file(upload, validate):
    header = HEADER.strip() + "," + ",".join("x" * 100 + str(n) for n in range(900)) + "\n"
    answer = validate(upload(header + "2024-03-01 10:00,oven,1" + "," * 900 + "\n"))
    assert len(json.dumps(answer)) < 4_000


def configure(s3, text, site="house"):
    s3.put_object(Bucket=BUCKET, Key=f"config/{site}.yaml", Body=text.encode())


def test_the_configuration_of_a_site_decides_how_its_files_are_read(lake_on_moto, upload, validate):
    rows = "Zeit;Verbrauch\n01.03.2024 00:00;1.500,5\n02.03.2024 00:00;80\n"
    with pytest.raises(InputRejected, match="MISSING_HEADER"):
        validate(upload(rows))
    configure(
        lake_on_moto,
        "timezone: Europe/Berlin\n"
        "readings: {columns: {timestamp: Zeit, value: Verbrauch}, appliance: Hof, unit: Wh, date_order: day_first}\n",
    )
    answer = validate(upload(rows, sequencer="0B"))
    assert (answer["timezone"], answer["months"]) == ("Europe/Berlin", ["2024-03"])
    key = lake.upload_readings_key("house", lake.upload_id("raw/house/a.csv"), answer["run_id"], "2024-03")
    assert parquet.from_bytes(store.read(key)).select("appliance", "kwh").rows() == [("Hof", 1.5005), ("Hof", 0.08)]
    assert validate(upload(GOOD, key="raw/cabin/a.csv"))["timezone"] == "UTC"


def test_another_configuration_writes_under_another_name(lake_on_moto, upload, validate):
    event = upload(HEADER + "2024-03-01 00:30,oven,1\n")
    first = validate(event)
    configure(lake_on_moto, "timezone: Europe/Berlin")
    second = validate(event)
    assert first["run_id"] != second["run_id"]
    assert first["months"] == ["2024-03"]
    configure(lake_on_moto, "timezone: UTC\n# said now\n")
    assert validate(event)["run_id"] == first["run_id"]


def test_a_configuration_that_cannot_be_used_stops_the_upload_and_writes_nothing(lake_on_moto, upload, validate):
    configure(lake_on_moto, "readings: {units: Wh}")
    with pytest.raises(
        SiteConfigInvalid, match=r"config/house\.yaml: readings\.units is no setting; did you mean unit\?"
    ):
        validate(upload(GOOD))
    lake_on_moto.put_object(Bucket=BUCKET, Key="config/house.yaml", Body=b"timezone: \xff")
    with pytest.raises(SiteConfigInvalid, match="it is not UTF-8 from byte 10 on"):
        validate(upload(GOOD))
    assert written(lake_on_moto) == ["config/house.yaml"]


def test_how_a_file_was_read_lies_beside_its_readings(upload, validate):
    answer = validate(upload(GOOD + "2024-03-25 10:00,oven,-1\n"))
    quality = UploadQuality.model_validate_json(store.read(quality_key(answer)))
    assert (quality.read_as["delimiter"], quality.read_as["time zone"]) == ("comma", "UTC")
    assert quality.codes == {"NEGATIVE": 1}
    assert [(rows.appliance, rows.accepted, rows.rejected) for rows in quality.appliances] == [("oven", 20, 1)]


def test_every_cell_of_a_rejected_row_opens_safely_in_a_spreadsheet(upload, validate):
    header = "timestamp;appliance;kwh\n"
    good = "".join(f"2024-03-{day:02d} 10:00;oven;{day / 10}\n" for day in range(1, 21))
    answer = validate(upload(header + good + "2024-03-25 10:00;=cmd;-1.5\n"))
    rejected = pl.read_csv(store.read(lake.quarantine_key("house", answer["run_id"], "rejected.csv")))
    assert rejected["text"].to_list() == ["2024-03-25 10:00;'=cmd;-1.5"]


MARKER = "Delete Marker Created"


def deletion(key, version_id=None, kind=MARKER, sequencer="0F"):
    """`detail` of the event that tells of a deletion, and its time."""
    found = {"key": key, "sequencer": sequencer} | ({"version-id": version_id} if version_id else {})
    return {
        "bucket": {"name": BUCKET},
        "object": found,
        "deletion-type": kind,
        "time": "2024-04-01T10:00:00Z",
        "reason": "DeleteObject",
    }


def test_a_deletion_waits_to_be_published_like_an_upload(lake_on_moto, upload, validate):
    event = upload(GOOD)
    publish(validate(event))
    lake_on_moto.delete_object(Bucket=BUCKET, Key=event["object"]["key"])
    answer = validate(deletion("raw/house/a.csv", "marker"))
    gone = ValidateOutput.model_validate(answer)
    assert gone.deletion == Deletion(
        bucket=BUCKET,
        key="raw/house/a.csv",
        version="marker",
        sequencer="0F",
        told_at=dt.datetime(2024, 4, 1, 10, tzinfo=dt.UTC),
    )
    assert (gone.upload, gone.already_published, gone.months, gone.rows.read) == (None, False, [], 0)
    assert json.loads(store.read(lake.pending_key("house", gone.change.change_id))) == answer


def test_a_deletion_that_is_older_than_what_is_published_changes_nothing(lake_on_moto, upload, validate):
    publish(validate(upload(GOOD, sequencer="0B")))
    before = written(lake_on_moto)
    assert validate(deletion("raw/house/a.csv", "marker", sequencer="0A"))["already_published"] is True
    assert written(lake_on_moto) == before


def test_a_delete_marker_that_is_removed_brings_the_version_below_it_to_light(lake_on_moto, upload, validate):
    event = upload(GOOD)
    marker = lake_on_moto.delete_object(Bucket=BUCKET, Key="raw/house/a.csv")["VersionId"]
    lake_on_moto.delete_object(Bucket=BUCKET, Key="raw/house/a.csv", VersionId=marker)
    answer = validate(deletion("raw/house/a.csv", marker, kind="Permanently Deleted"))
    found = answer["upload"]
    assert (found["version_id"], found["sequencer"]) == (event["object"]["version-id"], "0F")
    assert answer["rows"]["accepted"] == 20


def test_the_last_version_that_is_deleted_for_good_takes_the_upload_with_it(lake_on_moto, upload, validate):
    event = upload(GOOD)
    publish(validate(event))
    version_id = event["object"]["version-id"]
    lake_on_moto.delete_object(Bucket=BUCKET, Key="raw/house/a.csv", VersionId=version_id)
    answer = validate(deletion("raw/house/a.csv", version_id, kind="Permanently Deleted"))
    assert (answer["deletion"]["version"], answer["already_published"]) == (version_id, False)


def test_the_encoded_key_of_a_deletion_is_that_of_the_upload_it_takes_back(lake_on_moto, upload, validate):
    publish(validate(upload(GOOD, key="raw/ü x.csv")))
    assert validate(deletion("raw/%C3%BC+x.csv"))["key"] == "raw/ü x.csv"
    assert validate(deletion("raw/%C3%BC+y.csv"))["key"] == "raw/%C3%BC+y.csv"


@pytest.mark.parametrize(
    ("told", "gone"),
    [("raw/a+b.csv", "raw/a+b.csv"), ("raw/a%2Bb.csv", "raw/a+b.csv"), ("raw/a+b.csv", "raw/a b.csv")],
)
def test_of_two_names_that_a_deletion_may_mean_it_takes_back_the_one_that_is_gone(
    lake_on_moto, upload, validate, told, gone
):
    publish(*(validate(upload(GOOD, key=key)) for key in ("raw/a+b.csv", "raw/a b.csv")))
    lake_on_moto.delete_object(Bucket=BUCKET, Key=gone)
    assert validate(deletion(told))["key"] == gone


def test_the_same_upload_told_of_again_later_waits_under_another_name(lake_on_moto, upload, validate):
    event = upload(GOOD)
    validate(event)
    later = event | {"object": event["object"] | {"sequencer": "0C"}}
    assert validate(later)["run_id"] == validate(event)["run_id"]
    assert len(keys(lake_on_moto, "pending/")) == 2
