"""The nodes that VTONTryOn becomes when it runs, beside the host's own. Nobody places them by hand."""

from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..engine.tryon.frame import check_frame, side_by_side, unframed
from ..engine.tryon.mark import marked
from ..engine.tryon.words import told
from ..host.convert import floats_to_images, only_mask, only_photo
from ..host.report import StageReport, report_ui


class VTONPicture(io.ComfyNode):
    """What the model sees of the person, and the words for it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_VTONPicture",
            display_name="VTONPicture (part of VTON Try On)",
            category="VectraHub/try-on/parts",
            description="Checks the person's size, paints the mark green and joins the words.",
            is_dev_only=True,
            inputs=[
                io.Image.Input("person", tooltip="The person, from VTON Prepare."),
                io.String.Input("prompt", tooltip="What is asked for."),
                io.String.Input("mask_prompt", tooltip="What the mark means."),
                io.Mask.Input("mask", optional=True, tooltip="1 = marked."),
            ],
            outputs=[
                io.Image.Output(display_name="person", tooltip="The person with the mark."),
                io.String.Output(display_name="prompt", tooltip="All the words."),
            ],
        )

    @classmethod
    def execute(
        cls, person: torch.Tensor, prompt: str, mask_prompt: str, mask: torch.Tensor | None = None
    ) -> io.NodeOutput:
        photo = only_photo("person", person)
        check_frame(photo.shape[0], photo.shape[1])
        painted = marked(photo, only_mask("mask", mask))
        return io.NodeOutput(floats_to_images([painted]), told(prompt, mask_prompt, painted is not photo))


class VTONFinish(io.ComfyNode):
    """The frame undone, the pictures side by side if asked, the report."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_VTONFinish",
            display_name="VTONFinish (part of VTON Try On)",
            category="VectraHub/try-on/parts",
            description="Brings the result to the person's size and reports.",
            is_dev_only=True,
            inputs=[
                io.Image.Input("image", tooltip="What was painted."),
                io.Image.Input("person", tooltip="The person in the frame."),
                io.Image.Input("garment", tooltip="The garment in the frame."),
                io.String.Input("prompt", tooltip="All the words."),
                io.Int.Input("seed", tooltip="Seed of the sampler."),
                io.Boolean.Input("comparison", tooltip="Whether to lay the pictures side by side."),
                io.AnyType.Input("ran", tooltip="Set by VTON Try On."),
                io.AnyType.Input("report", tooltip="Set by VTON Try On."),
                io.Image.Input("original", optional=True, tooltip="The person before VTON Prepare."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The person wearing the garment."),
                io.Image.Output(display_name="comparison", tooltip="Person, garment and result side by side."),
                io.String.Output(display_name="report", tooltip="JSON: what was done."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        person: torch.Tensor,
        garment: torch.Tensor,
        prompt: str,
        seed: int,
        comparison: bool,
        ran: dict[str, Any],
        report: StageReport,
        original: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        painted = only_photo("image", image)
        before = only_photo("person", person) if original is None else only_photo("original", original)
        worn = unframed(painted, before.shape[0], before.shape[1])
        row: Any = ExecutionBlocker(None)  # silently: what saves or shows it does not run
        if comparison:
            row = floats_to_images([side_by_side([before, only_photo("garment", garment), worn], worn.shape[0])])
        report.add(**ran, seed=seed, prompt=prompt, painted=painted.shape[1::-1], size=worn.shape[1::-1])
        text = report.json()
        return io.NodeOutput(floats_to_images([worn]), row, text, ui=report_ui(text))


TRYON_PARTS: list[type[io.ComfyNode]] = [VTONPicture, VTONFinish]
