"""The systems by their names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .caption import CAPTION
from .logo import LOGO
from .system import System
from .toolbox_tiles import TILES
from .tryon import TRYON
from .upscale import UPSCALE
from .vectorize import VECTORIZE
from .vectrahub_trace import TRACED
from .vehicle import VEHICLE
from .workflow import WORKFLOWS

_PUBLIC = (VECTORIZE, UPSCALE, CAPTION, LOGO, TRYON, VEHICLE, WORKFLOWS)

# Those with an address of their own, and those that the old contracts order beside them.
SYSTEMS: Mapping[str, System] = MappingProxyType({system.name: system for system in _PUBLIC})
EVERY_SYSTEM: Mapping[str, System] = MappingProxyType({**SYSTEMS, TILES.name: TILES, TRACED.name: TRACED})
