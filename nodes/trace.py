"""Vector: from pixels to paths."""

import torch
from comfy_api.latest import io

from ..engine.networks.routes import ROUTES
from ..engine.svg.document import write_svg
from ..engine.svg.measure import complexity
from ..engine.trace.options import Hierarchy, Mode, trace_options
from ..engine.trace.trace import trace
from ..host.convert import images_to_pixels, mask_to_alphas, texts_to_svg
from ..host.palette import PALETTE, Palettes, palette_for
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui


class VTracerTrace(io.ComfyNode):
    """Turns an image of few colours into paths with VTracer, redrawn with few nodes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_VTracerTrace",
            display_name="VTracer Trace",
            category="VectraHub/vector",
            description=(
                "Traces an image to SVG with VTracer. By layers, every colour becomes one shape with real holes that "
                "runs on below its neighbours; refit redraws the outlines with straight lines and few curves."
            ),
            search_aliases=["vectorize", "trace", "raster to svg", "image to svg", "vtracer", "potrace"],
            inputs=[
                io.Image.Input("image", tooltip="Image or batch; after Palette Snap, or any image."),
                io.Combo.Input(
                    "route",
                    options=["auto", *ROUTES],
                    default="auto",
                    tooltip="Preset by kind of picture. auto = illustration. A connected router decides.",
                ),
                io.Combo.Input(
                    "hierarchical",
                    options=["layers", "stacked", "cutout"],
                    default="layers",
                    tooltip=(
                        "layers: one shape per colour, up to 64 colours. stacked, cutout: VTracer's own grouping of "
                        "colours, for photos and gradients."
                    ),
                ),
                io.Combo.Input(
                    "mode",
                    options=["refit", "spline", "polygon", "none"],
                    default="refit",
                    tooltip="refit: straight lines, sharp corners, few curves. The others are VTracer's own.",
                ),
                io.Float.Input(
                    "tolerance",
                    default=-1.0,
                    min=-1.0,
                    max=2.0,
                    step=0.05,
                    tooltip="How far, in pixels of the original, an outline may be off. -1 = by route, 0.3 to 0.35.",
                ),
                io.Float.Input(
                    "filter_speckle",
                    default=1.25,
                    min=0.0,
                    max=16.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Patches smaller than this, squared, in pixels of the original, are dropped.",
                ),
                io.Int.Input(
                    "color_precision",
                    default=0,
                    min=0,
                    max=8,
                    optional=True,
                    advanced=True,
                    tooltip="stacked, cutout: significant bits per channel. 0 = by route.",
                ),
                io.Int.Input(
                    "layer_difference",
                    default=-1,
                    min=-1,
                    max=255,
                    optional=True,
                    advanced=True,
                    tooltip="stacked, cutout: colour difference between layers. -1 = by route, 0 = keep all.",
                ),
                io.Int.Input(
                    "corner_threshold",
                    default=60,
                    min=0,
                    max=180,
                    optional=True,
                    advanced=True,
                    tooltip="spline: turn in degrees that makes a corner.",
                ),
                io.Float.Input(
                    "length_threshold",
                    default=4.0,
                    min=3.5,
                    max=10.0,
                    step=0.5,
                    optional=True,
                    advanced=True,
                    tooltip="spline: shorter segments, in pixels of the traced image, are subdivided no further.",
                ),
                io.Int.Input(
                    "max_iterations",
                    default=0,
                    min=0,
                    max=30,
                    optional=True,
                    advanced=True,
                    tooltip="spline: rounds of smoothing. 0 = by route.",
                ),
                io.Int.Input(
                    "splice_threshold",
                    default=45,
                    min=0,
                    max=180,
                    optional=True,
                    advanced=True,
                    tooltip="spline: change of direction in degrees at which a curve is cut.",
                ),
                io.Int.Input(
                    "path_precision",
                    default=2,
                    min=0,
                    max=6,
                    optional=True,
                    advanced=True,
                    tooltip="Digits after the point in path data.",
                ),
                io.Mask.Input(
                    "mask", optional=True, tooltip="The image's mask (1 = transparent): becomes holes and opacity."
                ),
                PALETTE.Input(
                    "palette",
                    optional=True,
                    tooltip="From Palette Snap: carries the original's size, which the drawing gets.",
                ),
            ],
            outputs=[
                io.SVG.Output(display_name="svg", tooltip="One drawing per image."),
                io.String.Output(
                    display_name="report", tooltip="JSON: engine, hierarchy and why, shapes, segments, time."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        route: str,
        hierarchical: Hierarchy,
        mode: Mode,
        tolerance: float,
        filter_speckle: float = 1.25,
        color_precision: int = 0,
        layer_difference: int = -1,
        corner_threshold: int = 60,
        length_threshold: float = 4.0,
        max_iterations: int = 0,
        splice_threshold: int = 45,
        path_precision: int = 2,
        mask: torch.Tensor | None = None,
        palette: Palettes | None = None,
    ) -> io.NodeOutput:
        report = StageReport("trace")
        options = trace_options(
            route,
            hierarchy=hierarchical,
            mode=mode,
            tolerance=None if tolerance < 0 else tolerance,
            filter_speckle=filter_speckle,
            color_precision=color_precision or None,
            layer_difference=None if layer_difference < 0 else layer_difference,
            corner_threshold=corner_threshold,
            length_threshold=length_threshold,
            max_iterations=max_iterations or None,
            splice_threshold=splice_threshold,
        )
        pixels = images_to_pixels(image)
        alphas = mask_to_alphas(mask, pixels)
        texts = []
        for index, step in enumerate(batch_progress(HostProgress(), len(pixels))):
            known = palette_for(palette, index)
            size = None if known is None else (known.source_width, known.source_height)
            traced = trace(pixels[index], alphas[index], options, size, step)
            texts.append(write_svg(traced.drawing, path_precision))
            report.add(**_figures(texts[-1], mode, traced.hierarchy, traced.reason))
        text = report.json()
        return io.NodeOutput(texts_to_svg(texts), text, ui=report_ui(text))


def _figures(svg: bytes, mode: str, hierarchy: str, reason: str) -> dict[str, object]:
    cost = complexity(svg)
    return {
        "engine": "vtracer" if mode != "refit" else "vtracer + refit",
        "hierarchical": hierarchy,
        "reason": reason,
        "shapes": cost.shapes,
        "segments": cost.segments,
        "bytes": cost.bytes,
    }
