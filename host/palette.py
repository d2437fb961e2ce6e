"""The palette socket: one palette per image of a batch."""

from comfy_api.latest import io

from ..engine.color.palette import Palette

PALETTE = io.Custom("VECTRAHUB_PALETTE")

Palettes = list[Palette]


def palette_for(palettes: Palettes | None, index: int) -> Palette | None:
    """The palette of image `index`: its own, or the only one there is; None when none is connected."""
    if not palettes:
        return None
    return palettes[min(index, len(palettes) - 1)]
