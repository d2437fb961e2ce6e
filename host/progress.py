"""The host's progress bar and cancel button as the engine's `Progress`."""

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar
from PIL import Image

from ..engine.progress import Progress, part
from ..engine.svg.render import over_ground, render_within

_STEPS = 1000
_PREVIEW_SIDE = 256  # px


class HostProgress:
    """Progress of the running node; raises the host's interrupt when the user cancels."""

    def __init__(self) -> None:
        self._bar = ProgressBar(_STEPS)

    def __call__(self, fraction: float) -> None:
        """Move the bar to `fraction`."""
        throw_exception_if_processing_interrupted()
        self._bar.update_absolute(round(fraction * _STEPS))

    def show(self, svg: bytes) -> None:
        """Put a drawing on the node, over white, until the next one or the end of the run."""
        picture = Image.fromarray(over_ground(render_within(svg, _PREVIEW_SIDE)))
        self._bar.update_absolute(self._bar.current, preview=("JPEG", picture, _PREVIEW_SIDE))


def batch_progress(progress: Progress, count: int) -> list[Progress]:
    """One `Progress` per item of a batch, each filling its share of the whole."""
    return [part(progress, index / count, (index + 1) / count) for index in range(count)]
