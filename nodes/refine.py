"""Tiles: refine every tile with a diffusion model and join them."""

import comfy.samplers
from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder
from torch import Tensor

from ..engine.raster.tiles.plan import MAX_SEED
from ..engine.raster.tiles.plan import TilePlan as Plan
from ..engine.raster.tiles.second_pass import second_pass
from ..host.lineage import Link
from ..host.progress import TileProgress
from ..host.refinement import Control, Refinement, Seams, refined
from ..host.report import StageReport
from ..host.tile_jobs import changed
from ..host.tile_memory import remember
from ..host.tile_sampling import Sampling
from ..host.tiles import TILE_PLAN


class TileRefine(io.ComfyNode):
    """Image to image over every tile of a plan, by the host's own sampler; only what is not done yet runs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_TileRefine",
            display_name="Tile Refine",
            category="VectraHub/tiles",
            description=(
                "Refines every tile of an image with its own prompt and joins them without a seam. Works with any "
                "model that KSampler takes (SDXL, Flux ...), LoRAs and a tile ControlNet. Finished tiles are kept: "
                "a cancelled run goes on where it stopped, and an edited tile runs alone."
            ),
            search_aliases=["tiled upscale", "ultimate sd upscale", "tile diffusion", "img2img tiles", "refine"],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            enable_expand=True,
            inputs=[
                io.Image.Input("image", tooltip="The 'image' output of Tile Split: as large as the result will be."),
                TILE_PLAN.Input("plan", tooltip="Prompts and choices per tile, from Tile Plan."),
                io.Model.Input("model", raw_link=True, lazy=True, tooltip="Diffusion model, with its LoRAs."),
                io.Clip.Input("clip", raw_link=True, lazy=True, tooltip="Text encoder that belongs to the model."),
                io.Vae.Input("vae", raw_link=True, lazy=True, tooltip="VAE that belongs to the model."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=MAX_SEED,
                    control_after_generate=io.ControlAfterGenerate.fixed,  # a new seed refines every tile anew
                    tooltip="Tile n is sampled with seed + n, unless the plan gives it a seed of its own.",
                ),
                io.Int.Input("steps", default=20, min=1, max=200, tooltip="Steps of the sampler for each tile."),
                io.Float.Input(
                    "cfg",
                    default=6.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="How closely the prompt is followed. SDXL: 5 to 8. Flux: 1.",
                ),
                io.Combo.Input(
                    "sampler_name",
                    options=comfy.samplers.KSampler.SAMPLERS,
                    default="dpmpp_2m",
                    tooltip="Sampler, as in KSampler. SDE samplers do not take several tiles at a time.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=comfy.samplers.KSampler.SCHEDULERS,
                    default="karras",
                    tooltip="How noise falls over the steps, as in KSampler. Flux: simple or beta.",
                ),
                io.Float.Input(
                    "denoise",
                    default=0.35,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much is painted anew. 0.2 sharpens, 0.35 adds detail, above 0.5 invents things.",
                ),
                io.ControlNet.Input(
                    "control_net",
                    optional=True,
                    raw_link=True,
                    lazy=True,
                    tooltip="A tile ControlNet holds the structure, so that denoise can go higher.",
                ),
                io.Image.Input(
                    "control_image",
                    optional=True,
                    tooltip="What the ControlNet sees, as large as 'image', a part per tile. Default: image.",
                ),
                io.Boolean.Input(
                    "use_control_net", default=True, optional=True, tooltip="Off: run without the connected ControlNet."
                ),
                io.Float.Input(
                    "control_strength",
                    default=0.6,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    optional=True,
                    tooltip="0.5 to 0.8 is balanced; higher stays closer to the image.",
                ),
                io.Float.Input(
                    "control_start",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Share of the steps after which the ControlNet begins.",
                ),
                io.Float.Input(
                    "control_end",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Share of the steps after which the ControlNet ends.",
                ),
                io.Float.Input(
                    "guidance",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    optional=True,
                    tooltip="Guidance of distilled models such as Flux dev (3.5 is common). 0 = the model's own.",
                ),
                io.Int.Input(
                    "batch",
                    default=1,
                    min=1,
                    max=16,
                    optional=True,
                    tooltip="Tiles per call of the sampler. Perhaps faster on a large GPU; same but for rounding.",
                ),
                io.Combo.Input(
                    "match",
                    options=["none", "lab", "wavelet"],
                    default="none",
                    optional=True,
                    tooltip="Give each tile its source's colours again: 'lab' by mean and spread, 'wavelet' by region.",
                ),
                io.Boolean.Input(
                    "seam_fix",
                    default=False,
                    optional=True,
                    tooltip="A second pass on tiles moved by half: it refines what lies along the seams once more.",
                ),
                io.Float.Input(
                    "seam_denoise",
                    default=0.35,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Denoise of the second pass.",
                ),
                io.Int.Input(
                    "seam_feather",
                    default=32,
                    min=0,
                    max=512,
                    optional=True,
                    advanced=True,
                    tooltip="Pixels over which the second pass fades out beside the overlap.",
                ),
                io.Boolean.Input(
                    "resume",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Keep finished tiles in the server's user folder (8 GB at most, the oldest go first) and "
                        "take them from there. Off: nothing is written, every tile runs."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The refined image."),
                io.String.Output(display_name="report", tooltip="JSON: tiles refined, kept and left out, time."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        plan: Plan,
        model: Link,
        clip: Link,
        vae: Link,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        denoise: float,
        control_net: Link | None = None,
        control_image: Tensor | None = None,
        use_control_net: bool = True,
        control_strength: float = 0.6,
        control_start: float = 0.0,
        control_end: float = 1.0,
        guidance: float = 0.0,
        batch: int = 1,
        match: str = "none",
        seam_fix: bool = False,
        seam_denoise: float = 0.35,
        seam_feather: int = 32,
        resume: bool = True,
    ) -> io.NodeOutput:
        models = {"model": model, "clip": clip, "vae": vae}
        control = None
        if control_net is not None and use_control_net and control_strength > 0:
            shown = None if control_image is None else control_image[..., :3]
            control = Control(control_net, shown, control_strength, control_start, control_end)
            models["control_net"] = control_net
        seams = None
        if seam_fix and plan.grid.count > 1:
            seams = Seams(second_pass(plan, denoise, seam_denoise), seam_feather)
        tiles = len(changed(plan, denoise)) + (len(changed(seams.plan, denoise)) if seams else 0)
        run = Refinement(
            model=model,
            clip=clip,
            vae=vae,
            control=control,
            seams=seams,
            sampling=Sampling(int(steps), float(cfg), sampler_name, scheduler, float(denoise)),
            seed=int(seed),
            batch=batch,
            guidance=guidance,
            match=match,
            memory=remember(cls.hidden.dynprompt, models, resume),
            progress=TileProgress(cls.hidden.unique_id, tiles),
            report=StageReport("TileRefine"),
        )
        graph = GraphBuilder()
        result = refined(graph, run, plan, image[..., :3])
        return io.NodeOutput(*result, expand=graph.finalize())
