"""The nodes that VTONTryOn becomes when it runs, beside the host's own. Nobody places them by hand."""

from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..engine.tryon.frame import HIGHEST_ROW, check_frame, check_size, place_of, side_by_side, unframed
from ..engine.tryon.mark import marked
from ..engine.tryon.words import told
from ..host.convert import floats_to_images, only, only_mask, only_photo
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui

_ONE = "Queue one run for each."


class VTONPicture(io.ComfyNode):
    """What the model sees of person and garment, and the words for it. Judges all before anything is painted."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_VTONPicture",
            display_name="VTONPicture (part of VTON Try On)",
            category="VectraHub/try-on/parts",
            description="Checks the pictures, paints the mark green and joins the words.",
            is_dev_only=True,
            is_input_list=True,
            inputs=[
                io.Image.Input("person", tooltip="The person, from VTON Prepare."),
                io.Image.Input("garment", tooltip="The garment, from VTON Prepare."),
                io.String.Input("prompt", tooltip="What is asked for."),
                io.String.Input("mask_prompt", tooltip="What the mask means."),
                io.Mask.Input("mask", optional=True, tooltip="1 = marked."),
                io.Image.Input("original", optional=True, tooltip="The person before VTON Prepare."),
            ],
            outputs=[
                io.Image.Output(display_name="person", tooltip="The person with the mark."),
                io.Image.Output(display_name="garment", tooltip="The garment."),
                io.String.Output(display_name="prompt", tooltip="All the words."),
            ],
        )

    @classmethod
    def execute(
        cls,
        person: list[torch.Tensor],
        garment: list[torch.Tensor],
        prompt: list[str],
        mask_prompt: list[str],
        mask: list[torch.Tensor] | None = None,
        original: list[torch.Tensor] | None = None,
    ) -> io.NodeOutput:
        photo = only_photo("person", only("person", person, _ONE))
        worn = only_photo("garment", only("garment", garment, _ONE))
        high, wide = photo.shape[:2]
        check_frame(high, wide)
        check_size("garment", worn.shape[0], worn.shape[1])
        if original:
            before = only_photo("original", only("original", original, _ONE))
            place_of(before.shape[0], before.shape[1], (high, wide), "original")
        painted = marked(photo, only_mask("mask", only("mask", mask, _ONE) if mask else None))
        is_marked = painted is not photo
        words = told(only("prompt", prompt, _ONE), only("mask_prompt", mask_prompt, _ONE), is_marked)
        return io.NodeOutput(floats_to_images([painted]), floats_to_images([worn]), words)


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
            is_input_list=True,
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
        image: list[torch.Tensor],
        person: list[torch.Tensor],
        garment: list[torch.Tensor],
        prompt: list[str],
        seed: list[int],
        comparison: list[bool],
        ran: list[dict[str, Any]],
        report: list[StageReport],
        original: list[torch.Tensor] | None = None,
    ) -> io.NodeOutput:
        painted = only_photo("image", only("seed, model, clip or vae", image, _ONE))
        high, wide = (original or person)[0].shape[1:3]
        undo, lay = batch_progress(HostProgress(), 2)
        worn = unframed(painted, high, wide, undo)
        row: Any = ExecutionBlocker(None)  # silently: what saves or shows it does not run
        if comparison[0]:
            pictures = [unframed(only_photo("person", person[0]), high, wide), only_photo("garment", garment[0]), worn]
            row = floats_to_images([side_by_side(pictures, min(high, HIGHEST_ROW), lay)])
        sizes = {"painted": painted.shape[1::-1], "size": worn.shape[1::-1]}
        report[0].add(**ran[0], seed=seed[0], prompt=prompt[0], **sizes)
        text = report[0].json()
        return io.NodeOutput(floats_to_images([worn]), row, text, ui=report_ui(text))


TRYON_PARTS: list[type[io.ComfyNode]] = [VTONPicture, VTONFinish]
