"""What is to be done for each tile of a run, and what of it was done before."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby

from torch import Tensor

from ..engine.raster.tiles.crop import split
from ..engine.raster.tiles.kept import tile_key
from ..engine.raster.tiles.plan import MAX_SEED, TilePlan
from .lineage import embeddings
from .tile_sampling import Sampling, can_share

RECIPE = 1  # to be raised whenever the same job would come out otherwise: older tiles are then not found


@dataclass(frozen=True, repr=False, eq=False)
class TileJob:
    """One tile to refine: all that decides how it comes out, and the key that stands for all of it."""

    index: int
    pixels: Tensor  # (1, tile, tile, 3), a view
    shown: Tensor  # the same of what a ControlNet sees
    text: str
    seed: int
    sampling: Sampling
    key: str

    def name(self, step: str) -> str:
        """The name of this tile's node for `step`: stable, so that the same graph is built again."""
        return f"tile{self.index + 1}_{step}"


def tile_jobs(
    plan: TilePlan,
    image: Tensor,
    shown: Tensor | None,
    sampling: Sampling,
    first_seed: int,
    recipe: Mapping[str, object],
) -> list[TileJob]:
    """A job for every tile that is to change, in their order.

    `shown` (1, H, W, 3) is what a ControlNet sees, None for the image itself. Tile n gets seed `first_seed` + n and
    the denoise of `sampling` unless the plan says otherwise. `recipe` is what else decides the result (models,
    negative prompt ...) and only enters the keys.
    """
    pixels = split(image, plan.grid)
    controls = pixels if shown is None else split(shown, plan.grid)
    jobs = []
    for index, (tile, control) in enumerate(zip(pixels, controls, strict=True)):
        if not plan.changes(index, sampling.denoise):
            continue
        work = plan.tiles[index]
        denoise = sampling.denoise if work.denoise is None else work.denoise
        seed = (first_seed + index) % (MAX_SEED + 1) if work.seed is None else work.seed
        own = replace(sampling, denoise=denoise)
        text = plan.text(index)
        pictures = [tile] if control is tile else [tile, control]
        own_recipe = {"recipe": RECIPE, **asdict(own), "seed": seed, "text": text, "embeddings": embeddings(text)}
        key = tile_key({**recipe, **own_recipe}, *pictures)
        jobs.append(TileJob(index, tile, control, text, seed, own, key))
    return jobs


def changed(plan: TilePlan, denoise: float) -> list[int]:
    """The tiles that are to be refined."""
    return [index for index in range(plan.grid.count) if plan.changes(index, denoise)]


def calls(jobs: Sequence[TileJob], batch: int) -> list[list[TileJob]]:
    """The jobs as they go to the sampler: up to `batch` at a time with equal settings, where its sampler allows it."""
    groups = []
    for sampling, alike in groupby(sorted(jobs, key=lambda job: job.sampling.denoise), key=lambda job: job.sampling):
        together = list(alike)
        size = batch if can_share(sampling.sampler_name) else 1
        groups += [together[start : start + size] for start in range(0, len(together), size)]
    return sorted(groups, key=lambda group: group[0].index)
