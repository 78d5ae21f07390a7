"""One version of one upload: fetched, judged, and written as validated readings by month."""

import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

import polars as pl

from energy import lake, parquet, quarantine, store
from energy.contracts import EventObject, RowCounts, Upload, ValidateInput, ValidateOutput
from energy.errors import InputRejected, ObjectMissing
from energy.judging import Judged, judge
from energy.manifest import Manifest
from energy.settings import settings

MAX_WARNINGS = 20
NO_ROWS = RowCounts(read=0, accepted=0, rejected=0, duplicates=0)


def validate(request: ValidateInput) -> ValidateOutput:
    """Good rows to the lake, bad rows to quarantine. Does nothing where this version, or a newer one, is published.

    InputRejected, with the reasons in quarantine, if the file is not usable; ObjectMissing if that version is gone.
    """
    upload = _upload(request)
    if _is_published(upload):
        return _output(upload, already_published=True)
    judged = _judged(upload)
    if judged.rows.rejected:
        _set_apart(upload, judged)
    if judged.refusal:
        raise judged.refusal
    months = _write_months(upload, judged.accepted)
    return _output(upload, judged.rows, months, _sentences(judged.warnings))


def _upload(request: ValidateInput) -> Upload:
    found = request.object
    key, metadata = _head(found)
    return Upload(
        bucket=request.bucket.name,
        key=key,
        version=found.version_id or found.etag,
        version_id=found.version_id,
        etag=found.etag,
        sequencer=found.sequencer,
        size=metadata["ContentLength"],
        last_modified=metadata["LastModified"],
        recipe=settings().recipe,
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


def _judged(upload: Upload) -> Judged:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        store.download(upload.key, path, version_id=upload.version_id, etag=upload.etag)
        try:
            return judge(
                path, settings().site_timezone, upload.last_modified, settings().max_rejected_share, name=upload.key
            )
        except InputRejected as refusal:
            problems = quarantine.problems_json(upload, "rejected", {refusal.code: 1}, [str(refusal)])
            _quarantine(upload, "problems.json", problems, "application/json")
            raise


def _set_apart(upload: Upload, judged: Judged) -> None:
    codes = quarantine.counts_by_code(judged.rejected)
    messages = _sentences(judged.warnings)
    verdict = "partial"
    if judged.refusal:
        verdict, codes = "rejected", quarantine.refusal_codes(judged.refusal, codes)
        messages = [str(judged.refusal), *messages]
    _quarantine(upload, "rejected.csv", quarantine.rejected_csv(judged.rejected), "text/csv; charset=utf-8")
    problems = quarantine.problems_json(upload, verdict, codes, messages, judged.rows)
    _quarantine(upload, "problems.json", problems, "application/json")


def _quarantine(upload: Upload, name: str, content: bytes, content_type: str) -> None:
    store.put_once(lake.quarantine_key(upload.site, upload.run_id, name), content, content_type)


def _write_months(upload: Upload, accepted: pl.DataFrame) -> list[str]:
    by_month = accepted.with_columns(month=pl.col("timestamp").dt.strftime("%Y-%m")).partition_by(
        "month", as_dict=True, include_key=False, maintain_order=True
    )
    months = sorted(str(month) for (month,) in by_month)
    for month in months:
        key = lake.upload_readings_key(upload.site, upload.upload_id, upload.run_id, month)
        store.put_once(key, parquet.to_bytes(by_month[(month,)]))
    return months


def _sentences(warnings: dict[str, str]) -> list[str]:
    return [f"{code}: {sentence}" for code, sentence in warnings.items()][:MAX_WARNINGS]


def _output(
    upload: Upload,
    rows: RowCounts = NO_ROWS,
    months: list[str] | None = None,
    warnings: list[str] | None = None,
    already_published: bool = False,
) -> ValidateOutput:
    return ValidateOutput(
        upload=upload,
        site=upload.site,
        run_id=upload.run_id,
        already_published=already_published,
        rows=rows,
        months=months or [],
        warnings=warnings or [],
    )
