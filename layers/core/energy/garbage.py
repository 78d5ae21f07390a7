"""What no manifest has named for a week, removed.

Every run and every publication writes below a prefix of its own, once. A prefix is *named* while one of these holds:

- a manifest of its site that is current, or was so at some time in the last seven days, names it: the runs of its
  uploads, the prefixes of its partitions, its report, the documents of its publication;
- a change that waits in pending/ is made of the run;
- it is the explanation of a refused upload, whose version is still the current one of its key under raw/.

What is not named is garbage when nothing was written for seven days by the run or the publication that it belongs to,
under whichever prefix: an execution takes six hours at most.

Which manifests were current is said by their versions. What was overwritten without a version left (in a bucket
without versions; in a lake folder, which keeps the current one) is not known: where that may have been within the
last seven days nothing of the site is removed. Nothing is either of a site whose manifests cannot all be read, or
which has none: a person decides. Other prefixes than those of runs and publications are never touched.

A commit can only name what the manifest before it named, what waits in pending/, and what its own publication has
written. So pending/ and then the manifests are read again before each batch that is deleted. The documents of a
publication go before its tables: an execution that is redriven after more than seven days finds no draft to commit.
"""

import dataclasses
import datetime as dt
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, ValidationError

from energy import lake, store
from energy.errors import ObjectMissing
from energy.listed import Listed, listed
from energy.manifest import Manifest

KEEP = dt.timedelta(days=7)
_MOST_PREFIXES_BYTES = 18 << 10


