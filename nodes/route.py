"""Route: what kind of picture this is."""

import json

import torch
from comfy_api.latest import io

from ..engine.networks.router import AUTO, METHODS, Routing, choose_route, forced_route
from ..engine.networks.routes import ROUTES
from ..host.convert import images_to_pixels, mask_to_alphas
from ..host.progress import HostProgress
from ..host.report import StageReport, report_ui
from ..host.router import load_clip

_UNFORCED = "none"


class ClipRouter(io.ComfyNode):
    """Tells logos, illustrations and line drawings apart, so that each is traced its own way."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_ClipRouter",
            display_name="CLIP Router",
            category="VectraHub/route",
            description=(
                "Decides whether a picture is a logo, an illustration or line art: by CLIP when it is installed, "
                "else by measures of shape and colour that need no weights. A batch gets one route."
            ),
            search_aliases=["classify", "router", "image type", "logo", "illustration", "line art", "clip"],
            inputs=[
                io.Image.Input(
                    "image", tooltip="Image or batch, any size. A batch gets the route with the best mean score."
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default=AUTO,
                    tooltip=(
                        "auto: CLIP if open_clip_torch and its weights are here, else features. features: measured "
                        "shape and colour, no weights, a few hundredths of a second."
                    ),
                ),
                io.Combo.Input(
                    "force",
                    options=[_UNFORCED, *ROUTES],
                    default=_UNFORCED,
                    tooltip="Your own decision, with confidence 1. none: let the router decide.",
                ),
                io.Mask.Input(
                    "mask", optional=True, tooltip="LoadImage's mask (1 = transparent), one for all or per image."
                ),
            ],
            outputs=[
                io.Combo.Output(display_name="route", options=list(ROUTES), tooltip="logo, illustration or line_art."),
                io.Float.Output(display_name="confidence", tooltip="Score of the route, 0..1; 1 when forced."),
                io.String.Output(display_name="scores", tooltip="JSON: score of each route; they sum to 1."),
            ],
        )

    @classmethod
    def execute(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, image: torch.Tensor, method: str, force: str, mask: torch.Tensor | None = None
    ) -> io.NodeOutput:
        report = StageReport("route")
        pixels = images_to_pixels(image)
        if force == _UNFORCED:
            pictures = list(zip(pixels, mask_to_alphas(mask, pixels), strict=True))
            routing = choose_route(pictures, method, load_clip, HostProgress())
        else:
            routing = forced_route(force, len(pixels))
        for figures in _figures(routing):
            report.add(**figures)
        scores = json.dumps(_rounded(routing.scores), sort_keys=True)
        return io.NodeOutput(routing.route, routing.confidence, scores, ui=report_ui(report.json()))


def _figures(routing: Routing) -> list[dict[str, object]]:
    common = {"engine": routing.method, "reason": routing.reason, "route": routing.route}
    return [{**common, "scores": _rounded(scores)} for scores in routing.per_image]


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(score, 4) for name, score in scores.items()}
