"""Logo: the prompt that asks for one, the square to generate it at, and the sizes that it is wanted in."""

import torch
from comfy_api.latest import io

from ..engine.logo.prompt import AUTO, MAX_NAME, MAX_PROMPT, MIN_PROMPT, TYPES, Composed, compose
from ..engine.logo.sizes import (
    MAX_CANVAS,
    MAX_SIDE,
    MAX_SIZES,
    MIN_CANVAS,
    MIN_SIDE,
    at_size,
    canvas_side,
    check_amount,
    parse_sizes,
)
from ..engine.logo.styles import DEFAULT_STYLE
from ..host.convert import alphas_to_mask, floats_to_images, images_to_pixels, mask_to_alphas
from ..host.logo_styles import chosen_style, style_options, style_problem, style_state
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui

_SIZES = "256, 512, 1024"
_SIZES_TIP = f"Sides in pixels, {MIN_SIDE} to {MAX_SIDE}, separated by commas; at most {MAX_SIZES}."


class LogoPrompt(io.ComfyNode):
    """A person's wish as the prompt of an image model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_LogoPrompt",
            display_name="Logo Prompt",
            category="VectraHub/logo",
            description=(
                "Turns a few words into a prompt that makes FLUX draw a logo: kind, style, colours, with or without "
                "lettering, on a plain ground that Background To Alpha can take away."
            ),
            search_aliases=["logo", "brand", "icon", "wordmark", "monogram", "prompt enhancer", "mascot", "emblem"],
            inputs=[
                io.String.Input(
                    "prompt",
                    default="A paper plane over a rising sun",
                    multiline=True,
                    tooltip=f"What the logo shows, in plain words. {MIN_PROMPT} to {MAX_PROMPT} characters.",
                ),
                io.Combo.Input(
                    "style",
                    options=style_options(),
                    default=DEFAULT_STYLE,
                    tooltip="The look. Add your own in vectrahub/logo_styles.toml of ComfyUI's user folder, press R.",
                ),
                io.Combo.Input(
                    "logo_type",
                    options=[AUTO, *TYPES],
                    default=AUTO,
                    tooltip="auto: combination with a business name, else icon. Icon, mascot, abstract: no lettering.",
                ),
                io.String.Input(
                    "business_name",
                    default="",
                    optional=True,
                    tooltip=f"The lettering, at most {MAX_NAME} characters; a lettermark shows its initials.",
                ),
                io.String.Input(
                    "colors",
                    default="",
                    optional=True,
                    tooltip="Words, hex codes or both: '#0A84FF, warm orange'. 'white on navy' sets the ground too.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="prompt", tooltip="For the text encoder (CLIP Text Encode)."),
                io.String.Output(display_name="report", tooltip="JSON: style, type, lettering, colours, ground."),
            ],
        )

    @classmethod
    def validate_inputs(cls, style: str | None) -> bool | str:
        return style_problem(style) or True if style is not None else True  # None: linked, known in the run

    @classmethod
    def fingerprint_inputs(cls, style: str | None = None, **_others: object) -> str:
        return style_state(style)

    @classmethod
    def execute(
        cls, prompt: str, style: str, logo_type: str, business_name: str = "", colors: str = ""
    ) -> io.NodeOutput:
        report = StageReport("logo")
        composed = compose(prompt, chosen_style(style), logo_type, business_name, colors)
        report.add(**_decisions(composed))
        text = report.json()
        return io.NodeOutput(composed.prompt, text, ui=report_ui(text))


def _decisions(composed: Composed) -> dict[str, object]:
    return {
        "style": composed.style,
        "logo_type": composed.logo_type,
        "lettering": composed.lettering,
        "colors": list(composed.colors),
        "ground": composed.ground,
        "prompt": composed.text,
    }


class LogoCanvas(io.ComfyNode):
    """Where to generate for a list of sizes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_LogoCanvas",
            display_name="Logo Canvas",
            category="VectraHub/logo",
            description=(
                "Checks the sizes that a logo is wanted in and says how large to generate it: the largest, as a "
                f"multiple of 16 between {MIN_CANVAS} and {MAX_CANVAS}, where FLUX draws well."
            ),
            search_aliases=["logo size", "canvas", "resolution", "square"],
            inputs=[io.String.Input("sizes", default=_SIZES, tooltip=_SIZES_TIP)],
            outputs=[
                io.Int.Output(display_name="side", tooltip="Width and height of the empty latent image."),
                io.String.Output(display_name="sizes", tooltip="The sizes, checked, each once; for Logo Sizes."),
            ],
        )

    @classmethod
    def execute(cls, sizes: str) -> io.NodeOutput:
        sides = parse_sizes(sizes)
        check_amount(1, sides)  # here already, before anything is sampled
        return io.NodeOutput(canvas_side(sides), ",".join(map(str, sides)))


class LogoSizes(io.ComfyNode):
    """One picture in several sizes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_LogoSizes",
            display_name="Logo Sizes",
            category="VectraHub/logo",
            description=(
                "Gives a logo in every size of a list, as squares, resized in linear light with its transparency. "
                "What is not square is centred on transparency."
            ),
            search_aliases=["logo sizes", "resize", "icon sizes", "favicon", "export sizes"],
            inputs=[
                io.Image.Input("image", tooltip="The logo, or a batch of logos; best at the largest size or above."),
                io.String.Input("sizes", default=_SIZES, tooltip=_SIZES_TIP),
                io.Mask.Input(
                    "mask", optional=True, tooltip="The logo's mask (1 = transparent), one for all or per image."
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="images",
                    is_output_list=True,
                    tooltip="One image per size, in their order; of a batch the first logo in all sizes, and so on.",
                ),
                io.Mask.Output(
                    display_name="masks", is_output_list=True, tooltip="The mask of each (1 = transparent)."
                ),
                io.String.Output(display_name="report", tooltip="JSON per logo: size, sizes, which were enlarged."),
            ],
        )

    @classmethod
    def execute(cls, image: torch.Tensor, sizes: str, mask: torch.Tensor | None = None) -> io.NodeOutput:
        report = StageReport("logo")
        sides = parse_sizes(sizes)
        pixels = images_to_pixels(image)
        check_amount(len(pixels), sides)
        steps = iter(batch_progress(HostProgress(), len(pixels) * len(sides)))
        images: list[torch.Tensor] = []
        masks: list[torch.Tensor] = []
        for rgb, alpha in zip(pixels, mask_to_alphas(mask, pixels), strict=True):
            for side in sides:
                step = next(steps)
                colors, opacity = at_size(rgb, alpha, side, step)
                images.append(floats_to_images([colors]))
                masks.append(alphas_to_mask([opacity], [colors]))
                step(1.0)
            report.add(**_sizes(rgb.shape, sides))
        text = report.json()
        return io.NodeOutput(images, masks, text, ui=report_ui(text))


def _sizes(shape: tuple[int, ...], sides: tuple[int, ...]) -> dict[str, object]:
    height, width = shape[:2]
    return {
        "size_in": [width, height],
        "sizes": list(sides),
        "enlarged": [side for side in sides if side > max(width, height)],
        "centered": width != height,
    }
