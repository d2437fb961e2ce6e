"""Finished tiles on the disk, so that a run which was cut off goes on where it stopped.

A tile is found by everything that decides how it looks (its pixels, prompt, seed, models ...), not by the run that
made it: whoever asks for the same tile again gets it, whatever else has changed around it.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

LEVELS = 65535  # a kept tile has 16 bits per channel: at most 7.6e-6 away per value in 0..1
ROOM = 8 << 30  # bytes on the disk; the tiles that were not asked for the longest go first


def tile_key(recipe: Mapping[str, object], *pictures: torch.Tensor) -> str:
    """64 hex digits that stand for a tile: `recipe` (anything JSON can hold) and the pixels of `pictures`."""
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
    for picture in pictures:
        digest.update(f"{picture.dtype} {tuple(picture.shape)}".encode())
        digest.update(picture.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def rounded(tile: torch.Tensor) -> torch.Tensor:
    """The tile as the disk can hold it, float32 in 0..1. What is passed on is this too: resumed or not, same bytes."""
    return _floats(_levels(tile))


class KeptTiles:
    """A folder of tiles of at most `room` bytes in all."""

    def __init__(self, folder: Path, room: int = ROOM) -> None:
        self._folder = folder
        self._room = room

    def has(self, key: str, shape: tuple[int, ...]) -> bool:
        """Whether the tile is here, whole and of this shape; it then counts as just used."""
        path = self._path(key)
        try:
            whole = np.load(path, mmap_mode="r", allow_pickle=False).shape == shape
            os.utime(path)
        except (OSError, ValueError):  # not there, or not what was written
            return False
        return whole

    def get(self, key: str) -> torch.Tensor | None:
        """The tile as `rounded` gave it, None when it is gone."""
        try:
            return _floats(np.load(self._path(key), allow_pickle=False))
        except (OSError, ValueError):
            return None

    def put(self, key: str, tile: torch.Tensor) -> None:
        """Write the tile: whole or not at all, and lasting when this returns."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, _levels(tile), allow_pickle=False)
            os.replace(name, self._path(key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._make_room()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npy"

    def _make_room(self) -> None:
        files = []
        for path in self._folder.iterdir():
            try:
                state = path.stat()
            except FileNotFoundError:  # another run made room meanwhile
                continue
            files.append((state.st_mtime, state.st_size, path))
        used = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if used <= self._room:
                break
            path.unlink(missing_ok=True)
            used -= size


def _levels(tile: torch.Tensor) -> NDArray[np.uint16]:
    levels = tile.detach().cpu().float().clamp(0, 1).mul(LEVELS).round()
    return levels.to(torch.int32).numpy().astype(np.uint16)


def _floats(levels: NDArray[np.uint16]) -> torch.Tensor:
    return torch.from_numpy(levels.astype(np.float32)).div_(LEVELS)
