"""The route of a picture from measures that a reader can check: no weights, no network.

The measures (router_measures.py) are asked by a few hundred small decision trees, at most three
questions each; what the trees say is summed per route and the softmax of the sums are the
probabilities (gradient boosting, Friedman 2001). The trees lie beside this file as data and are
made by `python -m benchmarks.router fit` from rendered public icons.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .router_measures import measure
from .router_view import Alpha, Pixels, cut_out
from .routes import ILLUSTRATION, ROUTES, Scores

TREES_FILE = Path(__file__).with_name("router_trees.json")
DEPTH = 3

# Nothing is drawn (one colour, or wholly transparent): the route whose presets lose nothing,
# without much confidence in it.
_NOTHING: Scores = {route: 0.5 if route == ILLUSTRATION else 0.25 for route in ROUTES}


@dataclass(frozen=True)
class Forest:
    """Complete trees in heap order: the children of question q are 2q + 1 (no) and 2q + 2 (yes)."""

    measures: tuple[str, ...]
    start: NDArray[np.float64]  # (routes,) the sums before any tree
    routes: NDArray[np.int64]  # (trees,) index into ROUTES
    questions: NDArray[np.int64]  # (trees, 7) index into measures
    limits: NDArray[np.float64]  # (trees, 7) "is the measure above this?"
    answers: NDArray[np.float64]  # (trees, 8)

    def scores(self, figures: dict[str, float]) -> Scores:
        """Probability per route for one picture's measures."""
        values = np.array([figures[name] for name in self.measures])
        yes = values[self.questions] > self.limits
        trees = np.arange(len(yes))
        node = np.zeros(len(yes), np.int64)
        for _ in range(DEPTH):
            node = 2 * node + 1 + yes[trees, node]
        said = self.answers[trees, node - (2**DEPTH - 1)]
        sums = self.start + np.bincount(self.routes, said, len(ROUTES))
        shares = np.exp(sums - sums.max())
        return dict(zip(ROUTES, (shares / shares.sum()).tolist(), strict=True))


def route_by_features(rgb: Pixels, alpha: Alpha | None = None) -> Scores:
    """RGB (H, W, 3), alpha (H, W) 1 = opaque or None -> probability per route.

    A picture on which nothing is drawn is an illustration with 0.5.
    """
    drawing = cut_out(rgb, alpha)
    return dict(_NOTHING) if drawing is None else read_forest().scores(measure(drawing))


@cache
def read_forest() -> Forest:
    """The committed trees."""
    data = json.loads(TREES_FILE.read_text("utf-8"))
    trees = data["trees"]
    return Forest(
        tuple(data["measures"]),
        np.array([data["start"][route] for route in ROUTES]),
        np.array([ROUTES.index(tree["route"]) for tree in trees]),
        np.array([tree["ask"] for tree in trees]),
        np.array([tree["above"] for tree in trees]),
        np.array([tree["say"] for tree in trees]),
    )
