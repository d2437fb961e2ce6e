"""Mixing in linear light: half black, half white is 0.735 in sRGB, not 0.5.

The transfer function is that of IEC 61966-2-1, without its bounds: below 0 the straight part goes on, above 1 the
power, so every finite value stays finite. Two things make it fast. With m = max(v, knee) it is the sum of a power
of m and the straight part of v - m: no choosing per value (and the same within 1e-7: the standard's rounded
constants do not quite meet at the knee). And a power is exp2(gamma * log2(m)), right within 1e-6 of itself.
"""

import math

import torch
from torch import Tensor

_SRGB_KNEE = 0.04045
_LINEAR_KNEE = 0.0031308
_SLOPE = 12.92
_GAMMA = 2.4
_OFFSET = 0.055


def to_linear(srgb: Tensor, out: Tensor, spare: Tensor) -> Tensor:
    """Linear light of float32 sRGB values, written to `out`, which may be `srgb`; `spare` is lost. One shape all."""
    torch.clamp(srgb, min=_SRGB_KNEE, out=spare)
    torch.sub(srgb, spare, out=out)
    spare.add_(_OFFSET).log2_()
    _affine(spare, _GAMMA, -_GAMMA * math.log2(1 + _OFFSET)).exp2_()  # the power of spare / (1 + offset)
    return torch.add(spare, out, alpha=1 / _SLOPE, out=out)


def to_srgb(linear: Tensor, out: Tensor, spare: Tensor) -> Tensor:
    """sRGB of float32 linear light, written to `out`; `linear` and `spare` are lost. All of one shape."""
    torch.clamp(linear, min=_LINEAR_KNEE, out=spare)
    _affine(linear.sub_(spare), _SLOPE, -_OFFSET)
    spare.log2_().mul_(1 / _GAMMA).exp2_()
    return torch.add(linear, spare, alpha=1 + _OFFSET, out=out)


def _affine(values: Tensor, factor: float, offset: float) -> Tensor:
    """values * factor + offset, in place and in one go."""
    return torch.add(torch.tensor(offset), values, alpha=factor, out=values)


def copy_pixels(source: Tensor, target: Tensor) -> Tensor:
    """Copy (h, w, C) to `target`: plane by plane where it lies in planes, as VAEs leave it; 4 times as fast there."""
    if source.stride(-1) == 1:
        return target.copy_(source)
    for channel in range(source.shape[-1]):
        target[..., channel].copy_(source[..., channel])
    return target


class Mixer:
    """Adds weighted pictures in linear light, block by block, in three buffers of `values` floats.

    Colours are the first three channels, or the first of one or two; the rest is opacity and added as it is.
    """

    def __init__(self, values: int, device: torch.device) -> None:
        self._buffers = torch.empty((3, values), dtype=torch.float32, device=device)
        self._sum = self._buffers[0, :0]

    def begin(self, height: int, width: int, channels: int) -> None:
        """Start a block; its product of sides and channels is at most `values`."""
        self._sum = self._buffer(0, height, width, channels).zero_()

    def add(self, piece: Tensor, top: int, left: int, *weights: Tensor) -> None:
        """Add sRGB (h, w, C) of any floats at `top`, `left` of the block, times `weights` that broadcast to it."""
        height, width, channels = piece.shape
        light, spare = (self._buffer(index, height, width, channels) for index in (1, 2))
        direct = piece.dtype == torch.float32 and piece.device == light.device and piece.stride(-1) == 1
        to_linear(piece if direct else copy_pixels(piece, light), light, spare)
        colors = _colors(channels)
        light[..., colors:] = piece[..., colors:]
        *rest, last = weights
        for weight in rest:
            light.mul_(weight)
        self._sum[top : top + height, left : left + width].addcmul_(light, last)

    def end(self, target: Tensor) -> None:
        """Write the block's sum as sRGB to `target` (height, width, C)."""
        colors = _colors(target.shape[-1])
        opacity = self._sum[..., colors:].clone()
        to_srgb(self._sum, target, self._buffer(1, *target.shape))
        target[..., colors:] = opacity

    def _buffer(self, index: int, *shape: int) -> Tensor:
        return self._buffers[index, : shape[0] * shape[1] * shape[2]].view(shape)


def _colors(channels: int) -> int:
    return 3 if channels >= 3 else 1
