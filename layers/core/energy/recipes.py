"""How uploads of a site are judged now, and what is published is made; and the names of those recipes.

Whatever a configuration says becomes part of a publication once, in "Aggregate readings", as a snapshot that every
later state reads: a configuration that changes meanwhile changes nothing of what is under way.
"""

from pydantic import BaseModel, ConfigDict

from energy import __version__, lake, site_config, store
from energy.contracts import Publication
from energy.errors import SiteConfigInvalid
from energy.settings import settings
from energy.site_config import Rules, SiteConfig


class ConfigSnapshot(BaseModel):
    """A site's configuration, and the text of the files that it names, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: SiteConfig = SiteConfig()
    files: dict[str, str] = {}


def site_rules(site: str) -> Rules:
    """The site's configuration, where it has one, over the stack's parameters; SiteConfigInvalid."""
    return _rules(_site_config(site))


def reading_recipe(snapshot: ConfigSnapshot) -> str:
    """Names how uploads are judged by a configuration."""
    return recipe_of(_rules(snapshot.config))


def recipe_of(rules: Rules) -> str:
    """Names how uploads are judged by these rules: it changes with them, and with the code."""
    return lake.recipe(__version__, rules.canonical())


def publication_recipe(timezone: str, snapshot: ConfigSnapshot) -> str:
    """Names how a publication is made: it changes with the zone, the code, and all that the configuration says."""
    return lake.recipe(__version__, timezone, _rules(snapshot.config).canonical(), snapshot.model_dump_json())


def config_snapshot(site: str) -> ConfigSnapshot:
    """The configuration as it is now, in the stack's language where it names none; SiteConfigInvalid, also where a file
    that it names is missing or no text.
    """
    config = _site_config(site)
    config = config.model_copy(update={"language": config.language or settings().report_language})
    return ConfigSnapshot(config=config, files={name: _text(site, name) for name in config.named_files()})


def publication_config(publication: Publication) -> ConfigSnapshot:
    """The configuration by which a publication is made."""
    if not publication.config_key:
        return ConfigSnapshot()
    return ConfigSnapshot.model_validate_json(store.read(publication.config_key))


def _site_config(site: str) -> SiteConfig:
    key = lake.site_config_key(site)
    content = store.read_start(key, site_config.MAX_BYTES + 1)
    return SiteConfig() if content is None else site_config.read(content, key)


def _rules(config: SiteConfig) -> Rules:
    return site_config.rules(config, settings().site_timezone, settings().max_rejected_share)


def _text(site: str, name: str) -> str:
    source, key = lake.site_config_key(site), lake.site_config_file_key(name)
    content = store.read_start(key, site_config.MAX_FILE_BYTES + 1)
    if content is None:
        raise SiteConfigInvalid(source, f"it names {name}, and there is no {key}. Put the file there, or leave it out.")
    if len(content) > site_config.MAX_FILE_BYTES:
        raise SiteConfigInvalid(source, f"{key}, which it names, is larger than {site_config.MAX_FILE_BYTES:,} bytes.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SiteConfigInvalid(
            source, f"{key}, which it names, is not UTF-8 from byte {error.start} on. Save it as UTF-8."
        ) from error
