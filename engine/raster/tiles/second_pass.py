"""The plan of a second pass over the seams of the first: the same work on the grid moved by half a stride."""

from dataclasses import replace

from .grid import TileGrid
from .plan import TilePlan, TileWork


def second_pass(plan: TilePlan, first: float, denoise: float) -> TilePlan:
    """The plan for `plan.grid.shifted()`.

    A moved tile takes the words of the tile that covers most of it (the upper, left one of equals). It is left out
    when no tile under it was refined, `first` being the denoise of that pass. Every other is refined with `denoise`
    (0..1); seeds follow the run's base seed.
    """
    moved = plan.grid.shifted()
    tiles = []
    for index in range(moved.count):
        shares = [(_shared(moved, index, plan.grid, other), -other) for other in range(plan.grid.count)]
        repainted = any(plan.changes(-other, first) for area, other in shares if area > 0)
        words = plan.tiles[-max(shares)[1]]
        tiles.append(TileWork(words.caption, words.prompt, denoise, skip=not repainted))
    return replace(plan, grid=moved, tiles=tuple(tiles))


def _shared(one: TileGrid, index: int, other: TileGrid, number: int) -> int:
    top, left, bottom, right = one.box(index)
    upper, lefter, lower, righter = other.box(number)
    return max(min(bottom, lower) - max(top, upper), 0) * max(min(right, righter) - max(left, lefter), 0)
