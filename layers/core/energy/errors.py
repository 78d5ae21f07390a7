"""What can go wrong, by name. The state machine catches these class names, so they are API."""

from collections.abc import Sequence


class EnergyError(Exception):
    """The root of every error that this package raises on purpose."""


class InputRejected(EnergyError):
    """An upload that cannot be used. `code` is stable; `problem` says what was found, where, and what to do."""

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(f"{code}: {problem}")
        self.code = code
        self.problem = problem


class SiteConfigInvalid(EnergyError):
    """config/<site>.yaml cannot be used. `problem` names the key, what it says, and what it may be."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"{source}: {problem}")
        self.source = source
        self.problem = problem


class TransientError(EnergyError):
    """AWS throttled, timed out or hung up: the same call may well succeed in a moment."""

    def __init__(self, operation: str, cause: BaseException) -> None:
        super().__init__(f"{operation} did not succeed for now: {type(cause).__name__}: {cause}")
        self.operation = operation


class ManifestConflict(EnergyError):
    """Another run published this site between this run's start and its commit: aggregate again on top of it."""

    def __init__(self, site: str, expected_etag: str | None) -> None:
        started = f"manifest {expected_etag}" if expected_etag else "an unpublished site"
        super().__init__(f"site {site!r} was published by another run; this one started from {started}")
        self.site = site


class TimezoneChanged(EnergyError):
    """A site's timestamps would be in two zones at once."""

    def __init__(self, site: str, published: str, configured: str) -> None:
        super().__init__(
            f"site {site!r} is published in the time zone {published}, but readings are read in {configured} now; "
            f"set the time zone back to {published}, or upload all files again as another site (raw/<site>/<file>)"
        )
        self.site = site


class SiteTooLarge(EnergyError):
    """A site's readings do not fit into the memory of the functions that make its tables.

    `counted` is what there are too many of, in words.
    """

    def __init__(self, site: str, number: int, most: int, counted: str) -> None:
        super().__init__(
            f"site {site!r} would have {number:,} {counted}; tables are made of at most {most:,}. What is "
            "published stays. Upload part of the appliances, or of the years, as a site of its own (raw/<site>/<file>)"
        )
        self.site = site


class SecretUnusable(EnergyError):
    """A secret that does not hold one string."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"secret {arn} has to hold a key: as plain text, or as the only value of a JSON object")
        self.arn = arn


class NotDeterministic(EnergyError):
    """A write-once object exists with other bytes: two runs of the same input computed different results."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was written before with other content, though its name promises the same; it was kept")
        self.key = key


class ObjectMissing(EnergyError):
    """An object that something else names is not in the lake."""

    def __init__(self, key: str, version_id: str | None = None) -> None:
        version = f" (version {version_id})" if version_id else ""
        super().__init__(f"there is no object {key}{version} in the lake; was it deleted?")
        self.key = key


class NotEnoughHistory(EnergyError):
    """Too few complete days for the model asked."""

    def __init__(self, complete_days: int, needed_days: int, model: str) -> None:
        days = "day" if needed_days == 1 else "days"
        super().__init__(
            f"{model} needs at least {needed_days} complete {days} of readings; this site has {complete_days}"
        )
        self.complete_days = complete_days


class TooManySeries(EnergyError):
    """More series than a model is asked to forecast in the time that its function has."""

    def __init__(self, series: int, most: int, model: str) -> None:
        super().__init__(
            f"{model} is asked for at most {most} series; the total and the appliances of this site are {series}"
        )
        self.series = series


class ForecastFailed(EnergyError):
    """A model could not produce usable numbers for the site's total."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"{model} gave no usable forecast: {reason}")
        self.model = model


class CatalogError(EnergyError):
    """Glue refused some partitions although it accepted the call."""

    def __init__(self, table: str, failures: Sequence[str]) -> None:
        shown = "; ".join(failures[:3])
        super().__init__(f"Glue refused {len(failures)} partition(s) of {table}: {shown}")
        self.table = table


class SlackRefused(EnergyError):
    """Slack did not take a message, and would not take it again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Slack did not take a message: {reason}. Is the webhook in the secret still there?")
        self.reason = reason
