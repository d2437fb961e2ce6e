"""Silhouette: hold a drawing to the outline of its photo, and try again where it was lost."""

import json
from collections.abc import Sequence
from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder

from ..engine.vehicle.silhouette import Strengths
from ..host.convert import only
from ..host.report import StageReport, report_ui
from ..host.silhouette import MOST_RETRIES, Figures, Wanted, best_of, measured, planned, retried, told, why_no_more

_ONE = "Queue one run for each; a batch is judged by its worst picture."
_MASK = "1 = vehicle, as Remove Background gives it"


class SilhouetteStrengths(io.ComfyNode):
    """How strongly the controls hold the drawing; Silhouette Gate raises them for another attempt."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_SilhouetteStrengths",
            display_name="Silhouette Strengths",
            category="VectraHub/vehicle",
            description=(
                "Strengths of the depth and the canny ControlNet. Silhouette Gate repeats everything between this "
                "node and itself with both raised by a step when a picture has lost the outline of its photo."
            ),
            search_aliases=["controlnet strength", "depth", "canny", "retry", "silhouette"],
            inputs=[
                io.Float.Input(
                    "depth", default=0.6, min=0.0, max=2.0, step=0.05, tooltip="Depth control at the first attempt."
                ),
                io.Float.Input(
                    "canny", default=0.4, min=0.0, max=2.0, step=0.05, tooltip="Canny control at the first attempt."
                ),
                io.Float.Input(
                    "step", default=0.1, min=0.0, max=1.0, step=0.05, tooltip="By how much each retry raises both."
                ),
                io.Float.Input(
                    "depth_limit", default=0.9, min=0.0, max=2.0, step=0.05, tooltip="Depth is raised no further."
                ),
                io.Float.Input(
                    "canny_limit", default=0.7, min=0.0, max=2.0, step=0.05, tooltip="Canny is raised no further."
                ),
                io.Int.Input(
                    "attempt",
                    default=0,
                    min=0,
                    max=20,
                    optional=True,
                    advanced=True,
                    socketless=True,
                    tooltip="Counted up by Silhouette Gate. 0 = the first attempt.",
                ),
            ],
            outputs=[
                io.Float.Output(display_name="depth", tooltip="For 'strength' of the depth control."),
                io.Float.Output(display_name="canny", tooltip="For 'strength' of the canny control."),
            ],
        )

    @classmethod
    def execute(
        cls, depth: float, canny: float, step: float, depth_limit: float, canny_limit: float, attempt: int = 0
    ) -> io.NodeOutput:
        return io.NodeOutput(*Strengths(depth, canny, step, depth_limit, canny_limit).at(attempt))


class SilhouetteGate(io.ComfyNode):
    """Passes a picture that keeps the silhouette of its photo; makes another attempt where it was lost."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_SilhouetteGate",
            display_name="Silhouette Gate",
            category="VectraHub/vehicle",
            description=(
                "Compares the foreground of the photo with that of the picture made from it (intersection over "
                "union). Below the threshold everything from Silhouette Strengths on runs again, held more strongly; "
                "the best attempt is given."
            ),
            search_aliases=["iou", "silhouette", "quality gate", "retry", "shape check"],
            is_input_list=True,
            enable_expand=True,
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            inputs=[
                io.Mask.Input("original", tooltip=f"Foreground of the photo ({_MASK}); any size."),
                io.Image.Input("image", tooltip="The picture made from it."),
                io.Mask.Input("mask", tooltip=f"Foreground of that picture ({_MASK})."),
                io.Float.Input(
                    "threshold",
                    default=0.85,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Intersection over union from which a picture passes; 1 = the same outline.",
                ),
                io.Int.Input("retries", default=2, min=0, max=MOST_RETRIES, tooltip="Attempts after the first."),
                io.Boolean.Input(
                    "allow_skip_on_failure",
                    default=True,
                    tooltip="On: the best attempt is given when none passes, and the report says so. Off: an error.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The attempt that keeps most of the silhouette."),
                io.Mask.Output(display_name="mask", tooltip="Its foreground (1 = vehicle)."),
                io.Float.Output(display_name="iou", tooltip="Its intersection over union, 0..1."),
                io.String.Output(display_name="report", tooltip="JSON: passed, why, IoU and strengths per attempt."),
            ],
        )

    @classmethod
    def execute(
        cls,
        original: list[torch.Tensor],
        image: list[torch.Tensor],
        mask: list[torch.Tensor],
        threshold: list[float],
        retries: list[int],
        allow_skip_on_failure: list[bool],
    ) -> io.NodeOutput:
        pictures = only("image", image, _ONE), only("mask", mask, _ONE)
        tried = [measured(only("original", original, _ONE), *pictures)]
        graph, node_id = cls.hidden.dynprompt, cls.hidden.unique_id
        plan, end = planned(graph, node_id, only("retries", retries, _ONE))
        wanted = Wanted(
            only("threshold", threshold, _ONE), only("allow_skip_on_failure", allow_skip_on_failure, _ONE), plan, end
        )
        reason = why_no_more(wanted, tried)
        if reason:
            return _answer(wanted, tried, reason, [pictures])
        builder = GraphBuilder()
        return io.NodeOutput(*retried(builder, graph, node_id, wanted), expand=builder.finalize())


