"""Sanitise: what a mask marks disappears from a picture; and the first of several masks that marks anything."""

from dataclasses import asdict
from typing import Any

import torch
from comfy_api.latest import io

from ..engine.networks.inpaint.choice import AUTO, Choice, choose_inpainter
from ..engine.networks.inpaint.inpaint import WINDOW, Figures, inpaint
from ..host.convert import floats_to_images
from ..host.inpaint import inpaint_files, load_inpainter
from ..host.marks import images_to_photos, marked_percent, marks_anything, mask_to_marks, nothing_marked
from ..host.progress import HostProgress, batch_progress
from ..host.report import StageReport, report_ui

_NOT_CONNECTED = object()  # the host leaves inputs without a wire out; one that is not evaluated yet is None


class LaMaInpaint(io.ComfyNode):
    """Per image: the marked parts, repainted from what is around them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_LaMaInpaint",
            display_name="LaMa Inpaint",
            category="VectraHub/vehicle",
            description=(
                "Makes what a mask marks disappear, as if it had never been there: plates, badges, stickers, text. "
                "Only the surroundings of the marked parts are computed, at any size of the picture; everything else "
                "keeps its colours."
            ),
            search_aliases=["inpaint", "lama", "remove object", "erase", "clean up", "licence plate", "watermark"],
            inputs=[
                io.Image.Input("image", tooltip="Image or batch, any size."),
                io.Mask.Input(
                    "mask",
                    tooltip=(
                        "1 = repaint, as detectors mark (not 1 = transparent), one for all or per image; several on "
                        "one image add up. Grey is mixed in by that much; other sizes are resized. Empty: the original."
                    ),
                ),
                io.Combo.Input(
                    "model",
                    options=[AUTO, *inpaint_files()],
                    default=AUTO,
                    tooltip="auto: big-lama (or another LaMa) if it is in models/inpaint. Runs on a CPU as well.",
                ),
                io.Int.Input(
                    "window",
                    default=WINDOW,
                    min=256,
                    max=4096,
                    step=64,
                    optional=True,
                    advanced=True,
                    tooltip="Longest side in px that is computed at once. More sees more, and takes more memory.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The picture without what was marked."),
                io.String.Output(
                    display_name="report", tooltip="JSON: network and why, share marked, holes, runs, window, time."
                ),
            ],
        )

    @classmethod
    def execute(cls, image: torch.Tensor, mask: torch.Tensor, model: str, window: int = WINDOW) -> io.NodeOutput:
        report = StageReport("inpaint")
        photos = images_to_photos(image)
        marks = mask_to_marks(mask, photos)
        choice = choose_inpainter(model, inpaint_files())
        network = None if all(one is None for one in marks) else load_inpainter(choice, window)
        steps = batch_progress(HostProgress(), len(photos))
        results = [
            inpaint(photo, one, network, window, step) for photo, one, step in zip(photos, marks, steps, strict=True)
        ]
        for photo, result in zip(photos, results, strict=True):
            report.add(size=[photo.shape[1], photo.shape[0]], **_figures(choice, result.figures))
        text = report.json()
        done = image if network is None else floats_to_images([one.rgb for one in results])
        return io.NodeOutput(done, text, ui=report_ui(text))


class FirstMask(io.ComfyNode):
    """The first of up to three masks that marks anything; the later ones are computed only if needed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_FirstMask",
            display_name="First Mask",
            category="VectraHub/vehicle",
            description=(
                "Passes on the first of up to three masks that marks anything. The second and the third are computed "
                "only when those before are empty: detectors with ever lower thresholds, each run only if needed."
            ),
            search_aliases=["mask fallback", "mask switch", "first non-empty mask", "retry detection"],
            inputs=[
                io.Mask.Input("mask", tooltip="1 = marked, as detectors mark (not 1 = transparent)."),
                io.Mask.Input(
                    "second",
                    optional=True,
                    lazy=True,
                    tooltip="Computed only if the first is empty. 1 = marked (not 1 = transparent).",
                ),
                io.Mask.Input(
                    "third",
                    optional=True,
                    lazy=True,
                    tooltip="Computed only if both before are empty. 1 = marked (not 1 = transparent).",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="mask",
                    tooltip="The first that marks anything, 1 = marked; else an empty one of the first one's size.",
                ),
                io.Int.Output(display_name="which", tooltip="1, 2 or 3; 0 if none marks anything."),
                io.String.Output(display_name="report", tooltip="JSON: which, and the share that each one marks."),
            ],
        )

    @classmethod
    def check_lazy_status(
        cls, mask: torch.Tensor, second: Any = _NOT_CONNECTED, third: Any = _NOT_CONNECTED
    ) -> list[str]:
        """Ask for the next one only while those before mark nothing."""
        for name, one in (("mask", mask), ("second", second), ("third", third)):
            if one is None:
                return [name]
            if one is not _NOT_CONNECTED and marks_anything(one):
                return []
        return []

    @classmethod
    def execute(
        cls, mask: torch.Tensor, second: torch.Tensor | None = None, third: torch.Tensor | None = None
    ) -> io.NodeOutput:
        report = StageReport("first_mask")
        asked = {number: one for number, one in enumerate((mask, second, third), 1) if one is not None}
        which = next((number for number, one in asked.items() if marks_anything(one)), 0)
        report.add(which=which, marked={number: marked_percent(one) for number, one in asked.items()})
        text = report.json()
        return io.NodeOutput(asked[which] if which else nothing_marked(mask), which, text, ui=report_ui(text))


def _figures(choice: Choice, figures: Figures) -> dict[str, object]:
    ran = figures.runs > 0
    engine = {"engine": choice.file, "reason": choice.reason} if ran else {"engine": "none", "reason": figures.note}
    return {**engine, **asdict(figures)}
