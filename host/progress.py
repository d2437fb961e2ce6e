"""The host's progress bar and cancel button as the engine's `Progress`."""

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar

from ..engine.progress import Progress, part

_STEPS = 1000


def host_progress() -> Progress:
    """Progress of the running node; raises the host's interrupt when the user cancels."""
    bar = ProgressBar(_STEPS)

    def report(fraction: float) -> None:
        throw_exception_if_processing_interrupted()
        bar.update_absolute(round(fraction * _STEPS))

    return report


def batch_progress(progress: Progress, count: int) -> list[Progress]:
    """One `Progress` per item of a batch, each filling its share of the whole."""
    return [part(progress, index / count, (index + 1) / count) for index in range(count)]
