"""Rendered icons under the conditions in which users have pictures, with the route each should take."""

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks import icons

Pixels = NDArray[np.uint8]
Picture = tuple[Pixels, NDArray[np.float32] | None]

DEVICON, SIMPLE = "devicon", "simple-icons"
EMOJI, LINES = "@iconify-json/emojione", "lucide-static"
FLAT, SKILL = "@iconify-json/flat-color-icons", "@iconify-json/skill-icons"
TRUTH = {DEVICON: "logo", SIMPLE: "logo", EMOJI: "illustration", LINES: "line_art"}
STRANGERS = {FLAT: "illustration", SKILL: "logo"}  # packs that the fit never sees

_FOLDS = 5
_TEST_FOLD = 1
_GROUNDS = {"white": (255, 255, 255), "light": (235, 225, 200), "dark": (24, 26, 40)}


@dataclass(frozen=True)
class Condition:
    """Longer side in px, ground (a colour or "alpha"), padding as a share of the side, JPEG quality or None."""

    size: int = 512
    ground: str = "white"
    padding: float = 0.0
    quality: int | None = None
    color: str = "#000000"  # of drawings that have none of their own
    stroke: float | None = None  # of lucide's outlines, which are 2 of 24
    pen: str = "round"  # ends and joints of lucide's outlines: round or square

    def __str__(self) -> str:
        jpeg = "" if self.quality is None else f" JPEG q{self.quality}"
        padding = f" padding {self.padding:.0%}" if self.padding else ""
        return f"{self.size} px on {self.ground}{padding}{jpeg}"


CLEAN, JPEG = Condition(), Condition(quality=80)
CONDITIONS = (
    CLEAN,
    JPEG,
    Condition(quality=60),
    Condition(size=1024),
    Condition(size=170),
    Condition(size=64),
    Condition(ground="alpha", padding=0.2),
    Condition(ground="light", padding=0.1, quality=80),
    Condition(ground="dark", padding=0.2, quality=80, color="#ffffff"),
)


@cache
def drawings(pack: str) -> dict[str, str]:
    """The icons of a pack, fetched once."""
    return icons.fetch(pack)


def number(text: str) -> int:
    """A number from a text, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def names(pack: str, count: int, *, test: bool) -> list[str]:
    """`count` icons of a pack in a fixed shuffled order: a fifth of the names is kept for testing."""
    chosen = [name for name in drawings(pack) if (number(name) % _FOLDS == _TEST_FOLD) == test]
    return sorted(chosen, key=lambda name: number(pack + name))[:count]


def picture(pack: str, name: str, condition: Condition) -> Picture | None:
    """RGB and alpha (None for opaque); None where the drawing cannot be seen on its ground."""
    svg = drawings(pack)[name].replace("currentColor", condition.color)
    if pack == SIMPLE:
        svg = svg.replace("<svg ", f'<svg fill="{condition.color}" ', 1)
    if condition.stroke is not None:
        svg = svg.replace('stroke-width="2"', f'stroke-width="{condition.stroke}"')
    if condition.pen == "square":
        svg = svg.replace('linecap="round"', 'linecap="butt"').replace('linejoin="round"', 'linejoin="miter"')
    inner = icons.render(svg, max(16, round(condition.size * (1 - condition.padding))))
    edge = max(0, (condition.size - max(inner.shape[:2])) // 2) if condition.padding else 0
    rgba = np.pad(inner, ((edge, edge), (edge, edge), (0, 0)))
    if condition.ground == "alpha":
        return rgba[..., :3].copy(), (rgba[..., 3] / np.float32(255)).astype(np.float32)
    rgb = icons.on_ground(rgba, _GROUNDS[condition.ground])
    if (
        rgb.max(axis=(0, 1)).astype(int).max() - rgb.min(axis=(0, 1)).astype(int).min() < 60
        and condition.ground == "dark"
    ):
        return None
    return (rgb if condition.quality is None else icons.jpeg(rgb, condition.quality)), None


def any_condition(generator: np.random.Generator, pack: str) -> Condition:
    """A condition for fitting: sizes, grounds, padding, compression, ink and stroke at random."""
    ground = str(generator.choice(["white", "white", "alpha", "light", "dark"]))
    low, high = (130, 256) if ground == "dark" else (0, 190)
    color = generator.choice([(255, 255, 255)] if ground == "dark" else [(0, 0, 0)])
    if generator.random() < 0.5:
        color = generator.integers(low, high, 3)
    quality = int(generator.choice([0, 0, 60, 80, 90]))
    stroke = float(generator.choice([0.5, 0.75, 1, 1.5, 2, 2, 2, 2, 2.5])) if pack == LINES else None
    return Condition(
        size=int(generator.choice([64, 96, 170, 256, 400, 512])),
        ground=ground,
        padding=float(generator.choice([0, 0, 0.1, 0.4])),
        quality=quality or None,
        color="#" + "".join(f"{int(part):02x}" for part in color),
        stroke=stroke,
        pen=str(generator.choice(["round", "round", "round", "square"])),
    )
