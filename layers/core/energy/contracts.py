"""What the states of the state machine hand to each other: keys and counts, never rows."""

import datetime as dt
from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from energy import lake

# S3's word where the current version is hidden; it has another where a version, or a delete marker, is gone for good.
DELETE_MARKER_CREATED = "Delete Marker Created"
Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}$")]


class Contract(BaseModel):
    """Unknown fields are ignored: AWS adds fields to its events without notice."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class EventObject(Contract):
    """`detail.object` of an S3 event from EventBridge; version-id and sequencer may be absent.

    So are size and etag where an object was deleted.
    """

    key: str
    size: int = Field(default=0, ge=0)
    etag: str = ""
    version_id: str | None = Field(default=None, validation_alias=AliasChoices("version-id", "version_id"))
    sequencer: str | None = None


class EventBucket(Contract):
    """`detail.bucket` of an S3 event from EventBridge."""

    name: str


class ValidateInput(Contract):
    """State "Validate upload": `detail` of the S3 event, and its `time`.

    `deletion_type` is S3's word for what was deleted; null where an object was created. `reprocess` counts how often
    this version is to be gone through anew at a person's wish; S3's own events have none.
    """

    bucket: EventBucket
    object: EventObject
    deletion_type: str | None = Field(default=None, validation_alias=AliasChoices("deletion-type", "deletion_type"))
    time: dt.datetime | None = None
    reprocess: int = Field(default=0, ge=0)


class Upload(Contract):
    """One version of one object under raw/, judged by one recipe. `last_modified` is S3's, UTC.

    `told_at` is when S3 said that this version is the current one: the time of the event, or, where no event came, of
    the listing that showed it (`sequencer` is null then). `reprocessed` counts how often it went through anew.
    """

    bucket: str
    key: str
    version: str
    version_id: str | None
    etag: str
    sequencer: str | None
    size: int
    last_modified: dt.datetime
    told_at: dt.datetime
    recipe: str
    reprocessed: int = 0

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

    @property
    def change_id(self) -> str:
        """Names the change that it makes."""
        told = self.sequencer or self.told_at.isoformat()
        return lake.change_id(self.run_id, f"{told} again {self.reprocessed}" if self.reprocessed else told)


class Deletion(Contract):
    """An object under raw/ is gone. `version` is that of the delete marker, or of what was deleted; may be empty.

    `told_at` as for an Upload.
    """

    bucket: str
    key: str
    version: str
    sequencer: str | None
    told_at: dt.datetime

    @property
    def site(self) -> str:
        """The site that the upload belonged to."""
        return lake.site_of_key(self.key)

    @property
    def run_id(self) -> str:
        """Names it among the runs of its key, though nothing is written for it."""
        return lake.run_id(self.bucket, self.key, self.version, "deletion")

    @property
    def change_id(self) -> str:
        """Names the change that it makes."""
        return lake.change_id(self.run_id, self.sequencer or self.told_at.isoformat())


class RowCounts(Contract):
    """`read` = `accepted` + `rejected` + `duplicates`."""

    read: int = Field(ge=0)
    accepted: int = Field(ge=0)
    rejected: int = Field(ge=0)
    duplicates: int = Field(ge=0)


NO_ROWS = RowCounts(read=0, accepted=0, rejected=0, duplicates=0)


class ValidateOutput(Contract):
    """A change of a site that is ready to be published: an upload whose good rows are in the lake, or a deletion.

    `already_published`: this version, or a newer one, is out already. `timezone` is the site's; null for a deletion and
    for what is published already.
    """

    key: str
    site: str
    run_id: str
    upload: Upload | None = None
    deletion: Deletion | None = None
    already_published: bool = False
    timezone: str | None = None
    rows: RowCounts = NO_ROWS
    months: list[Month] = []
    warnings: list[str] = []

    @property
    def change(self) -> Upload | Deletion:
        """Whichever it is."""
        if self.upload is not None:
            return self.upload
        if self.deletion is None:
            raise ValueError(f"neither an upload nor a deletion of {self.key}")
        return self.deletion


class AggregateInput(Contract):
    """State "Aggregate readings"."""

    validated: ValidateOutput


class Publication(Contract):
    """The tables of one publication, not yet committed.

    `already_published`: another run has published the change meanwhile; nothing else is said then. `base_etag` is the
    manifest that it builds upon; null where the site is new. `draft_key` holds the manifest that the commit will write,
    as far as aggregation knows it. Without any reading left there are no tables, and their keys are empty. `changes`
    says in words what it publishes. `issued_at` is when the newest of its uploads came (UTC), and `history_prefix`
    where the forecasts are kept that were issued in the same month; null if there are none. `config_key` holds the
    site's configuration as it was when the publication was begun (`recipes.publication_config`). `costs_key` has the
    summary of its costs; empty where the site has neither a tariff nor a CO2 factor. `current_appliances` counts those
    that are still read, and so forecast.
    """

    site: str
    already_published: bool = False
    pub: str = ""
    run_id: str = ""
    base_etag: str | None = None
    draft_key: str = ""
    daily_key: str = ""
    summary_key: str = ""
    readings: int = 0
    appliances: int = 0
    current_appliances: int = 0
    timezone: str = ""
    changes: list[str] = []
    issued_at: dt.datetime | None = None
    history_prefix: str | None = None
    config_key: str = ""
    costs_key: str = ""


class DetectInput(Contract):
    """State "Detect anomalies"."""

    publication: Publication


class AnomalyResult(Contract):
    """`summary_key` holds the anomalies that a report shows, as JSON; `count` is the number of unusual hours."""

    table_prefix: str
    events_prefix: str
    summary_key: str
    count: int


class CrunchOutput(Contract):
    """What the job behind "Crunch with Spark" leaves for the state machine: the answers of the functions that it stands
    for, as far as there are any; `site` is whose they are. `rejection` says why the file is unusable; `gone`: this
    version is no more.
    """

    site: str
    validated: ValidateOutput | None = None
    publication: Publication | None = None
    anomalies: AnomalyResult | None = None
    rejection: str | None = None
    gone: bool = False


class ForecastProphetInput(Contract):
    """State "Forecast with Prophet"."""

    publication: Publication


class ForecastResult(Contract):
    """A forecast that can be published as it is. `method` names the models; `notes` say what did not go as planned.

    `past_key` holds what Prophet forecast from earlier days, for the state that combines it; null from that state.
    `fell_back`: a model that should have taken part failed.
    """

    method: str
    total_prefix: str
    appliances_prefix: str
    history_prefix: str
    backtest_prefix: str
    summary_key: str
    past_key: str | None = None
    notes: list[str] = []
    fell_back: bool = False


class ForecastStatsforecastInput(Contract):
    """State "Forecast with statsforecast". `prophet` is null where Prophet failed; `prophet_error` says why."""

    publication: Publication
    prophet: ForecastResult | None = None
    prophet_error: str | None = None


class ForecastBySpark(Contract):
    """What the job behind "Forecast with Spark" leaves for the state machine: `result`, or the `reason` why there is no
    forecast; `site` is whose it is.
    """

    site: str
    result: ForecastResult | None = None
    reason: str | None = None


class ForecastOutcome(Contract):
    """What the forecasting branch ends with: a result, or the reasons why there is none."""

    result: ForecastResult | None = None
    notes: list[str] = []

    @property
    def fell_back(self) -> bool:
        """Whether there is no forecast, or only one of those that a model's failure left."""
        return self.result is None or self.result.fell_back or bool(self.notes)


class GenerateReportInput(Contract):
    """State "Generate report"."""

    validated: ValidateOutput
    publication: Publication
    anomalies: AnomalyResult
    forecast: ForecastOutcome


class ReportResult(Contract):
    """Where the report lies, who wrote its text, what it says in a few plain lines, which models were asked for it.

    `tokens` and `cost_usd` of those models; null where none was asked, or where it is not known.
    """

    html_key: str
    markdown_key: str
    json_key: str
    provider: str
    message: str = ""
    attempts: list[str] = []
    tokens: int | None = None
    cost_usd: float | None = None

    @property
    def fell_back(self) -> bool:
        """Whether rules wrote the text though a model was asked for it."""
        return bool(self.attempts) and self.provider == "rules"


class RefreshInput(Contract):
    """State "Refresh partitions". `report` is null where it could not be written; `report_error` says why.

    `anomalies` is null where no reading is left.
    """

    validated: ValidateOutput
    publication: Publication
    anomalies: AnomalyResult | None = None
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
