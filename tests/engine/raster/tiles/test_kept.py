"""Finished tiles on the disk."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from vectrahub.engine.raster.tiles.kept import LEVELS, KeptTiles, restored, rounded, tile_key

SHAPE = (1, 64, 64, 3)


def tile(seed: int = 0) -> torch.Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed))


def test_a_tile_comes_back_as_it_was_passed_on(tmp_path: Path) -> None:
    kept = KeptTiles(tmp_path / "new" / "folder")
    given = rounded(tile())
    kept.put("a", given)
    levels = kept.find("a", SHAPE)
    assert levels is not None
    assert torch.equal(restored(levels), given)
    assert (given - tile()).abs().max() <= 0.5 / LEVELS + 1e-7
    assert torch.equal(rounded(given), given)


def test_only_whole_tiles_of_the_right_shape_count(tmp_path: Path) -> None:
    kept = KeptTiles(tmp_path)
    kept.put("a", tile())
    assert kept.find("a", SHAPE) is not None
    assert kept.find("a", (1, 32, 64, 3)) is None
    assert kept.find("b", SHAPE) is None


@pytest.mark.parametrize("damage", ["cut", "empty", "zip", "other numbers"])
def test_a_damaged_file_is_no_tile(tmp_path: Path, damage: str) -> None:
    kept = KeptTiles(tmp_path)
    kept.put("a", tile())
    file = next(tmp_path.glob("*.npy"))
    whole = file.read_bytes()
    file.write_bytes({"cut": whole[:-1], "empty": b"", "zip": b"PK" + whole, "other numbers": whole}[damage])
    if damage == "other numbers":
        np.save(file, np.zeros(SHAPE))
    assert kept.find("a", SHAPE) is None
    kept.put("a", tile())
    assert kept.find("a", SHAPE) is not None


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps mapped files")
def test_a_tile_that_was_found_stays_readable(tmp_path: Path) -> None:
    kept = KeptTiles(tmp_path)
    kept.put("a", tile())
    levels = kept.find("a", SHAPE)
    next(tmp_path.glob("*.npy")).unlink()
    assert levels is not None
    assert torch.equal(restored(levels), rounded(tile()))


def test_what_breaks_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptTiles(tmp_path)

    def full(*_arguments: object, **_named: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("numpy.save", full)
    with pytest.raises(OSError, match="no space"):
        kept.put("a", tile())
    assert list(tmp_path.iterdir()) == []


def test_the_tile_not_asked_for_the_longest_makes_room(tmp_path: Path) -> None:
    size = 64 * 64 * 3 * 2 + 128
    kept = KeptTiles(tmp_path, room=3 * size)
    for number, name in enumerate("abc"):
        kept.put(name, tile(number))
    for name, used in (("a", 100), ("b", 200), ("c", 300)):
        path = tmp_path / f"{name}.npy"
        os.utime(path, (used, used))
    assert kept.find("a", SHAPE) is not None  # just used
    kept.put("d", tile(4))
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["a", "c", "d"]


def test_a_key_changes_with_everything_that_decides_a_tile() -> None:
    recipe = {"seed": 1, "text": "a house"}
    keys = {
        tile_key(recipe, tile()),
        tile_key({**recipe, "seed": 2}, tile()),
        tile_key(recipe, tile(1)),
        tile_key(recipe, tile().half()),
        tile_key(recipe, tile().reshape(1, 32, 128, 3)),
        tile_key(recipe, tile(), tile(1)),
        tile_key(recipe, tile(1), tile()),
    }
    assert len(keys) == 7
    whole = torch.rand(1, 200, 200, 3)
    view = whole[:, 10:74, 20:84]
    assert tile_key(recipe, view) == tile_key(dict(reversed(recipe.items())), view.clone())
