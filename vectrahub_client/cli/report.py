"""--report FILE.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from .._names import write_whole


def write_report(path: Path, reports: Mapping[str, object]) -> None:
    """Write {image or workflow: {stage: report}}, whole or not at all. Raises OutputError."""
    text = json.dumps(reports, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()), replace=True)
