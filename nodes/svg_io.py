"""Drawings in and out: from a file, to pixels, to a file."""

import hashlib
import json
import os
from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ..engine.svg.embed import with_metadata
from ..engine.svg.measure import complexity
from ..engine.svg.render import RENDERERS, render_to_width, split_alpha
from ..engine.svg.safe import MAX_BYTES, parse_svg, safe_bytes
from ..engine.svg.viewport import viewport_of
from ..host.convert import alphas_to_mask, pixels_to_images, svg_to_texts, texts_to_svg
from ..host.progress import HostProgress
from ..host.report import StageReport, report_ui
from ..host.saving import save_results


class SVGLoad(io.ComfyNode):
    """One drawing from the input folder, sanitised."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_SVGLoad",
            display_name="Load SVG",
            category="VectraHub/vector",
            description=(
                "Loads an SVG file of the input folder. Scripts, embedded pictures, text, filters and anything that "
                "points outside the file are left out; style sheets become plain attributes."
            ),
            search_aliases=["load vector", "open svg", "import svg"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=_svg_files(),
                    upload=io.UploadType.image,
                    tooltip=f"An .svg file of the input folder, at most {MAX_BYTES // 1_000_000} MB.",
                )
            ],
            outputs=[io.SVG.Output(display_name="svg", tooltip="The drawing, safe to render and to save.")],
        )

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        return io.NodeOutput(texts_to_svg([safe_bytes(_input_path(file).read_bytes())]))

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        return hashlib.sha256(_input_path(file).read_bytes()).hexdigest()

    @classmethod
    def validate_inputs(cls, file: str) -> bool | str:
        if not file.lower().split(" [")[0].endswith(".svg"):
            return f"Not an SVG file: {file!r}. Choose a file that ends in .svg."
        if "\0" in file or not folder_paths.exists_annotated_filepath(file):
            return f"There is no SVG file {file!r} in the input folder. Upload it, or choose another one."
        if _input_path(file).stat().st_size > MAX_BYTES:
            return f"The SVG file {file!r} is larger than {MAX_BYTES} bytes."
        return True


class SVGRender(io.ComfyNode):
    """Drawings as IMAGE and MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_SVGRender",
            display_name="Render SVG",
            category="VectraHub/vector",
            description="Draws an SVG as an image and a mask (1 = transparent). The height follows the drawing.",
            search_aliases=["rasterize", "svg to image", "vector to image", "preview svg"],
            inputs=[
                io.SVG.Input("svg", tooltip="Drawing, or one per image of a batch."),
                io.Int.Input(
                    "width",
                    default=0,
                    min=0,
                    max=16384,
                    tooltip="Width in pixels; 0 takes the drawing's own. All drawings of a batch must come out alike.",
                ),
                io.Combo.Input(
                    "renderer",
                    options=list(RENDERERS),
                    default="resvg",
                    advanced=True,
                    tooltip="resvg is the reference; cairosvg must be installed by hand and needs the library cairo.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The drawing; white where it is transparent."),
                io.Mask.Output(display_name="mask", tooltip="1 where the drawing is transparent."),
            ],
        )

    @classmethod
    def execute(cls, svg: io.SVG.Type, width: int, renderer: str) -> io.NodeOutput:
        pictures = render_to_width(svg_to_texts(svg), width, renderer, HostProgress())
        colors, alphas = zip(*(split_alpha(picture) for picture in pictures), strict=True)
        return io.NodeOutput(pixels_to_images(colors), alphas_to_mask(alphas, colors))


class SVGSave(io.ComfyNode):
    """Drawings to files of the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_SVGSave",
            display_name="Save SVG",
            category="VectraHub/vector",
            description=(
                "Saves each drawing as a file of its own under a new number. Unsafe content never gets into the "
                "file, and neither does the workflow unless you ask for it."
            ),
            search_aliases=["export svg", "export vector", "save vector graphics", "download svg"],
            inputs=[
                io.SVG.Input("svg", tooltip="Drawing, or one per image of a batch."),
                io.String.Input(
                    "filename_prefix",
                    default="vectrahub/drawing",
                    tooltip="Name in the output folder, with '/' for subfolders; a number and .svg are added.",
                ),
                io.Boolean.Input(
                    "include_workflow",
                    default=False,
                    advanced=True,
                    tooltip="Write the workflow into the file's metadata. Whoever gets the file can read it.",
                ),
            ],
            outputs=[io.SVG.Output(display_name="svg", tooltip="The drawings that came in, for further nodes.")],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, svg: io.SVG.Type, filename_prefix: str, include_workflow: bool) -> io.NodeOutput:
        report = StageReport("save")
        texts = [safe_bytes(text) for text in svg_to_texts(svg)]
        sizes = [viewport_of(parse_svg(text)) for text in texts]
        files = [with_metadata(text, cls._workflow()) for text in texts] if include_workflow else texts
        width, height = (round(sizes[0].width), round(sizes[0].height)) if sizes else (0, 0)
        results = save_results(files, filename_prefix, ".svg", width, height)
        for text, size, result in zip(files, sizes, results, strict=True):
            cost = complexity(text)
            report.add(**vars(cost), width=size.width, height=size.height, filename=result["filename"])
        return io.NodeOutput(svg, ui={"images": results, **report_ui(report.json())})

    @classmethod
    def _workflow(cls) -> str:
        return json.dumps({"prompt": cls.hidden.prompt, **(cls.hidden.extra_pnginfo or {})}, sort_keys=True)


def _svg_files() -> list[str]:
    folder = folder_paths.get_input_directory()
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_file() and entry.name.lower().endswith(".svg"))


def _input_path(file: str) -> Path:
    return Path(folder_paths.get_annotated_filepath(file))
