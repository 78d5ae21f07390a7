"""The lake folder alone, without a local AWS."""

import itertools

import pytest

import local.lake_folder
from local.lake_folder import LakeDamaged, LakeFolder, StoredObject


class Crash(Exception):
    pass


def stored(key: str, content: bytes, version: int = 1) -> StoredObject:
    return StoredObject(
        key=key,
        version_id=f"v{version}",
        etag=f"etag of {content!r}",
        last_modified="2026-03-01T00:00:00+00:00",
        metadata={"content-type": "text/csv"},
        sequencer=f"{version:016X}",
        size=len(content),
    )


def save(folder: LakeFolder, contents: dict[str, bytes], catalog: dict | None = None, version: int = 1) -> None:
    objects = [stored(key, content, version) for key, content in contents.items()]
    folder.save(objects, lambda item: contents[item.key], catalog or {})


def contents(folder: LakeFolder) -> dict[str, bytes]:
    return {item.key: file.read_bytes() for item, file in folder.objects()}


ODD_KEYS = [
    "raw/home/march.csv",
    "raw/home",
    "raw/Home/MARCH.csv",
    "raw//double.csv",
    "raw/",
    "../escape",
    "/absolute",
    ".aws/lake.json",
    "raw/.hidden",
    "raw/Müller 100%.csv",
    "raw/a\nb\\c:d|e",
    "raw/trailing.",
    "raw/" + "x" * 900,
    "raw/con*?<>",
    "raw/..",
    "raw/%2E%2E",
]


def test_any_key_comes_back_and_none_leaves_the_folder(tmp_path):
    folder = LakeFolder(tmp_path / "lake")
    wanted = {key: key.encode() for key in ODD_KEYS}
    save(folder, wanted)
    again = LakeFolder(tmp_path / "lake")
    assert contents(again) == wanted
    files = {again.path_of(key).resolve() for key in ODD_KEYS}
    assert len(files) == len({str(file).casefold() for file in files}) == len(ODD_KEYS)
    assert all(file.is_relative_to(tmp_path / "lake") for file in files)
    assert [entry.name for entry in tmp_path.iterdir()] == ["lake"]
    assert again.path_of("raw/home/march.csv") == tmp_path / "lake" / "raw" / "home" / "march.csv"


def test_only_what_changed_is_written(tmp_path):
    folder = LakeFolder(tmp_path)
    save(folder, {"a": b"1", "b": b"1"})
    read = []
    objects = [stored("a", b"1"), stored("b", b"2", version=2)]
    folder.save(objects, lambda item: read.append(item.key) or b"2", {})
    assert read == ["b"]
    assert contents(folder) == {"a": b"1", "b": b"2"}


def test_what_a_person_put_there_stays(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "notes.txt").write_text("mine")
    folder = LakeFolder(tmp_path)
    save(folder, {"raw/a.csv": b"1"})
    save(folder, {})
    assert [file.name for file in (tmp_path / "raw").iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_no_lake(tmp_path):
    folder = LakeFolder(tmp_path)
    assert not folder.exists()
    assert folder.tables() == []
    assert folder.files_below("") == []


BEFORE = {"manifest": b"old", "stays": b"same", "goes": b"old", "goes/too": b"old"}
AFTER = {"manifest": b"new", "stays": b"same", "comes": b"new", "comes/too": b"new"}


@pytest.mark.parametrize("step", ["_write", "replace", "unlink"])
def test_a_crash_while_saving_leaves_the_lake_before_or_after(tmp_path, monkeypatch, step):
    seen = []
    for survived in itertools.count():
        path = tmp_path / f"{step}-{survived}"
        save(LakeFolder(path), BEFORE, {"old": []})
        with monkeypatch.context() as patch:
            crash_at(patch, step, survived)
            try:
                save(LakeFolder(path), AFTER, {"new": []}, version=2)
                crashed = False
            except Crash:
                crashed = True
        found, catalog = contents(LakeFolder(path)), LakeFolder(path).catalog()
        assert (found, catalog) in ((BEFORE, {"old": []}), (AFTER, {"new": []}))
        seen.append(found == AFTER)
        save(LakeFolder(path), AFTER, {"new": []}, version=2)
        assert contents(LakeFolder(path)) == AFTER
        assert LakeFolder(path).catalog() == {"new": []}
        if not crashed:
            break
    assert len(seen) > 1
    assert seen == sorted(seen)


def test_a_file_that_was_removed_by_hand_is_named(tmp_path):
    folder = LakeFolder(tmp_path)
    save(folder, {"raw/a.csv": b"a", "raw/b.csv": b"b"})
    folder.path_of("raw/b.csv").unlink()
    with pytest.raises(LakeDamaged, match=r"lacks the file of raw/b\.csv"):
        list(folder.objects())


def crash_at(patch, step: str, survived: int) -> None:
    """Lets `survived` calls of a step through, then crashes."""
    owner = local.lake_folder if step == "_write" else local.lake_folder.Path
    original = getattr(owner, step)
    left = itertools.count()

    def crashing(*arguments, **named):
        if next(left) >= survived:
            raise Crash
        return original(*arguments, **named)

    patch.setattr(owner, step, crashing)
