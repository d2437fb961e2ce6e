"""Finish: a drawing as a designer wants to open it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TypeVar

import torch
from comfy_api.latest import io

from ..engine.color.palette import Palette
from ..engine.errors import BadInput
from ..engine.svg.finish import MAX_DECIMALS, finish
from ..host.convert import images_to_pixels, svg_to_texts, texts_to_svg
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui

T = TypeVar("T")


class SVGFinish(io.ComfyNode):
    """Cleans up each drawing of a batch."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_SVGFinish",
            display_name="SVG Finish",
            category="VectraHub/vector",
            description=(
                "Cleans up a drawing: takes the ground off (only what covers the border; white shapes inside stay), "
                "sets exact palette colours, viewBox and size, one named group per colour, plain rounded coordinates."
            ),
            search_aliases=["clean svg", "optimize svg", "remove background", "minify", "svgo"],
            inputs=[
                io.SVG.Input("svg", tooltip="Drawing, or one per image of a batch; from any source."),
                io.Combo.Input(
                    "background",
                    options=["remove", "keep"],
                    default="remove",
                    tooltip="remove: take off opaque shapes of one colour that cover the border. keep: leave them.",
                ),
                io.Int.Input(
                    "precision",
                    default=-1,
                    min=-1,
                    max=MAX_DECIMALS,
                    advanced=True,
                    tooltip="Digits after the point. -1: as many as keep within 1/20 of a pixel of the picture.",
                ),
                io.Custom("VECTRAHUB_PALETTE").Input(
                    "palette", optional=True, tooltip="Colours near one of these become exactly it."
                ),
                io.Image.Input(
                    "reference",
                    optional=True,
                    tooltip="The picture that was traced: its size becomes width, height and viewBox.",
                ),
            ],
            outputs=[
                io.SVG.Output(display_name="svg", tooltip="The clean drawing; finishing it again changes nothing."),
                io.String.Output(display_name="report", tooltip="JSON: ground, groups, shapes, snapped colours."),
            ],
        )

    @classmethod
    def execute(
        cls,
        svg: io.SVG.Type,
        background: str,
        precision: int,
        palette: Palette | Sequence[Palette] | None = None,
        reference: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        report = StageReport("finish")
        texts = svg_to_texts(svg)
        sizes = [None] if reference is None else [rgb.shape[1::-1] for rgb in images_to_pixels(reference)]
        palettes = [palette] if palette is None or isinstance(palette, Palette) else list(palette)
        results: list[bytes] = []
        items = zip(texts, _each(sizes, texts, "pictures"), _each(palettes, texts, "palettes"), strict=True)
        for (text, size, colors), progress in zip(items, batch_progress(HostProgress(), len(texts)), strict=True):
            progress(0.0)
            done = finish(
                text, background=background, decimals=precision, palette=colors.colors if colors else (), size=size
            )
            results.append(done.svg)
            report.add(bytes=len(done.svg), **{name: value for name, value in asdict(done).items() if name != "svg"})
        text = report.json()
        return io.NodeOutput(texts_to_svg(results), text, ui=report_ui(text))


def _each(values: Sequence[T], texts: Sequence[bytes], what: str) -> list[T]:
    """One value per drawing: a single one stands for all."""
    if len(values) not in (1, len(texts)):
        raise BadInput(
            f"The {what} do not fit the drawings",
            value=f"{len(values)} {what}",
            limit=f"1 or {len(texts)}",
            remedy="Give one, or one per drawing.",
        )
    return list(values) if len(values) == len(texts) else [values[0]] * len(texts)
