"""Ray, imported when it is needed: it is large, and most who have this client have no fleet."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError

REMEDY = "a fleet needs Ray: pip install 'vectrahub[fleet]' (of the client alone: 'vectrahub-client[fleet]')"


def import_ray() -> tuple[Any, Any]:
    """(ray, ray.serve). Raises UsageError with the command that installs them."""
    try:
        import ray
        from ray import serve
    except ImportError as error:
        raise UsageError(f"{REMEDY}: {error}") from error
    return ray, serve
