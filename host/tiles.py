"""The sockets of tiled work: where the tiles lie (a `TileGrid`), and what is to be done in each (a `TilePlan`)."""

from collections.abc import Sequence

from comfy_api.latest import io
from torch import Tensor

from ..engine.errors import BadInput

TILE_GRID = io.Custom("VECTRAHUB_TILE_GRID")
TILE_PLAN = io.Custom("VECTRAHUB_TILE_PLAN")


def only_image(image: Tensor) -> Tensor:
    """An IMAGE that holds one picture; raises BadInput for a batch, or a picture without pixels."""
    if image.ndim != 4 or len(image) != 1 or 0 in image.shape:
        raise BadInput(
            "Images to split into tiles",
            value=f"shape {tuple(image.shape)}",
            limit="one image, of 1 x 1 or more",
            remedy="Run the workflow once per image, or pick one with 'ImageFromBatch'.",
        )
    return image


def single_tiles(tiles: Sequence[Tensor]) -> list[Tensor]:
    """IMAGE batches of any length -> the pictures one by one, as views (1, H, W, C)."""
    return [batch[index : index + 1] for batch in tiles for index in range(len(batch))]
