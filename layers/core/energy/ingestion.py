"""One version of one upload: fetched, judged, and written as validated readings by month."""

import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

from energy import lake, parquet, quarantine, store
from energy.contracts import EventObject, RowCounts, Upload, ValidateInput, ValidateOutput
from energy.errors import InputRejected, ObjectMissing
from energy.intake.judging import Judged, judge
from energy.manifest import Manifest
from energy.recipes import recipe_of, site_rules
from energy.site_config import Rules

# States hand to each other 256 KB at most; these are for people, and all of them are in the upload's quality document.
MAX_SENTENCES = 20
MAX_SENTENCE_BYTES = 800
NO_ROWS = RowCounts(read=0, accepted=0, rejected=0, duplicates=0)


def validate(request: ValidateInput) -> ValidateOutput:
    """Good rows to the lake, bad rows to quarantine. Does nothing where this version, or a newer one, is published.

    InputRejected, with the reasons in quarantine, if the file is not usable; ObjectMissing if that version is gone;
    SiteConfigInvalid if the site's configuration cannot be used.
    """
    key, metadata = _head(request.object)
    rules = site_rules(lake.site_of_key(key))
    upload = _upload(request, key, metadata, rules)
    if _is_published(upload):
        return _published_already(upload)
    with tempfile.TemporaryDirectory() as folder:
        return _validated(upload, rules, Path(folder))


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
        recipe=recipe_of(rules),
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


def _is_published(upload: Upload) -> bool:
    published = store.read_with_etag(lake.manifest_key(upload.site))
    return published is not None and Manifest.model_validate_json(published[0]).supersedes(upload)


def _validated(upload: Upload, rules: Rules, folder: Path) -> ValidateOutput:
    path = folder / "upload"
    store.download(upload.key, path, version_id=upload.version_id, etag=upload.etag)
    try:
        judged = judge(path, rules, upload.last_modified, folder, name=upload.key)
    except InputRejected as refusal:
        problems = quarantine.problems_json(upload, "reject", {refusal.code: 1}, [str(refusal)])
        _quarantine(upload, "problems.json", problems, "application/json")
        raise
    if judged.rows.rejected:
        _set_apart(upload, judged, folder)
    if judged.refusal:
        raise judged.refusal
    for month in judged.months:
        key = lake.upload_readings_key(upload.site, upload.upload_id, upload.run_id, month)
        store.put_once(key, parquet.to_bytes(judged.month(month)))
    quality_key = lake.upload_quality_key(upload.site, upload.upload_id, upload.run_id)
    store.put_once(quality_key, judged.quality.model_dump_json(indent=1).encode(), "application/json")
    return ValidateOutput(
        upload=upload,
        site=upload.site,
        run_id=upload.run_id,
        already_published=False,
        timezone=rules.timezone,
        quality_key=quality_key,
        rows=judged.rows,
        months=judged.months,
        warnings=_sentences(judged),
    )


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


def _published_already(upload: Upload) -> ValidateOutput:
    return ValidateOutput(
        upload=upload,
        site=upload.site,
        run_id=upload.run_id,
        already_published=True,
        rows=NO_ROWS,
        months=[],
    )
