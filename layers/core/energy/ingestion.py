"""One change of a site: a version of an upload fetched, judged, and written as validated readings by month; or the
deletion of one. What is ready to be published waits in `pending/` for whichever run of the site publishes next.
"""

import datetime as dt
import tempfile
import urllib.parse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from energy import lake, parquet, quarantine, resolution, store
from energy.contracts import DELETE_MARKER_CREATED, Deletion, EventObject, Upload, ValidateInput, ValidateOutput
from energy.errors import InputRejected, ObjectMissing
from energy.intake.judging import Judged, judge
from energy.manifest import Manifest
from energy.recipes import config_snapshot, publication_recipe, recipe_of, site_rules
from energy.schema import READINGS
from energy.site_config import Rules

# States hand to each other 256 KB at most; these are for people, and all of them are in the upload's quality document.
MAX_SENTENCES = 20
MAX_SENTENCE_BYTES = 800


Judging: TypeAlias = Callable[[Path, Rules, Upload, Path], Judged]
"""(the upload's file, rules, upload, folder for what does not fit into memory) to what becomes of its rows."""


def judged_here(path: Path, rules: Rules, upload: Upload, folder: Path) -> Judged:
    """An upload judged by this process alone."""
    return judge(path, rules, upload.last_modified, folder, name=upload.key)


def validate(request: ValidateInput, judging: Judging = judged_here) -> ValidateOutput:
    """Good rows to the lake, bad rows to quarantine. Does nothing where this version, or a newer one, is published
    by the configuration of now.

    InputRejected, with the reasons in quarantine, if the file is not usable; ObjectMissing if that version is gone;
    SiteConfigInvalid if the site's configuration cannot be used.
    """
    if request.deletion_type:
        return _deleted(request, request.deletion_type, judging)
    key, metadata = _head(request.object)
    rules = site_rules(lake.site_of_key(key))
    upload = _upload(request, key, metadata, rules)
    if _is_published_as(upload, rules):
        return _output(upload, already_published=True)
    with tempfile.TemporaryDirectory() as folder:
        return _wait(_validated(upload, rules, Path(folder), judging))


def _deleted(request: ValidateInput, deletion_type: str, judging: Judging) -> ValidateOutput:
    """The deletion, or the version that came to light by it: of a delete marker that was removed, or of the version
    before. What S3 holds now is asked of S3, and is as new as the event.

    ObjectMissing where what is gone is gone for good and nothing of the site is known that could be taken back: a site
    that was forgotten leaves no trace, however late its events come.
    """
    found = request.object
    if deletion_type != DELETE_MARKER_CREATED:
        if (current := _current(found)) is not None:
            return validate(request.model_copy(update={"object": current, "deletion_type": None}), judging)
        if not _is_known(lake.site_of_key(found.key)):
            raise ObjectMissing(found.key, found.version_id)
    deletion = Deletion(
        bucket=request.bucket.name,
        key=_published_key(found.key),
        version=found.version_id or "",
        sequencer=found.sequencer,
        told_at=request.time or dt.datetime.now(dt.UTC),
    )
    if _is_published(deletion):
        return _output(deletion, already_published=True)
    return _wait(_output(deletion))


def _current(found: EventObject) -> EventObject | None:
    """The current version of a key, told of by this event; None where there is none."""
    try:
        key, metadata = _head(found.model_copy(update={"version_id": None}))
    except ObjectMissing:
        return None
    version_id = metadata.get("VersionId")
    return EventObject(
        key=key,
        size=metadata["ContentLength"],
        etag=metadata["ETag"].strip('"'),
        version_id=version_id if version_id != "null" else None,
        sequencer=found.sequencer,
    )


def _is_known(site: str) -> bool:
    """Whether anything of the site is published, or waits to be."""
    return bool(store.list_keys(lake.pending_prefix(site))) or _manifest(site) is not None


def _published_key(key: str) -> str:
    """The key as the site knows it. Sources disagree on whether events encode keys; an object that is gone cannot tell.
    The manifest can, and where it names both, S3, which still has the other.
    """
    named = []
    for name in dict.fromkeys((key, urllib.parse.unquote_plus(key))):
        manifest = _manifest(lake.site_of_key(name))
        if manifest and name in manifest.uploads:
            named.append(name)
    gone = [name for name in named if not _is_there(name)] if len(named) > 1 else named
    return (gone or [key])[0]


def _is_there(key: str) -> bool:
    try:
        store.head(key)
    except ObjectMissing:
        return False
    return True


