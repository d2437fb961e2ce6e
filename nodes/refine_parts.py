"""The nodes that TileRefine becomes when it runs, beside the host's own. Nobody places them by hand."""

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder
from torch import Tensor

from ..engine.raster.tiles.plan import TilePlan
from ..host.progress import HostProgress
from ..host.refinement import FirstPass, Gathering, Refinement, Seams, refined_seams
from ..host.report import report_ui
from ..host.tile_jobs import TileJob
from ..host.tile_results import finish, gather, keep, sample_group


class TileSample(io.ComfyNode):
    """Samples several tiles in one call, each with its own prompt, seed and part of the control image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return _part(
            "TileSample",
            "Samples several tiles in one call of the sampler.",
            inputs=[
                io.Model.Input("model", tooltip="Diffusion model."),
                io.Conditioning.Input("negative", tooltip="Negative prompt of all tiles."),
                *_constants("jobs", "run"),
            ],
            outputs=[io.Latent.Output(display_name="latent", tooltip="The refined tiles, in the order of the jobs.")],
            accept_all_inputs=True,  # latent_n and positive_n of each tile; control_net and vae
        )

    @classmethod
    def execute(
        cls, model: Any, negative: Any, jobs: Sequence[TileJob], run: Refinement, **given: Any
    ) -> io.NodeOutput:
        return io.NodeOutput({"samples": sample_group(run, jobs, model, negative, given)})


class TileKeep(io.ComfyNode):
    """Checks refined tiles and writes them to the disk before anything else can go wrong."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return _part(
            "TileKeep",
            "Checks refined tiles and keeps them for later runs.",
            inputs=[io.Image.Input("images", tooltip="Decoded tiles."), *_constants("jobs", "run")],
            outputs=[io.Image.Output(display_name="images", tooltip="The tiles as they were kept.")],
        )

    @classmethod
    def execute(cls, images: Tensor, jobs: Sequence[TileJob], run: Refinement) -> io.NodeOutput:
        return io.NodeOutput(keep(run, jobs, images))


class TileGather(io.ComfyNode):
    """All tiles of a pass in their order: new ones, kept ones, untouched ones."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return _part(
            "TileGather",
            "Puts the tiles of a pass in their order.",
            inputs=_constants("gathering"),
            outputs=[io.Image.Output(display_name="tiles", is_output_list=True, tooltip="All tiles, row by row.")],
            accept_all_inputs=True,  # tiles by the names in `gathering`, and words, only to be encoded before them
        )

    @classmethod
    def execute(cls, gathering: Gathering, **made: Any) -> io.NodeOutput:
        return io.NodeOutput(gather(gathering, made))


class TileSeams(io.ComfyNode):
    """The second pass, which can only be planned when the first one's picture is there."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return _part(
            "TileSeams",
            "Refines the seams of the first pass on tiles moved by half.",
            inputs=[io.Image.Input("image", tooltip="Result of the first pass."), *_constants("plan", "seams", "run")],
            outputs=_result(),
            enable_expand=True,
        )

    @classmethod
    def execute(cls, image: Tensor, plan: TilePlan, seams: Seams, run: Refinement) -> io.NodeOutput:
        graph = GraphBuilder()
        first = FirstPass(image, plan, seams.feather)
        return io.NodeOutput(*refined_seams(graph, run, seams.plan, first), expand=graph.finalize())


class TileFinish(io.ComfyNode):
    """Lays the second pass over the first, if there was one, and reports."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return _part(
            "TileFinish",
            "Joins the passes and reports.",
            inputs=[io.Image.Input("image", tooltip="Result of the last pass."), *_constants("first", "run")],
            outputs=_result(),
        )

    @classmethod
    def execute(cls, image: Tensor, first: FirstPass | None, run: Refinement) -> io.NodeOutput:
        result = finish(run, image, first, HostProgress())
        report = run.told()
        return io.NodeOutput(result, report, ui=report_ui(report))


PARTS: list[type[io.ComfyNode]] = [TileSample, TileKeep, TileGather, TileSeams, TileFinish]


def _part(name: str, does: str, **schema: Any) -> io.Schema:
    return io.Schema(
        node_id=f"VectraHub_{name}",
        display_name=f"{name} (part of Tile Refine)",
        category="VectraHub/tiles/parts",
        description=does,
        is_dev_only=True,
        **schema,
    )


def _constants(*names: str) -> list[io.Input]:
    return [io.AnyType.Input(name, tooltip="Set by Tile Refine.") for name in names]


def _result() -> list[io.Output]:
    return [
        io.Image.Output(display_name="image", tooltip="The refined image."),
        io.String.Output(display_name="report", tooltip="JSON: what was done."),
    ]
