"""The lines of an illustration: outlines, centrelines, and nothing twice."""

from dataclasses import asdict

from comfy_api.latest import io

from ..engine.svg.outline import MAX_WIDTH, draw_outlines
from ..host.convert import svg_to_texts, texts_to_svg
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui


class SVGOutline(io.ComfyNode):
    """Outlines each drawing of a batch."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_SVGOutline",
            display_name="SVG Outline",
            category="VectraHub/vehicle",
            description=(
                "Gives every filled shape an outline that stays as wide at every zoom, thin shapes a line through "
                "their middle if you like, and drops shapes that change nothing. Fills stay exactly what they are."
            ),
            search_aliases=["stroke svg", "contour", "centerline", "centreline", "line art", "non-scaling stroke"],
            inputs=[
                io.SVG.Input("svg", tooltip="Drawing, or one per image of a batch; best after SVG Finish."),
                io.Float.Input(
                    "width",
                    default=2.0,
                    min=0.0,
                    max=MAX_WIDTH,
                    step=0.5,
                    tooltip="Outline in px, the same at every zoom (a non-scaling stroke). 0: none.",
                ),
                io.String.Input("color", default="#000000", tooltip="Colour of the outline as hex, #RGB or #RRGGBB."),
                io.Boolean.Input(
                    "centrelines",
                    default=False,
                    tooltip="Draw a line through the middle of thin shapes, as wide and in the colour that they are.",
                ),
                io.Boolean.Input(
                    "drop_hidden",
                    default=True,
                    tooltip="Drop repeated shapes, and those inside a shape of the same colour that change nothing.",
                ),
            ],
            outputs=[
                io.SVG.Output(display_name="svg", tooltip="The drawing with its lines; doing it again replaces them."),
                io.String.Output(display_name="report", tooltip="JSON: dropped, outlined, centrelines, their length."),
            ],
        )

    @classmethod
    def execute(cls, svg: io.SVG.Type, width: float, color: str, centrelines: bool, drop_hidden: bool) -> io.NodeOutput:
        report = StageReport("outline")
        texts = svg_to_texts(svg)
        results: list[bytes] = []
        for text, progress in zip(texts, batch_progress(HostProgress(), len(texts)), strict=True):
            done = draw_outlines(
                text, width=width, color=color, centrelines=centrelines, hidden=drop_hidden, progress=progress
            )
            results.append(done.svg)
            report.add(bytes=len(done.svg), **{name: value for name, value in asdict(done).items() if name != "svg"})
        text = report.json()
        return io.NodeOutput(texts_to_svg(results), text, ui=report_ui(text))
