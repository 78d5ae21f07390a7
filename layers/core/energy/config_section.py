"""What the sections of `config/<site>.yaml` have in common."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, field_validator, model_validator

# Names are printed and published: no control characters in them.
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]


class Section(BaseModel):
    """A misspelled key is an error, never ignored. A key without a value is as good as none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None or key not in cls.model_fields}

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("YAML reads on, off, yes and no so; put it in quotes if it is a name")
        return value


def _csv_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.csv", name):
        raise ValueError("it must be the name of a file beside it that ends in .csv, of letters, digits, dots, _ and -")
    return name


class TableFile(Section):
    """A CSV beside the configuration, by its name below `config/`; UTF-8, at most 4 MiB."""

    file: Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_csv_name)]
