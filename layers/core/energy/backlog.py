"""Uploads that lie under raw/ and are not published as they are to be: found, and put in lists for the state machine
that works them off. What is left to do is always read from the lake, so whatever was stopped midway goes on from there.
"""

import dataclasses
import datetime as dt
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from energy import lake, store
from energy.contracts import DELETE_MARKER_CREATED, Deletion, Upload, ValidateOutput
from energy.errors import SiteConfigInvalid
from energy.listed import Listed, listed
from energy.manifest import Manifest
from energy.recipes import config_snapshot, publication_recipe, reading_recipe
from energy.settings import settings

SOURCE = "energy.backlog"
# Between two publications of a site. "Aggregate readings" reads three objects of each and "Refresh partitions" reads
# and deletes one, at some 20 ms: 2 of its 15 minutes, and 1 and a half of its 5.
MOST_UPLOADS = 2000
# The ending of a note about a file that is unusable; those of other failures have another.
REFUSED = ".refused.json"


class BacklogRequest(BaseModel):
    """What is to be found. `sites`: only theirs; empty for all. `anew`: also what is published as it is to be.

    `run` names the execution that goes through what is found; without one nothing is written. A round takes at most
    `most_uploads`, whose keys follow `after`.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    find: Literal["uploads", "sites", "failures"] = "uploads"
    run: str = ""
    sites: tuple[str, ...] = ()
    anew: bool = False
    after: str = ""
    most_uploads: int = Field(default=MOST_UPLOADS, ge=1)

    def is_about(self, site: str) -> bool:
        """Whether that site is meant."""
        return not self.sites or site in self.sites


class UploadsFound(BaseModel):
    """`looked_at` = `published` + `refused` + `waiting` + `listed` + `left`, but for sites whose configuration cannot
    be used: `problems` name them, and of each one upload is listed.

    `waiting` are read, and wait to be published. `listed` are to be read: the first of them are `shown`, `items_key`
    holds them all. `left` are for the next round, whose keys follow `last_key`.
    """

    model_config = ConfigDict(frozen=True)

    looked_at: int
    published: int
    refused: int
    waiting: int
    listed: int
    left: int
    last_key: str
    items_key: str | None
    shown: Listed[str]
    problems: Listed[str]


class SitesFound(BaseModel):
    """How many sites have something that waits to be published, and what holds the list of them."""

    model_config = ConfigDict(frozen=True)

    listed: int
    items_key: str | None


class FailuresFound(BaseModel):
    """How many uploads of a run were refused, and how many uploads and sites failed."""

    model_config = ConfigDict(frozen=True)

    refused: int
    failed: int


def find(request: BacklogRequest) -> UploadsFound | SitesFound | FailuresFound:
    """What was asked for."""
    match request.find:
        case "uploads":
            return uploads(request)
        case "sites":
            return sites(request)
        case "failures":
            return failures(request)


# ------------------------------------------------------------------------------------------------------------- uploads


@dataclasses.dataclass(frozen=True)
class _Site:
    """What is known of a site before its uploads are looked at. `recipe` is that by which they are judged now, and
    `is_complete` says that it is published by the recipe of now, with its report. `waiting` has the keys of what waits
    to be published, `judged` the runs that have set something apart.
    """

    manifest: Manifest | None
    recipe: str
    is_complete: bool
    waiting: frozenset[str]
    judged: frozenset[str]


_UNKNOWN = _Site(None, "", is_complete=False, waiting=frozenset(), judged=frozenset())


class _Sites:
    """The sites that uploads belong to, each read once; None where its configuration cannot be used."""

    def __init__(self) -> None:
        self._known: dict[str, _Site | None] = {}
        self.problems: dict[str, str] = {}

    def of(self, name: str) -> _Site | None:
        if name not in self._known:
            try:
                self._known[name] = _site(name)
            except SiteConfigInvalid as error:
                self._known[name] = None
                self.problems[name] = str(error)
        return self._known[name]


def uploads(request: BacklogRequest) -> UploadsFound:
    """The current versions under raw/ that are neither published as they are to be nor refused, in the order of keys.

    Of a site whose publication alone is out of date, by its configuration, the code or a missing report, one upload is
    told again: its run publishes the others with it. Of a site whose configuration cannot be used one is listed, whose
    reading says so.
    """
    known, told = _Sites(), set[str]()
    counts = dict.fromkeys(("published", "refused", "waiting"), 0)
    looked_at, wanted = 0, list[Upload]()
    for found in _current_uploads(request):
        looked_at += 1
        name = lake.site_of_key(found.key)
        site = known.of(name)
        if site is None:
            if name not in told:
                told.add(name)
                wanted.append(_upload(found, _UNKNOWN, request.anew))
            continue
        upload = _upload(found, site, request.anew)
        if not request.anew and _is_published(upload, site):
            if site.is_complete or name in told:
                counts["published"] += 1
                continue
            upload = _told_again(upload)
        elif not request.anew and _is_refused(upload, site):
            counts["refused"] += 1
            continue
        told.add(name)
        if lake.pending_key(name, upload.change_id) in site.waiting:
            counts["waiting"] += 1
        else:
            wanted.append(upload)
    now = wanted[: request.most_uploads]
    items = [_item(request.run, upload.change_id, upload, upload.site) for upload in now]
    return UploadsFound(
        looked_at=looked_at,
        **counts,
        listed=len(now),
        left=len(wanted) - len(now),
        last_key=now[-1].key if now else request.after,
        items_key=_write_items(request.run, "uploads", items),
        shown=listed(upload.key for upload in now),
        problems=listed(known.problems.values()),
    )


def _current_uploads(request: BacklogRequest) -> list[store.Version]:
    return sorted(
        (
            found
            for found in store.versions(lake.RAW_PREFIX)
            if found.is_latest
            and not found.is_deletion
            and found.key > request.after
            and not lake.is_passed_over(found.key)
            and request.is_about(lake.site_of_key(found.key))
        ),
        key=lambda found: found.key,
    )


def _site(name: str) -> _Site:
    snapshot = config_snapshot(name)
    found = store.read_with_etag(lake.manifest_key(name))
    manifest = Manifest.model_validate_json(found[0]) if found else None
    set_apart = store.list_keys(lake.quarantine_prefix(name))
    return _Site(
        manifest=manifest,
        recipe=reading_recipe(snapshot),
        is_complete=manifest is not None
        and manifest.report is not None
        and manifest.made_by == publication_recipe(manifest.timezone, snapshot),
        waiting=frozenset(store.list_keys(lake.pending_prefix(name))),
        judged=frozenset(written.name for key in set_apart if (written := lake.written(key))),
    )


def _upload(found: store.Version, site: _Site, anew: bool) -> Upload:
    """An upload told of again, as the manifest knows it: neither its time nor its place among its versions changes."""
    version = found.version_id or found.etag
    held = site.manifest.uploads.get(found.key) if site.manifest else None
    known = held.upload if held and held.upload.version == version else None
    upload = Upload(
        bucket=settings().lake_bucket,
        key=found.key,
        version=version,
        version_id=found.version_id,
        etag=found.etag,
        sequencer=known.sequencer if known else None,
        size=found.size,
        last_modified=found.last_modified,
        told_at=known.told_at if known else found.last_modified,
        recipe=site.recipe,
        reprocessed=known.reprocessed if known else 0,
    )
    return _told_again(upload) if anew and known else upload


def _told_again(upload: Upload) -> Upload:
    return upload.model_copy(update={"reprocessed": upload.reprocessed + 1})


def _is_published(upload: Upload, site: _Site) -> bool:
    """Whether this version is, as it is read now."""
    held = site.manifest.uploads.get(upload.key) if site.manifest else None
    return held is not None and held.upload.run_id == upload.run_id


def _is_refused(upload: Upload, site: _Site) -> bool:
    """Whether validation has refused this version by this recipe: its sender was told, and nothing has changed."""
    if upload.run_id not in site.judged:
        return False
    found = store.read_with_etag(lake.quarantine_key(upload.site, upload.run_id, "problems.json"))
    return found is not None and json.loads(found[0])["verdict"] == "reject"


# --------------------------------------------------------------------------------------------------------------- sites


def sites(request: BacklogRequest) -> SitesFound:
    """The sites that have something ready to be published, each with one change that is told of again: its execution
    takes along all that waits there.
    """
    keys = [key for key in store.list_keys(lake.PENDING_PREFIX) if request.is_about(_site_of_pending(key))]
    items = []
    for site, waiting in itertools.groupby(keys, key=_site_of_pending):
        if change := _first_current(list(waiting)):
            items.append(_item(request.run, change.change_id, change, site))
    return SitesFound(listed=len(items), items_key=_write_items(request.run, "sites", items))


def _site_of_pending(key: str) -> str:
    return key.removeprefix(f"{lake.PENDING_PREFIX}site=").partition("/")[0]


def _first_current(keys: Sequence[str]) -> Upload | Deletion | None:
    """The first change of a site that still says what its key is now, else the first one. The run of an upload that has
    been replaced meanwhile would end without publishing the others.
    """
    first = None
    for change in _changes(keys):
        first = first or change
        if isinstance(change, Deletion):
            continue
        current = store.current_version(change.key)
        if current is not None and (current.version_id or current.etag) == change.version:
            return change
    return first


def _changes(keys: Sequence[str]) -> Iterator[Upload | Deletion]:
    """What waits under these keys; what was published meanwhile is gone."""
    for key in keys:
        if found := store.read_with_etag(key):
            yield ValidateOutput.model_validate_json(found[0]).change


# ------------------------------------------------------------------------------------------------------------ failures


def failures(request: BacklogRequest) -> FailuresFound:
    """What the notes of a run say."""
    notes = store.list_keys(lake.backlog_notes_prefix(request.run))
    refused = sum(note.endswith(REFUSED) for note in notes)
    return FailuresFound(refused=refused, failed=len(notes) - refused)


# --------------------------------------------------------------------------------------------------------------- lists


def _item(run: str, change_id: str, change: Upload | Deletion, site: str) -> dict[str, Any]:
    """What a child of the state machine works on. `note`: where it says what went wrong, but for the ending;
    `execution`: the name of the execution that publishes.
    """
    return {
        "site": site,
        "key": change.key,
        "note": f"{lake.backlog_notes_prefix(run)}{change_id}",
        "execution": f"{run}-{change_id}",
        "event": _event(change),
    }


def _event(change: Upload | Deletion) -> dict[str, Any]:
    """The event that tells of a change once more: what comes of it is the same change."""
    told: dict[str, Any] = {"key": change.key, "sequencer": change.sequencer}
    detail: dict[str, Any] = {"bucket": {"name": change.bucket}}
    if isinstance(change, Upload):
        told |= {"size": change.size, "etag": change.etag, "version-id": change.version_id}
        detail["reprocess"] = change.reprocessed
    else:
        told |= {"version-id": change.version or None}
        detail["deletion-type"] = DELETE_MARKER_CREATED
    return {
        "version": "0",
        "detail-type": "Object Created" if isinstance(change, Upload) else "Object Deleted",
        "source": SOURCE,
        "time": change.told_at.astimezone(dt.UTC).isoformat(),
        "detail": detail | {"object": {name: value for name, value in told.items() if value is not None}},
    }


def _write_items(run: str, what: str, items: list[dict[str, Any]]) -> str | None:
    if not run or not items:
        return None
    content = json.dumps(items).encode()
    key = lake.backlog_items_key(run, what, hashlib.sha256(content).hexdigest()[:20])
    store.put_once(key, content, "application/json")
    return key
