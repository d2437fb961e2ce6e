"""OmniSVG: a network that draws, rather than traces, a picture or what a text says."""

from collections.abc import Callable

import torch
from comfy_api.latest import io

from ..engine.errors import BadInput, EngineFailure, MissingPart
from ..engine.networks.omnisvg.choice import choose_omnisvg
from ..engine.networks.omnisvg.draw import Artist, Drawn, Wish, draw_picture, draw_text
from ..engine.networks.omnisvg.generate import MAX_CANDIDATES, MOST_TOKENS
from ..engine.networks.qwen_vl.choice import AUTO, Choice
from ..engine.progress import Progress
from ..host.convert import images_to_pixels, mask_to_alphas, texts_to_svg
from ..host.memory import gpu_memory
from ..host.omnisvg import load_omnisvg, missing_omnisvg, omnisvg_sizes
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui

_ERROR, _SKIP = "error", "skip"

Work = Callable[[Artist, Progress, Callable[[bytes], None]], Drawn]


class OmniSVGGenerate(io.ComfyNode):
    """Draws each image of a batch, or one text: several candidates, of which the one most like the image is kept."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_OmniSVGGenerate",
            display_name="OmniSVG Generate",
            category="VectraHub/vector",
            description=(
                "Draws a logo or icon as a designer would, with few clean shapes, from an image or from words. Writes "
                "several candidates at once and keeps the one most like the image. Check the result with SVG Quality "
                "Gate: it is a network, and may draw something else."
            ),
            search_aliases=["omnisvg", "text to svg", "image to svg", "generate svg", "logo", "icon"],
            inputs=[
                io.Image.Input("image", optional=True, tooltip="Image or batch to draw; its original, not upscaled."),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="What to draw when no image is connected, at most 512 tokens.",
                ),
                io.Combo.Input(
                    "style",
                    options=["icon", "illustration"],
                    default="icon",
                    optional=True,
                    tooltip="For a prompt: icon is simpler and safer, illustration bolder. An image has its own.",
                ),
                io.Int.Input(
                    "candidates",
                    default=4,
                    min=1,
                    max=MAX_CANDIDATES,
                    optional=True,
                    tooltip="Drawings to choose from, written side by side.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    control_after_generate=True,
                    optional=True,
                    tooltip="The same seed gives the same drawing.",
                ),
                io.Mask.Input(
                    "mask", optional=True, tooltip="The image's mask (1 = transparent); it is seen on white."
                ),
                io.Int.Input(
                    "max_tokens",
                    default=1536,
                    min=256,
                    max=MOST_TOKENS,
                    optional=True,
                    advanced=True,
                    tooltip="Longest drawing; a curve takes 4 tokens. A longer one is brought to an end.",
                ),
                io.Boolean.Input(
                    "refine_colors",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="Give the drawing the image's own colours; the network knows only 16 shades per channel.",
                ),
                io.Boolean.Input(
                    "ground_to_white",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Show the network a plain coloured ground as white, as it mostly saw in training.",
                ),
                io.Combo.Input(
                    "model",
                    options=[AUTO, *omnisvg_sizes()],
                    default=AUTO,
                    optional=True,
                    advanced=True,
                    tooltip="A folder of models/omnisvg. auto: the largest that fits into the GPU.",
                ),
                io.Combo.Input(
                    "if_missing",
                    options=[_ERROR, _SKIP],
                    default=_ERROR,
                    optional=True,
                    advanced=True,
                    tooltip="Where it cannot run: stop with an error, or give no drawing, so that a gate falls back.",
                ),
            ],
            outputs=[
                io.SVG.Output(
                    display_name="svg", tooltip="One drawing per image, in its coordinates; 200 x 200 of text."
                ),
                io.String.Output(display_name="report", tooltip="JSON: model, every candidate's likeness, the choice."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor | None = None,
        prompt: str = "",
        style: str = "icon",
        candidates: int = 4,
        seed: int = 0,
        mask: torch.Tensor | None = None,
        max_tokens: int = 1536,
        refine_colors: bool = True,
        ground_to_white: bool = False,
        model: str = AUTO,
        if_missing: str = _ERROR,
    ) -> io.NodeOutput:
        report, progress = StageReport("omnisvg"), HostProgress()
        wish = Wish(candidates, max_tokens, seed, refine_colors, ground_to_white)
        works = _works(image, mask, prompt, style, wish)
        choice = choose_omnisvg(model, omnisvg_sizes(), gpu_memory())
        try:
            artist = _artist(choice, wish, progress)
        except (MissingPart, EngineFailure) as error:
            if if_missing == _ERROR:
                raise
            drawings = _skip(works, str(error), report)
        else:
            drawings = _draw(works, artist, choice, report, progress)
        text = report.json()
        return io.NodeOutput(texts_to_svg(drawings), text, ui=report_ui(text))


def _works(image: torch.Tensor | None, mask: torch.Tensor | None, prompt: str, style: str, wish: Wish) -> list[Work]:
    """What is to be drawn: one work per image, or the prompt. Raises BadInput when there are both or neither."""
    if (image is None) == (not prompt.strip()):
        raise BadInput(
            "OmniSVG draws an image or a prompt",
            value="neither" if image is None else "both",
            limit="one of them",
            remedy="Connect an image, or write what to draw." if image is None else "Empty the prompt.",
        )
    if image is None:
        return [lambda artist, progress, show: draw_text(artist, prompt, style, wish, progress, show)]  # pyright: ignore[reportArgumentType]
    pixels = images_to_pixels(image)
    return [
        lambda artist, progress, show, rgb=rgb, alpha=alpha: draw_picture(artist, rgb, alpha, wish, progress, show)
        for rgb, alpha in zip(pixels, mask_to_alphas(mask, pixels), strict=True)
    ]


def _artist(choice: Choice, wish: Wish, progress: HostProgress) -> Artist:
    if choice.name is None:
        raise missing_omnisvg(choice)
    progress(0.0)  # a cancel is heard before and after loading, which is the host's
    artist = load_omnisvg(choice.name, wish.candidates, wish.max_tokens)
    progress(0.0)
    return artist


def _draw(
    works: list[Work], artist: Artist, choice: Choice, report: StageReport, progress: HostProgress
) -> list[bytes]:
    drawings = []
    for work, share in zip(works, batch_progress(progress, len(works)), strict=True):
        drawn = work(artist, share, progress.show)
        progress.show(drawn.svg)  # what stays on the node: the chosen one
        drawings.append(drawn.svg)
        report.add(engine=choice.name, reason=choice.reason, **drawn.figures())
    return drawings


def _skip(works: list[Work], reason: str, report: StageReport) -> list[bytes]:
    """Empty files, which the gate takes for "none was made"."""
    for _ in works:
        report.add(engine="none", reason=reason)
    return [b""] * len(works)
