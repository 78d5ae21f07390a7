"""Where tables are asked: in a lake folder, or in a deployed stack."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from cli.output import Answer, fail

if TYPE_CHECKING:
    from local.lake_folder import CatalogTable, LakeFolder, SavedQuery

DEFAULT_LAKE = Path(".lake")
LakeOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The lake folder; .lake if left out.", show_default=False)
]
StackOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="A stack that is deployed on AWS instead.", show_default=False)
]
SitesTimezoneOption = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE",
        help="Time zone of the sites of a lake folder. Left out: the one that they are published in, else UTC.",
        show_default=False,
    ),
]


class Tables(Protocol):
    """Tables that can be asked."""

    def answer(self, sql: str, most: int | None = None) -> Answer:
        """The answer to one query in Athena's SQL, at most `most` rows of it; QueryFailed says why there is none."""

    def tables(self) -> "list[CatalogTable]":
        """Tables and views."""

    def rows(self) -> dict[tuple[str, str], int]:
        """Number of rows by database and table; those of views and of uploaded text are not counted."""

    def saved_queries(self) -> "list[SavedQuery]":
        """Queries that have a name."""

    def told(self) -> str:
        """What a person should know of the last query beside its answer; may be empty."""


@contextlib.contextmanager
def opened(lake: Path | None, stack: str | None) -> Iterator[Tables]:
    """The tables that are meant; ends the command if there are none, or if both a lake and a stack are named."""
    check_one_place(lake, stack)
    if stack is not None:
        from cli.athena import Athena

        yield Athena(stack)
        return
    from cli.lake_tables import Lake

    with Lake(open_folder(lake or DEFAULT_LAKE)) as tables:
        yield tables


def check_one_place(lake: Path | None, stack: str | None) -> None:
    """Ends the command where both are named."""
    if lake is not None and stack is not None:
        fail("Give --lake or --stack, not both.", code=2)


def open_folder(path: Path) -> "LakeFolder":
    """The lake in that folder; ends the command where there is none."""
    from local.lake_folder import LakeFolder

    folder = LakeFolder(path)
    if not folder.exists():
        fail(f"There is no lake in {path}. Make one with: energy run FILE --lake {path}", code=2)
    return folder
