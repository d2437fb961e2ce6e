"""What comes back for the tiles of a refinement: sampled, checked, kept, and put in their places."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..engine.errors import BadInput
from ..engine.progress import Progress
from ..engine.raster.tiles.kept import restored, rounded
from ..engine.raster.tiles.seams import mix_seams
from ..engine.raster.tiles.untouched import put_back
from .core_nodes import node_class
from .refinement import FirstPass, Gathering, Refinement
from .tile_jobs import TileJob, changed
from .tile_sampling import Conditioning, sample_tiles


def sample_group(
    run: Refinement, jobs: Sequence[TileJob], model: Any, negative: Conditioning, given: Mapping[str, Any]
) -> Tensor:
    """Latents (N, ...) of a group of tiles; `given` holds latent_n and positive_n, and control_net and vae if used."""
    latents = torch.cat([given[f"latent_{number}"]["samples"] for number in range(len(jobs))])
    positives = [given[f"positive_{number}"] for number in range(len(jobs))]

    def control(positive: Conditioning, negative: Conditioning, rows: Sequence[int]) -> tuple[Any, Any]:
        if run.control is None:
            return positive, negative
        apply = node_class("ControlNetApplyAdvanced")()
        return apply.apply_controlnet(
            positive,
            negative,
            given["control_net"],
            torch.cat([jobs[row].shown for row in rows]),
            run.control.strength,
            run.control.start,
            run.control.end,
            given["vae"],
        )

    return sample_tiles(model, latents, positives, negative, [job.seed for job in jobs], jobs[0].sampling, control)


def keep(run: Refinement, jobs: Sequence[TileJob], images: Tensor) -> Tensor:
    """Keep the decoded tiles (N, tile, tile, 3) for later runs and count them; returns them as they were kept.

    Raises BadInput, naming the tile, for one that is not as large as its source, that holds values that are no numbers,
    or that came back twice; the others of the call are kept before that.
    """
    wrong: list[BadInput] = []
    kept = []
    for job, image in zip(jobs, images.split(1), strict=True):
        if problem := _problem(run, job, image):
            wrong.append(problem)
            continue
        run.made.add(job)
        kept.append(rounded(image))
        run.memory.put(job, kept[-1])
    if wrong:
        raise wrong[0]
    run.progress.done(len(jobs))
    return torch.cat(kept)


def gather(gathering: Gathering, made: Mapping[str, Tensor]) -> list[Tensor]:
    """All tiles of a pass, row by row: refined now, kept from before, or the source where nothing was to be done."""
    tiles = list(gathering.sources)
    for name, indexes in gathering.made.items():
        for index, tile in zip(indexes, made[name].split(1), strict=True):
            tiles[index] = tile
    for index, levels in gathering.found.items():
        tiles[index] = restored(levels)
    return tiles


def finish(run: Refinement, image: Tensor, first: FirstPass | None, progress: Progress) -> Tensor:
    """The result (1, H, W, 3): the second pass over the seams of the first, but where no tile was refined."""
    if first is None:
        return image
    mixed = mix_seams(first.image, image, first.plan.grid, first.feather, progress)
    put_back(mixed, first.image, first.plan.grid, changed(first.plan, run.sampling.denoise))
    return mixed


def _problem(run: Refinement, job: TileJob, image: Tensor) -> BadInput | None:
    if job in run.made:
        return BadInput(
            f"Tile {job.index + 1} came back twice",
            value="a list of models, text encoders or VAEs",
            limit="one of each",
            remedy="Connect one; give each of several a Tile Refine of its own.",
        )
    if image.shape != job.pixels.shape:
        return BadInput(
            f"Tile {job.index + 1} came back from the VAE in another size",
            value=f"{image.shape[2]} x {image.shape[1]}",
            limit=f"{job.pixels.shape[2]} x {job.pixels.shape[1]}",
            remedy="Set the tile size of Tile Split to a multiple of 64.",
        )
    if not torch.isfinite(image).all():
        return BadInput(
            f"Tile {job.index + 1} came back with values that are no numbers",
            value="NaN or infinity",
            limit="numbers",
            remedy="The SDXL VAE fails in fp16: load the fp16-fix VAE, or start ComfyUI with --fp32-vae. "
            "If it is not the VAE, try another sampler or a lower cfg.",
        )
    return None
