"""models.toml of the checkout that this client lies in: what weights cost and how they are fetched."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CATALOGUE = Path(__file__).resolve().parent.parent / "models.toml"


def read_catalogue(path: Path = CATALOGUE) -> Mapping[str, Mapping[str, Any]]:
    """The entries by key; none where there is no such file (the client was installed without the pack)."""
    if not path.is_file():
        return {}
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return {key: entry for key, entry in data.items() if isinstance(entry, Mapping) and "folder" in entry}


def command_for(key: str) -> str:
    """What fetches an entry."""
    return f"python install.py models get {key}"


def remedy(file: str, path: Path = CATALOGUE) -> str | None:
    """What a file of the catalogue costs, how it is fetched and what does without it; None for any other file."""
    name = file.replace("\\", "/").rsplit("/", 1)[-1]
    for key, entry in read_catalogue(path).items():
        if entry.get("file") == name:
            size = size_text(entry.get("size") or entry.get("about"))
            return f"{name} ({size}, {entry['licence']}): {command_for(key)}; without it: {entry['without']}"
    return None


def size_text(count: object) -> str:
    """Bytes for a person, "17.2 GB"; "?" where they are not known."""
    if not isinstance(count, (int, float)) or not count:
        return "?"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
