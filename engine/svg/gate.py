"""Whether a drawing is good enough to stand for a picture."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput, EngineFailure
from ..raster.alpha import flatten
from .measure import complexity, likeness, resized
from .render import over_ground, render


@dataclass(frozen=True)
class Thresholds:
    """min_bytes: 100, not the seed's 500: one circle on nothing is a whole logo in 150 bytes, and every empty
    drawing is caught by its pixels. max_shapes: more is noise, not a drawing. max_mean_de: mean CIEDE2000 over
    white. min_ssim: -1..1. max_coverage_error: mean difference of the alpha planes, 0..1, only asked for when
    the picture has alpha. side: longest side in px at which both are compared (never above the picture's own).
    """

    min_bytes: int = 100
    max_shapes: int = 5000
    max_mean_de: float = 4.0
    min_ssim: float = 0.8
    max_coverage_error: float = 0.05
    side: int = 448


@dataclass(frozen=True)
class Verdict:
    """failed_test: 'readable', 'size', 'elements', 'shapes', 'renders', 'empty', 'uniform', 'color',
    'structure' or 'coverage'; empty when passed. reason: a sentence with the value and the limit."""

    passed: bool
    failed_test: str
    reason: str
    figures: dict[str, float | int] = field(default_factory=dict)

    @property
    def distance(self) -> float:
        """How far from the picture: mean CIEDE2000, infinite when it could not be compared."""
        return float(self.figures.get("mean_de", np.inf))


# A drawing whose contrast is below this share of the picture's shows next to nothing of it. Relative, so that
# a small icon on a large ground passes.
_FLAT_SHARE = 0.2
_FLAT_PICTURE = 2.0  # standard deviation below which the picture itself is plain


def check(
    svg: bytes,
    reference: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None = None,
    thresholds: Thresholds = Thresholds(),
) -> Verdict:
    """Test one drawing against the picture (H, W, 3) uint8 with alpha (H, W), 1 = opaque, cheapest test first.

    What the drawing does wrong is in the verdict, never an exception. After the first failed test the figures
    are still completed as far as the drawing can be drawn.
    """
    figures: dict[str, float | int] = {"bytes": len(svg)}
    try:
        cost = complexity(svg)
    except BadInput as error:
        return Verdict(False, "readable", str(error), figures)
    figures |= {"shapes": cost.shapes, "segments": cost.segments, "colors": cost.colors}
    failures = _cost_failures(len(svg), cost.shapes, thresholds)
    picture, mask = _working(reference, alpha, thresholds.side)
    try:
        drawn = render(svg, picture.shape[1], picture.shape[0])
    except (BadInput, EngineFailure) as error:
        failures.append(("renders", str(error)))
        return Verdict(False, *failures[0], figures)
    failures += _pixel_failures(drawn, picture, mask, thresholds, figures)
    if failures:
        return Verdict(False, *failures[0], figures)
    return Verdict(True, "", "All tests passed.", figures)


def better(candidate: Verdict | None, fallback: Verdict | None) -> tuple[Literal["candidate", "fallback"], Verdict]:
    """Which of two drawings stands for the picture, with its verdict; None is a drawing that is not there.

    The candidate if it passes, else the fallback if that passes, else the one nearer to the picture (the fallback
    when both are as near). Raises BadInput when there is neither.
    """
    if candidate is not None and (
        fallback is None or candidate.passed or not (fallback.passed or fallback.distance <= candidate.distance)
    ):
        return "candidate", candidate
    if fallback is not None:
        return "fallback", fallback
    raise BadInput(
        "There is no drawing to choose from",
        value="neither candidate nor fallback gave one",
        limit="at least one of them",
        remedy="Connect VTracerTrace to the fallback.",
    )


def _cost_failures(size: int, shapes: int, limits: Thresholds) -> list[tuple[str, str]]:
    failures = []
    if size < limits.min_bytes:
        failures.append(("size", f"The file has {size} bytes; at least {limits.min_bytes} are asked for."))
    if shapes == 0:
        failures.append(("elements", "The file has 0 drawing elements; at least 1 is needed."))
    if shapes > limits.max_shapes:
        failures.append(("shapes", f"The drawing has {shapes} shapes; at most {limits.max_shapes} are allowed."))
    return failures


def _working(
    reference: NDArray[np.uint8], alpha: NDArray[np.float32] | None, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    picture = flatten(reference, alpha)
    mask = None if alpha is None else np.rint(alpha * 255).astype(np.uint8)
    if max(picture.shape[:2]) <= side:
        return picture, mask
    return resized(picture, side), None if mask is None else resized(mask, side)


def _pixel_failures(
    drawn: NDArray[np.uint8],
    picture: NDArray[np.uint8],
    mask: NDArray[np.uint8] | None,
    limits: Thresholds,
    figures: dict[str, float | int],
) -> list[tuple[str, str]]:
    failures = []
    shown = over_ground(drawn)
    if not drawn[..., 3].any() and (mask is None or mask.any()):
        failures.append(("empty", "The drawing shows 0 visible pixels; the picture is not empty."))
    contrast, wanted = float(shown.std(axis=(0, 1)).max()), float(picture.std(axis=(0, 1)).max())
    if wanted >= _FLAT_PICTURE and contrast < _FLAT_SHARE * wanted:
        least = f"{_FLAT_SHARE * wanted:.1f}"
        failures.append(
            ("uniform", f"The drawing is nearly uniform: contrast {contrast:.1f}, at least {least} needed.")
        )
    alike = likeness(picture, shown)
    figures["mean_de"] = round(alike.mean_de, 4)
    figures["share_over_5"] = round(alike.share_over_5, 4)
    figures["ssim"] = round(alike.ssim, 4)
    if alike.mean_de > limits.max_mean_de:
        limit = f"{limits.max_mean_de:g}"
        reason = f"The mean colour difference (CIEDE2000) is {alike.mean_de:.2f}; at most {limit} is allowed."
        failures.append(("color", reason))
    if alike.ssim < limits.min_ssim:
        failures.append(("structure", f"The SSIM is {alike.ssim:.3f}; at least {limits.min_ssim:g} is asked for."))
    if mask is not None:
        error = float(np.abs(drawn[..., 3].astype(np.int16) - mask).mean() / 255)
        figures["coverage_error"] = round(error, 4)
        if error > limits.max_coverage_error:
            limit = f"{limits.max_coverage_error:g}"
            failures.append(("coverage", f"The opacity differs by {error:.3f} on average; at most {limit} is allowed."))
    return failures
