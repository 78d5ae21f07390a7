"""Uploads and deletions that no event told of, or whose execution came to nothing, started again.

S3's events are delivered at least once, and EventBridge gives up after a day; so once a day what lies under raw/ is
compared with what the manifests say.
"""

import dataclasses
import datetime as dt
import hashlib
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from energy import executions, lake, store
from energy.contracts import ValidateInput
from energy.errors import SiteConfigInvalid
from energy.failures import REDRIVE_DAYS
from energy.listed import Listed, listed
from energy.manifest import Manifest
from energy.recipes import ConfigSnapshot, config_snapshot, publication_recipe, reading_recipe
from energy.settings import settings

CREATED, DELETED = "Object Created", "Object Deleted"
SOURCE = "energy.reconcile"
# Statuses of Step Functions with which an execution has come to nothing.
_CAME_TO_NOTHING = {"FAILED", "TIMED_OUT", "ABORTED"}
_SUCCEEDED = "SUCCEEDED"
# Whoever asked follows these.
_MOST_STARTED_BYTES = 14 << 10
_UNDELIVERED = "its event could not be delivered"
_NEVER_PUBLISHED = "it is not published"
_REPLACED = "another version of it is published"
_DELETED = "it was deleted, and is still published"
_GONE = "it is gone, and still published"
_CHANGED = "its site's configuration, or the code, has changed since it was published"
_UNSETTLED = "it is published, and its site's catalog may lag behind"


class ReconcileInput(BaseModel):
    """What the function is called with; a schedule says nothing, and its own fields are ignored.

    What is younger than `grace_minutes` may well be under way. At most `most_starts` executions are started.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    dry_run: bool = False
    grace_minutes: float = Field(default=60, ge=0)
    most_starts: int = Field(default=500, ge=0)


class Start(BaseModel):
    """An execution for something that was missed: started now, or before (`status` as Step Functions says it then).

    `advice` says what a person has to do; null where nothing. `version` is empty where an object is gone altogether.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    version: str
    why: str
    execution: str
    status: str | None = None
    advice: str | None = None


class Reconciled(BaseModel):
    """What was found and done. `missed` = `started` + `started_before` + `left_for_next_time`.

    `looked_at` counts the uploads under raw/, `under_way` those that are too young to be missed. `undelivered` is how
    many events waited in the queue; in a dry run about how many. In a dry run `started` is what would be.
    `need_a_person` counts what no run of this will mend. `newest_upload` is when the newest of the uploads came (UTC),
    null where there is none.
    """

    model_config = ConfigDict(frozen=True)

    dry_run: bool
    looked_at: int
    newest_upload: dt.datetime | None
    under_way: int
    undelivered: int
    missed: int
    started: Listed[Start]
    started_before: Listed[Start]
    left_for_next_time: int
    need_a_person: int
    problems: Listed[str]


@dataclasses.dataclass(frozen=True)
class _Missed:
    """Something under raw/ that has to go through the pipeline."""

    key: str
    version: str
    why: str
    execution: str
    event: dict[str, Any]


@dataclasses.dataclass
class _Round:
    """One reconciliation, as far as it has come."""

    request: ReconcileInput
    now: dt.datetime
    looked_at: int = 0
    newest_upload: dt.datetime | None = None
    under_way: int = 0
    undelivered: int = 0
    left: int = 0
    started: list[Start] = dataclasses.field(default_factory=list)
    started_before: list[Start] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    # Versions of keys that an undelivered event told of, and the executions that were seen to.
    told: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    named: set[str] = dataclasses.field(default_factory=set)

    @property
    def full(self) -> bool:
        """Whether no more may be started."""
        return len(self.started) >= self.request.most_starts

    def young(self, moment: dt.datetime) -> bool:
        """Whether what happened then may well be under way."""
        return moment > self.now - dt.timedelta(minutes=self.request.grace_minutes)


