"""The environment of a function, read once and checked."""

import functools
import os
from typing import Literal

from pydantic import BaseModel, Field, field_validator

from energy.languages import LanguageCode
from energy.site_config import known_timezone


class Settings(BaseModel):
    """What template.yaml tells the functions. Names are the environment variables in lower case.

    Only functions that start executions are told of the state machine and of the queue, only those that tell people of
    the topic and of the secret; only the report's is told who writes its text. `report_providers` are asked in this
    order, and always the rules last; `report_seconds` is the time for all models together. A site with more than
    `prophet_max_series` series (its total is one) is forecast without Prophet.
    """

    lake_bucket: str
    glue_database: str = "energy_db"
    site_timezone: str = "UTC"
    max_rejected_share: float = Field(default=0.5, gt=0, le=1)
    report_language: LanguageCode = "en"
    prophet_max_series: int = Field(default=100, ge=1)
    state_machine_arn: str | None = None
    undelivered_queue_url: str | None = None
    stack_name: str = "local"
    topic_arn: str | None = None
    slack_webhook_secret_arn: str | None = None
    report_providers: tuple[Literal["bedrock", "openai", "rules"], ...] = ("rules",)
    report_seconds: float = Field(default=90, gt=0, le=240)
    bedrock_model_id: str = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
    openai_model: str = "gpt-4.1-mini"
    openai_secret_arn: str | None = None

    @field_validator("report_providers", mode="before")
    @classmethod
    def _listed(cls, names: object) -> object:
        return tuple(names.split(",")) if isinstance(names, str) else names

    @field_validator("openai_secret_arn")
    @classmethod
    def _or_none(cls, arn: str | None) -> str | None:
        return arn or None

    def required(self, name: str) -> str:
        """A setting that not every function has; ValueError where this one should have it and has not."""
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"{name.upper()} is not in the environment of this function")
        return str(value)

    @field_validator("site_timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            return known_timezone(name)
        except ValueError as error:
            raise ValueError(f"SITE_TIMEZONE is {name!r}: {error}") from error


@functools.cache
def settings() -> Settings:
    """The settings of this process; pydantic's ValidationError names whatever is missing or wrong."""
    return Settings.model_validate(
        {name: os.environ[name.upper()] for name in Settings.model_fields if name.upper() in os.environ}
    )
