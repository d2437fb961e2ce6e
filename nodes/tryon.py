"""Try-on: bring a person and a garment into one frame, and paint the person wearing it."""

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder

from ..engine.raster.tiles.plan import MAX_SEED
from ..engine.tryon.frame import SHORT_SIDES, check_size, frame_size, framed_garment, framed_person
from ..engine.tryon.modes import MODES
from ..engine.tryon.words import MASK_PROMPT, PROMPT
from ..host.convert import floats_to_images, only_photo_on_white
from ..host.lineage import Link
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui
from ..host.tryon import MAX_CFG, MAX_STEPS, Models, TryOn, Words, tried_on


class VTONPrepare(io.ComfyNode):
    """Brings a person and a garment to one size that the model takes, without stretching or cutting either."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_VTONPrepare",
            display_name="VTON Prepare",
            category="VectraHub/try-on",
            description=(
                "Brings a person and a garment to the size at which a try-on is painted: the person's aspect, sides "
                "in multiples of 16, nothing stretched or cut. Transparent parts become white."
            ),
            search_aliases=["virtual try-on", "vton", "letterbox", "resize for try-on", "outfit"],
            inputs=[
                io.Image.Input("person", tooltip="One picture of a person, upright, at least 64 px per side."),
                io.Image.Input("garment", tooltip="One picture of the garment, of any aspect; worn or laid flat."),
                io.Combo.Input(
                    "resolution",
                    options=list(SHORT_SIDES),
                    default="720p",
                    tooltip="Short side at which the person is painted: 480, 720 or 1072 px. Larger is slower.",
                ),
                io.Mask.Input(
                    "person_mask", optional=True, tooltip="LoadImage's mask of the person (1 = transparent)."
                ),
                io.Mask.Input(
                    "garment_mask", optional=True, tooltip="LoadImage's mask of the garment (1 = transparent)."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="person", tooltip="The person in the frame, for VTON Try On."),
                io.Image.Output(display_name="garment", tooltip="The garment in the same frame."),
                io.String.Output(display_name="report", tooltip="JSON: sizes of the pictures and of the frame."),
            ],
        )

    @classmethod
    def execute(
        cls,
        person: torch.Tensor,
        garment: torch.Tensor,
        resolution: str,
        person_mask: torch.Tensor | None = None,
        garment_mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        report = StageReport("VTONPrepare")
        worn_by = only_photo_on_white("person", person, person_mask)
        wears = only_photo_on_white("garment", garment, garment_mask)
        frame = frame_size(worn_by.shape[0], worn_by.shape[1], resolution)
        check_size("garment", wears.shape[0], wears.shape[1])
        sizes = {"person": worn_by.shape[1::-1], "garment": wears.shape[1::-1], "frame": frame[::-1]}
        first, second = batch_progress(HostProgress(), 2)
        framed = framed_person(worn_by, frame, first), framed_garment(wears, frame, second)
        report.add(resolution=resolution, **sizes)
        text = report.json()
        return io.NodeOutput(*(floats_to_images([one]) for one in framed), text, ui=report_ui(text))


class VTONTryOn(io.ComfyNode):
    """Qwen-Image-Edit-2511 by the host's own nodes: the person of one picture in the garment of another."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_VTONTryOn",
            display_name="VTON Try On",
            category="VectraHub/try-on",
            description=(
                "Paints the person of one picture wearing the garment of another, with Qwen-Image-Edit-2511 on "
                "ComfyUI's own sampler. The mode sets files, steps and cfg together; whatever you connect or set "
                "yourself wins."
            ),
            search_aliases=["virtual try-on", "vton", "dress", "clothes", "outfit swap", "qwen image edit"],
            enable_expand=True,
            inputs=[
                io.Image.Input("person", raw_link=True, lazy=True, tooltip="The person, from VTON Prepare."),
                io.Image.Input("garment", raw_link=True, lazy=True, tooltip="The garment, from VTON Prepare."),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default="fp8",
                    tooltip=(
                        "fp8: 8-bit weights with Lightning in them, 4 steps. lora: 16-bit weights and the Lightning "
                        "LoRA, 4 steps. base: 16-bit weights, 40 steps at cfg 4."
                    ),
                ),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    raw_link=True,
                    lazy=True,
                    default=PROMPT,
                    tooltip='What is asked for. "Picture 1" is the person, "Picture 2" the garment.',
                ),
                io.Int.Input(
                    "seed",
                    default=42,
                    min=0,
                    max=MAX_SEED,
                    raw_link=True,
                    lazy=True,
                    control_after_generate=io.ControlAfterGenerate.fixed,
                    tooltip="Same pictures, settings and seed give the same result.",
                ),
                io.Int.Input(
                    "steps", default=0, min=0, max=MAX_STEPS, tooltip="Steps of the sampler; 0 = by the mode."
                ),
                io.Float.Input(
                    "cfg",
                    default=0.0,
                    min=0.0,
                    max=MAX_CFG,
                    step=0.1,
                    tooltip="How closely the words are followed; 0 = by the mode. Other than 1 takes twice the time.",
                ),
                io.Boolean.Input(
                    "comparison",
                    default=False,
                    tooltip="Also give the pictures side by side (2048 px high at most). Off: nodes behind do not run.",
                ),
                io.Image.Input(
                    "original",
                    optional=True,
                    raw_link=True,
                    lazy=True,
                    tooltip="The person before VTON Prepare: the result gets its size. Without it, that of the frame.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    raw_link=True,
                    lazy=True,
                    tooltip="1 = where the garment goes (upper or lower body), roughly; as large as the person.",
                ),
                io.String.Input(
                    "mask_prompt",
                    multiline=True,
                    raw_link=True,
                    lazy=True,
                    default=MASK_PROMPT,
                    optional=True,
                    advanced=True,
                    tooltip="Said before the prompt when something is marked: the mark is painted green.",
                ),
                io.Model.Input(
                    "model", optional=True, raw_link=True, lazy=True, tooltip="Instead of the mode's own file."
                ),
                io.Clip.Input(
                    "clip", optional=True, raw_link=True, lazy=True, tooltip="Instead of the usual text encoder."
                ),
                io.Vae.Input("vae", optional=True, raw_link=True, lazy=True, tooltip="Instead of the usual VAE."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The person wearing the garment."),
                io.Image.Output(display_name="comparison", tooltip="Person, garment and result side by side."),
                io.String.Output(display_name="report", tooltip="JSON: mode, files, steps, cfg, seed, sizes, time."),
            ],
        )

    @classmethod
    def execute(
        cls,
        person: Link,
        garment: Link,
        mode: str,
        prompt: str | Link,
        seed: int | Link,
        steps: int,
        cfg: float,
        comparison: bool,
        original: Link | None = None,
        mask: Link | None = None,
        mask_prompt: str | Link = MASK_PROMPT,
        model: Link | None = None,
        clip: Link | None = None,
        vae: Link | None = None,
    ) -> io.NodeOutput:
        graph = GraphBuilder()
        wanted = TryOn(
            person=person,
            garment=garment,
            original=original,
            mask=mask,
            words=Words(prompt, mask_prompt),
            mode=mode,
            seed=seed,
            steps=steps,
            cfg=cfg,
            comparison=comparison,
            models=Models(model, clip, vae),
        )
        return io.NodeOutput(*tried_on(graph, wanted), expand=graph.finalize())