def reconcile(request: ReconcileInput, now: dt.datetime) -> Reconciled:
    """Starts an execution for every event that could not be delivered, then for whatever was missed all the same.

    Missed is an upload whose current version is neither published nor refused, a deletion whose upload is still
    published, and what a run that died after its commit left to do. An execution is named after what it is for, so that
    nothing is started twice. What cannot be read, of a site or in the queue, is reported, and the others go on.
    """
    done = _Round(request, now)
    _deliver(done)
    for missed in _missed(done):
        if (missed.key, missed.version) not in done.told:
            _start(missed, done)
    in_need = [start for start in done.started_before if start.advice]
    return Reconciled(
        dry_run=request.dry_run,
        looked_at=done.looked_at,
        newest_upload=done.newest_upload,
        under_way=done.under_way,
        undelivered=done.undelivered,
        missed=len(done.started) + len(done.started_before) + done.left,
        started=listed(done.started, _MOST_STARTED_BYTES),
        # What a person has to see to comes first: there it is shown.
        started_before=listed(sorted(done.started_before, key=lambda start: start.advice is None)),
        left_for_next_time=done.left,
        need_a_person=len(in_need) + len(done.problems),
        problems=listed(done.problems),
    )


# -------------------------------------------------------------------------------------- events that were not delivered


def _deliver(done: _Round) -> None:
    """Starts the executions that the rule could not start, and empties the queue of what was read."""
    if done.request.dry_run:
        done.undelivered = executions.undelivered_count()
        return
    for message in executions.undelivered():
        done.undelivered += 1
        missed = _of_message(message)
        if missed is None:
            done.problems.append(
                f"The queue of undelivered events holds a message that is no event of S3's: {message.id}. It stays "
                "there; read it, and delete it by hand"
            )
        elif _start(missed, done):
            executions.take_away(message)


def _of_message(message: executions.Message) -> _Missed | None:
    """What an undelivered event told of; null where it is none."""
    try:
        event = json.loads(message.body)
        detail = ValidateInput.model_validate(event["detail"])
        kind = event["detail-type"]
    except (ValueError, KeyError, TypeError):
        return None
    if kind not in {CREATED, DELETED}:
        return None
    told = detail.object
    version = told.version_id or told.etag
    # S3 may tell of one thing twice, in events of different ids: the sequencer stays the same.
    name = _digest(f"{kind} {detail.bucket.name}/{told.key}@{version} {told.sequencer or ''}")
    return _Missed(told.key, version, _UNDELIVERED, f"undelivered-{name}", event)


# -------------------------------------------------------------------------------------------------- what was missed


def _missed(done: _Round) -> Iterator[_Missed]:
    """What has to go through the pipeline, in the order of the keys; uploads that are gone altogether come last.

    Manifests are read before raw/ is listed: what a manifest holds was in raw/ then, unless it was deleted.
    """
    unsettled = _unsettled(done)
    manifests, unreadable = _manifests(done)
    recipes = _Recipes(done)
    seen = set()
    for found in store.versions(lake.RAW_PREFIX):
        if not found.is_latest:
            continue
        seen.add(found.key)
        site = lake.site_of_key(found.key)
        if site in unreadable or lake.is_passed_over(found.key):
            continue
        if not found.is_deletion:
            done.looked_at += 1
            done.newest_upload = max(done.newest_upload or found.last_modified, found.last_modified)
        published = _published(manifests.get(site), found.key)
        missed = _if_missed(found, published, done.now, recipes)
        if missed is None and _is_version(found, published):
            unfinished = _unfinished(manifests[site], unsettled, recipes)
            missed = _again(found, *unfinished, done.now) if unfinished else None
        if missed is None:
            continue
        if done.young(found.last_modified):
            done.under_way += 1
        else:
            yield missed
    for manifest in manifests.values():
        for key in sorted(manifest.uploads.keys() - seen):
            yield _deletion(key, None, _GONE, _published(manifest, key) or "", done.now)


