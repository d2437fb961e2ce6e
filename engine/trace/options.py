"""What may be asked of the tracer, and the presets by kind of picture."""

from dataclasses import dataclass
from typing import Any, Literal

Hierarchy = Literal["layers", "stacked", "cutout"]
Mode = Literal["refit", "spline", "polygon", "none"]


@dataclass(frozen=True)
class TraceOptions:
    """hierarchy: how colours become shapes. mode: how outlines become paths. The rest are VTracer's own knobs.

    Lengths are in details (pixels of the picture before it was upscaled), angles in degrees.
    tolerance: of the refit, 0.05..2. filter_speckle: patches below its square are dropped, 0..16.
    color_precision: significant bits per channel 1..8, layer_difference: between stacked layers 0..255
    (both for stacked and cutout only). corner_threshold, length_threshold, max_iterations, splice_threshold:
    for spline only.
    """

    hierarchy: Hierarchy = "layers"
    mode: Mode = "refit"
    tolerance: float = 0.3
    filter_speckle: float = 1.25
    color_precision: int = 6
    layer_difference: int = 16
    corner_threshold: int = 60
    length_threshold: float = 4.0
    max_iterations: int = 10
    splice_threshold: int = 45

    def vtracer(self, detail: float) -> dict[str, Any]:
        """VTracer's keywords for an image in which one detail is `detail` pixels."""
        return {
            "hierarchical": "cutout" if self.hierarchy == "cutout" else "stacked",
            "mode": "none" if self.mode == "refit" else self.mode,
            "filter_speckle": round(self.filter_speckle * detail),
            "color_precision": self.color_precision,
            "layer_difference": self.layer_difference,
            "corner_threshold": self.corner_threshold,
            "length_threshold": self.length_threshold,
            "max_iterations": self.max_iterations,
            "splice_threshold": self.splice_threshold,
            "path_precision": 2,
        }


# Colour precision, layer difference and iterations are those of the VectraHub server that this pack succeeds;
# the tolerances are our own: lines keep their shape, illustrations may be drawn a little looser.
PRESETS: dict[str, dict[str, Any]] = {
    "logo": {"tolerance": 0.3, "color_precision": 8, "layer_difference": 16, "max_iterations": 15},
    "illustration": {"tolerance": 0.35, "color_precision": 6, "layer_difference": 32, "max_iterations": 10},
    "line_art": {"tolerance": 0.3, "color_precision": 4, "layer_difference": 48, "max_iterations": 10},
}


def trace_options(route: str, **chosen: Any) -> TraceOptions:
    """The preset of a route ('auto' = illustration) with the options that were chosen; None leaves the preset's."""
    preset = PRESETS["illustration" if route == "auto" else route]
    return TraceOptions(**{**preset, **{name: value for name, value in chosen.items() if value is not None}})
