"""Archives of packages: the same bytes for the same files, whenever and wherever they were written."""

import hashlib
import os
import subprocess
import sys
import zipfile

import pytest
from samcli.yamlhelper import yaml_parse

from pack_job import pack
from tools.reproducible import different_files
from tools.zips import ROOT, archive, archives, made_for_another

FILES = {"app.py": b"import energy\n", "lib/__init__.py": b"", "lib/a.so": bytes(range(256)) * 40, "Z.txt": b"z"}


def folder(path, files=FILES, order=1, moment=1_700_000_000, mode=0o644):
    for name in list(files)[::order]:
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(files[name])
        file.chmod(mode)
        os.utime(file, (moment, moment))
    return path


def test_when_and_in_which_order_files_were_written_does_not_show(tmp_path):
    one = archive(folder(tmp_path / "one"), tmp_path / "one.zip")
    other = archive(folder(tmp_path / "other", order=-1, moment=1_800_000_000, mode=0o600), tmp_path / "other.zip")
    assert one == other == hashlib.sha256((tmp_path / "one.zip").read_bytes()).hexdigest()
    assert different_files(tmp_path / "one.zip", tmp_path / "other.zip") == []


@pytest.mark.parametrize(
    ("files", "differs"),
    [
        ({**FILES, "app.py": b"import energy \n"}, ["app.py"]),
        ({**FILES, "more.py": b""}, ["more.py"]),
        ({name: content for name, content in FILES.items() if name != "Z.txt"}, ["Z.txt"]),
    ],
)
def test_every_byte_and_every_name_shows(tmp_path, files, differs):
    one = archive(folder(tmp_path / "one"), tmp_path / "one.zip")
    assert archive(folder(tmp_path / "other", files), tmp_path / "other.zip") != one
    assert different_files(tmp_path / "one.zip", tmp_path / "other.zip") == differs


def test_lambda_s_user_may_read_all_and_run_what_can_be_run(tmp_path):
    package = folder(tmp_path / "one", mode=0o600)
    (package / "app.py").chmod(0o700)
    archive(package, tmp_path / "one.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as made:
        modes = {each.filename: each.external_attr >> 16 & 0o777 for each in made.infolist()}
        assert made.namelist() == sorted(FILES)
        assert made.read("lib/a.so") == FILES["lib/a.so"]
    assert modes.pop("app.py") == 0o755
    assert set(modes.values()) == {0o644}


def test_the_template_names_the_archives_and_keeps_the_rest(tmp_path):
    built, zips = tmp_path / "build", tmp_path / "zips"
    folder(built / "F")
    folder(built / "L")
    (built / "L" / "crunch.py").write_bytes(b"import energy\n")
    (built / "machine.asl.json").write_text("{}")
    (built / "template.yaml").write_text(
        "Resources:\n"
        "  F: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: F, Layers: [!Ref L]}}\n"
        "  L: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: L}}\n"
        "  M: {Type: 'AWS::Serverless::StateMachine', Properties: {DefinitionUri: machine.asl.json}}\n"
        "  J: {Type: 'AWS::Glue::Job', Properties: {Command: {Name: glueetl, ScriptLocation: L/crunch.py}}}\n"
        "  B: {Type: 'AWS::S3::Bucket'}\n"
    )
    digests = archives(built, zips)
    resources = yaml_parse((zips / "template.yaml").read_text())["Resources"]
    assert resources["F"]["Properties"] == {"CodeUri": "F.zip", "Layers": [{"Ref": "L"}]}
    assert resources["L"]["Properties"]["ContentUri"] == "L.zip"
    assert resources["M"]["Properties"]["DefinitionUri"] == "M.asl.json"
    assert resources["J"]["Properties"]["Command"] == {"Name": "glueetl", "ScriptLocation": "J.py"}
    assert (zips / "J.py").read_bytes() == b"import energy\n"
    assert digests["J"] == hashlib.sha256(b"import energy\n").hexdigest()
    assert resources["B"] == {"Type": "AWS::S3::Bucket"}
    assert digests["F"] == hashlib.sha256((zips / "F.zip").read_bytes()).hexdigest()
    assert digests["M"] == hashlib.sha256(b"{}").hexdigest()


def library(machine):
    """The header of a compiled library."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00" + bytes([machine, 0]) + bytes(100)


def test_a_library_for_another_processor_is_found(tmp_path):
    files = {"CoreLayer/a.so": library(183), "CoreLayer/b.cpython-313.so.1": library(62), "app.so.txt": b"\x7fEL"}
    built = folder(tmp_path, files)
    assert made_for_another("x86_64", built) == ["CoreLayer/a.so"]
    assert made_for_another("arm64", built) == ["CoreLayer/b.cpython-313.so.1"]


def test_the_script_of_a_job_carries_what_it_imports_of_ours(tmp_path):
    entry = tmp_path / "jobs" / "crunch.py"
    folder(entry.parent)
    (entry.parent / "__init__.py").write_text("")
    lines = ("import energy, zipfile", "print(energy.__file__)", "print(len(zipfile.ZipFile(archive).namelist()))")
    entry.write_text("\n    ".join(("def main(archive):", *lines)))
    pack(entry, tmp_path / "J.py")
    pack(entry, tmp_path / "again.py")
    assert (tmp_path / "J.py").read_bytes() == (tmp_path / "again.py").read_bytes()
    done = subprocess.run([sys.executable, "-I", "-S", tmp_path / "J.py"], capture_output=True, text=True, check=True)
    module, files = done.stdout.split()
    assert module.endswith("job.zip/energy/__init__.py")
    assert int(files) > len(list((ROOT / "layers" / "core" / "energy").rglob("*.py")))
