"""What the command line shows: results on stdout; progress on stderr, a bar on a terminal and nothing elsewhere.

With --json both go to stdout, one JSON object a line, each with an "event": those of `Event`, "say", "result",
"doctor" and "error".
"""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .._events import Event
from ..errors import ClientError


class Screen:
    """Use it as a context manager, so that the bar is taken down whatever happens."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        console = Console(stderr=True)
        self._bar: Progress | None = None
        if console.is_terminal and not as_json:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
            )
            self._bar = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._task: TaskID | None = None

    def __enter__(self) -> Screen:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Something worth knowing while waiting."""
        if self.as_json:
            self._line({"event": "say", "text": text})
        elif self._bar:
            self._show(text, None)

    def event(self, event: Event, name: str) -> None:
        """A step of the job called `name`."""
        if self.as_json:
            self._line({**event.as_dict(), "job": name})
        elif self._bar:
            at = event.title or event.node_type or event.kind.replace("_", " ")
            self._show(f"{name}: {at}: {event.text}" if event.text else f"{name}: {at}", event.share)

    def result(self, text: str, **fields: object) -> None:
        """A result: `text` for a person, `fields` for a program."""
        if self.as_json:
            self._line({"event": "result", **fields})
        else:
            self._print(text, sys.stdout)

    def data(self, event: str, fields: dict[str, object], text: str) -> None:
        """A whole document under its own event name."""
        if self.as_json:
            self._line({"event": event, **fields})
        else:
            self._print(text, sys.stdout)

    def error(self, error: ClientError, name: str | None = None) -> None:
        """Why something did not work; `name` is the job's, where there are several."""
        if self.as_json:
            self._line({"event": "error", **error.as_dict(), "exit_code": error.exit_code, "job": name})
        else:
            named = name and name not in str(error)  # a file is often named by its error
            self._print(f"error: {name}: {error}" if named else f"error: {error}", sys.stderr)

    def _show(self, text: str, share: float | None) -> None:
        if self._bar is None:
            return
        if self._task is None:
            self._task = self._bar.add_task(text, total=None)
        self._bar.update(self._task, description=text, total=None if share is None else 1.0, completed=share or 0.0)

    def _print(self, text: str, stream: object) -> None:
        if self._bar and stream is sys.stdout and not sys.stdout.isatty():
            print(text, flush=True)  # redirected: the bar is on another stream
        elif self._bar:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stdout if stream is sys.stdout else sys.stderr, flush=True)

    @staticmethod
    def _line(fields: dict[str, object]) -> None:
        print(json.dumps(fields), flush=True)
