"""How uploads of a site are judged now, and the name of that recipe."""

from energy import __version__, lake, site_config, store
from energy.settings import settings
from energy.site_config import Rules, SiteConfig


def site_rules(site: str) -> Rules:
    """The site's configuration, where it has one, over the stack's parameters; SiteConfigInvalid."""
    key = lake.site_config_key(site)
    content = store.read_start(key, site_config.MAX_BYTES + 1)
    config = SiteConfig() if content is None else site_config.read(content, key)
    return site_config.rules(config, settings().site_timezone, settings().max_rejected_share)


def recipe_of(rules: Rules) -> str:
    """Names how uploads are judged by these rules: it changes with them, and with the code."""
    return lake.recipe(__version__, rules.canonical())