def _manifests(done: _Round) -> tuple[dict[str, Manifest], set[str]]:
    """The manifests by site, and the sites whose manifest cannot be read."""
    manifests, unreadable = {}, set()
    for found in store.objects(lake.MANIFESTS_PREFIX):
        site = found.key.removeprefix(lake.MANIFESTS_PREFIX).removesuffix(".json")
        if lake.manifest_key(site) != found.key:
            continue
        current = store.read_with_etag(found.key)
        if current is None:
            continue
        try:
            manifests[site] = Manifest.model_validate_json(current[0])
        except ValidationError as error:
            unreadable.add(site)
            done.problems.append(f"{found.key} cannot be read ({error.error_count()} errors); the site was left out")
    return manifests, unreadable


def _unsettled(done: _Round) -> dict[str, str]:
    """Something that waits to be published, and has for long, by site. It is taken away once the catalog has followed
    the manifest: a run that commits and then dies for good leaves it.
    """
    found: dict[str, str] = {}
    for waiting in store.objects(lake.PENDING_PREFIX):
        site = waiting.key.removeprefix(lake.PENDING_PREFIX + "site=").partition("/")[0]
        if not done.young(waiting.last_modified):
            found.setdefault(site, waiting.key)
    return found


def _is_version(found: store.Version, published: str | None) -> bool:
    return not found.is_deletion and published == (found.version_id or found.etag)


def _unfinished(manifest: Manifest, unsettled: dict[str, str], recipes: "_Recipes") -> tuple[str, str] | None:
    """Why a site needs one more run, once, and what names the reason: its catalog may lag behind, or it is published by
    another configuration or other code.
    """
    if waiting := unsettled.pop(manifest.site, None):
        return _UNSETTLED, waiting
    if made_by := recipes.changed(manifest):
        return _CHANGED, f"{manifest.pub} by {made_by}"
    return None


def _again(found: store.Version, why: str, named_by: str, now: dt.datetime) -> _Missed:
    """A published upload told of again: its run publishes what is there anew where that makes a difference, and sees to
    the catalog of its site.
    """
    return _Missed(
        key=found.key,
        version=found.version_id or found.etag,
        why=why,
        execution=f"reconcile-{_digest(f'{settings().lake_bucket}/{named_by}')}",
        event=_created(found, now),
    )


def _created(found: store.Version, now: dt.datetime) -> dict[str, Any]:
    described = {"key": found.key, "size": found.size, "etag": found.etag}
    return _event(CREATED, now, {"object": described | _version_id(found)})


def _published(manifest: Manifest | None, key: str) -> str | None:
    """The version of an upload that the manifest consists of; null where it has none."""
    held = manifest.uploads.get(key) if manifest else None
    return held.upload.version if held else None


def _if_missed(found: store.Version, published: str | None, now: dt.datetime, recipes: "_Recipes") -> _Missed | None:
    if found.is_deletion:
        return _deletion(found.key, found, _DELETED, published, now) if published is not None else None
    version = found.version_id or found.etag
    if version == published:
        return None
    recipe = recipes.of_site(lake.site_of_key(found.key))
    if recipe is None:
        return None
    run_id = lake.run_id(settings().lake_bucket, found.key, version, recipe)
    if _refused(lake.site_of_key(found.key), run_id):
        return None
    return _Missed(
        key=found.key,
        version=version,
        why=_NEVER_PUBLISHED if published is None else _REPLACED,
        execution=f"reconcile-{_digest(f'{run_id} in place of {published}')}",
        event=_created(found, now),
    )


def _deletion(key: str, marker: store.Version | None, why: str, published: str, now: dt.datetime) -> _Missed:
    """A deletion that was missed; without a marker the object is gone in all its versions."""
    version = (marker.version_id or "") if marker else ""
    return _Missed(
        key=key,
        version=version,
        why=why,
        execution=f"reconcile-{_digest(f'{settings().lake_bucket}/{key}@{version} deleted in place of {published}')}",
        event=_event(
            DELETED,
            marker.last_modified if marker else now,
            {
                "object": {"key": key} | (_version_id(marker) if marker else {}),
                "deletion-type": "Delete Marker Created" if marker else "Permanently Deleted",
            },
        ),
    )


