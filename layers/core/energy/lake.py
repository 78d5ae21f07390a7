"""Where everything lives in the bucket, and how it is named. Pure functions: no I/O here."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_SITE = "home"
RAW_PREFIX = "raw/"
MANIFESTS_PREFIX = "manifests/"
PENDING_PREFIX = "pending/"
CRUNCHED_PREFIX = "crunched/"
BACKLOG_PREFIX = "backlog/"
# Below these, whatever a run or a publication has written lies under a prefix of its own.
WRITTEN_PREFIXES = ("processed/", "anomalies/", "forecast/", "reports/", "quarantine/")
# Names of hidden, marker and unfinished files; the state machine's first state, "Anything to read?", has the same.
PASSED_OVER = r"^$|^[._]|[.](tmp|part|partial|crdownload|filepart)$"

_SAFE_SITE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_PASSED_OVER = re.compile(PASSED_OVER, re.IGNORECASE)
_WRITTEN = re.compile(
    r"(?:processed|anomalies|forecast|reports|quarantine)(?:/[a-z_]+)*"
    r"/site=(?P<site>[^/]+)/(?:(?:upload|month)=[^/]+/)?(?:run|pub)=(?P<name>[^/]+)/"
)


@dataclass(frozen=True)
class Written:
    """A prefix below which one run, or one publication, has written; `name` is its id."""

    prefix: str
    site: str
    name: str


def is_passed_over(key: str) -> bool:
    """Whether a key under raw/ is no upload: a folder's marker, a hidden, a marker or an unfinished file."""
    return _PASSED_OVER.search(key.rsplit("/", 1)[-1]) is not None


def written(key: str) -> Written | None:
    """The prefix of the run or the publication that an object belongs to; None where it belongs to neither."""
    found = _WRITTEN.match(key)
    return Written(found[0], found["site"], found["name"]) if found else None


def site_of_key(key: str) -> str:
    """The site that an upload belongs to: the folder below raw/, or `home` where there is none.

    A folder name that is not a plain lower-case word never becomes part of a path: it is folded to one and
    made unique by a hash of the original.
    """
    parts = key.removeprefix(RAW_PREFIX).split("/")
    if len(parts) == 1:
        return DEFAULT_SITE
    return site_name(parts[0])


def site_name(folder: str) -> str:
    """`folder` itself where it is safe in paths and partitions, else a safe name that only this folder gets."""
    if _SAFE_SITE.fullmatch(folder):
        return folder
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "site"
    return f"{slug}-{_digest(folder)[:8]}"


def upload_id(key: str) -> str:
    """Names an upload (a key under raw/) in paths and tables; all its versions share it."""
    return _digest(key)[:20]


def recipe(*parts: str) -> str:
    """Names how results are made: the code's version and the settings that decide what comes out."""
    return _digest("\n".join(parts))[:12]


def run_id(bucket: str, key: str, version: str, made_by: str) -> str:
    """Names what validation writes for one version of one upload by one recipe."""
    return _digest(f"{bucket}/{key}@{version} by {made_by}")[:20]


def change_id(run: str, told_by: str) -> str:
    """Names one change of a site: a run, and the event (its sequencer or time) that told of it."""
    return f"{run}-{_digest(told_by)[:8]}"


def publication_id(changes: Iterable[str], base_etag: str | None, made_by: str) -> str:
    """Names what one publication writes: the change that publishes and those that it takes along, the manifest that it
    builds upon, the recipe.
    """
    return _digest(f"{'+'.join(changes)} on {base_etag or ''} by {made_by}")[:20]


def is_newer(sequencer: str | None, than: str | None) -> bool:
    """Whether an S3 sequencer is later than another one of the same key.

    Sequencers are hexadecimal of differing length; the shorter is padded with zeros on the left, then compared
    (S3 User Guide, "Event message structure"). A missing one is older than any.
    """
    ours, theirs = (sequencer or "").lower(), (than or "").lower()
    width = max(len(ours), len(theirs))
    return ours.rjust(width, "0") > theirs.rjust(width, "0")


def manifest_key(site: str) -> str:
    """The single commit point of a site."""
    return f"{MANIFESTS_PREFIX}{site}.json"


