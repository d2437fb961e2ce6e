"""What the demo shows while it works and at its end."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from vectrahub_client import Event

from .samples import Sample
from .work import Figures, Outcome


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
    caption = "dE2000: mean CIEDE2000 to the input picture, over white, as the quality gate measured it"
    grid = Table(caption=caption, caption_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("picture", "MP", "route", "engine"):
        grid.add_column(name, no_wrap=name != "engine")
    for name in ("dE2000", "paths", "segments", "bytes", "seconds"):
        grid.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        grid.add_row(outcome.sample.title, "3" if outcome.sample.draft else "12", *_cells(outcome.figures))
    return grid


def _cells(found: Figures | None) -> tuple[str, ...]:
    if found is None:
        return ("failed",)
    counts = (str(found.shapes), str(found.segments), str(found.bytes))
    return (found.route, found.engine, f"{found.mean_de:.2f}", *counts, f"{found.seconds:.1f}")
