"""What `energy run` can refuse before anything starts."""

import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import fail
from energy import lake as layout

if TYPE_CHECKING:
    from energy.manifest import Manifest
    from local.lake_folder import LakeFolder

DEFAULT_TIMEZONE = "UTC"


def check_arguments(files: Sequence[Path], lake: Path, site: str, timezone: str | None) -> None:
    """Ends the command if the arguments cannot be meant so."""
    for file in files:
        if not file.is_file():
            fail(f"{file} is {'a folder; name the files in it' if file.is_dir() else 'not there'}.", code=2)
    names = [file.name for file in files]
    for name in names:
        if names.count(name) > 1:
            fail(f"Two files are called {name}: the second would replace the first. Rename one.", code=2)
    if lake.exists() and not lake.is_dir():
        fail(f"{lake} is a file; --lake takes a folder.", code=2)
    if layout.site_name(site) != site:
        fail(f"{site!r} cannot name a site. Use lower-case letters, digits, - and _, such as my-house.", code=2)
    try:
        zoneinfo.ZoneInfo(timezone or DEFAULT_TIMEZONE)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        fail(f"{timezone!r} is no time zone. Name one such as Europe/Berlin.", code=2)


def zone_of(lake: Path, site: str, wanted: str | None) -> str:
    """The time zone to read the files in: the one that the site is published in, else the one wanted, else UTC.

    Ends the command if another one is wanted: the site's older readings would be moved by hours.
    """
    from local.lake_folder import LakeFolder

    manifest = published(LakeFolder(lake), site)
    if manifest is None:
        return wanted or DEFAULT_TIMEZONE
    if wanted not in (None, manifest.timezone):
        fail(
            f"The site {site} in {lake} is published in the time zone {manifest.timezone}, not {wanted}. "
            f"Leave --timezone out, or give another --site or --lake.",
            code=2,
        )
    return manifest.timezone


def published(folder: "LakeFolder", site: str) -> "Manifest | None":
    """The site's manifest; None where nothing is published. Ends the command if it is none of this version's."""
    import pydantic

    from energy.manifest import Manifest

    try:
        return Manifest.model_validate_json(folder.path_of(layout.manifest_key(site)).read_bytes())
    except KeyError:
        return None
    except pydantic.ValidationError:
        fail(f"The lake {folder.path} was written by another version of this program. Give another --lake.")


def why_unusable(file: Path) -> str | None:
    """Why a file would start no run; None if it will."""
    return f"{file} is empty (0 bytes)." if file.stat().st_size == 0 else None
