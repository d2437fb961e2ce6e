"""Tiles: cut an enlarged image into overlapping tiles, and join them again without a seam."""

from typing import Any

import torch
from comfy_api.latest import io

from ..engine.errors import BadInput
from ..engine.progress import part
from ..engine.raster.resize import MAX_SIDE
from ..engine.raster.tiles.blend import blend
from ..engine.raster.tiles.crop import split
from ..engine.raster.tiles.enlarge import BICUBIC, LANCZOS, SIZES, TWICE, target_size
from ..engine.raster.tiles.grid import LATENT, SMALLEST_TILE, TileGrid, tile_grid
from ..engine.raster.tiles.match import METHODS, match_tiles
from ..host.enlarging import MODEL, enlarged
from ..host.progress import HostProgress
from ..host.report import StageReport, report_ui
from ..host.tiles import TILE_GRID, only_image, single_tiles

_NO_MATCH = "none"


class TileSplit(io.ComfyNode):
    """Enlarges an image and cuts it into tiles that a diffusion model can take."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_TileSplit",
            display_name="Tile Split",
            category="VectraHub/tiles",
            description=(
                "Enlarges an image and cuts it into overlapping square tiles, all of full size, for captions and "
                "refinement. Tile Blend joins them by the same grid."
            ),
            search_aliases=["tile", "split image", "tiled upscale", "grid", "crop tiles", "upscale 8k"],
            inputs=[
                io.Image.Input("image", tooltip="One image, of any size. Channels beyond three are kept."),
                io.Combo.Input(
                    "upscale",
                    options=list(SIZES),
                    default=TWICE,
                    tooltip="Enlarge first: 2x, 4x, to the long side below, or none. No side over 16384 px.",
                ),
                io.Int.Input(
                    "long_side",
                    default=4096,
                    min=64,
                    max=MAX_SIDE,
                    tooltip="Longer side of the result in px, for upscale = long side. 8192 is about 8K.",
                ),
                io.Combo.Input(
                    "method",
                    options=[LANCZOS, BICUBIC, MODEL],
                    default=LANCZOS,
                    tooltip="lanczos is crisp, bicubic softer; model runs the connected upscale model.",
                ),
                io.Int.Input(
                    "tile",
                    default=1024,
                    min=SMALLEST_TILE,
                    max=MAX_SIDE,
                    step=LATENT,
                    tooltip="Side of a tile in px, a multiple of 8. 1024 suits SDXL and Flux, 512 SD 1.5.",
                ),
                io.Int.Input(
                    "overlap",
                    default=128,
                    min=0,
                    max=MAX_SIDE,
                    step=LATENT,
                    tooltip="By how many px tiles overlap, less than a tile. An eighth of the tile hides seams well.",
                ),
                io.UpscaleModel.Input(
                    "upscale_model", optional=True, tooltip="For method = model, from Load Upscale Model."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="tiles", is_output_list=True, tooltip="The tiles, row by row."),
                TILE_GRID.Output(display_name="grid", tooltip="Where the tiles lie, for Tile Plan and Tile Blend."),
                io.Image.Output(display_name="image", tooltip="The enlarged image, uncut."),
                io.String.Output(display_name="report", tooltip="JSON: sizes, method, rows, columns, time."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        upscale: str,
        long_side: int,
        method: str,
        tile: int,
        overlap: int,
        upscale_model: Any = None,
    ) -> io.NodeOutput:
        report = StageReport("tile split")
        height, width = only_image(image).shape[1:3]
        size = target_size(height, width, upscale, long_side)
        grid = tile_grid(*size, tile, overlap)
        large, engine = enlarged(image, *size, method, upscale_model, HostProgress())
        tiles = split(large, grid)
        report.add(engine=engine, size_in=[width, height], **_figures(grid))
        text = report.json()
        return io.NodeOutput(tiles, grid, large, text, ui=report_ui(text))


class TileBlend(io.ComfyNode):
    """Joins the tiles of a grid into one image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_TileBlend",
            display_name="Tile Blend",
            category="VectraHub/tiles",
            description=(
                "Joins tiles into one image without a seam: mixed in linear light over the true overlaps of the "
                "grid. Can first give every tile the colours of its source back."
            ),
            search_aliases=["merge tiles", "join tiles", "untile", "blend tiles", "stitch", "tiled upscale"],
            is_input_list=True,
            inputs=[
                io.Image.Input("tiles", tooltip="All tiles of the grid in its order: a list, a batch or both."),
                TILE_GRID.Input("grid", tooltip="From the Tile Split that made the tiles."),
                io.Combo.Input(
                    "match",
                    options=[_NO_MATCH, *METHODS],
                    default=_NO_MATCH,
                    tooltip="Give each tile its source's colours again: 'lab' by mean and spread, 'wavelet' by region.",
                ),
                io.Image.Input("source", optional=True, tooltip="The 'image' output of Tile Split; match needs it."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The joined image, of the enlarged image's size."),
                io.String.Output(display_name="report", tooltip="JSON: size, rows, columns, match, time."),
            ],
        )

    @classmethod
    def execute(
        cls,
        tiles: list[torch.Tensor],
        grid: list[TileGrid],
        match: list[str],
        source: list[torch.Tensor] | None = None,
    ) -> io.NodeOutput:
        report = StageReport("tile blend")
        plan = _only_grid(grid)
        pictures, progress = single_tiles(tiles), HostProgress()
        if match[0] != _NO_MATCH:
            pictures = match_tiles(pictures, _wanted(source, match[0]), plan, match[0], part(progress, 0.0, 0.7))
        joined = blend(pictures, plan, part(progress, 0.7 if source and match[0] != _NO_MATCH else 0.0, 1.0))
        report.add(match=match[0], **_figures(plan))
        text = report.json()
        return io.NodeOutput(joined, text, ui=report_ui(text))


def _only_grid(grids: list[TileGrid]) -> TileGrid:
    if len(grids) != 1:
        raise BadInput("Tile grids", value=len(grids), limit="one", remedy="Run the workflow once per image.")
    return grids[0]


def _wanted(source: list[torch.Tensor] | None, match: str) -> torch.Tensor:
    if not source:
        raise BadInput(
            f"Colour match '{match}' without a source",
            value="nothing connected",
            limit="the image that was split",
            remedy="Connect the 'image' output of Tile Split to source, or set match to none.",
        )
    return only_image(source[0])


def _figures(grid: TileGrid) -> dict[str, object]:
    return {
        "size_out": [grid.width, grid.height],
        "tile": grid.tile,
        "overlap": grid.overlap,
        "rows": grid.rows,
        "columns": grid.columns,
        "padding": list(grid.padding),
    }
