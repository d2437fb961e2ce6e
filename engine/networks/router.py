"""Which way a picture goes: logo, illustration or line art."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPart
from ..progress import Progress, silent
from .router_features import route_by_features
from .routes import ROUTES, Scores

AUTO, CLIP, FEATURES = "auto", "clip", "features"
METHODS = (AUTO, CLIP, FEATURES)

Pixels = NDArray[np.uint8]
Alpha = NDArray[np.float32]
Picture = tuple[Pixels, Alpha | None]
Classifier = Callable[[Pixels, Alpha | None], Scores]


@dataclass(frozen=True)
class Routing:
    """The route of a batch: the best mean score; each image's own scores; who decided and why."""

    route: str
    scores: Scores
    per_image: tuple[Scores, ...]
    method: str
    reason: str

    @property
    def confidence(self) -> float:
        """Score of the route, 0..1."""
        return self.scores[self.route]


def choose_route(
    pictures: Sequence[Picture], method: str, open_clip: Callable[[], Classifier], progress: Progress = silent
) -> Routing:
    """Route a batch of at least one picture by `method` (one of `METHODS`).

    `open_clip` gives the CLIP classifier or raises MissingPart when its package or weights are not
    here; with `auto` that alone leads to the measured features, any other error is let through.
    """
    classify, used, reason = _classifier(method, open_clip)
    each: list[Scores] = []
    for rgb, alpha in pictures:
        each.append(classify(rgb, alpha))
        progress(len(each) / len(pictures))
    mean = {route: sum(scores[route] for scores in each) / len(each) for route in ROUTES}
    return Routing(max(ROUTES, key=mean.__getitem__), mean, tuple(each), used, reason)


def forced_route(route: str, count: int) -> Routing:
    """The user's own choice for a batch of `count` pictures, with confidence 1."""
    scores = {name: float(name == route) for name in ROUTES}
    return Routing(route, scores, (scores,) * count, "force", f"forced to {route}")


def _classifier(method: str, open_clip: Callable[[], Classifier]) -> tuple[Classifier, str, str]:
    if method == FEATURES:
        return route_by_features, FEATURES, "chosen by the user"
    if method == CLIP:
        return open_clip(), CLIP, "chosen by the user"
    try:
        return open_clip(), CLIP, "its package and weights are here"
    except MissingPart as missing:
        return route_by_features, FEATURES, str(missing)
