"""Upscale: bring a picture to the resolution at which it is traced."""

import torch
from comfy_api.latest import io

from ..engine.networks.upscaler import TILE, Enlarged, enlarge
from ..engine.networks.upscaler_choice import ANIME, AUTO, LANCZOS, Choice, choose_upscaler
from ..host.convert import alphas_to_mask, floats_to_images, images_to_pixels, mask_to_alphas
from ..host.memory import on_gpu
from ..host.models import load_upscaler, upscaler_files
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui


class ESRGAN12MP(io.ComfyNode):
    """Brings each image of a batch to the same number of megapixels."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_ESRGAN12MP",
            display_name="ESRGAN 12 MP",
            category="VectraHub/upscale",
            description=(
                "Brings an image to 12 megapixels, where edges are smooth enough to trace: in two passes of a x2 "
                "network when it is small, in one when it is large; without a network by Lanczos. Transparency is "
                "carried beside the colours."
            ),
            search_aliases=["upscale", "esrgan", "real-esrgan", "super resolution", "12 megapixels", "enlarge"],
            inputs=[
                io.Image.Input(
                    "image", tooltip="Image or batch, any size. At most 16 times larger per side comes out."
                ),
                io.Combo.Input(
                    "upscaler",
                    options=[AUTO, ANIME, LANCZOS, *upscaler_files()],
                    default=AUTO,
                    tooltip=(
                        "auto: RealESRGAN_x2plus (or another x2 network) if it is in models/upscale_models and there "
                        "is a GPU, else Lanczos. anime: the same with RealESRGAN_x4plus_anime_6B, for drawings. "
                        "A network by name also runs on a CPU, where it takes minutes."
                    ),
                ),
                io.Float.Input(
                    "megapixels",
                    default=12.0,
                    min=0.25,
                    max=48.0,
                    step=0.05,
                    tooltip="Size of the result in million pixels. 12 for the finest tracing, 3 for quick drafts.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="LoadImage's mask (1 = transparent), one for all or per image.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The enlarged image; hidden colours do not bleed in."),
                io.Mask.Output(display_name="mask", tooltip="The mask at the new size (1 = transparent)."),
                io.String.Output(display_name="report", tooltip="JSON: engine and why, sizes, passes, tile, time."),
            ],
        )

    @classmethod
    def execute(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, image: torch.Tensor, upscaler: str, megapixels: float, mask: torch.Tensor | None = None
    ) -> io.NodeOutput:
        report = StageReport("upscale")
        pixels = images_to_pixels(image)
        alphas = mask_to_alphas(mask, pixels)
        choice = choose_upscaler(upscaler, upscaler_files(), on_gpu())
        network = None if choice.file is None else load_upscaler(choice.file)
        results: list[Enlarged] = []
        for rgb, alpha, progress in zip(pixels, alphas, batch_progress(HostProgress(), len(pixels)), strict=True):
            tile = results[-1].tile if results else TILE
            results.append(enlarge(rgb, alpha, megapixels, network, progress, tile))
            report.add(**_figures(choice, rgb.shape, results[-1]))
        colors = [result.rgb for result in results]
        text = report.json()
        masks = alphas_to_mask([result.alpha for result in results], colors)
        return io.NodeOutput(floats_to_images(colors), masks, text, ui=report_ui(text))


def _figures(choice: Choice, shape: tuple[int, ...], result: Enlarged) -> dict[str, object]:
    plan = result.plan
    return {
        "engine": choice.file or LANCZOS,
        "reason": choice.reason,
        "size_in": [shape[1], shape[0]],
        "size_out": [plan.width, plan.height],
        "passes": [str(step) for step in plan.passes],
        "tile": result.tile,
        "note": plan.note,
    }
