"""The colour of the ground behind a drawing, read from the border: one colour, or one that changes softly."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from ..color.spaces import rgb_to_hex, srgb_to_lab
from ..svg.background import GROUND_SHARE

LEAST_TOLERANCE = 0.02  # CIELAB distance / 100: what a VAE or a high JPEG quality leaves in a plain ground
CLEAN_TOLERANCE = 0.01  # instead, where not even the surroundings of edges are restless: a rendering
MOST_TOLERANCE = 0.10  # a ground that is noisier is a texture
_NOISE_TO_TOLERANCE = 3.2  # of the median distance, which is 1.54 sigma for noise in three channels: 5 sigma
_WINDOW = 9  # pixels over which noise averages out, at least
_WINDOW_SHARE = 1 / 96  # of the shorter side: the noise of an enlarged picture is enlarged with it
_LACK = 0.3  # levels that a surface may be off
_MISSED = 0.004
_STEP = 0.03  # distance between the two colours of a ground that has two
_BAND = 1 / 128  # of the shorter side: the border that is read
_SAMPLES = 4000
_STRONG = 0.15  # distance from the ground of what surely is the drawing
_NEAR, _FAR, _AWAY = 4, 9, 24  # pixels from it: where JPEG blocks ring, and where they do not
_STILL = 0.001  # distance to the mean of the neighbours below which a place is still
_RINGING = 0.1  # of the contrast of an edge: how far compression tints the ground beside it
_BLOCKS = 33  # pixels: a JPEG block of colour, 16 pixels, to each side
_BETTER = 0.9  # a bent surface must fit that much better than a flatter one
_DEGREES = (0, 1, 2)
_BENT = 4  # degree of the surface through all of the ground, which shows more than its border does


@dataclass(frozen=True)
class Ground:
    """color: its mean, '#RRGGBB'. tolerance: CIELAB distance / 100 within which a pixel is ground.

    share: of the border that is ground (0..1). surface: float32 sRGB 0..255, (H, W, 3).
    """

    color: str
    tolerance: float
    share: float
    surface: NDArray[np.float32]


def read_ground(rgb: NDArray[np.uint8], opaque: NDArray[np.bool_], tolerance: float) -> Ground | None:
    """The smooth colour that most of the border has. rgb: (H, W, 3), lightly smoothed; opaque: (H, W).

    tolerance: CIELAB distance / 100 that is still ground, below 0 = from the noise of the border.
    The surface is the flattest of a constant, a slope and a bowl (polynomials of degree 0 to 2) that explains the
    border, fitted by reweighted least squares: first of absolute errors, then with Tukey's biweight (Huber, Robust
    Statistics, 1981), so that a subject on up to a quarter of the border does not bend it. None when the border is
    in two colours.
    """
    height, width = rgb.shape[:2]
    band = max(1, round(min(height, width) * _BAND))
    border = np.ones((height, width), bool)
    border[band : height - band, band : width - band] = False
    at = _thinned(np.flatnonzero(border & opaque))
    colors = rgb.reshape(-1, 3)[at].astype(np.float64)
    lab = srgb_to_lab(rgb.reshape(-1, 3)[at])
    window = max(_WINDOW, round(min(height, width) * _WINDOW_SHARE))
    even = np.asarray(cv2.blur(rgb, (window, window)), np.uint8)
    best: tuple[float, NDArray[np.float64], NDArray[np.float32], int] | None = None
    for degree in _DEGREES:
        basis = _basis(at, (height, width), degree)
        if len(at) < 4 * basis.shape[1] and degree:
            break
        factors = _robust_fit(basis, colors)
        if _bridges_a_step(even, factors, degree, window):
            if degree:
                break  # a bent one would hide the step
            continue
        apart = np.linalg.norm(lab - srgb_to_lab(_bytes(basis @ factors)), axis=1)
        middle = float(np.quantile(apart, GROUND_SHARE * 0.75))
        if best is None or middle < _BETTER * best[0] - 0.0003:
            best = middle, factors, apart, degree
    if best is None:
        return None
    _, factors, apart, degree = best
    if tolerance < 0:
        # What neighbours share is no noise but a colour that the surface misses: little of that is forgiven.
        noise = float(np.median(np.linalg.norm(lab - srgb_to_lab(even.reshape(-1, 3)[at]), axis=1)))
        noise = min(float(np.median(apart)), 2.5 * noise + _MISSED)
        tolerance = float(np.clip(_NOISE_TO_TOLERANCE * noise, LEAST_TOLERANCE, MOST_TOLERANCE))
    inside = apart <= tolerance
    mean = colors[inside].mean(axis=0) if inside.any() else colors.mean(axis=0)
    surface = np.clip(_surface(factors, (height, width), degree), 0, 255)
    return Ground(rgb_to_hex(_bytes(mean)[None])[0], tolerance, float(inside.sum() / max(len(at), 1)), surface)


def _bridges_a_step(even: NDArray[np.uint8], factors: NDArray[np.float64], degree: int, window: int) -> bool:
    """Whether the surface runs between two colours that meet at an edge on the border: then it is neither's.

    At the edge of a subject one side is the ground, and the surface is there. even: the picture, its noise averaged
    over `window` pixels.
    """
    height, width = even.shape[:2]
    if min(height, width) < 6 * window:
        return False
    index = np.arange(height * width).reshape(height, width)
    at = np.concatenate([index[0], index[1:, -1], index[-1, -2::-1], index[-2:0:-1, 0]])
    model = _bytes(_basis(at, (height, width), degree) @ factors)
    missed = srgb_to_lab(even.reshape(-1, 3)[at]) - srgb_to_lab(model)
    missed = uniform_filter1d(missed, 3 * window, axis=0, mode="wrap")
    before, after = (np.roll(missed, shift, axis=0) for shift in (-2 * window, 2 * window))
    step = np.linalg.norm(before - after, axis=1)
    least = np.minimum(np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1))
    return bool(((step > _STEP) & (least > step / 4) & (np.einsum("nc,nc->n", before, after) < 0)).any())


def follow_ground(
    rgb: NDArray[np.uint8], found: NDArray[np.bool_], surface: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`surface` bent to the pixels (H, W) `found` so far to be ground: a polynomial of what it lacks there."""
    size = rgb.shape[:2]
    # Not beside edges, where there is a little of the drawing in it.
    inner = np.asarray(cv2.erode(found.astype(np.uint8), np.ones((_WINDOW, _WINDOW), np.uint8)))
    at = _thinned(np.flatnonzero(inner))
    basis = _basis(at, size, _BENT)
    if len(at) < 10 * basis.shape[1]:
        return surface
    lack = rgb.reshape(-1, 3)[at] - surface.reshape(-1, 3)[at].astype(np.float64)
    if np.median(np.abs(lack)) < _LACK and np.abs(lack.mean(axis=0)).max() < _LACK:
        return surface
    # Where there is no ground nothing holds the polynomial: a little of "as it was" everywhere does.
    steady = _basis(_thinned(np.arange(size[0] * size[1])), size, _BENT)
    pull = 0.01 * len(at) / len(steady)
    factors = _least_squares(
        np.concatenate([basis, steady]),
        np.concatenate([lack, np.zeros((len(steady), 3))]),
        np.concatenate([np.ones(len(at)), np.full(len(steady), pull)]),
    )
    return np.clip(surface + _surface(factors, size, _BENT), 0, 255)


