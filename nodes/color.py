"""Colour: reduce a picture to the colours that it is made of."""

from dataclasses import asdict

import torch
from comfy_api.latest import io

from ..engine.color.palette import MAX_COLORS, parse_request
from ..engine.color.quantize import Snapped, quantize
from ..host.convert import alphas_to_mask, images_to_pixels, mask_to_alphas, pixels_to_images, references_for
from ..host.palette import PALETTE
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui


class PaletteSnap(io.ComfyNode):
    """Gives every pixel one colour of a small palette, with edges where the original has them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_PaletteSnap",
            display_name="Palette Snap",
            category="VectraHub/color",
            description=(
                "Reads the colours inside the regions of a picture and gives every pixel one of them. An anti-aliased "
                "edge pixel takes one of the two colours that it lies between, so no fringe is traced."
            ),
            search_aliases=["palette", "quantize", "posterize", "reduce colors", "flat colors"],
            inputs=[
                io.Image.Input("image", tooltip="Image or batch, usually upscaled."),
                io.Int.Input(
                    "colors", default=0, min=0, max=MAX_COLORS, tooltip="Number of colours at most. 0 = automatic."
                ),
                io.String.Input(
                    "palette",
                    default="",
                    multiline=True,
                    tooltip=(
                        "Empty = automatic. '#E30613, #FFFFFF': only these. '#E30613 ~ 0.05': colours that close "
                        "become exactly this one (CIELAB distance / 100). '#FFFFFF -> transparent ~ 0.05': replace."
                    ),
                ),
                io.Float.Input(
                    "cleanup",
                    default=-1.0,
                    min=-1.0,
                    max=4.0,
                    step=0.5,
                    optional=True,
                    advanced=True,
                    tooltip="Median window in pixels of the reference, against ragged edges. -1 = for JPEG only.",
                ),
                io.Image.Input(
                    "reference",
                    optional=True,
                    tooltip="The picture before it was upscaled: colours are read there. Connect it if there is one.",
                ),
                io.Mask.Input(
                    "mask", optional=True, tooltip="The image's mask (1 = transparent), one for all or per image."
                ),
                io.Float.Input(
                    "specks",
                    default=0.0,
                    min=0.0,
                    max=5.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Percent of the image: smaller patches take the commonest colour around. 0 = keep all.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The image in its palette's colours."),
                PALETTE.Output(display_name="palette", tooltip="The colours in use, largest area first, per image."),
                io.String.Output(display_name="background", tooltip="Colour of the border, '#RRGGBB' or transparent."),
                io.Boolean.Output(display_name="has_gradients", tooltip="Whether an image has smooth colour ramps."),
                io.Mask.Output(display_name="mask", tooltip="The mask in few levels of opacity (1 = transparent)."),
                io.String.Output(
                    display_name="report", tooltip="JSON: palette, unused colours, specks, background, gradients, time."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        colors: int,
        palette: str,
        cleanup: float = -1.0,
        reference: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        specks: float = 0.0,
    ) -> io.NodeOutput:
        report = StageReport("color")
        request = parse_request(palette, colors)
        pixels = images_to_pixels(image)
        alphas = mask_to_alphas(mask, pixels)
        originals = references_for(reference, pixels)
        steps = batch_progress(HostProgress(), len(pixels))
        results = [
            quantize(rgb, alpha, original, request, cleanup, step, specks)
            for rgb, alpha, original, step in zip(pixels, alphas, originals, steps, strict=True)
        ]
        for result in results:
            report.add(**_figures(result))
        snapped = [result.rgb for result in results]
        text = report.json()
        return io.NodeOutput(
            pixels_to_images(snapped),
            [result.palette for result in results],
            ", ".join(dict.fromkeys(result.background for result in results)),
            any(result.gradients for result in results),
            alphas_to_mask([result.alpha for result in results], snapped),
            text,
            ui=report_ui(text),
        )


def _figures(result: Snapped) -> dict[str, object]:
    return {
        **asdict(result.palette),
        "background": result.background,
        "has_gradients": result.gradients,
        "compressed": result.compressed,
        "unused": list(result.unused),
        "specks": result.specks,
    }
