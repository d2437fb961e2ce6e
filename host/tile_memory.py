"""Which tiles were finished before, in this run of the server or another."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import folder_paths
from torch import Tensor

from ..engine.raster.tiles.kept import KeptTiles, Levels
from .lineage import Graph, Link, Untraceable, lineage
from .tile_jobs import TileJob


class TileMemory:
    """The kept tiles, or why there are none; `recipe` stands for the models in the tiles' keys."""

    def __init__(self, recipe: Mapping[str, object], kept: KeptTiles | None, why_not: str = "") -> None:
        self.recipe = recipe
        self.why_not = why_not
        self._kept = kept

    def found(self, jobs: Sequence[TileJob]) -> dict[int, Levels]:
        """The tiles that are here already: number -> levels, for `restored`."""
        if self._kept is None:
            return {}
        shown = {job.index: self._kept.find(job.key, tuple(job.pixels.shape)) for job in jobs}
        return {index: levels for index, levels in shown.items() if levels is not None}

    def put(self, job: TileJob, tile: Tensor) -> None:
        """Keep a finished tile. Where the disk does not take it, this run goes on without keeping any."""
        if self._kept is None:
            return
        try:
            self._kept.put(job.key, tile)
        except OSError as error:
            self._kept = None
            self.why_not = f"could not be written: {error}"
            logging.getLogger("vectrahub").warning("Finished tiles are not kept: %s", error)


def remember(graph: Graph, models: Mapping[str, Link], resume: bool) -> TileMemory:
    """The memory of tiles made by `models` (name -> link): empty when not wanted, or when they cannot be told apart."""
    if not resume:
        return TileMemory({}, None, "resume is off")
    try:
        recipe = {name: lineage(graph, link) for name, link in models.items()}
    except Untraceable as reason:
        return TileMemory({}, None, str(reason))
    # A system user's directory: the server never serves it.
    folder = Path(folder_paths.get_system_user_directory("vectrahub"), "tiles")
    return TileMemory(recipe, KeptTiles(folder))