class SilhouetteAttempts(io.ComfyNode):
    """Asks for further attempts one by one, until one passes, and gives the best."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        further = [
            one
            for number in range(1, MOST_RETRIES + 1)
            for one in (
                io.Image.Input(f"image_{number}", optional=True, lazy=True, tooltip="A further attempt."),
                io.Mask.Input(f"mask_{number}", optional=True, lazy=True, tooltip="Its foreground."),
            )
        ]
        return io.Schema(
            node_id="VectraHub_SilhouetteAttempts",
            display_name="SilhouetteAttempts (part of Silhouette Gate)",
            category="VectraHub/vehicle/parts",
            description="Judges further attempts, each only if those before have failed.",
            is_dev_only=True,
            is_input_list=True,
            inputs=[
                io.Mask.Input("original", tooltip="Foreground of the photo."),
                io.Image.Input("image", tooltip="The first attempt."),
                io.Mask.Input("mask", tooltip="Its foreground."),
                io.Float.Input("threshold", tooltip="Set by Silhouette Gate."),
                io.Boolean.Input("allow_skip_on_failure", tooltip="Set by Silhouette Gate."),
                io.String.Input("strengths", tooltip="JSON: depth and canny of each attempt."),
                io.String.Input("end", tooltip="Why there are no more attempts than these."),
                *further,
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The best attempt."),
                io.Mask.Output(display_name="mask", tooltip="Its foreground."),
                io.Float.Output(display_name="iou", tooltip="Its intersection over union."),
                io.String.Output(display_name="report", tooltip="JSON: what was tried."),
            ],
        )

    @classmethod
    def check_lazy_status(cls, **inputs: Any) -> list[str]:
        wanted, pictures = _wanted(inputs), _arrived(inputs)
        tried = [measured(inputs["original"][0], *one) for one in pictures]
        number = len(pictures)
        return [] if why_no_more(wanted, tried) else [f"image_{number}", f"mask_{number}"]

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        wanted, pictures = _wanted(inputs), _arrived(inputs)
        tried = [measured(inputs["original"][0], *one) for one in pictures]
        return _answer(wanted, tried, why_no_more(wanted, tried), pictures)


def _wanted(inputs: dict[str, Any]) -> Wanted:
    return Wanted(
        inputs["threshold"][0], inputs["allow_skip_on_failure"][0], json.loads(inputs["strengths"][0]), inputs["end"][0]
    )


def _arrived(inputs: dict[str, Any]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Image and mask of the attempts that are here; the host gives None for those that it was not asked for."""
    further = [(inputs.get(f"image_{number}"), inputs.get(f"mask_{number}")) for number in range(1, MOST_RETRIES + 1)]
    pairs = [(inputs["image"], inputs["mask"]), *further]
    here = [(image, mask) for image, mask in pairs if image and mask and image[0] is not None and mask[0] is not None]
    return [(only("image", image, _ONE), only("mask", mask, _ONE)) for image, mask in here]


def _answer(
    wanted: Wanted, tried: Sequence[Figures], reason: str, pictures: Sequence[tuple[torch.Tensor, torch.Tensor]]
) -> io.NodeOutput:
    text, best = told(StageReport("silhouette"), wanted, tried, reason), best_of(tried)
    return io.NodeOutput(*pictures[best], min(tried[best]["iou"]), text, ui=report_ui(text))


SILHOUETTE_PARTS: list[type[io.ComfyNode]] = [SilhouetteAttempts]
