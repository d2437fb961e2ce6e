"""Small model files in the real format, and folders of them."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save, save_file

from vectrahub.routes.models.api import model_routes
from vectrahub.routes.models.folders import SUFFIXES, ModelFolder
from vectrahub.routes.models.hashes import Hashes
from vectrahub.routes.models.store import ModelStore
from vectrahub.routes.models.uploads import Uploads
from vectrahub.tests.service.job_server import Server, job_server
from vectrahub.vectrahub_client.service.body_gate import BodyGate
from vectrahub.vectrahub_client.service.settings import Limits


class DiskFolders:
    """Two types of models below a folder; `told`: types that were said to have changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: list[str] = []

    def all(self) -> Mapping[str, ModelFolder]:
        roots = {"checkpoints": (self.root / "checkpoints",), "loras": (self.root / "loras", self.root / "more")}
        return {name: ModelFolder(name, places, SUFFIXES) for name, places in roots.items()}

    def changed(self, name: str) -> None:
        self.told.append(name)


def model_file(path: Path, metadata: Mapping[str, str] | None = None, values: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"w": np.zeros(values, np.float32)}, path, dict(metadata or {}))
    return path


def model_bytes(values: int = 1000, seed: int = 0) -> bytes:
    return save({"w": np.random.default_rng(seed).random(values, np.float32)})


def head(header: object) -> bytes:
    """The first bytes of a file with this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


class ModelPlace:
    """A server's models; `server` may be started again and again over the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folders = DiskFolders(folder / "models")
        self.lora = folder / "models" / "loras" / "sdxl" / "x.safetensors"

    def store(self) -> ModelStore:
        return ModelStore(self.folders, Hashes(self.folder / "hashes.json"))

    def uploads(self) -> Uploads:
        return Uploads(self.store())

    @asynccontextmanager
    async def server(self, **limits: Any) -> AsyncIterator[Server]:
        store = self.store()
        routes = model_routes(store, Uploads(store), BodyGate(Limits(**limits)))
        async with job_server(self.folder / "jobs", routes) as server:
            yield server

    def left(self) -> list[str]:
        """Files in the folders of models, the hidden ones too."""
        return sorted(path.name for path in self.folders.root.rglob("*") if path.is_file())
