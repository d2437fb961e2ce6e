"""How long work says how far it is, and how it is cancelled."""

from collections.abc import Callable

# Called with the share done (0..1), at least every 0.3 s of work. Cancelling is an
# exception raised by the callable: the engine lets it through and cleans up with `finally`.
Progress = Callable[[float], None]


def silent(_fraction: float) -> None:
    """Report nothing and never cancel."""


def part(progress: Progress, start: float, end: float) -> Progress:
    """Map 0..1 of a step onto `start`..`end` of the whole."""
    return lambda fraction: progress(start + (end - start) * fraction)
