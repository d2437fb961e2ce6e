"""What the demo shows while it works and at its end."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from vectrahub_client import Event

from .samples import Sample
from .work import Outcome


class Screen:
    """A bar over all pictures on a terminal, a line per picture elsewhere. Use it as a context manager."""

    def __init__(self, console: Console, count: int) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=count)
        self._done = 0
        self._name = ""

    def __enter__(self) -> "Screen":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """What is being waited for."""
        self._bar.update(self._task, description=text)
        if not self._console.is_terminal:
            self._console.print(text, markup=False, highlight=False)

    def begin(self, sample: Sample) -> None:
        """A picture is taken up."""
        self._name = sample.title
        self._bar.update(self._task, description=self._name)

    def event(self, event: Event) -> None:
        """A step of its job."""
        at = event.title or event.kind.replace("_", " ")
        self._bar.update(self._task, description=f"{self._name}: {at}", completed=self._done + event.share)

    def end(self, outcome: Outcome) -> None:
        """The picture is done, or failed."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        told = f"{outcome.figures.seconds:.1f} s" if outcome.figures else "failed"
        self._console.print(f"{outcome.sample.title}: {told}", markup=False, highlight=False)


def table(outcomes: Sequence[Outcome]) -> Table:
    """The figures of all pictures."""
    grid = Table(caption="mean dE2000: to the input picture, as the quality gate measured it", caption_justify="left")
    for name in ("picture", "traced at", "route", "engine"):
        grid.add_column(name, no_wrap=name != "engine")
    for name in ("mean dE2000", "paths", "segments", "bytes", "seconds"):
        grid.add_column(name, justify="right")
    for outcome in outcomes:
        at = "3 MP" if outcome.sample.draft else "12 MP"
        found = outcome.figures
        if found is None:
            grid.add_row(outcome.sample.title, at, "failed")
            continue
        counts = (str(found.shapes), str(found.segments), str(found.bytes))
        grid.add_row(
            outcome.sample.title,
            at,
            found.route,
            found.engine,
            f"{found.mean_de:.2f}",
            *counts,
            f"{found.seconds:.1f}",
        )
    return grid
