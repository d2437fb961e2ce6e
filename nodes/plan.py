"""The plan of tiled work: what is to be done in each tile."""

import torch
from comfy_api.latest import io

from ..engine.raster.tiles.grid import TileGrid
from ..engine.raster.tiles.plan import make_plan, plan_json
from ..host.convert import only
from ..host.mosaic import announce, mosaic
from ..host.progress import HostProgress
from ..host.report import StageReport, report_ui
from ..host.tiles import TILE_GRID, TILE_PLAN

_ONE = "Connect lists of texts to 'captions', or plan one picture at a time."


class TilePlan(io.ComfyNode):
    """Captions, prompts and the user's edits of single tiles, as one plan."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_TilePlan",
            display_name="Tile Plan",
            category="VectraHub/tiles",
            description=(
                "Plans the work of each tile: its caption or your own prompt, its denoise and seed, and whether it is "
                "refined at all. Run it, click a tile on the node to edit it, and run on."
            ),
            search_aliases=["tile prompts", "regional prompt", "per tile prompt", "tile editor", "mosaic"],
            inputs=[
                TILE_GRID.Input("grid", tooltip="The grid of Tile Split."),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip="Stands before the text of every tile, once: style, quality, the scene as a whole.",
                ),
                io.String.Input(
                    "negative", default="", multiline=True, tooltip="What no tile shall show. The same for all."
                ),
                io.String.Input(
                    "edits",
                    default="",
                    multiline=True,
                    advanced=True,
                    tooltip=(
                        "What you changed on the tiles, as JSON; the node writes it. A whole plan_json works too. "
                        "Empty = nothing."
                    ),
                ),
                io.String.Input(
                    "captions",
                    optional=True,
                    force_input=True,
                    tooltip="One caption per tile, in the order of the tiles, as Qwen Caption gives them.",
                ),
                io.Image.Input(
                    "tiles", optional=True, tooltip="The tiles of Tile Split, to be shown on the node. Not changed."
                ),
            ],
            outputs=[
                TILE_PLAN.Output(display_name="plan", tooltip="The plan, for Tile Refine."),
                io.String.Output(display_name="plan_json", tooltip="The whole plan as JSON; it can be fed to edits."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.extra_pnginfo],
            is_input_list=True,
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        grid: list[TileGrid],
        prompt: list[str],
        negative: list[str],
        edits: list[str],
        captions: list[str] | None = None,
        tiles: list[torch.Tensor] | None = None,
    ) -> io.NodeOutput:
        report = StageReport("plan")
        where, text = only("grid", grid, _ONE), only("prompt", prompt, _ONE)
        shown = mosaic(where, text, captions or [], tiles or [], HostProgress())
        announce(cls.hidden.unique_id, cls.hidden.extra_pnginfo, shown)
        plan = make_plan(where, text, only("negative", negative, _ONE), captions or [], only("edits", edits, _ONE))
        shown = {**shown, "prompt": plan.prompt, "texts": [work.caption for work in plan.tiles]}
        skipped = sum(work.skip for work in plan.tiles)
        edited = sum(work.edited for work in plan.tiles)
        report.add(rows=where.rows, columns=where.columns, tiles=where.count, skipped=skipped, edited=edited)
        return io.NodeOutput(plan, plan_json(plan), ui={"vectrahub_tiles": [shown], **report_ui(report.json())})
