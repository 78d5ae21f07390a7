"""What the states of the state machine hand to each other: keys and counts, never rows."""

import datetime as dt
from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from energy import lake

Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}$")]


class Contract(BaseModel):
    """Unknown fields are ignored: AWS adds fields to its events without notice."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class EventObject(Contract):
    """`detail.object` of an S3 event from EventBridge; version-id and sequencer may be absent."""

    key: str
    size: int = Field(ge=0)
    etag: str
    version_id: str | None = Field(default=None, validation_alias=AliasChoices("version-id", "version_id"))
    sequencer: str | None = None


class EventBucket(Contract):
    """`detail.bucket` of an S3 event from EventBridge."""

    name: str


class ValidateInput(Contract):
    """State "Validate upload": `detail` of the S3 event."""

    bucket: EventBucket
    object: EventObject


class Upload(Contract):
    """One version of one object under raw/, judged by one recipe. `last_modified` is S3's, UTC."""

    bucket: str
    key: str
    version: str
    version_id: str | None
    etag: str
    sequencer: str | None
    size: int
    last_modified: dt.datetime
    recipe: str

    @property
    def site(self) -> str:
        """The site that it belongs to."""
        return lake.site_of_key(self.key)

    @property
    def upload_id(self) -> str:
        """Names the key."""
        return lake.upload_id(self.key)

    @property
    def run_id(self) -> str:
        """Names what validation made of this version of the key."""
        return lake.run_id(self.bucket, self.key, self.version, self.recipe)


class RowCounts(Contract):
    """`read` = `accepted` + `rejected` + `duplicates`."""

    read: int = Field(ge=0)
    accepted: int = Field(ge=0)
    rejected: int = Field(ge=0)
    duplicates: int = Field(ge=0)


class ValidateOutput(Contract):
    """An upload whose good rows are in the lake. `already_published`: this version, or a newer one, is out already.

    `timezone` is the site's, `quality_key` holds an UploadQuality; both null where it is published already.
    """

    upload: Upload
    site: str
    run_id: str
    already_published: bool
    timezone: str | None = None
    quality_key: str | None = None
    rows: RowCounts
    months: list[Month]
    warnings: list[str] = []


class AggregateInput(Contract):
    """State "Aggregate readings"."""

    validated: ValidateOutput


class Publication(Contract):
    """The tables of one publication, not yet committed.

    `base_etag` is the manifest that it builds upon; null where the site is new. `draft_key` holds the manifest
    that the commit will write, as far as aggregation knows it.
    """

    site: str
    pub: str
    run_id: str
    base_etag: str | None
    draft_key: str
    daily_key: str
    summary_key: str
    readings: int
    appliances: int
    timezone: str


class DetectInput(Contract):
    """State "Detect anomalies"."""

    publication: Publication


class AnomalyResult(Contract):
    """`summary_key` holds the anomalies that a report shows, as JSON."""

    table_prefix: str
    summary_key: str
    count: int


class ForecastProphetInput(Contract):
    """State "Forecast with Prophet"."""

    publication: Publication


class ForecastResult(Contract):
    """A forecast that can be published as it is. `method` names the models; `notes` say what did not go as planned."""

    method: str
    total_prefix: str
    appliances_prefix: str
    summary_key: str
    notes: list[str] = []


class ForecastStatsforecastInput(Contract):
    """State "Forecast with statsforecast". `prophet` is null where Prophet failed; `prophet_error` says why."""

    publication: Publication
    prophet: ForecastResult | None = None
    prophet_error: str | None = None


class ForecastOutcome(Contract):
    """What the forecasting branch ends with: a result, or the reasons why there is none."""

    result: ForecastResult | None = None
    notes: list[str] = []


class GenerateReportInput(Contract):
    """State "Generate report"."""

    validated: ValidateOutput
    publication: Publication
    anomalies: AnomalyResult
    forecast: ForecastOutcome


class ReportResult(Contract):
    """Where the report lies, and who wrote its text."""

    html_key: str
    markdown_key: str
    json_key: str
    provider: str


class RefreshInput(Contract):
    """State "Refresh partitions". `report` is null where it could not be written; `report_error` says why."""

    validated: ValidateOutput
    publication: Publication
    anomalies: AnomalyResult
    forecast: ForecastOutcome
    report: ReportResult | None = None
    report_error: str | None = None


class RefreshOutput(Contract):
    """What is published now."""

    site: str
    pub: str
    manifest_etag: str
    partitions_changed: int
    report_key: str | None