def lab_of(surface: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB / 100 (H, W, 3) of a surface; it is so smooth that every fourth pixel tells it."""
    height, width = surface.shape[:2]
    step = 4 if min(height, width) >= 256 else 1
    lab = srgb_to_lab(_bytes(surface[::step, ::step]))
    return np.asarray(cv2.resize(lab, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def distance(lab: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB distance / 100 (H, W) between two pictures (H, W, 3) in CIELAB / 100."""
    difference = lab - other
    return np.sqrt(np.einsum("hwc,hwc->hw", difference, difference))


def limit_beside_edges(
    smoothed: NDArray[np.float32], raw: NDArray[np.float32], tolerance: float
) -> tuple[NDArray[np.float32], bool]:
    """The distance (H, W) up to which a pixel is ground, and whether the picture was compressed.

    smoothed: distance (H, W) of the smoothed picture from its ground; raw: of the picture itself. What is restless
    beside edges and calm far from them was compressed: there more is ground, in proportion to the edge. What is
    still in both places was rendered: there less is.
    """
    apart = np.asarray(cv2.distanceTransform((raw <= _STRONG).astype(np.uint8), cv2.DIST_C, 3))
    restless = np.abs(raw - np.asarray(cv2.blur(raw, (5, 5))))
    weak = raw < _STRONG * 0.7
    near, far = (
        float(np.quantile(restless[zone], 0.95)) if zone.any() else 0.0
        for zone in (weak & (apart >= _NEAR) & (apart <= _FAR), weak & (apart > _AWAY))
    )
    if max(near, far) < _STILL:
        tolerance = min(tolerance, max(CLEAN_TOLERANCE, tolerance / 2))
    limit = np.full(raw.shape, tolerance, np.float32)
    compressed = near > 1.5 * far + 3 * _STILL
    if compressed:
        strongest = np.asarray(cv2.dilate(smoothed, np.ones((_BLOCKS, _BLOCKS), np.uint8)))
        np.maximum(limit, _RINGING * strongest, out=limit)
    return limit, compressed


def _thinned(at: NDArray[np.intp]) -> NDArray[np.intp]:
    # An odd step does not run along one column of a picture whose width is a power of two.
    return at[:: max(1, len(at) // _SAMPLES) | 1]


def _basis(at: NDArray[np.intp], size: tuple[int, int], degree: int) -> NDArray[np.float64]:
    """Powers of x and y, each -1..1, at flat indices."""
    rows, columns = np.divmod(at, size[1])
    return _powers(_axis(size[1])[columns], _axis(size[0])[rows], degree)


def _axis(length: int) -> NDArray[np.float64]:
    return np.linspace(-1, 1, length) if length > 1 else np.zeros(1)


def _powers(x: NDArray[np.float64], y: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    return np.stack([x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=-1)


def _surface(factors: NDArray[np.float64], size: tuple[int, int], degree: int) -> NDArray[np.float32]:
    """(H, W, 3): as smooth as it is, a few hundred knots hold it."""
    if degree == 0:
        return np.ascontiguousarray(np.broadcast_to(factors[0].astype(np.float32), (*size, 3)))
    x, y = (_axis(length).astype(np.float32) for length in (size[1], size[0]))
    surface = np.zeros((*size, 3), np.float32)
    index = 0
    for i in range(degree + 1):
        row = x**i
        for j in range(degree + 1 - i):
            surface += (y**j)[:, None, None] * (row[:, None] * factors[index].astype(np.float32))
            index += 1
    return surface


def _robust_fit(basis: NDArray[np.float64], colors: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.ones(len(basis))
    factors = np.zeros((basis.shape[1], 3))
    for turn in range(24):
        factors = _least_squares(basis, colors, weights)
        error = np.linalg.norm(colors - basis @ factors, axis=1)
        if turn < 12:
            weights = 1 / np.maximum(error, 0.5)
        else:
            scale = max(1.0, 1.4826 * float(np.median(error)))
            weights = np.square(np.clip(1 - np.square(error / (4.685 * scale)), 1e-6, None))
    return factors


def _least_squares(
    basis: NDArray[np.float64], colors: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    weighted = basis * weights[:, None]
    normal = weighted.T @ basis
    # A picture of one row has no y: the ridge gives such powers nothing to do.
    ridge = 1e-9 * max(float(np.trace(normal)), 1e-9) * np.eye(len(normal))
    return np.linalg.solve(normal + ridge, weighted.T @ colors)


def _bytes(colors: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.rint(np.clip(colors, 0, 255)).astype(np.uint8)
