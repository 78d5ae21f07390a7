"""The commit: one manifest replaces another, and the catalog follows."""

from energy import catalog, lake, store
from energy.contracts import RefreshInput, RefreshOutput, ValidateOutput
from energy.errors import ManifestConflict, ObjectMissing, TransientError
from energy.manifest import Manifest, Partition, ReportLocation
from energy.schema import (
    ANOMALIES,
    ANOMALY_EVENTS,
    APPLIANCE_FORECAST,
    FORECAST,
    FORECAST_BACKTEST,
    FORECAST_HISTORY,
)
from energy.settings import settings

# The manifest may be replaced while the catalog follows it; then the catalog follows again. More rounds than this
# mean that something keeps publishing without pause, which a retry a little later outlasts.
FOLLOW_ROUNDS = 10


def publish(request: RefreshInput) -> RefreshOutput:
    """Commits a publication and makes the catalog agree with whatever manifest is current then.

    Where the change is published already only the catalog is seen to: whoever published it may have died in between.
    ManifestConflict if another run published this site since this one started and this change is not in its manifest.
    """
    if not request.publication.already_published:
        _commit(completed(request), request)
    manifest, etag, changed = _followed(request.publication.site)
    _forget_settled(manifest)
    return RefreshOutput(
        site=manifest.site,
        pub=manifest.pub,
        manifest_etag=etag,
        partitions_changed=changed,
        report_key=manifest.report.html_key if manifest.report else None,
    )


def completed(request: RefreshInput) -> Manifest:
    """The draft that aggregation wrote, with what was analysed and reported since."""
    draft = Manifest.model_validate_json(store.read(request.publication.draft_key))
    prefixes: dict[str, str] = {}
    if anomalies := request.anomalies:
        prefixes |= {ANOMALIES.name: anomalies.table_prefix, ANOMALY_EVENTS.name: anomalies.events_prefix}
    if forecast := request.forecast.result:
        prefixes |= {
            FORECAST.name: forecast.total_prefix,
            APPLIANCE_FORECAST.name: forecast.appliances_prefix,
            FORECAST_BACKTEST.name: forecast.backtest_prefix,
        }
    analysed = {name: [Partition(values=[draft.site], prefix=prefix)] for name, prefix in prefixes.items()}
    if forecast and request.publication.issued_at:
        month = f"{request.publication.issued_at:%Y-%m}"
        issued = Partition(values=[draft.site, month], prefix=forecast.history_prefix)
        earlier = [kept for kept in draft.tables.get(FORECAST_HISTORY.name, []) if kept.values != issued.values]
        analysed[FORECAST_HISTORY.name] = [*earlier, issued]
    report = (
        ReportLocation(
            html_key=request.report.html_key,
            markdown_key=request.report.markdown_key,
            json_key=request.report.json_key,
        )
        if request.report
        else None
    )
    return draft.model_copy(update={"tables": draft.tables | analysed, "report": report})


def _commit(manifest: Manifest, request: RefreshInput) -> None:
    key = lake.manifest_key(manifest.site)
    try:
        store.swap(key, manifest.to_json(), request.publication.base_etag)
    except store.SwapLost as lost:
        current, _ = _current(manifest.site)
        if not current.holds(request.validated.change, manifest.made_by):
            raise ManifestConflict(manifest.site, request.publication.base_etag) from lost


def _followed(site: str) -> tuple[Manifest, str, int]:
    """Catalog and latest.html made to follow, until a whole pass finds nothing to change and the manifest stayed."""
    changed = 0
    manifest, etag = _current(site)
    for _ in range(FOLLOW_ROUNDS):
        followed = etag
        moved = catalog.follow(site, _locations(manifest), lambda: _current(site)[1] == followed)  # noqa: B023
        changed += moved
        if manifest.report:
            store.copy(manifest.report.html_key, lake.latest_report_key(site))
        elif not manifest.uploads:
            # What was said of readings that are gone is gone with them.
            store.delete(lake.latest_report_key(site))
        manifest, etag = _current(site)
        if not moved and etag == followed:
            return manifest, etag, changed
    raise TransientError(f"Following the manifest of {site}", ManifestConflict(site, etag))


def _forget_settled(manifest: Manifest) -> None:
    """Takes away what waited to be published and is, or has been replaced since."""
    for key in store.list_keys(lake.pending_prefix(manifest.site)):
        found = store.read_with_etag(key)
        if found and manifest.supersedes(ValidateOutput.model_validate_json(found[0]).change):
            store.delete(key)


def _locations(manifest: Manifest) -> dict[str, catalog.Locations]:
    bucket = settings().lake_bucket
    return {
        table: {tuple(partition.values): f"s3://{bucket}/{partition.prefix}" for partition in partitions}
        for table, partitions in manifest.tables.items()
    }


def _current(site: str) -> tuple[Manifest, str]:
    key = lake.manifest_key(site)
    found = store.read_with_etag(key)
    if found is None:
        raise ObjectMissing(key)
    content, etag = found
    return Manifest.model_validate_json(content), etag
