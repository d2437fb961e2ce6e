"""What the mosaic on a node shows: all tiles on one small sheet, in the host's temporary folder."""

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import cv2
import folder_paths
import numpy as np
import torch
from comfy_api.latest import io, ui
from PIL import Image
from server import PromptServer

from ..engine.errors import BadInput
from ..engine.progress import Progress, silent
from ..engine.raster.tiles.grid import TileGrid
from .convert import Pixels, images_to_pixels

EVENT = "vectrahub.tiles"
_THUMB = 160  # px, of a tile on the sheet
_SHEET = 4096  # px, the longer side of the sheet
_QUALITY = 85


class Mosaic(TypedDict):
    """`texts` is the caption of each tile, row by row; `thumbnails` the sheet, where tiles came in.

    ys, xs, tile, height and width are the grid's, in px: with them the tiles are shown as the picture that they make.
    """

    rows: int
    columns: int
    ys: list[int]
    xs: list[int]
    tile: int
    height: int
    width: int
    texts: list[str]
    prompt: str
    thumbnails: ui.SavedResult | None


def mosaic(
    grid: TileGrid, prompt: str, captions: Sequence[str], tiles: Sequence[torch.Tensor], progress: Progress = silent
) -> Mosaic:
    """What the node shows of these tiles: IMAGE batches of any size that make grid.count pictures together, or none.

    Raises BadInput for another number of pictures.
    """
    return Mosaic(
        rows=grid.rows,
        columns=grid.columns,
        ys=[*grid.ys],
        xs=[*grid.xs],
        tile=grid.tile,
        height=grid.height,
        width=grid.width,
        texts=[*captions, *[""] * (grid.count - len(captions))],
        prompt=prompt,
        thumbnails=_thumbnails(grid, tiles, progress),
    )


def announce(node_id: str | None, pnginfo: Mapping[str, Any] | None, shown: Mosaic) -> None:
    """Tell the browser that asked for this run at once: a plan that fails has no result to show.

    pnginfo: the host's `extra_pnginfo`, which names the workflow; other workflows have nodes of the same number.
    """
    server = PromptServer.instance
    if server.client_id is None:
        return
    workflow = ((pnginfo or {}).get("workflow") or {}).get("id")
    server.send_sync(EVENT, {"node": node_id, "workflow": workflow, "tiles": shown}, server.client_id)


def _thumbnails(grid: TileGrid, tiles: Sequence[torch.Tensor], progress: Progress) -> ui.SavedResult | None:
    if not tiles:
        return None
    count = sum(len(batch) for batch in tiles if batch.numel())
    if count != grid.count:
        raise BadInput(
            "Tiles that do not fit the grid",
            value=f"{count} tile" + "s" * (count != 1),
            limit=f"{grid.count}, for {grid.rows} x {grid.columns}",
            remedy="Connect tiles and grid of the same Tile Split.",
        )
    side = min(_THUMB, grid.tile, _SHEET // max(grid.rows, grid.columns))
    if side < 1:  # more rows or columns than the sheet has pixels
        return None
    sheet = np.zeros((grid.rows * side, grid.columns * side, 3), np.uint8)
    for index, picture in enumerate(picture for batch in tiles for picture in batch):
        row, column = grid.position(index)
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = _small(picture, side)
        progress((index + 1) / count)
    return _saved(sheet)


def _small(picture: torch.Tensor, side: int) -> Pixels:
    """(H, W, C) -> (side, side, 3) uint8. Made small before anything else: a tenth of the time."""
    floats = picture.detach().cpu().float().numpy()
    small = cv2.resize(floats, (side, side), interpolation=cv2.INTER_AREA).reshape(1, side, side, -1)
    return images_to_pixels(torch.from_numpy(small))[0]


def _saved(sheet: Pixels) -> ui.SavedResult:
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
        "vectrahub/tiles", folder_paths.get_temp_directory(), sheet.shape[1], sheet.shape[0]
    )
    # The host counts from 1 again after a restart, and a browser keeps what it has seen: names of their own.
    target = Path(folder, f"{name}_{number:05}_{uuid.uuid4().hex}.jpg")
    part = target.with_suffix(".part")
    try:
        # Full chroma: halved, it would carry colours over into the next tile.
        Image.fromarray(sheet).save(part, "JPEG", quality=_QUALITY, subsampling=0)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return ui.SavedResult(target.name, subfolder, io.FolderType.temp)
