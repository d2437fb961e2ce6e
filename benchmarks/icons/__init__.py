"""Public icon packs as test material: fetched at bench time, never committed, rendered by resvg."""

from .packs import PACKS, Pack, fetch, fetch_archive
from .pictures import jpeg, on_ground, render

__all__ = ["PACKS", "Pack", "fetch", "fetch_archive", "jpeg", "on_ground", "render"]
