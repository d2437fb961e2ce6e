"""Giving a refined tile the colours of its source, against drift from tile to tile."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from ...errors import BadInput
from ...progress import Progress, silent
from .checks import check_sizes
from .crop import split
from .grid import TileGrid
from .lab import from_lab, to_lab

LAB, WAVELET = "lab", "wavelet"
METHODS = (LAB, WAVELET)

_VISIBLE = 1.0  # CIELAB: about the least spread that people see; less is no contrast to adjust
_GAIN = 2.0  # contrast is at most doubled or halved: what is left of a tile without content shall not become noise
_REACH = 32  # px: 2 ** 5, five levels


def match_color(tile: Tensor, source: Tensor, method: str) -> Tensor:
    """The tile (1, h, w, C) with the colours of its source (1, h, w, C'): float32 in 0..1, opacity as it was.

    "lab": each channel of CIELAB gets the source's mean and standard deviation (Reinhard, Ashikhmin, Gooch and
    Shirley, Color Transfer between Images, 2001, there in l-alpha-beta), the latter by a factor of 1/2 to 2.
    "wavelet": the coarse part of the source under the detail of the tile, split by five levels of the a-trous
    wavelet transform with the taps 1 2 1 (Holschneider et al. 1989; for diffusion StableSR, Wang et al. 2023).

    One channel, or the first of two, is grey. A tile with NaN or infinite values comes back as it is, for `blend`
    to name. Raises BadInput for an unknown method, or a source of another height or width.
    """
    if method not in METHODS:
        raise BadInput("Colour match", value=repr(method), limit=" or ".join(METHODS), remedy="Choose one of them.")
    if tile.shape[:3] != source.shape[:3]:
        raise BadInput(
            "The source does not fit the tile",
            value=f"source {tuple(source.shape)}, tile {tuple(tile.shape)}",
            limit="the same height and width",
            remedy="Connect the `image` output of the TileSplit that made the tiles.",
        )
    if not torch.isfinite(tile).all():
        return tile
    given, wanted = _colors(tile), _colors(source).to(tile.device)
    matched = _statistics(given, wanted) if method == LAB else given + _coarse(wanted - given)
    kept = min(tile.shape[-1], 3) if tile.shape[-1] != 2 else 1
    return torch.cat([matched.clamp_(0, 1)[..., :kept], tile[..., kept:].float()], dim=-1)


def match_tiles(
    tiles: Sequence[Tensor], source: Tensor, grid: TileGrid, method: str, progress: Progress = silent
) -> list[Tensor]:
    """Each tile of the grid with the colours of its part of `source` (1, H, W, C): see `match_color`.

    Raises BadInput as `match_color`, and where tiles or source do not fit the grid.
    """
    check_sizes(tiles, grid)
    matched = []
    for index, (tile, part) in enumerate(zip(tiles, split(source, grid), strict=True)):
        progress(index / grid.count)
        matched.append(match_color(tile, part, method))
    progress(1.0)
    return matched


def _colors(image: Tensor) -> Tensor:
    """(1, h, w, 3) float32 in 0..1, grey three times."""
    colors = image[..., :3] if image.shape[-1] >= 3 else image[..., :1].expand(-1, -1, -1, 3)
    return colors.float().clamp(0, 1)


def _statistics(tile: Tensor, source: Tensor) -> Tensor:
    lab = to_lab(tile)
    spread, mean = torch.std_mean(lab, dim=(1, 2), correction=0)
    spread_wanted, mean_wanted = torch.std_mean(to_lab(source), dim=(1, 2), correction=0)
    gain = (spread_wanted.clamp(min=_VISIBLE) / spread.clamp(min=_VISIBLE)).clamp_(1 / _GAIN, _GAIN)
    return from_lab(lab.sub_(mean).mul_(gain).add_(mean_wanted))


def _coarse(picture: Tensor) -> Tensor:
    """The transform is linear: tile - coarse(tile) + coarse(source) needs only that of their difference.

    The levels' kernels (1 2 1) / 4, spread by 1, 2, 4, 8 and 16 px, make together exactly a tent of 2 x 32 px.
    """
    tent = (np.convolve(np.ones(_REACH), np.ones(_REACH)) / _REACH**2).astype(np.float32)
    values = picture[0].cpu().numpy()
    coarse = cv2.sepFilter2D(values, cv2.CV_32F, tent, tent, borderType=cv2.BORDER_REFLECT_101)
    return torch.from_numpy(np.asarray(coarse, np.float32))[None].to(picture.device)
