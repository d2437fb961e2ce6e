"""Random RRDBNet weights in the on-disk layout of the Real-ESRGAN releases, small enough for tests."""

from pathlib import Path

import torch
from safetensors.torch import save_file

FEATURES = 8
GROWTH = 32  # the released value, which loaders assume


def _weights(scale: int, blocks: int, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, torch.Tensor] = {}

    def convolution(name: str, channels_in: int, channels_out: int) -> None:
        bound = (channels_in * 9) ** -0.5
        weights[f"{name}.weight"] = (torch.rand(channels_out, channels_in, 3, 3, generator=generator) * 2 - 1) * bound
        weights[f"{name}.bias"] = torch.rand(channels_out, generator=generator) * 0.2

    convolution("conv_first", 12 if scale == 2 else 3, FEATURES)
    for block in range(blocks):
        for dense in (1, 2, 3):
            for layer in range(1, 6):
                channels_out = FEATURES if layer == 5 else GROWTH
                convolution(f"body.{block}.rdb{dense}.conv{layer}", FEATURES + (layer - 1) * GROWTH, channels_out)
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        convolution(name, FEATURES, FEATURES)
    convolution("conv_last", FEATURES, 3)
    return weights


def write_rrdbnet(path: Path, scale: int, blocks: int = 1, seed: int = 0) -> Path:
    """Write a x2 (pixel-unshuffle, 12 input channels) or x4 RRDBNet as .pth ({"params_ema": ...}) or .safetensors."""
    weights = _weights(scale, blocks, seed)
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({"params_ema": weights}, path)
    return path