def _refused(site: str, run_id: str) -> bool:
    """Whether validation has refused this version by this recipe: its sender was told, and nothing has changed."""
    found = store.read_with_etag(lake.quarantine_key(site, run_id, "problems.json"))
    return found is not None and json.loads(found[0])["verdict"] == "reject"


class _Recipes:
    """How each site's uploads are judged, and published, now; there is none where a configuration cannot be used."""

    def __init__(self, done: _Round) -> None:
        self._done = done
        self._known: dict[str, ConfigSnapshot | None] = {}
        self._compared: set[str] = set()

    def of_site(self, site: str) -> str | None:
        """The name of the recipe by which uploads are judged; null, and reported once, where there is none."""
        snapshot = self._snapshot(site)
        return None if snapshot is None else reading_recipe(snapshot)

    def changed(self, manifest: Manifest) -> str | None:
        """The name of the recipe by which a site is to be published, where the manifest is by another; told once."""
        if manifest.site in self._compared:
            return None
        self._compared.add(manifest.site)
        snapshot = self._snapshot(manifest.site)
        if snapshot is None:
            return None
        made_by = publication_recipe(manifest.timezone, snapshot)
        return None if manifest.made_by == made_by else made_by

    def _snapshot(self, site: str) -> ConfigSnapshot | None:
        if site not in self._known:
            try:
                self._known[site] = config_snapshot(site)
            except SiteConfigInvalid as error:
                self._known[site] = None
                self._done.problems.append(f"{error}; uploads of the site were left out")
        return self._known[site]


# ------------------------------------------------------------------------------------------------------- starting


def _start(missed: _Missed, done: _Round) -> bool:
    """Starts an execution, or notes that one was started before; False where no more may be started."""
    if missed.execution in done.named:
        return True
    if done.request.dry_run:
        status = executions.status(missed.execution)
        started = status is None
    else:
        if done.full:
            done.left += 1
            return False
        started = executions.start(missed.execution, missed.event)
        status = None if started else executions.status(missed.execution)
    done.named.add(missed.execution)
    # Sources disagree on whether events encode keys.
    done.told |= {(missed.key, missed.version), (urllib.parse.unquote_plus(missed.key), missed.version)}
    entry = Start(key=missed.key, version=missed.version, why=missed.why, execution=missed.execution)
    if started:
        done.started.append(entry)
    else:
        done.started_before.append(entry.model_copy(update={"status": status, "advice": _advice(missed, status)}))
    return True


def _advice(missed: _Missed, status: str | None) -> str | None:
    """What to do about an execution that was started before; null where it still runs."""
    again = "upload the file again" if missed.event["detail-type"] == CREATED else "delete the file again"
    if status in _CAME_TO_NOTHING:
        redrive = f"energy redrive {missed.execution} --stack {settings().stack_name}"
        return (
            f"mend what its error says, then within {REDRIVE_DAYS} days: {redrive}; "
            f"where that changes nothing, or later: {again}"
        )
    if status == _SUCCEEDED and missed.why != _UNDELIVERED:
        return f"it ended well, and nothing came of it: look at what it says, then {again}"
    return None


def _event(kind: str, moment: dt.datetime, detail: Mapping[str, Any]) -> dict[str, Any]:
    """An event as S3's by EventBridge, without a sequencer: it tells of what a listing showed at that moment."""
    return {
        "version": "0",
        "detail-type": kind,
        "source": SOURCE,
        "time": moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "detail": {"bucket": {"name": settings().lake_bucket}, **detail},
    }


def _version_id(found: store.Version) -> dict[str, str]:
    return {"version-id": found.version_id} if found.version_id else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]
