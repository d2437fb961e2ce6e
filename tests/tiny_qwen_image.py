"""Tiny files of Qwen-Image-Edit-2511 with random weights, under the released names, which core's own loaders read.

What core infers from a file, and so what can be small, differs by loader:

diffusion model  the number of blocks, nothing else: hidden size 3072 and text width 3584 are constants. A block has 340
                 million weights, so these files have none: 40 million weights, a result that knows the start picture
                 and the seed, but neither words nor references
VAE              the channels of its first layer: all of the network is there, 4 channels wide
LoRA             any rank; for the layers that the diffusion model above has
text encoder     nothing: 28 layers of 3584. There is no tiny file of it (VectraHubTest_TinyQwenImage has one of core's
                 classes, and a diffusion model of one block that heeds everything)
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save_file

FUSED = "diffusion_models/qwen_image_edit_2511_fp8_e4m3fn_scaled_lightning_comfyui_4steps_v1.0.safetensors"
BASE = "diffusion_models/qwen_image_edit_2511_bf16.safetensors"
LIGHTNING = "loras/Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors"
VAE = "vae/qwen_image_vae.safetensors"

_HIDDEN, _TEXT, _TIME, _PATCH, _LATENT = 3072, 3584, 256, 64, 16
_WIDTH = 4  # channels of the VAE's outermost layer
_RANK = 4
_LARGEST_FP8 = 448.0  # of float8_e4m3fn
_LINEAR = {
    "img_in": (_HIDDEN, _PATCH),
    "txt_in": (_HIDDEN, _TEXT),
    "time_text_embed.timestep_embedder.linear_1": (_HIDDEN, _TIME),
    "time_text_embed.timestep_embedder.linear_2": (_HIDDEN, _HIDDEN),
    "norm_out.linear": (2 * _HIDDEN, _HIDDEN),
    "proj_out": (_PATCH, _HIDDEN),
}

Tensors = dict[str, torch.Tensor]


def write_tiny_qwen_image(models: Path) -> dict[str, Path]:
    """All four into a host's models folder, about 120 MB; returns them by the names above."""
    made = {FUSED: fused(), BASE: base(), LIGHTNING: lightning(), VAE: vae()}
    for name, tensors in made.items():
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, models / name)
    return {name: models / name for name in made}


def base(seed: int = 0) -> Tensors:
    """bfloat16, as the released file."""
    tensors = {"txt_norm.weight": torch.ones(_TEXT, dtype=torch.bfloat16)}
    for name, shape in _LINEAR.items():
        tensors[f"{name}.weight"] = _drawn(name, shape, seed).bfloat16()
        tensors[f"{name}.bias"] = torch.zeros(shape[0], dtype=torch.bfloat16)
    return tensors


def fused(seed: int = 1) -> Tensors:
    """Scaled float8: a scale beside each matrix, and the mark of that format for full-precision products."""
    tensors: Tensors = {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}
    for name, value in base(seed).items():
        tensors[name] = value
        if value.ndim == 2:
            scale = value.float().abs().max() / _LARGEST_FP8
            tensors[name] = (value.float() / scale).to(torch.float8_e4m3fn)
            tensors[name.replace(".weight", ".scale_weight")] = scale
    return tensors


def lightning(seed: int = 2) -> Tensors:
    """As the released one names its parts; for the layers that `base` has."""
    tensors = {}
    for name in ("img_in", "proj_out"):
        high, wide = _LINEAR[name]
        tensors[f"{name}.lora_down.weight"] = _drawn(f"{name} down", (_RANK, wide), seed).bfloat16()
        tensors[f"{name}.lora_up.weight"] = _drawn(f"{name} up", (high, _RANK), seed).bfloat16()
        tensors[f"{name}.alpha"] = torch.tensor(float(_RANK))
    return tensors


def vae(seed: int = 3) -> Tensors:
    """The whole autoencoder of Wan 2.1, which is that of Qwen-Image. It decodes a texture."""
    return {name: _drawn(name, shape, seed) for name, shape in _vae_shapes(_WIDTH)}


def _drawn(name: str, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    if name.endswith("gamma"):
        return torch.ones(shape)
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode())))
    return drawn / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else drawn * 0.05


def _vae_shapes(width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _conv("encoder.conv1", width, 3)
    yield from _down("encoder.downsamples", [width, width, 2 * width, 4 * width, 4 * width])
    yield from _middle("encoder", 4 * width)
    yield from _head("encoder", 4 * width, 2 * _LATENT)
    yield from _conv("conv1", 2 * _LATENT, 2 * _LATENT, 1)
    yield from _conv("conv2", _LATENT, _LATENT, 1)
    yield from _conv("decoder.conv1", 4 * width, _LATENT)
    yield from _middle("decoder", 4 * width)
    yield from _up("decoder.upsamples", [4 * width, 4 * width, 4 * width, 2 * width, width])
    yield from _head("decoder", width, 3)


def _conv(name: str, out: int, wide: int, side: int = 3) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (out, wide, side, side, side)
    yield f"{name}.bias", (out,)


def _block(name: str, wide: int, out: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.residual.0.gamma", (wide, 1, 1, 1)
    yield from _conv(f"{name}.residual.2", out, wide)
    yield f"{name}.residual.3.gamma", (out, 1, 1, 1)
    yield from _conv(f"{name}.residual.6", out, out)
    if wide != out:
        yield from _conv(f"{name}.shortcut", out, wide, 1)


def _resample(name: str, out: int, wide: int, frames: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """frames: channels that its convolution over time gives; 0 for none."""
    yield f"{name}.resample.1.weight", (out, wide, 3, 3)
    yield f"{name}.resample.1.bias", (out,)
    if frames:
        yield f"{name}.time_conv.weight", (frames, wide, 3, 1, 1)
        yield f"{name}.time_conv.bias", (frames,)


def _down(name: str, widths: list[int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for level, (wide, out) in enumerate(pairwise(widths)):
        yield from _block(f"{name}.{3 * level}", wide, out)
        yield from _block(f"{name}.{3 * level + 1}", out, out)
        if level < 3:
            yield from _resample(f"{name}.{3 * level + 2}", out, out, out if level else 0)


def _up(name: str, widths: list[int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for level, (wide, out) in enumerate(pairwise(widths)):
        yield from _block(f"{name}.{4 * level}", wide // 2 if level else wide, out)
        yield from _block(f"{name}.{4 * level + 1}", out, out)
        yield from _block(f"{name}.{4 * level + 2}", out, out)
        if level < 3:
            yield from _resample(f"{name}.{4 * level + 3}", out // 2, out, 2 * out if level < 2 else 0)


def _middle(part: str, wide: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _block(f"{part}.middle.0", wide, wide)
    yield f"{part}.middle.1.norm.gamma", (wide, 1, 1)
    for layer, out in (("to_qkv", 3 * wide), ("proj", wide)):
        yield f"{part}.middle.1.{layer}.weight", (out, wide, 1, 1)
        yield f"{part}.middle.1.{layer}.bias", (out,)
    yield from _block(f"{part}.middle.2", wide, wide)


def _head(part: str, wide: int, out: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{part}.head.0.gamma", (wide, 1, 1, 1)
    yield from _conv(f"{part}.head.2", out, wide)
