"""What commands can refuse before anything starts."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import fail
from energy import lake as layout

if TYPE_CHECKING:
    from energy.manifest import Manifest
    from energy.site_config import SiteConfig
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
    from energy.site_config import known_timezone

    try:
        known_timezone(timezone or DEFAULT_TIMEZONE)
    except ValueError:
        fail(f"{timezone!r} is no time zone. Name one such as Europe/Berlin.", code=2)


def zone_of(lake: Path, site: str, wanted: str | None, config: Path | None = None) -> str:
    """The time zone to read the files in: the one that the site is published in, else the configured one, else the one
    wanted, else UTC.

    Ends the command if another one is wanted: the site's older readings would be moved by hours.
    """
    from local.lake_folder import LakeFolder

    folder = LakeFolder(lake)
    manifest = published(folder, site)
    source = config or _config_in(folder, site)
    configured = read_config(source).timezone if source else None
    if configured and wanted not in (None, configured):
        fail(
            f"The configuration says timezone: {configured}, not {wanted}. Leave --timezone out, or change it.", code=2
        )
    wanted = configured or wanted
    if manifest is None:
        return wanted or DEFAULT_TIMEZONE
    if wanted not in (None, manifest.timezone):
        fail(
            f"The site {site} in {lake} is published in the time zone {manifest.timezone}, not {wanted}. "
            f"Leave --timezone out{' and change the configuration' if configured else ''}, or give another --site or "
            "--lake.",
            code=2,
        )
    return manifest.timezone


def _config_in(folder: "LakeFolder", site: str) -> Path | None:
    """The site's configuration in the lake, if there is one."""
    try:
        return folder.path_of(layout.site_config_key(site))
    except KeyError:
        return None


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


def why_unreadable(file: Path) -> str | None:
    """Why a file cannot be read; None if it can."""
    if file.is_dir():
        return f"{file} is a folder; name the files in it."
    if not file.exists():
        return f"{file} is not there."
    if not file.is_file():
        return f"{file} is no ordinary file."
    if not os.access(file, os.R_OK):
        return f"{file} may not be read by you; its permissions say so."
    return None


def read_config(path: Path) -> "SiteConfig":
    """The configuration in a file; ends the command if it cannot be used, or a file that it names is not beside it."""
    from energy import site_config
    from energy.errors import SiteConfigInvalid

    if why := why_unreadable(path):
        fail(why, code=2)
    try:
        with path.open("rb") as file:
            config = site_config.read(file.read(site_config.MAX_BYTES + 1), str(path))
    except SiteConfigInvalid as error:
        fail(str(error), code=2)
    for name in config.named_files():
        if why := why_unreadable(path.parent / name):
            fail(f"{path} names a file that has to lie beside it: {why}", code=2)
    return config
