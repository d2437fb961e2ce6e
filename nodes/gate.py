"""Gate: a candidate drawing is taken only if it is good enough; the other way is paid for only if not."""

from collections.abc import Sequence
from typing import Any

import torch
from comfy_api.latest import io

from ..engine.errors import BadInput
from ..engine.svg.gate import Thresholds, Verdict, better, check
from ..host.convert import images_to_pixels, mask_to_alphas, svg_to_texts, texts_to_svg
from ..host.progress import HostProgress
from ..host.report import StageReport, report_ui

_AUTO, _ALWAYS, _NEVER = "auto", "always", "never"
_NOT_CONNECTED = object()  # the host leaves inputs without a wire out; one that is not evaluated yet is None
_DEFAULTS = Thresholds()
_NOT_MADE = Verdict(False, "none", "No candidate was made; the report of the node that makes it says why.")


class SVGQualityGate(io.ComfyNode):
    """Per image: the candidate if it passes, else the fallback, else the more alike of both."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_SVGQualityGate",
            display_name="SVG Quality Gate",
            category="VectraHub/vector",
            description=(
                "Compares a candidate drawing with the picture and lets it through if it is good enough. Only "
                "otherwise is the fallback computed. A drawing always comes out; the report says how good it is."
            ),
            search_aliases=["svg check", "compare svg", "quality", "fallback", "validate svg"],
            inputs=[
                io.Image.Input("reference", tooltip="The picture that the drawings stand for."),
                io.SVG.Input(
                    "candidate",
                    optional=True,
                    lazy=True,
                    tooltip="The drawing to try first, one per image; a generated one. No drawings: none was made.",
                ),
                io.SVG.Input(
                    "fallback",
                    optional=True,
                    lazy=True,
                    tooltip="The drawing to take otherwise, one per image; a traced one.",
                ),
                io.Combo.Input(
                    "route",
                    options=["auto", "logo", "illustration", "line_art"],
                    default="auto",
                    optional=True,
                    tooltip="What the picture is; candidates are tried for logos, and with auto.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="The picture's mask (1 = transparent)."),
                io.Combo.Input(
                    "use_candidate",
                    options=[_AUTO, _ALWAYS, _NEVER],
                    default=_AUTO,
                    optional=True,
                    tooltip="auto: for logos. always: whatever the route. never: straight to the fallback.",
                ),
                *_threshold_inputs(),
            ],
            outputs=[
                io.SVG.Output(display_name="svg", tooltip="One drawing per image."),
                io.String.Output(
                    display_name="which",
                    tooltip="candidate or fallback; a comma list in image order when a batch is mixed.",
                ),
                io.String.Output(display_name="report", tooltip="JSON per image: passed, reason, figures of both."),
            ],
        )

    @classmethod
    def check_lazy_status(
        cls,
        reference: torch.Tensor,
        candidate: Any = _NOT_CONNECTED,
        fallback: Any = _NOT_CONNECTED,
        route: str = "auto",
        mask: torch.Tensor | None = None,
        use_candidate: str = _AUTO,
        **limits: Any,
    ) -> list[str]:
        """Ask for the candidate first, and for the fallback only when the candidate does not pass everywhere."""
        wanted = candidate is not _NOT_CONNECTED and _tries(use_candidate, route)
        if not wanted:
            first = "candidate" if fallback is _NOT_CONNECTED else "fallback"
            return [] if candidate is fallback is _NOT_CONNECTED else [first]
        if candidate is None:
            return ["candidate"]
        if fallback is not None:
            return []
        verdicts = _verdicts(reference, mask, candidate, Thresholds(**limits))
        return [] if all(verdict is not None and verdict.passed for verdict in verdicts) else ["fallback"]

    @classmethod
    def execute(
        cls,
        reference: torch.Tensor,
        candidate: io.SVG.Type | None = None,
        fallback: io.SVG.Type | None = None,
        route: str = "auto",
        mask: torch.Tensor | None = None,
        use_candidate: str = _AUTO,
        max_mean_de: float = _DEFAULTS.max_mean_de,
        min_ssim: float = _DEFAULTS.min_ssim,
        max_coverage_error: float = _DEFAULTS.max_coverage_error,
        min_bytes: int = _DEFAULTS.min_bytes,
        max_shapes: int = _DEFAULTS.max_shapes,
    ) -> io.NodeOutput:
        report = StageReport("gate")
        limits = Thresholds(min_bytes, max_shapes, max_mean_de, min_ssim, max_coverage_error)
        tried = candidate if _tries(use_candidate, route) or fallback is None else None
        first, second = _verdicts(reference, mask, tried, limits), _verdicts(reference, mask, fallback, limits)
        chosen: list[bytes] = []
        names: list[str] = []
        for index, pair in enumerate(zip(first, second, strict=True)):
            name, verdict = better(*pair)
            source = candidate if name == "candidate" else fallback
            names.append(name)
            chosen.append(svg_to_texts(source)[index])  # pyright: ignore[reportArgumentType]
            report.add(which=name, passed=verdict.passed, **_figures(tried is not None, *pair, verdict))
        which = names[0] if len(set(names)) == 1 else ",".join(names)
        text = report.json()
        return io.NodeOutput(texts_to_svg(chosen), which, text, ui=report_ui(text))


def _threshold_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "max_mean_de",
            default=_DEFAULTS.max_mean_de,
            min=0.0,
            max=100.0,
            step=0.1,
            optional=True,
            advanced=True,
            tooltip="Largest mean colour difference (CIEDE2000) to the picture, both over white.",
        ),
        io.Float.Input(
            "min_ssim",
            default=_DEFAULTS.min_ssim,
            min=-1.0,
            max=1.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="Smallest structural similarity to the picture; 1 is equal.",
        ),
        io.Float.Input(
            "max_coverage_error",
            default=_DEFAULTS.max_coverage_error,
            min=0.0,
            max=1.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="Largest mean difference of the opacity, asked for when there is a mask.",
        ),
        io.Int.Input(
            "min_bytes",
            default=_DEFAULTS.min_bytes,
            min=0,
            max=1_000_000,
            optional=True,
            advanced=True,
            tooltip="Smaller files are refused. A single circle makes about 150 bytes.",
        ),
        io.Int.Input(
            "max_shapes",
            default=_DEFAULTS.max_shapes,
            min=1,
            max=250_000,
            optional=True,
            advanced=True,
            tooltip="Drawings of more shapes are refused.",
        ),
    ]


def _tries(use_candidate: str, route: str) -> bool:
    return use_candidate == _ALWAYS or (use_candidate == _AUTO and route in ("auto", "logo"))


def _verdicts(
    reference: torch.Tensor, mask: torch.Tensor | None, svg: io.SVG.Type | None, limits: Thresholds
) -> Sequence[Verdict | None]:
    """One verdict per image; None where there is no drawing. Raises BadInput when the counts differ."""
    pixels = images_to_pixels(reference)
    texts = [] if svg is None else svg_to_texts(svg)
    if not texts:
        return [None] * len(pixels)
    if len(texts) != len(pixels):
        raise BadInput(
            "The drawings do not fit the reference batch",
            value=f"{len(texts)} drawings",
            limit=f"{len(pixels)}, one per image",
            remedy="Connect the images that the drawings were made from.",
        )
    progress = HostProgress()
    verdicts: list[Verdict | None] = []
    for text, rgb, alpha in zip(texts, pixels, mask_to_alphas(mask, pixels), strict=True):
        progress(len(verdicts) / len(pixels))
        verdicts.append(check(text, rgb, alpha, limits) if text else None)
    return verdicts


def _figures(tried: bool, candidate: Verdict | None, fallback: Verdict | None, chosen: Verdict) -> dict[str, object]:
    """What the report says of one image; tried: a candidate was asked for, so it says when there was none."""
    tests = {"candidate": candidate or (_NOT_MADE if tried else None), "fallback": fallback}
    both = {
        name: {"passed": v.passed, "failed_test": v.failed_test, "reason": v.reason, **v.figures}
        for name, v in tests.items()
        if v is not None
    }
    return {"failed_test": chosen.failed_test, "reason": chosen.reason, **both}