class CollectGarbageInput(BaseModel):
    """What the function is called with; a schedule says nothing, and its own fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    dry_run: bool = False


class Removed(BaseModel):
    """A prefix, what lay below it, and when the last of that was written (UTC)."""

    model_config = ConfigDict(frozen=True)

    prefix: str
    objects: int
    bytes: int
    last_modified: dt.datetime


class Collected(BaseModel):
    """What was removed; in a dry run what would be. `looked_at` counts the objects of runs and publications.

    Of `waiting_sites` it is not known yet what was current a week ago: they have old results, and keep them for now.
    """

    model_config = ConfigDict(frozen=True)

    dry_run: bool
    looked_at: int
    objects: int
    bytes: int
    removed: Listed[Removed]
    waiting_sites: int
    problems: Listed[str]


@dataclasses.dataclass
class _Prefix:
    """What lies below the prefix of a run or a publication; `old` are the objects that were written long ago."""

    written: lake.Written
    last_modified: dt.datetime
    objects: int = 0
    old: list[store.Stored] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class _Named:
    """What the manifests name, and what waits: prefixes, and runs and publications whose every prefix is meant."""

    prefixes: set[str]
    names: set[str]

    def has(self, written: lake.Written) -> bool:
        return written.prefix in self.prefixes or written.name in self.names


class _LeftAlone(Exception):
    """Nothing of a site may be removed. `told`: what a person has to know of it; null where time alone will mend it."""

    def __init__(self, told: str | None = None) -> None:
        super().__init__(told)
        self.told = told


def collect(request: CollectGarbageInput, now: dt.datetime) -> Collected:
    """Removes what is garbage at the moment `now`, site by site; a site of which anything is unclear is left alone."""
    sites = _by_site(now - KEEP)
    removed: list[Removed] = []
    problems: list[str] = []
    waiting = 0
    for name, prefixes in sorted(sites.items()):
        site = _Site(name, now - KEEP, problems)
        try:
            site.collect(prefixes, request.dry_run)
        except _LeftAlone as left:
            waiting += left.told is None
            problems += [left.told] if left.told else []
        removed += site.removed()
    return Collected(
        dry_run=request.dry_run,
        looked_at=sum(prefix.objects for prefixes in sites.values() for prefix in prefixes),
        objects=sum(each.objects for each in removed),
        bytes=sum(each.bytes for each in removed),
        removed=listed(removed, _MOST_PREFIXES_BYTES),
        waiting_sites=waiting,
        problems=listed(problems),
    )


def _by_site(since: dt.datetime) -> dict[str, list[_Prefix]]:
    """The prefixes of all runs and publications, by site."""
    prefixes: dict[lake.Written, _Prefix] = {}
    for area in lake.WRITTEN_PREFIXES:
        for found in store.objects(area):
            written = lake.written(found.key)
            if written is None:
                continue
            prefix = prefixes.setdefault(written, _Prefix(written, found.last_modified))
            prefix.objects += 1
            prefix.last_modified = max(prefix.last_modified, found.last_modified)
            if found.last_modified < since:
                prefix.old.append(found)
    sites: dict[str, list[_Prefix]] = defaultdict(list)
    for prefix in prefixes.values():
        sites[prefix.written.site].append(prefix)
    return sites


class _Site:
    """One site, and what was current in it since a moment."""

    def __init__(self, site: str, since: dt.datetime, problems: list[str]) -> None:
        self._site = site
        self._since = since
        self._problems = problems
        self._manifests: dict[store.Version, Manifest] = {}
        self._kept: set[str] = set()
        self._gone: dict[lake.Written, list[store.Stored]] = defaultdict(list)

    def collect(self, prefixes: list[_Prefix], dry_run: bool) -> None:
        """Removes the site's garbage; in a dry run only notes it. _LeftAlone where nothing, or no more, may go."""
        busy = {prefix.written.name for prefix in prefixes if prefix.last_modified >= self._since}
        idle = [prefix for prefix in prefixes if prefix.written.name not in busy]
        old = sorted((p for p in idle if not _explains_a_refusal(p)), key=lambda prefix: prefix.written.prefix)
        for part in ([p for p in old if _is_documents(p)], [p for p in old if not _is_documents(p)]):
            objects = [(prefix.written, found) for prefix in part for found in prefix.old]
            for batch in itertools.batched(objects, store.DELETE_BATCH, strict=False):
                self._remove(batch, dry_run)

    def _remove(self, batch: Iterable[tuple[lake.Written, store.Stored]], dry_run: bool) -> None:
        named = self._named()
        garbage = {f.key: (w, f) for w, f in batch if not named.has(w) and w.name not in self._kept}
        failures = {} if dry_run or not garbage else store.delete_all(list(garbage))
        for key, (written, found) in garbage.items():
            if key in failures:
                # The tables of a publication must not go where its documents stay.
                self._kept.add(written.name)
                self._problems.append(f"{key} could not be deleted: {failures[key]}")
            else:
                self._gone[written].append(found)

    def removed(self) -> list[Removed]:
        """What is gone."""
        return [
            Removed(
                prefix=written.prefix,
                objects=len(found),
                bytes=sum(each.size for each in found),
                last_modified=max(each.last_modified for each in found),
            )
            for written, found in self._gone.items()
        ]

    def _named(self) -> _Named:
        """What is named now. Pending changes first: one that is published meanwhile is in the manifest then."""
        waiting = [found.key for found in store.objects(lake.pending_prefix(self._site))]
        names = {key.rpartition("/")[2].removesuffix(".json").partition("-")[0] for key in waiting}
        prefixes: set[str] = set()
        for version in self._recent():
            manifest = self._read(version)
            names |= {manifest.pub} | {held.upload.run_id for held in manifest.uploads.values()}
            keys = [partition.prefix for partitions in manifest.tables.values() for partition in partitions]
            if report := manifest.report:
                keys += [report.html_key, report.markdown_key, report.json_key]
            prefixes |= {written.prefix for key in keys if (written := lake.written(key))}
        return _Named(prefixes, names)

    def _recent(self) -> list[store.Version]:
        """The versions of the manifest that were current at some time since that moment."""
        key = lake.manifest_key(self._site)
        found = [version for version in store.versions(key) if version.key == key]
        found.sort(key=lambda version: (version.last_modified, version.is_latest))
        if not found or found[-1].is_deletion:
            raise _LeftAlone(
                f"there is no {key}, but there are results of the site {self._site}: nothing of them was removed. "
                f"Upload a file to the site to publish it, or delete by hand what lies below site={self._site}"
            )
        # A version without an id may have replaced another one that left no trace; so may the oldest that is known.
        traceless = [version.last_modified for version in found if version.version_id is None or version is found[0]]
        if max(traceless) > self._since:
            raise _LeftAlone
        replaced = [*(later.last_modified for later in found[1:]), None]
        return [
            version
            for version, until in zip(found, replaced, strict=True)
            if not version.is_deletion and (until is None or until > self._since)
        ]

    def _read(self, version: store.Version) -> Manifest:
        if version not in self._manifests:
            try:
                self._manifests[version] = Manifest.model_validate_json(store.read_version(version))
            except (ObjectMissing, ValidationError) as error:
                raise _LeftAlone(
                    f"{version.key} cannot be read in the version of {version.last_modified:%Y-%m-%d %H:%M} UTC "
                    f"({type(error).__name__}): nothing of the site was removed"
                ) from error
        return self._manifests[version]


def _explains_a_refusal(prefix: _Prefix) -> bool:
    """Whether this is what the sender of a file that was refused, and not replaced yet, has to know."""
    key = f"{prefix.written.prefix}problems.json"
    if not key.startswith("quarantine/") or all(found.key != key for found in prefix.old):
        return False
    told = json.loads(store.read(key))
    if told["verdict"] != "reject":
        return False
    current = store.current_version(told["key"])
    return current is not None and (current.version_id or current.etag) == told["version"]


def _is_documents(prefix: _Prefix) -> bool:
    return "/documents/" in prefix.written.prefix
