"""The host's progress bar and cancel button as the engine's `Progress`."""

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar
from comfy_execution.progress import NodeState, get_progress_state
from PIL import Image
from server import PromptServer

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


def say(node_id: str, text: str) -> None:
    """Write a text on a node, for whoever runs the job."""
    server = PromptServer.instance
    if server.client_id is not None:  # else everyone would hear it
        server.send_progress_text(text, node_id, server.client_id)


class TileProgress:
    """How many tiles of a run are done, on the node that the user sees ("Tile 7 of 24"), whichever node works."""

    def __init__(self, node_id: str, total: int) -> None:
        self._node_id = node_id
        self._bar = ProgressBar(max(total, 1), node_id=node_id)
        self._total = total
        self._done = 0

    def done(self, tiles: int) -> None:
        """Count `tiles` more; raises the host's interrupt when the user cancels."""
        self._done += tiles
        self._bar.update_absolute(self._done)
        say(self._node_id, f"Tile {self._done} of {self._total}")
        self._forget_finished()

    def _forget_finished(self) -> None:
        """Take the finished nodes of the expansion off the host's list: it sends all of it at every step."""
        listed = get_progress_state().nodes
        own = [node_id for node_id in listed if node_id.startswith(f"{self._node_id}.")]
        for node_id in own:
            if listed[node_id]["state"] is NodeState.Finished:
                del listed[node_id]
