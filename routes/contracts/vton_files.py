"""Whether the files are here that a try-on loads: what runs it looks for them only when it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ...engine.tryon.modes import MODES, TEXT_ENCODER, VAE
from ..models.folders import ModelFolder


def missing_files(folders: Mapping[str, ModelFolder], mode: str) -> str | None:
    """What this mode lacks and how it is got, None when all is here. Blocks: walks through the folders of models."""
    wanted = MODES[mode]
    weights = (wanted.model, *((wanted.lora,) if wanted.lora else ()), TEXT_ENCODER, VAE)
    missing = [one for one in weights if not _is_in(folders.get(one.folder), one.file)]
    if not missing:
        return None
    names = ", ".join(f"{one.file} (models/{one.folder})" for one in missing)
    return f"{names} is not here; python install.py models get {' '.join(one.key for one in missing)}"


def _is_in(folder: ModelFolder | None, name: str) -> bool:
    """As the host looks: in all subfolders, links followed."""
    roots: tuple[Path, ...] = () if folder is None else folder.roots
    return any(name in files for root in roots for _, _, files in os.walk(root, followlinks=True))
