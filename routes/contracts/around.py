"""What the old servers' addresses need beside the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...vectrahub_client.service.route import PREFIX, Handler, Route
from ...vectrahub_client.service.service import Service
from ..fresh import Fresh
from ..gpu_figures import Gpu
from ..models.store import ModelStore
from ..models.uploads import Uploads
from ..probes import HostState


@dataclass(frozen=True)
class Around:
    """`probes`: our own, whose answers /ready and /metrics give as well."""

    service: Service
    gpu: Fresh[Gpu | None]
    host: Fresh[HostState | None]
    store: ModelStore
    uploads: Uploads
    probes: Sequence[Route]

    def probe(self, name: str) -> Handler:
        """The handler of PREFIX/NAME."""
        return next(route.handler for route in self.probes if route.path == f"{PREFIX}/{name}")