def _upload(request: ValidateInput, key: str, metadata: dict[str, Any], rules: Rules) -> Upload:
    found = request.object
    return Upload(
        bucket=request.bucket.name,
        key=key,
        version=found.version_id or found.etag,
        version_id=found.version_id,
        etag=found.etag,
        sequencer=found.sequencer,
        size=metadata["ContentLength"],
        last_modified=metadata["LastModified"],
        told_at=request.time or metadata["LastModified"],
        recipe=recipe_of(rules),
        reprocessed=request.reprocess,
    )


def _head(found: EventObject) -> tuple[str, dict[str, Any]]:
    """The key as it stands in the event, and what S3 knows of it.

    Sources disagree on whether events encode keys, so only where there is no such key is it decoded, once.
    """
    try:
        return found.key, store.head(found.key, found.version_id)
    except ObjectMissing:
        decoded = urllib.parse.unquote_plus(found.key)
        if decoded == found.key:
            raise
        return decoded, store.head(decoded, found.version_id)


def _is_published(deletion: Deletion) -> bool:
    manifest = _manifest(deletion.site)
    return manifest is not None and manifest.supersedes(deletion)


def _is_published_as(upload: Upload, rules: Rules) -> bool:
    """Whether it is published, by the configuration and the code of now."""
    manifest = _manifest(upload.site)
    if manifest is None or not manifest.supersedes(upload):
        return False
    return manifest.holds(upload, publication_recipe(rules.timezone, config_snapshot(upload.site)))


def _manifest(site: str) -> Manifest | None:
    found = store.read_with_etag(lake.manifest_key(site))
    return Manifest.model_validate_json(found[0]) if found else None


def _wait(validated: ValidateOutput) -> ValidateOutput:
    """What is ready to be published is so for every run of the site, whatever becomes of this one."""
    key = lake.pending_key(validated.site, validated.change.change_id)
    store.put_once(key, validated.model_dump_json(indent=1).encode(), "application/json")
    return validated


def _validated(upload: Upload, rules: Rules, folder: Path, judging: Judging) -> ValidateOutput:
    path = folder / "upload"
    store.download(upload.key, path, version_id=upload.version_id, etag=upload.etag)
    try:
        judged = judging(path, rules, upload, folder)
    except InputRejected as refusal:
        problems = quarantine.problems_json(upload, "reject", {refusal.code: 1}, [str(refusal)])
        _quarantine(upload, "problems.json", problems, "application/json")
        raise
    if judged.rows.rejected:
        _set_apart(upload, judged, folder)
    if judged.refusal:
        raise judged.refusal
    judged.each_month(partial(_put_month, upload))
    quality_key = lake.upload_quality_key(upload.site, upload.upload_id, upload.run_id)
    store.put_once(quality_key, judged.quality.model_dump_json(indent=1).encode(), "application/json")
    return _output(upload, timezone=rules.timezone, rows=judged.rows, months=judged.months, warnings=_sentences(judged))


def _put_month(upload: Upload, month: str, readings: pl.DataFrame) -> None:
    key = lake.upload_readings_key(upload.site, upload.upload_id, upload.run_id, month)
    store.put_once(key, parquet.table_bytes(resolution.of_upload(readings, upload.upload_id), READINGS))


def _set_apart(upload: Upload, judged: Judged, folder: Path) -> None:
    path = folder / "rejected.csv"
    quarantine.write_rejected(path, judged.rejected())
    store.put_file_once(
        lake.quarantine_key(upload.site, upload.run_id, "rejected.csv"), path, "text/csv; charset=utf-8"
    )
    codes, messages = judged.codes, _sentences(judged)
    if judged.refusal:
        codes = {**codes, judged.refusal.code: 1}
        messages = [str(judged.refusal), *messages]
    problems = quarantine.problems_json(upload, judged.verdict, codes, messages, judged.rows)
    _quarantine(upload, "problems.json", problems, "application/json")


def _quarantine(upload: Upload, name: str, content: bytes, content_type: str) -> None:
    store.put_once(lake.quarantine_key(upload.site, upload.run_id, name), content, content_type)


def _sentences(judged: Judged) -> list[str]:
    """What has to be said, what may be wrong first."""
    every = (*judged.set_apart.items(), *judged.warnings.items(), *judged.notes.items())
    said = [f"{code}: {sentence}" for code, sentence in every]
    return [_cut(sentence) for sentence in said[:MAX_SENTENCES]]


def _cut(sentence: str) -> str:
    return sentence.encode("utf-8", "backslashreplace")[:MAX_SENTENCE_BYTES].decode("utf-8", "ignore")


def _output(change: Upload | Deletion, **found: Any) -> ValidateOutput:
    return ValidateOutput(
        key=change.key,
        site=change.site,
        run_id=change.run_id,
        upload=change if isinstance(change, Upload) else None,
        deletion=change if isinstance(change, Deletion) else None,
        **found,
    )
