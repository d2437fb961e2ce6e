"""Finished tiles on the disk, so that a run which was cut off goes on where it stopped.

A tile is found by what decides how it looks (its pixels, prompt, seed, models ...), not by the run that
made it: whoever asks for the same tile again gets it, whatever else has changed around it.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

Levels = NDArray[np.uint16]

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
    return restored(_levels(tile))


def restored(levels: Levels) -> torch.Tensor:
    """Levels as they lie on the disk -> the tile, float32 in 0..1."""
    return torch.from_numpy(levels.astype(np.float32)).div_(LEVELS)


class KeptTiles:
    """A folder of tiles of at most `room` bytes in all."""

    def __init__(self, folder: Path, room: int = ROOM) -> None:
        self._folder = folder
        self._room = room

    def find(self, key: str, shape: tuple[int, ...]) -> Levels | None:
        """The tile, mapped from its file and for `restored`, if it is here whole and of this shape.

        It then counts as just used, and stays readable when its file makes room for others meanwhile (not on Windows,
        where a mapped file is not removed).
        """
        path = self._path(key)
        try:
            levels = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile):  # not there, or not what was written
            return None
        if not isinstance(levels, np.ndarray) or levels.shape != shape or levels.dtype != np.uint16:
            return None
        with contextlib.suppress(OSError):  # a folder that can only be read
            os.utime(path)
        return levels

    def put(self, key: str, tile: torch.Tensor) -> None:
        """Write the tile: whole or not at all, and lasting when this returns. Raises OSError where that cannot be."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, _levels(tile), allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
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
            with contextlib.suppress(FileNotFoundError):  # another run made room meanwhile
                state = path.stat()
                files.append((state.st_mtime, state.st_size, path))
        used = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if used <= self._room:
                break
            with contextlib.suppress(OSError):  # gone, or held by another run
                path.unlink()
                used -= size


def _levels(tile: torch.Tensor) -> Levels:
    levels = tile.detach().cpu().float().clamp(0, 1).mul(LEVELS).round()
    return levels.to(torch.int32).numpy().astype(np.uint16)
