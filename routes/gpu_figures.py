"""What is said of an accelerator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """`total`, `used`: bytes, of all processes; `utilization`: percent, None where nobody counts it."""

    name: str
    total: int
    used: int
    utilization: float | None

    def as_dict(self) -> dict[str, Any]:
        """As /health shows it."""
        return {
            "name": self.name,
            "memory_total_bytes": self.total,
            "memory_used_bytes": self.used,
            "utilization_percent": self.utilization,
        }
