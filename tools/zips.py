"""Archives of the built functions and layers that are the same bytes wherever and whenever they are made.

    python -m tools.zips [--architecture arm64]

Exit 1 where a compiled library is for another processor than the one that is named.

Writes .aws-sam/zips/<logical id>.zip, scripts of jobs as <logical id>.py, and template.yaml beside them, which names
them: what `sam deploy` gets is what the printed digests are of. Lambda tells the same digest of what runs (CodeSha256
of GetFunctionConfiguration, base64). `sam package` would archive the folders itself, in the order of the file system
and with the permissions of the files.
"""

import argparse
import base64
import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_dump, yaml_parse

ROOT = Path(__file__).resolve().parents[1]
BUILT, ZIPS = ROOT / ".aws-sam" / "build", ROOT / ".aws-sam" / "zips"
_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_DEFINITION = {"AWS::Serverless::StateMachine": "DefinitionUri"}
# The earliest moment that an archive can tell, and permissions with which Lambda's user may read and enter.
_MOMENT = (1980, 1, 1, 0, 0, 0)
_FILE_MODE, _RUNNABLE_MODE = 0o100644, 0o100755
_UNIX = 3
# The processors of Lambda, as compiled libraries name them (ELF header, e_machine, two bytes at 18).
_MACHINES = {"x86_64": 62, "arm64": 183}


def archive(folder: Path, target: Path) -> str:
    """Writes the archive of a folder; its SHA-256. Equal names, bytes and permissions to run give equal archives."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for path in files:
            mode = _RUNNABLE_MODE if path.stat().st_mode & 0o100 else _FILE_MODE
            _add(made, path.relative_to(folder).as_posix(), path.read_bytes(), mode)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def _add(made: zipfile.ZipFile, name: str, content: bytes, mode: int) -> None:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.create_system = _UNIX
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = mode << 16
    made.writestr(entry, content, compresslevel=9)


def archives(built: Path = BUILT, zips: Path = ZIPS) -> dict[str, str]:
    """Archives all that was built, and writes the template that names the archives; SHA-256 by logical id."""
    template: dict[str, Any] = yaml_parse((built / "template.yaml").read_text())
    digests = {}
    zips.mkdir(parents=True, exist_ok=True)
    for logical_id, resource in sorted(template["Resources"].items()):
        properties = resource.get("Properties", {})
        if name := _CODE.get(resource["Type"]):
            digests[logical_id] = archive(built / properties[name], zips / f"{logical_id}.zip")
            properties[name] = f"{logical_id}.zip"
        elif name := _DEFINITION.get(resource["Type"]):
            definition = (built / properties[name]).read_bytes()
            (zips / f"{logical_id}.asl.json").write_bytes(definition)
            digests[logical_id] = hashlib.sha256(definition).hexdigest()
            properties[name] = f"{logical_id}.asl.json"
        elif resource["Type"] == "AWS::Glue::Job":
            packed = (built / properties["Command"]["ScriptLocation"]).read_bytes()
            (zips / f"{logical_id}.py").write_bytes(packed)
            digests[logical_id] = hashlib.sha256(packed).hexdigest()
            properties["Command"]["ScriptLocation"] = f"{logical_id}.py"
    (zips / "template.yaml").write_text(yaml_dump(template))
    return digests


def made_for_another(architecture: str, built: Path = BUILT) -> list[str]:
    """The libraries and programs of what was built, below its folder, that do not run on this processor."""
    found = []
    # Libraries bring code for graphics processors too, which is for no processor of Lambda's.
    others = set(_MACHINES.values()) - {_MACHINES[architecture]}
    for library in sorted(path for path in built.rglob("*") if path.is_file()):
        with library.open("rb") as file:
            header = file.read(20)
        if header[:4] == b"\x7fELF" and int.from_bytes(header[18:], "little") in others:
            found.append(str(library.relative_to(built)))
    return found


def main() -> None:
    """Prints a line for each archive: SHA-256, the same as Lambda tells it, unpacked size, name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", choices=_MACHINES, default="x86_64")
    architecture = parser.parse_args().architecture
    if not (BUILT / "template.yaml").exists():
        sys.exit("Nothing is built yet: make build")
    if foreign := made_for_another(architecture):
        sys.exit(
            f"{len(foreign)} libraries do not run on {architecture}, {foreign[0]} among them. "
            f"Build them for it: make build ARCH={architecture}"
        )
    for logical_id, digest in archives().items():
        path = ZIPS / f"{logical_id}.zip"
        size = ""
        if path.exists():
            with zipfile.ZipFile(path) as made:
                size = f"{sum(entry.file_size for entry in made.infolist()) / 2**20:.1f} MiB"
        print(f"{digest}  {base64.b64encode(bytes.fromhex(digest)).decode()}  {size:>10}  {logical_id}")


if __name__ == "__main__":
    main()
