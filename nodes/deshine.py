"""De-shine: calm the lightness of a photo before its depth and edges are read."""

import torch
from comfy_api.latest import io

from ..engine.raster.deshine import LARGEST_DIAMETER, LARGEST_GRID, deshine
from ..host.convert import images_to_pixels, pixels_to_images
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui


class DeShine(io.ComfyNode):
    """Takes shine from paint, glass and chrome, in lightness alone."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_DeShine",
            display_name="De-shine",
            category="VectraHub/vehicle",
            description=(
                "Calms highlights and reflections: the lightness (CIELAB L) goes through an edge-keeping filter and "
                "a local contrast equalisation, the colours stay. Depth and edges then follow the form, not the shine."
            ),
            search_aliases=["deshine", "reflections", "highlights", "bilateral", "clahe", "local contrast"],
            inputs=[
                io.Image.Input("image", tooltip="Image or batch, any size."),
                io.Int.Input(
                    "diameter",
                    default=9,
                    min=1,
                    max=LARGEST_DIAMETER,
                    step=2,
                    tooltip="Pixels across that the edge-keeping filter looks at; odd (6 is 7). 1 = leave it out.",
                ),
                io.Float.Input(
                    "sigma",
                    default=75.0,
                    min=0.0,
                    max=255.0,
                    step=1.0,
                    tooltip="Differences in lightness (of 255) that are smoothed away. 0 = leave the filter out.",
                ),
                io.Float.Input(
                    "clip_limit",
                    default=2.0,
                    min=0.0,
                    max=40.0,
                    step=0.1,
                    tooltip="How much the local contrast may rise (CLAHE's limit). 0 = leave it out.",
                ),
                io.Int.Input(
                    "grid",
                    default=8,
                    min=1,
                    max=LARGEST_GRID,
                    tooltip="Tiles per side in which contrast is judged; fewer where they would be below 16 px.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The image with calmed lightness."),
                io.String.Output(display_name="report", tooltip="JSON: settings, tiles, mean change, time."),
            ],
        )

    @classmethod
    def execute(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, image: torch.Tensor, diameter: int, sigma: float, clip_limit: float, grid: int
    ) -> io.NodeOutput:
        report = StageReport("de-shine")
        pixels = images_to_pixels(image)
        results = [
            deshine(rgb, diameter, sigma, clip_limit, grid, step)
            for rgb, step in zip(pixels, batch_progress(HostProgress(), len(pixels)), strict=True)
        ]
        for result in results:
            report.add(
                diameter=result.diameter,
                sigma=sigma,
                clip_limit=clip_limit,
                tiles=result.tiles,
                lightness_change=round(result.change, 2),
            )
        text = report.json()
        return io.NodeOutput(pixels_to_images([result.rgb for result in results]), text, ui=report_ui(text))
