"""Ground: real transparency behind a drawing."""

import numpy as np
import torch
from comfy_api.latest import io
from numpy.typing import NDArray

from ..engine.progress import Progress
from ..engine.raster.plain_ground import AUTOMATIC, HOLES, CutOut, cut_out
from ..host.convert import alphas_to_mask, images_to_pixels, mask_to_alphas, pixels_to_images
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui

_KEEP = "keep"


class BackgroundToAlpha(io.ComfyNode):
    """Makes the plain ground behind a drawing transparent, and leaves every other picture as it is."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_BackgroundToAlpha",
            display_name="Background to Alpha",
            category="VectraHub/logo",
            description=(
                "Finds the plain ground of a logo, of one colour or a soft gradient, and takes it away: edges become "
                "half transparent and lose the ground's colour. A picture without such a ground stays as it is."
            ),
            search_aliases=["remove background", "transparent background", "cut out", "logo alpha"],
            inputs=[
                io.Image.Input("image", tooltip="Image or batch: a drawing on a plain ground."),
                io.Combo.Input(
                    "background",
                    options=[*HOLES, _KEEP],
                    default=HOLES[0],
                    tooltip=(
                        "outside: take what is connected with the border; white eyes of an owl on white stay. "
                        "everywhere: also the holes of letters. keep: take nothing away."
                    ),
                ),
                io.Float.Input(
                    "tolerance",
                    default=AUTOMATIC,
                    min=-1.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How far from its colour the ground may be (CIELAB distance / 100). -1 = from its noise.",
                ),
                io.Mask.Input(
                    "mask", optional=True, tooltip="The image's mask (1 = transparent), one for all or per image."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The image, its edges freed of the ground's colour."),
                io.Mask.Output(display_name="mask", tooltip="What is transparent (1 = transparent)."),
                io.String.Output(display_name="report", tooltip="JSON: the ground's colour, what was done or why not."),
            ],
        )

    @classmethod
    def execute(
        cls, image: torch.Tensor, background: str, tolerance: float, mask: torch.Tensor | None = None
    ) -> io.NodeOutput:
        report = StageReport("logo")
        pixels = images_to_pixels(image)
        alphas = mask_to_alphas(mask, pixels)
        steps = batch_progress(HostProgress(), len(pixels))
        results = [
            _cut_out(rgb, alpha, background, tolerance, step)
            for rgb, alpha, step in zip(pixels, alphas, steps, strict=True)
        ]
        for result in results:
            report.add(ground=result.ground, reason=result.reason, share=round(result.share, 4))
        colors = [result.rgb for result in results]
        untouched = image.shape[-1] == 3 and not any(result.ground for result in results)
        images = image if untouched else pixels_to_images(colors)
        text = report.json()
        masks = alphas_to_mask([result.alpha for result in results], colors)
        return io.NodeOutput(images, masks, text, ui=report_ui(text))


def _cut_out(
    rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None, background: str, tolerance: float, progress: Progress
) -> CutOut:
    if background == _KEEP:
        return CutOut(rgb, alpha, "", "kept: as asked", 0.0)
    return cut_out(rgb, alpha, background, tolerance, progress)
