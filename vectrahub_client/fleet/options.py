"""How large a fleet is, where it listens and where it keeps its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError


@dataclass(frozen=True)
class FleetOptions:
    """`state`: the folder of ledger, inputs and results, on a disk of the machine that runs the edge.

    Between `replicas` and `most` replicas run, as the queue needs; each has `gpus` (0 = on the CPU) and `cpus` of
    Ray's. `ahead`: jobs that a replica holds at a time; it runs one, the others follow without a pause.
    `grace`: seconds that running jobs get to end when the fleet is stopped.
    """

    state: Path
    replicas: int = 1
    most: int | None = None
    gpus: float = 1.0
    cpus: float = 1.0
    ahead: int = 2
    host: str = "127.0.0.1"
    port: int = 8190
    grace: float = 600.0

    def __post_init__(self) -> None:
        if not 1 <= self.replicas <= (self.most or self.replicas):
            raise UsageError(f"between {self.replicas} and {self.most} replicas: give 1 or more, and no fewer at most")
        if self.gpus < 0 or self.cpus < 0 or self.ahead < 1 or self.grace < 0:
            raise UsageError("GPUs, CPUs and grace are 0 or more, jobs ahead 1 or more")
