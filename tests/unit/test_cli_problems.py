"""`energy problems`: quarantine, as a person or a program reads it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from energy import lake as layout
from local.lake_folder import LakeFolder, StoredObject

REJECTED = (
    "line,code,reason,text\n"
    '3,NEGATIVE,The reading is below zero.,"2024-05-01 00:00,fridge,-1"\n'
    '12,MISSING_VALUE,The reading is empty.,"2024-05-02 00:00,fridge,"\n'
    '13,NEGATIVE,The reading is below zero.,"2024-05-02 01:00,\x1b[2Jfridge,-2"\n'
)
DocumentsOf = Callable[..., Path]


def problems(*arguments: str | Path) -> Result:
    environment = {"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
    return CliRunner(env=environment).invoke(app, ["problems", *(str(each) for each in arguments)])


def document(key: str, version: str, verdict: str = "partial", **changed: object) -> dict[str, object]:
    rows = {"read": 20, "accepted": 17, "rejected": 3, "duplicates": 0}
    told = {"codes": {"MISSING_VALUE": 1, "NEGATIVE": 2}, "messages": ["3 of 20 rows were rejected."], "rows": rows}
    return {"key": key, "version": version, "verdict": verdict, **told, **changed}


@pytest.fixture
def lake_with(tmp_path: Path) -> DocumentsOf:
    """A lake that holds versions of uploads, and what was set apart of some: each a minute later than the last."""

    def saved(uploads: dict[str, str], told: list[dict[str, object]], rows: str = REJECTED) -> Path:
        contents: dict[str, bytes] = dict.fromkeys(uploads, b"readings")
        stored = [_stored(key, version, 0) for key, version in uploads.items()]
        for minute, each in enumerate(told):
            run = f"run{minute}"
            site = layout.site_of_key(str(each["key"]))
            names = {"problems.json": json.dumps(each).encode(), "rejected.csv": rows.encode()}
            if each["rows"] is None:
                del names["rejected.csv"]
            for name, content in names.items():
                key = layout.quarantine_key(site, run, name)
                contents[key] = content
                stored.append(_stored(key, "v1", minute))
        folder = LakeFolder(tmp_path / "lake")
        folder.save(stored, lambda one: contents[one.key], {})
        return folder.path

    return saved


def _stored(key: str, version: str, minute: int) -> StoredObject:
    return StoredObject(key, version, version, f"2026-01-01T00:{minute:02d}:00+00:00", {}, "01", 1)


def test_rejected_rows_are_counted_by_code_with_what_it_means_and_the_first_of_them(lake_with: DocumentsOf) -> None:
    lake = lake_with({"raw/may.csv": "a"}, [document("raw/may.csv", "a")])

    result = problems("--lake", lake)

    assert result.exit_code == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["!", "raw/may.csv", "used,"] in [line[:3] for line in lines]
    assert "  2026-01-01 00:00:00 UTC, version a" in result.stdout
    assert ["NEGATIVE", "2"] in [line[:2] for line in lines]
    assert ["3", "NEGATIVE", "2024-05-01", "00:00,fridge,-1"] in lines
    assert "below zero" in result.stdout
    assert str(lake / "quarantine/site=home/run=run0/rejected.csv") in result.stdout.replace("%3D", "=")


def test_what_could_steer_a_terminal_is_not_printed(lake_with: DocumentsOf) -> None:
    lake = lake_with({"raw/may.csv": "a"}, [document("raw/may.csv", "a", messages=["\x1b[31mred"])])

    assert "\x1b" not in problems("--lake", lake).stdout


def test_a_refused_file_is_told_with_its_sentence(lake_with: DocumentsOf) -> None:
    told = document(
        "raw/may.csv", "a", "rejected", codes={"EMPTY_FILE": 1}, messages=["EMPTY_FILE: Nothing in it."], rows=None
    )

    result = problems("--lake", lake_with({"raw/may.csv": "a"}, [told]))

    assert "✗ raw/may.csv" in result.stdout
    assert "EMPTY_FILE: Nothing in it." in result.stdout
    assert "upload it again under the same name" in result.stdout


def test_the_newest_upload_comes_first_and_replaced_versions_are_left_out(lake_with: DocumentsOf) -> None:
    told = [
        document("raw/may.csv", "a"),
        document("raw/june.csv", "a"),
        document("raw/may.csv", "b"),
        document("raw/mended.csv", "a"),
        document("raw/cabin/may.csv", "a"),
    ]
    versions = {"raw/may.csv": "b", "raw/june.csv": "a", "raw/mended.csv": "b", "raw/cabin/may.csv": "a"}
    lake = lake_with(versions, told)

    shown = [json.loads(line) for line in problems("--lake", lake, "--json").stdout.splitlines()]

    assert [(each["key"], each["version"]) for each in shown] == [("raw/may.csv", "b"), ("raw/june.csv", "a")]
    assert "2 earlier problems left out" in problems("--lake", lake).stdout


def test_all_versions_of_an_upload_are_shown_on_demand(lake_with: DocumentsOf) -> None:
    told = [document("raw/may.csv", "a"), document("raw/may.csv", "b"), document("raw/june.csv", "a")]
    lake = lake_with({"raw/may.csv": "c", "raw/june.csv": "a"}, told)

    for name in ("raw/may.csv", "may.csv"):
        lines = problems("--lake", lake, "--upload", name, "--json").stdout.splitlines()
        assert [json.loads(line)["version"] for line in lines] == ["b", "a"]


def test_programs_get_the_documents_of_the_lake_and_where_the_rows_are(lake_with: DocumentsOf) -> None:
    told = document("raw/cabin/may.csv", "a")
    lake = lake_with({"raw/cabin/may.csv": "a"}, [told])

    (line,) = problems("cabin", "--lake", lake, "--json").stdout.splitlines()

    shown = json.loads(line)
    assert Path(shown.pop("rejected_csv")).read_text() == REJECTED
    assert shown == told


def test_a_site_without_problems_is_no_failure(lake_with: DocumentsOf) -> None:
    lake = lake_with({"raw/may.csv": "a"}, [])

    assert problems("--lake", lake).stdout.startswith("No problems: ")
    assert problems("--lake", lake, "--json").stdout == ""
    assert problems("--lake", lake, "--upload", "may.csv").exit_code == 0


def test_a_folder_that_is_no_lake_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    nowhere, file = problems("--lake", tmp_path / "nowhere"), problems("--lake", tmp_path / "file")

    assert (nowhere.exit_code, file.exit_code) == (2, 2)
    assert "There is no lake in" in nowhere.stderr
    assert "--lake takes a folder" in file.stderr
