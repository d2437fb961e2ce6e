"""Fits the router's trees on four fifths of the icon names (needs scikit-learn, here only)."""

import json
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.router_features import DEPTH, TREES_FILE
from engine.networks.router_measures import measure
from engine.networks.router_view import cut_out
from engine.networks.routes import ROUTES

from . import compositions, material

_ROUNDS = 100  # trees per route
_PICTURES = {material.DEVICON: (460, 4), material.SIMPLE: (700, 2), material.EMOJI: (1100, 2), material.LINES: (800, 2)}
_COMPOSED = {"outlines": 400, "scenes": 400, "shaded": 80}
# Share of each source in the fit: the routes alike, and brand marks in one colour, which come
# nearest to line drawings, a little more.
_SHARE = {
    material.DEVICON: 0.6,
    material.SIMPLE: 0.8,
    material.EMOJI: 1.0,
    material.LINES: 1.0,
    "outlines": 0.3,
    "scenes": 0.3,
    "shaded": 0.06,
}

Row = tuple[str, dict[str, float]]


def fit() -> None:
    """Measure, fit and write the trees beside the engine's code; the same pictures give the same trees."""
    rows = _rows()
    names = tuple(rows[0][1])
    values = np.array([[figures[name] for name in names] for _, figures in rows])
    truth = np.array([ROUTES.index((material.TRUTH | compositions.KINDS)[source]) for source, _ in rows])
    sources = [source for source, _ in rows]
    weights = np.array([_SHARE[source] / sources.count(source) for source in sources])
    data = {"measures": names, **_boost(values, truth, weights * len(rows) / weights.sum())}
    TREES_FILE.write_text(_text(data), "utf-8", newline="\n")
    print(f"{len(rows)} pictures, {len(data['trees'])} trees -> {TREES_FILE.name}")


def _rows() -> list[Row]:
    jobs = [
        (pack, name, repeats)
        for pack, (count, repeats) in _PICTURES.items()
        for name in material.names(pack, count, test=False)
    ]
    with ProcessPoolExecutor() as pool:
        rows = [row for part in pool.map(_measured, jobs, chunksize=50) for row in part]
        composed = [(kind, index) for kind, count in _COMPOSED.items() for index in range(count)]
        return rows + [row for row in pool.map(_composed, composed, chunksize=20) if row is not None]


def _measured(job: tuple[str, str, int]) -> list[Row]:
    pack, name, repeats = job
    generator = np.random.default_rng(material.number(pack + name))
    found = []
    for _ in range(repeats):
        picture = material.picture(pack, name, material.any_condition(generator, pack))
        drawing = None if picture is None else cut_out(*picture)
        if drawing is not None:
            found.append((pack, measure(drawing)))
    return found


def _composed(job: tuple[str, int]) -> Row | None:
    drawing = cut_out(*compositions.compose(*job))
    return None if drawing is None else (job[0], measure(drawing))


def _boost(values: NDArray[np.float64], truth: NDArray[np.int64], weights: NDArray[np.float64]) -> dict[str, Any]:
    # Imported here: measuring the committed trees needs no scikit-learn.
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=_ROUNDS,
        max_depth=DEPTH,
        learning_rate=0.15,
        min_samples_leaf=20,
        l2_regularization=2.0,
        early_stopping=False,  # pyright: ignore[reportArgumentType]  (its annotation knows only 'auto')
        random_state=0,
    ).fit(values, truth, sample_weight=weights)
    start = dict(zip(ROUTES, model._baseline_prediction.ravel().round(5).tolist(), strict=True))
    trees = [
        {"route": route} | _complete(tree.nodes)
        for rounds in model._predictors
        for route, tree in zip(ROUTES, rounds, strict=True)
    ]
    return {"start": start, "trees": trees}


def _complete(nodes: Any) -> dict[str, Any]:
    """A tree in heap order; where it ends early, a question that nothing answers with yes leads on."""
    questions, answers = 2**DEPTH - 1, 2**DEPTH
    ask, above, say = [0] * questions, [1e9] * questions, [0.0] * answers

    def walk(place: int, index: int) -> None:
        node = nodes[index]
        if place >= questions:
            say[place - questions] = round(float(node["value"]), 5)
            return
        if not node["is_leaf"]:
            ask[place], above[place] = int(node["feature_idx"]), float(f"{node['num_threshold']:.6g}")
        walk(2 * place + 1, index if node["is_leaf"] else int(node["left"]))
        walk(2 * place + 2, index if node["is_leaf"] else int(node["right"]))

    walk(0, 0)
    return {"ask": ask, "above": above, "say": say}


def _text(data: dict[str, Any]) -> str:
    """JSON with one tree per line, so that a refit shows as a readable difference."""
    trees = ",\n".join("  " + json.dumps(tree) for tree in data["trees"])
    head = json.dumps({"measures": data["measures"], "start": data["start"]}, indent=1)
    return head.removesuffix("\n}") + ',\n "trees": [\n' + trees + "\n ]\n}\n"
