"""What a stage did, as JSON on its `report` output and in the history."""

import json
import time
from collections.abc import Mapping, Sequence


class StageReport:
    """Collects one entry per image of a batch and measures the stage's time.

    began: time.perf_counter() at its beginning, None = now.
    """

    def __init__(self, stage: str, began: float | None = None) -> None:
        self._stage = stage
        self._started = time.perf_counter() if began is None else began
        self._items: list[Mapping[str, object]] = []

    def add(self, **figures: object) -> None:
        """Add the figures of the next image of the batch."""
        self._items.append(figures)

    def json(self) -> str:
        """{"stage", "ms", "images": [...]}; keys sorted, so equal figures give equal text."""
        elapsed = round((time.perf_counter() - self._started) * 1000)
        return json.dumps({"stage": self._stage, "ms": elapsed, "images": self._items}, sort_keys=True)


def report_ui(report: str) -> dict[str, Sequence[str]]:
    """The `ui` value that puts a report into the host's history (values are lists there)."""
    return {"vectrahub_report": [report]}
