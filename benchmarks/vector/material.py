"""The pictures: public icons rendered on white as a user would have them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from .. import icons
from ..icons.pictures import Pixels

PACKS = (
    "devicon",
    "simple-icons",
    "@iconify-json/emojione",
    "@iconify-json/flat-color-icons",
    "@iconify-json/skill-icons",
)
SETS = ("png 512", "jpeg q80 512", "png 170")
TRUTH = 1024  # px of the longer side


@dataclass(frozen=True)
class Icon:
    """One drawing: its pack, name and SVG text."""

    pack: str
    name: str
    svg: str


def choose(count: int) -> Iterator[Icon]:
    """`count` icons of each pack, spread over the pack by the hash of their names; unreadable ones are passed over."""
    for pack in PACKS:
        drawings = icons.fetch(pack)
        taken = 0
        for name in sorted(drawings, key=lambda name: hashlib.sha256(name.encode()).digest()):
            if taken == count:
                break
            if _has_picture(drawings[name]):
                taken += 1
                yield Icon(pack, name, drawings[name])


def truth(icon: Icon) -> Pixels:
    """The drawing at the size of the comparison, on white."""
    return icons.on_ground(icons.render(icon.svg, TRUTH))


def picture(icon: Icon, kind: str) -> Pixels:
    """What the tracers get: one of `SETS`."""
    if kind == "png 170":
        return icons.on_ground(icons.render(icon.svg, 170))
    large = icons.on_ground(icons.render(icon.svg, 512))
    return icons.jpeg(large, 80) if kind == "jpeg q80 512" else large


def _has_picture(svg: str) -> bool:
    try:
        rendered = icons.on_ground(icons.render(svg, 64))
    except ValueError:
        return False
    return bool((rendered != 255).any())
