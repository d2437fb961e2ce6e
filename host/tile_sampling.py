"""Several tiles with words of their own in one call of the host's sampler."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from comfy.k_diffusion.sampling import default_noise_sampler
from torch import Tensor

from .memory import clear_cache, is_out_of_memory

Conditioning = list[Any]  # the host's: [[words (1, T, D), {name: value}], ...]
Control = Callable[[Conditioning, Conditioning, Sequence[int]], tuple[Conditioning, Conditioning]]

# Samplers under which a tile comes out as it would alone. The others choose a step size for all tiles of a call, or
# draw its noise for all of them from one Brownian path.
_SHARED = frozenset(
    "euler euler_cfg_pp heun heunpp2 exp_heun_2_x0 dpm_2 lms dpmpp_2m dpmpp_2m_cfg_pp ipndm ipndm_v deis res_multistep "
    "res_multistep_cfg_pp gradient_estimation gradient_estimation_cfg_pp ddim uni_pc uni_pc_bh2".split()
)
# These draw noise at every step by `default_noise_sampler`: it can be drawn tile by tile.
_FRESH_NOISE = frozenset(
    "euler_ancestral euler_ancestral_cfg_pp dpm_2_ancestral dpmpp_2s_ancestral dpmpp_2s_ancestral_cfg_pp "
    "res_multistep_ancestral res_multistep_ancestral_cfg_pp lcm ddpm".split()
)


@dataclass(frozen=True)
class Sampling:
    """How tiles are sampled, in the terms of the host's KSampler."""

    steps: int
    cfg: float
    sampler_name: str
    scheduler: str
    denoise: float


def can_share(sampler_name: str) -> bool:
    """Whether tiles sampled together by this sampler come out as they would one by one."""
    return sampler_name in _SHARED | _FRESH_NOISE


def sample_tiles(
    model: Any,
    latents: Tensor,
    positives: Sequence[Conditioning],
    negative: Conditioning,
    seeds: Sequence[int],
    sampling: Sampling,
    control: Control,
) -> Tensor:
    """Refine latents (N, C, h, w), each by its own words and seed, in as few calls as the model allows.

    Tiles go together when their words have the same form (length, entries); each starts from the noise that the
    host's KSampler would give it alone. `control` puts a ControlNet on joined words for the tiles of the given
    numbers. Where the device's memory is too small, the calls become smaller.
    """
    latents = comfy.sample.fix_empty_latent_channels(model, latents)
    done: dict[int, Tensor] = {}
    for rows in _alike(positives):
        tiles = _sample(model, latents, rows, positives, negative, seeds, sampling, control)
        done.update(zip(rows, tiles, strict=True))
    return torch.stack([done[row] for row in range(len(done))])


def _sample(
    model: Any,
    latents: Tensor,
    rows: Sequence[int],
    positives: Sequence[Conditioning],
    negative: Conditioning,
    seeds: Sequence[int],
    sampling: Sampling,
    control: Control,
) -> Tensor:
    try:
        words, against = control(_joined([positives[row] for row in rows]), negative, rows)
        return _call(model, latents[list(rows)], words, against, [seeds[row] for row in rows], sampling)
    except Exception as error:
        if len(rows) == 1 or not is_out_of_memory(error):
            raise
    clear_cache()
    half = len(rows) // 2
    parts = (rows[:half], rows[half:])
    return torch.cat([_sample(model, latents, part, positives, negative, seeds, sampling, control) for part in parts])


def _call(
    model: Any,
    latents: Tensor,
    positive: Conditioning,
    negative: Conditioning,
    seeds: Sequence[int],
    sampling: Sampling,
) -> Tensor:
    noise: Any = [comfy.sample.prepare_noise(latents[row : row + 1], seed) for row, seed in enumerate(seeds)]
    schedule = comfy.samplers.KSampler(
        model,
        steps=sampling.steps,
        device=model.load_device,
        sampler=sampling.sampler_name,
        scheduler=sampling.scheduler,
        denoise=sampling.denoise,
        model_options=model.model_options,
    )
    return comfy.sample.sample_custom(
        model,
        torch.cat(noise),
        sampling.cfg,
        _sampler(sampling.sampler_name, latents.to(model.load_device, torch.float32), seeds),
        schedule.sigmas,
        positive,
        negative,
        latents,
        callback=latent_preview.prepare_callback(model, sampling.steps),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seeds[0],
    )


def _sampler(name: str, latents: Tensor, seeds: Sequence[int]) -> Any:
    if name not in _FRESH_NOISE:
        return comfy.samplers.sampler_object(name)
    own = [default_noise_sampler(latents[row : row + 1], seed) for row, seed in enumerate(seeds)]

    def noise(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        return torch.cat([draw(sigma, sigma_next) for draw in own])

    return comfy.samplers.ksampler(name, {"noise_sampler": noise})


def _alike(conditionings: Sequence[Conditioning]) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for row, conditioning in enumerate(conditionings):
        form = _form(conditioning)
        groups.setdefault(row if form is None else form, []).append(row)
    return list(groups.values())


def _form(conditioning: Conditioning) -> object:
    """Equal for words that can be joined; None for words that go alone (several parts, values of other kinds)."""
    if len(conditioning) != 1:
        return None
    words, entries = conditioning[0]
    form = [tuple(words.shape)]
    for name, value in sorted(entries.items()):
        if isinstance(value, Tensor) and value.shape[:1] == (1,):
            form.append((name, tuple(value.shape)))
        elif value is None or isinstance(value, (bool, int, float, str)):
            form.append((name, value))
        else:
            return None
    return tuple(form)


def _joined(conditionings: Sequence[Conditioning]) -> Conditioning:
    if len(conditionings) == 1:
        return conditionings[0]
    first = conditionings[0][0][1]
    entries = {
        name: torch.cat([one[0][1][name] for one in conditionings]) if isinstance(value, Tensor) else value
        for name, value in first.items()
    }
    return [[torch.cat([one[0][0] for one in conditionings]), entries]]
