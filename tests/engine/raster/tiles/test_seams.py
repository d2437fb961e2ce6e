"""The second picture shows in the seams only, in full where tiles overlapped, and fades."""

import pytest
import torch

from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster.tiles.seams import mix_seams
from vectrahub.tests.tile_grids import noise, small_grid

GRID = small_grid(60, 100, 40, 8)  # seams at rows 20..40 (the last tile moved in), columns 32..40 and 60..72


def test_bands_are_the_seams() -> None:
    first, second = torch.zeros(1, 60, 100, 3), torch.ones(1, 60, 100, 3)
    mixed = mix_seams(first, second, GRID, 0)[0, :, :, 0]
    wanted = torch.zeros(60, 100)
    wanted[20:40] = 1
    wanted[:, 32:40] = wanted[:, 60:72] = 1
    assert torch.equal(mixed, wanted)


def test_what_fades_fades_in_linear_light() -> None:
    first, second = torch.zeros(1, 60, 100, 4), torch.ones(1, 60, 100, 4)
    line = mix_seams(first, second, GRID, 5)[0, 0]
    share = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9])  # of the light, at the px 27..31
    assert torch.allclose(line[27:32, 3], share, atol=1e-6)
    light = ((line[27:32, 0] + 0.055) / 1.055) ** 2.4
    assert torch.allclose(light, share, atol=1e-5)
    assert (
        torch.equal(line[40:45, 3], line[27:32, 3].flip(0)) and not line[45:55].any() and bool((line[32:40] == 1).all())
    )
    corner = mix_seams(first, second, GRID, 5)[0, 17, 29, 3]  # both axes half: a quarter is left
    assert corner == pytest.approx(0.75, abs=1e-6)


@pytest.mark.parametrize("feather", [0, 1, 7, 500])
@pytest.mark.parametrize("size", [(1, 1, 40, 8), (50, 90, 40, 30), (90, 1, 20, 0), (60, 100, 40, 8)])
def test_the_same_picture_twice_is_that_picture(size: tuple[int, int, int, int], feather: int) -> None:
    grid = small_grid(*size)
    image = noise(1, *size[:2], 3).half()
    mixed = mix_seams(image, image.clone(), grid, feather)
    assert mixed.dtype == torch.float32 and (mixed - image.float()).abs().max() <= 1e-5


def test_one_tile_has_no_seam() -> None:
    grid = small_grid(30, 40, 40, 8)
    first, second = noise(1, 30, 40, 3), noise(1, 30, 40, 3, seed=1)
    assert torch.equal(mix_seams(first, second, grid, 32), first)


def test_bad_input() -> None:
    image = torch.zeros(1, 60, 100, 3)
    with pytest.raises(BadInput, match="do not fit"):
        mix_seams(image, image[:, :59], GRID, 4)
    with pytest.raises(BadInput, match="Feather"):
        mix_seams(image, image, GRID, -1)
