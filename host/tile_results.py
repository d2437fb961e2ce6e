"""What comes back for the tiles of a refinement: sampled, checked, kept, and put in their places."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..engine.errors import BadInput, EngineFailure
from ..engine.raster.tiles.kept import rounded
from .core_nodes import node_class
from .refinement import Gathering, Refinement
from .tile_jobs import TileJob
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
    """Check the decoded tiles (N, tile, tile, 3), keep them for later runs, count them; as they were kept.

    Raises BadInput, naming the tile, for one that is not as large as its source or holds values that are no numbers.
    """
    kept = []
    for job, image in zip(jobs, images.split(1), strict=True):
        _check(job, image)
        tile = rounded(image)
        if run.memory.kept is not None:
            run.memory.kept.put(job.key, tile)
        kept.append(tile)
        run.progress.done(1)
    return torch.cat(kept)


def gather(run: Refinement, gathering: Gathering, made: Mapping[str, Tensor]) -> list[Tensor]:
    """All tiles of a pass, row by row: refined now, kept from before, or the source where nothing was to be done."""
    tiles = list(gathering.sources)
    for name, indexes in gathering.made.items():
        for index, tile in zip(indexes, made[name].split(1), strict=True):
            tiles[index] = tile
    for index, key in gathering.found.items():
        tile = run.memory.kept.get(key) if run.memory.kept is not None else None
        if tile is None:
            raise EngineFailure(f"Kept tile {index + 1} was deleted while the others were made. Queue the run again.")
        tiles[index] = tile
    return tiles


def _check(job: TileJob, image: Tensor) -> None:
    if image.shape != job.pixels.shape:
        raise BadInput(
            f"Tile {job.index + 1} came back from the VAE in another size",
            value=f"{image.shape[2]} x {image.shape[1]}",
            limit=f"{job.pixels.shape[2]} x {job.pixels.shape[1]}",
            remedy="Set the tile size of Tile Split to a multiple of 64.",
        )
    if not torch.isfinite(image).all():
        raise BadInput(
            f"Tile {job.index + 1} came back with values that are no numbers",
            value="NaN or infinity",
            limit="numbers",
            remedy="The SDXL VAE fails in fp16: load the fp16-fix VAE, or start ComfyUI with --fp32-vae. "
            "If it is not the VAE, try another sampler or a lower cfg.",
        )
