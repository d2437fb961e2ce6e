"""Which tiles were finished before, in this run of the server or another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import folder_paths

from ..engine.raster.tiles.kept import KeptTiles
from .lineage import Graph, Link, Untraceable, lineage
from .tile_jobs import TileJob


@dataclass(frozen=True, repr=False, eq=False)
class TileMemory:
    """The kept tiles, or why there are none; `recipe` stands for the models in the tiles' keys."""

    recipe: Mapping[str, object]
    kept: KeptTiles | None
    why_not: str = ""

    def found(self, jobs: Sequence[TileJob]) -> dict[int, str]:
        """The tiles that are here already: number -> key."""
        if self.kept is None:
            return {}
        return {job.index: job.key for job in jobs if self.kept.has(job.key, tuple(job.pixels.shape))}


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
