"""The contact sheet: input, render of the SVG and their difference, side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage.color import deltaE_ciede2000, rgb2lab

from .samples import NAMES, SMALL, draw, over
from .work import Outcome

_TILE, _GAP, _GROUP, _EDGE = 256, 12, 36, 40  # px
_LABELS = 104  # px left of the rows
_HEAD, _COLUMN = 116, 66  # px: title and group name; label and figures of a column
_INK, _FAINT, _PAPER, _CARD = "#1B1F2A", "#6B7280", "#FFFFFF", "#F4F5F7"
_CHECKS = ("#FFFFFF", "#E4E6EA")
_MOST = 20.0  # dE2000 at the end of the scale
_HEAT = np.array([[16, 18, 32], [72, 30, 110], [186, 54, 85], [249, 142, 9], [252, 255, 164]], np.float64)
_ROWS = ("input", "SVG", "difference")
_DETAILS = {"logo": (230, 60), "illustration": (120, 90), "line_drawing": (250, 30)}  # of 600 x 600 px: where to look
_GROUPS = {"logo": "Logo", "illustration": "Illustration", "line_drawing": "Line drawing"}


def contact_sheet(outcomes: Sequence[Outcome], target: Path) -> Path:
    """Write the sheet (PNG) of all outcomes: a column for each, a row each for input, drawing and difference."""
    group = 3 * _TILE + 2 * _GAP
    width = 2 * _EDGE + _LABELS + len(NAMES) * group + (len(NAMES) - 1) * _GROUP
    height = _EDGE + _HEAD + _COLUMN + 3 * (_TILE + _GAP) + 44 + _EDGE // 2
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_EDGE, _EDGE - 8), "VectraHub", _INK, _font(34))
    pen.text((_EDGE + 196, _EDGE + 6), "pictures in, drawings out: samples of the pack's own", _FAINT, _font(20))
    top = _EDGE + _HEAD + _COLUMN
    for row, name in enumerate(_ROWS):
        middle = top + row * (_TILE + _GAP) + _TILE // 2
        pen.text((_EDGE, middle), name, _INK, _font(18), anchor="lm")
    for number, outcome in enumerate(outcomes):
        place, inside = divmod(number, 3)
        left = _EDGE + _LABELS + place * (group + _GROUP) + inside * (_TILE + _GAP)
        if inside == 0:
            pen.text((left, _EDGE + 66), _GROUPS[outcome.sample.name], _INK, _font(26))
            pen.line((left, _EDGE + 104, left + group - 1, _EDGE + 104), _INK, 2)
        _column(sheet, pen, outcome, left, top)
    _scale(sheet, pen, width - _EDGE, top + 3 * (_TILE + _GAP) + 8)
    sheet.save(target, optimize=True)
    return target


def before_after(outcomes: Sequence[Outcome], target: Path) -> Path:
    """Write a picture (PNG) of what it is about: small inputs on the left, drawings of them on the right."""
    side, gap = 300, 16  # px
    chosen = [outcome for outcome in outcomes if outcome.svg and str(SMALL) in outcome.sample.kind]
    sheet = Image.new("RGB", (len(chosen) * (2 * side + gap) + gap, side + 2 * gap + 30), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, outcome in enumerate(chosen):
        assert outcome.svg is not None
        left = gap + number * (2 * side + gap)
        before = Image.open(outcome.sample.path).convert("RGBA").resize((2 * side, 2 * side), Image.Resampling.NEAREST)
        after = draw(outcome.svg.read_bytes(), 2 * side)
        x, y = _DETAILS[outcome.sample.name]
        window = (x, y, x + side, y + side)
        sheet.paste(_on_checks(before.crop(window)), (left, gap))
        sheet.paste(_on_checks(after.crop(window)), (left + side, gap))
        pen.text((left, side + gap + 8), f"{outcome.sample.kind}, enlarged", _FAINT, _font(16))
        pen.text((left + side, side + gap + 8), "the SVG made of it", _FAINT, _font(16))
    sheet.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
    return target


def difference(one: Image.Image, other: Image.Image) -> NDArray[np.float64]:
    """CIEDE2000 of each pixel of two RGBA pictures of one size, over white: (H, W)."""
    lab = [rgb2lab(np.asarray(over(picture))) for picture in (one, other)]
    return deltaE_ciede2000(*lab)


def _column(sheet: Image.Image, pen: ImageDraw.ImageDraw, outcome: Outcome, left: int, top: int) -> None:
    pen.text((left, top - _COLUMN + 2), outcome.sample.kind, _INK, _font(17))
    picture = Image.open(outcome.sample.path).convert("RGBA")
    found = outcome.figures
    told = "failed" if found is None else f"dE {found.mean_de:.2f}   {found.segments} segments   {found.bytes} bytes"
    pen.text((left, top - _COLUMN + 28), told, _FAINT, _font(14))
    tiles = [_on_checks(_sized(picture))]
    if outcome.svg is not None:
        drawing = outcome.svg.read_bytes()
        tiles.append(_on_checks(draw(drawing, _TILE)))
        # Compared at the picture's own size, where nothing was resampled.
        heat = Image.fromarray(_heat(difference(picture, draw(drawing, picture.width))))
        tiles.append(_sized(heat))
    for row in range(len(_ROWS)):
        place = (left, top + row * (_TILE + _GAP))
        if row < len(tiles):
            sheet.paste(tiles[row], place)
        fill = None if row < len(tiles) else _CARD
        pen.rectangle((*place, place[0] + _TILE - 1, place[1] + _TILE - 1), fill, "#D5D8DE")


def _sized(picture: Image.Image) -> Image.Image:
    larger = picture.width < _TILE
    return picture.resize((_TILE, _TILE), Image.Resampling.NEAREST if larger else Image.Resampling.BOX)


def _on_checks(picture: Image.Image) -> Image.Image:
    cells = np.add.outer(np.arange(picture.height) // 12, np.arange(picture.width) // 12) % 2
    colors = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in _CHECKS], np.uint8)
    below = Image.fromarray(colors[cells]).convert("RGBA")
    below.alpha_composite(picture)
    return below.convert("RGB")


def _heat(amount: NDArray[np.float64]) -> NDArray[np.uint8]:
    """dE2000 (...) as colours (..., 3) from dark (equal) to bright (`_MOST` or more)."""
    at = np.clip(amount / _MOST, 0, 1) * (len(_HEAT) - 1)
    low = np.minimum(at.astype(np.int64), len(_HEAT) - 2)
    share = (at - low)[..., None]
    return np.rint(_HEAT[low] * (1 - share) + _HEAT[low + 1] * share).astype(np.uint8)


def _scale(sheet: Image.Image, pen: ImageDraw.ImageDraw, right: int, top: int) -> None:
    long, high = 260, 14
    ramp = np.tile(np.linspace(0, _MOST, long), (high, 1))
    sheet.paste(Image.fromarray(_heat(ramp)), (right - long, top))
    pen.text((right - long - 12, top + high // 2), "difference, dE2000", _FAINT, _font(14), anchor="rm")
    pen.text((right - long, top + high + 4), "0", _FAINT, _font(13))
    pen.text((right, top + high + 4), f"{_MOST:.0f} or more", _FAINT, _font(13), anchor="ra")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
