"""The states of an execution while they run: a live list in a terminal, plain lines elsewhere."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.output import safe

if TYPE_CHECKING:
    from local import StateChange

# What takes less is no work but a decision; its time would only distract.
_NOTEWORTHY_SECONDS = 0.1
# A rejection is what the execution ends with: its sentence is shown below the states, once.
_TOLD_AT_THE_END = "InputRejected: "


@contextlib.contextmanager
def waiting(console: Console, what: str) -> Iterator[None]:
    """Shows what is being waited for."""
    if console.is_terminal:
        with console.status(f"{what} …"):
            yield
    else:
        console.print(f"{what} …", highlight=False)
        yield


def show(changes: Iterable["StateChange"], console: Console) -> None:
    """Shows the states until the last has ended."""
    steps = _Steps()
    if not console.is_terminal:
        for change in changes:
            if step := steps.note(change):
                console.print(step.shown, soft_wrap=True)
        for step in steps.stopped():
            console.print(step.shown, soft_wrap=True)
        return
    with Live(steps.render(), console=console, refresh_per_second=10) as live:
        for change in changes:
            steps.note(change)
            live.update(steps.render())
        steps.stopped()
        live.update(steps.render())


@dataclass
class _Step:
    state: str
    shown: RenderableType
    nested: bool = False
    ended: bool = False
    failures: list[str] = field(default_factory=list)


@dataclass
class _Steps:
    """The states in the order they were entered; one that is entered again gets another line."""

    steps: list[_Step] = field(default_factory=list)

    def note(self, change: "StateChange") -> _Step | None:
        """Takes a change in; the step that it ended, if any."""
        if change.status == "entered":
            # Only the branches of a parallel state are entered before it ends.
            nested = any(not step.ended for step in self.steps)
            self.steps.append(_Step(change.state, _running(change.state), nested))
            return None
        step = next((each for each in reversed(self.steps) if each.state == change.state and not each.ended), None)
        if step is None:
            return None
        if change.status == "failed":
            # It may be tried again, or caught, or the end of it all: what comes next tells.
            step.failures.append(change.detail or "")
            step.shown = _running(f"{change.state}  {change.detail or 'failed'}")
            return None
        step.ended = True
        step.shown = _ended(step, change.seconds, succeeded=change.status == "succeeded")
        return step

    def stopped(self) -> list[_Step]:
        """The steps that will not end any more, because the execution failed in them."""
        unfinished = [step for step in self.steps if not step.ended]
        for step in unfinished:
            step.ended = True
            step.shown = _ended(step, 0, succeeded=False)
        return unfinished

    def render(self) -> RenderableType:
        grid = Table.grid()
        for step in self.steps:
            grid.add_row(Padding(step.shown, (0, 0, 0, 2 if step.nested else 0)))
        return grid


def _running(text: str) -> Spinner:
    return Spinner("dots", text=Text(safe(text)), style="cyan")


def _ended(step: _Step, seconds: float, succeeded: bool) -> Text:
    quick = seconds < _NOTEWORTHY_SECONDS
    line = Text("✓ " if succeeded else "✗ ", style="green" if succeeded else "red")
    line.append(safe(step.state), style="dim" if quick and succeeded else "default")
    if not quick:
        line.append(f"  {seconds:.1f} s", style="dim default")
    if step.failures and succeeded:
        line.append(f"  after {len(step.failures)} failed attempt(s): {safe(step.failures[-1])}", style="yellow")
    elif step.failures and not step.failures[-1].startswith(_TOLD_AT_THE_END):
        line.append(f"  {safe(step.failures[-1])}")
    return line
