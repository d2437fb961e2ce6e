"""Finished tiles on the disk."""

import os
from pathlib import Path

import pytest
import torch

from vectrahub.engine.raster.tiles.kept import LEVELS, KeptTiles, rounded, tile_key

SHAPE = (1, 64, 64, 3)


def tile(seed: int = 0) -> torch.Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed))


def test_a_tile_comes_back_as_it_was_passed_on(tmp_path: Path) -> None:
    kept = KeptTiles(tmp_path / "new" / "folder")
    given = rounded(tile())
    kept.put("a", given)
    assert torch.equal(kept.get("a"), given)
    assert (given - tile()).abs().max() <= 0.5 / LEVELS + 1e-7
    assert torch.equal(rounded(given), given)


def test_only_whole_tiles_of_the_right_shape_count(tmp_path: Path) -> None:
    kept = KeptTiles(tmp_path)
    kept.put("a", tile())
    assert kept.has("a", SHAPE)
    assert not kept.has("a", (1, 32, 64, 3))
    assert not kept.has("b", SHAPE)
    assert kept.get("b") is None
    file = next(tmp_path.glob("*.npy"))
    file.write_bytes(file.read_bytes()[:-1])
    assert not kept.has("a", SHAPE)
    assert kept.get("a") is None


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
    assert kept.has("a", SHAPE)  # just used
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