def upload_readings_key(site: str, upload: str, run: str, month: str) -> str:
    """The validated readings of one month of one version of one upload."""
    return f"processed/uploads/site={site}/upload={upload}/run={run}/month={month}/readings.parquet"


def upload_quality_key(site: str, upload: str, run: str) -> str:
    """How one version of one upload was read, and what became of its rows."""
    return f"processed/uploads/site={site}/upload={upload}/run={run}/quality.json"


def pending_prefix(site: str) -> str:
    """Changes of a site that are ready to be published, and not yet known to be in its manifest."""
    return f"{PENDING_PREFIX}site={site}/"


def pending_key(site: str, change: str) -> str:
    """One such change; its name begins with that of its run."""
    return f"{pending_prefix(site)}{change}.json"


def crunched_key(execution: str, round_number: int) -> str:
    """What the Glue job answers an execution, in one of its rounds; no longer than the execution can be redriven."""
    return f"{CRUNCHED_PREFIX}execution={execution}/round={round_number}.json"


def forecast_by_spark_key(execution: str, round_number: int) -> str:
    """The same for a forecast that the job has made."""
    return f"{CRUNCHED_PREFIX}execution={execution}/round={round_number}-forecast.json"


def backlog_items_key(run: str, what: str, digest: str) -> str:
    """What one round of a run through the backlog goes through; `digest` is that of the list."""
    return f"{BACKLOG_PREFIX}lists/run={run}/{what}-{digest}.json"


def backlog_notes_prefix(run: str) -> str:
    """Notes of what such a run could not get done, one object each."""
    return f"{BACKLOG_PREFIX}notes/run={run}/"


def site_config_key(site: str) -> str:
    """What people may say about a site; no role of the stack writes it."""
    return f"config/{site}.yaml"


def site_config_file_key(name: str) -> str:
    """A file that a site's configuration names, beside it."""
    return f"config/{name}"


def readings_prefix(site: str, month: str, pub: str) -> str:
    """One month of the site's readings, all uploads resolved (raw_energy_data)."""
    return f"processed/readings/site={site}/month={month}/pub={pub}/"


def hourly_prefix(site: str, month: str, pub: str) -> str:
    """One month of the site's readings by hour (hourly_energy_data)."""
    return f"processed/hourly/site={site}/month={month}/pub={pub}/"


def table_prefix(area: str, site: str, pub: str) -> str:
    """One publication of a table that is partitioned by site alone; `area` is its folder in the lake."""
    return f"{area}/site={site}/pub={pub}/"


def issued_prefix(site: str, month: str, pub: str) -> str:
    """The forecasts that were issued in a month, as one publication left them (forecast_history)."""
    return f"forecast/history/site={site}/month={month}/pub={pub}/"


def publication_document_key(area: str, site: str, pub: str, name: str) -> str:
    """A JSON document that one step of a publication hands to the next.

    It lies apart from the tables so that no query reads it.
    """
    return f"{area}/documents/site={site}/pub={pub}/{name}.json"


def month_parts_key(site: str, pub: str) -> str:
    """What the next publication needs of the months that it leaves as they are."""
    return f"processed/documents/site={site}/pub={pub}/months.zip"


def cost_parts_key(site: str, pub: str) -> str:
    """What the next publication needs of the costs of the months that it leaves as they are."""
    return f"processed/documents/site={site}/pub={pub}/costs.zip"


def report_key(site: str, pub: str, digest: str, extension: str) -> str:
    """A report of one publication as html, md or json; `digest` is that of what it says.

    Words may differ from one attempt to the next, where the numbers do not.
    """
    return f"reports/site={site}/pub={pub}/text={digest}/report.{extension}"


def narrative_key(site: str, pub: str, digest: str) -> str:
    """What the models that were asked for a publication's text came to; `digest` is that of the question."""
    return f"reports/site={site}/pub={pub}/asked={digest}/narrative.json"


def latest_report_key(site: str) -> str:
    """The site's newest report under a name that stays."""
    return f"reports/site={site}/latest.html"


def quarantine_prefix(site: str) -> str:
    """What validation set apart of a site."""
    return f"quarantine/site={site}/"


def quarantine_key(site: str, run: str, name: str) -> str:
    """What validation set apart: rejected.csv and problems.json."""
    return f"{quarantine_prefix(site)}run={run}/{name}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
