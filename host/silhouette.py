"""Another attempt at a picture whose silhouette was lost: the same nodes again, held more strongly.

What lies between the strengths and the gate is copied as it stands in the running graph, so the attempt goes
through whatever sampler, LoRA or control the user has wired there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from comfy_execution.graph_utils import GraphBuilder

from ..engine.errors import BadInput
from ..engine.vehicle.silhouette import Strengths, overlap
from .convert import mask_to_planes
from .lineage import Graph, Link, is_link
from .report import StageReport

STRENGTHS = "VectraHub_SilhouetteStrengths"
RETRY = "VectraHub_SilhouetteRetry"
_GATES = ("VectraHub_SilhouetteGate", RETRY)  # what lies behind another gate has been judged
_NUMBERS = ("depth", "canny", "step", "depth_limit", "canny_limit")


class RunningGraph(Graph, Protocol):
    """The part of the host's DynamicPrompt that is read here."""

    def get_display_node_id(self, node_id: str) -> str: ...


@dataclass(frozen=True, repr=False, eq=False)
class Attempt:
    """One picture (or batch) with its foreground, and where both come from.

    iou: how much of the silhouette it keeps, 0..1; the worst of a batch. silhouette: whether the photo has one.
    figures: for the report.
    """

    image: torch.Tensor
    mask: torch.Tensor
    image_link: Link
    mask_link: Link
    iou: float
    silhouette: bool
    figures: Mapping[str, object]


@dataclass(frozen=True, repr=False, eq=False)
class Judging:
    """What a gate was asked for and what it has seen.

    original: foreground of the photo. threshold: IoU that passes. retries: attempts after the first.
    keep_best: give the best attempt when none passes, rather than an error.
    tried: the attempts so far, first to last.
    """

    original: torch.Tensor
    threshold: float
    retries: int
    keep_best: bool
    report: StageReport
    tried: tuple[Attempt, ...] = ()

    @property
    def best(self) -> Attempt:
        """The attempt that keeps most of the silhouette; the earliest of equal ones."""
        return max(self.tried, key=lambda attempt: attempt.iou)

    @property
    def passed(self) -> bool:
        return self.best.silhouette and self.best.iou >= self.threshold


def measured(judging: Judging, graph: Graph, node_id: str, image: torch.Tensor, mask: torch.Tensor) -> Judging:
    """The judging with the attempt that has arrived at the judge `node_id`; `original`, `image`, `mask` as it got them.

    Raises BadInput when the batches do not fit.
    """
    links = graph.get_node(node_id)["inputs"]
    photos, drawn = mask_to_planes(judging.original), mask_to_planes(mask)
    if len(photos) not in (1, len(drawn)):
        raise BadInput(
            "'original' does not fit 'mask'",
            value=f"{len(photos)} masks",
            limit=f"1 or {len(drawn)}",
            remedy="Give one mask of the photo, or one per picture.",
        )
    overlaps = [overlap(photos[min(index, len(photos) - 1)], plane) for index, plane in enumerate(drawn)]
    iou = min(one.iou for one in overlaps)
    figures = {"iou": [round(one.iou, 4) for one in overlaps], "foreground": [round(one.result, 4) for one in overlaps]}
    silhouette = all(one.original > 0 for one in overlaps)
    attempt = Attempt(image, mask, links["image"], links["mask"], iou, silhouette, figures)
    strengths = [_values(graph.get_node(behind)["inputs"]) for behind in _strengths(graph, attempt)]
    return replace(judging, tried=(*judging.tried, replace(attempt, figures={**figures, "strengths": strengths})))


def why_no_retry(graph: Graph, judging: Judging) -> str:
    """Why the last attempt is not followed by another one; empty when it is."""
    if judging.passed:
        return "passed"
    if not judging.best.silhouette:
        return "the photo has no foreground: no silhouette to keep"
    if len(judging.tried) > judging.retries:
        return "no retries left"
    raised = [graph.get_node(behind)["inputs"] for behind in _strengths(graph, judging.tried[-1])]
    if not raised:
        return "no Silhouette Strengths before the picture: nothing to raise"
    if all(_at_limit(inputs) for inputs in raised):
        return "the strengths are at their limits"
    return ""


def retried(builder: GraphBuilder, graph: RunningGraph, judging: Judging) -> tuple[Link, Link, Link, Link]:
    """Put another attempt and its judge into the builder; returns the judge's outputs.

    `graph` is the running one, with the last attempt in it.
    """
    last = judging.tried[-1]
    copies: dict[str, Any] = {}
    for node_id in _changing(graph, last):
        node = graph.get_node(node_id)
        inputs = {name: _moved(value, copies) for name, value in node["inputs"].items()}
        if node["class_type"] == STRENGTHS:
            inputs["attempt"] = _attempt(inputs) + 1
        copies[node_id] = builder.node(node["class_type"])
        copies[node_id].inputs = inputs  # not as keywords: an input may be called "id"
        copies[node_id].set_override_display_id(graph.get_display_node_id(node_id))
    image, mask = _moved(last.image_link, copies), _moved(last.mask_link, copies)
    judge = builder.node(RETRY, image=image, mask=mask, judging=judging)
    return judge.out(0), judge.out(1), judge.out(2), judge.out(3)


def told(judging: Judging, reason: str) -> str:
    """The report when no more is tried. Raises BadInput when nothing passed and the best is not to be kept."""
    best = judging.best
    if not judging.passed and not judging.keep_best:
        raise BadInput(
            "The silhouette was lost",
            value=f"IoU {best.iou:.3f}, the best of {len(judging.tried)} attempts ({reason})",
            limit=f"at least {judging.threshold:g}",
            remedy=(
                "Raise strengths or retries, lower the threshold, try another seed, leave this phase out for a photo "
                "without a vehicle, or turn allow_skip_on_failure on."
            ),
        )
    judging.report.add(
        passed=judging.passed,
        reason=reason,
        threshold=judging.threshold,
        iou=round(best.iou, 4),
        chosen=judging.tried.index(best) + 1,
        attempts=[dict(attempt.figures) for attempt in judging.tried],
    )
    return judging.report.json()


def _changing(graph: Graph, attempt: Attempt) -> list[str]:
    """The nodes behind the attempt that follow from the strengths, sources first."""
    depends: dict[str, bool] = {}
    order: list[str] = []

    def visit(node_id: str) -> bool:
        if node_id not in depends:
            node = graph.get_node(node_id)
            depends[node_id] = False  # a gate ends the search
            if node["class_type"] not in _GATES:
                behind = [visit(value[0]) for value in node["inputs"].values() if is_link(value)]
                depends[node_id] = node["class_type"] == STRENGTHS or any(behind)
            if depends[node_id]:
                order.append(node_id)
        return depends[node_id]

    visit(attempt.image_link[0])
    visit(attempt.mask_link[0])
    return order


def _moved(value: Any, copies: Mapping[str, Any]) -> Any:
    return copies[value[0]].out(value[1]) if is_link(value) and value[0] in copies else value


def _strengths(graph: Graph, attempt: Attempt) -> list[str]:
    return [node_id for node_id in _changing(graph, attempt) if graph.get_node(node_id)["class_type"] == STRENGTHS]


def _at_limit(inputs: Mapping[str, Any]) -> bool:
    now = _values(inputs)
    return now is not None and now == _values({**inputs, "attempt": _attempt(inputs) + 1})


def _values(inputs: Mapping[str, Any]) -> tuple[float, float] | None:
    numbers = [inputs.get(name) for name in _NUMBERS]
    if not all(isinstance(number, (int, float)) for number in numbers):
        return None
    return Strengths(*(float(str(number)) for number in numbers)).at(_attempt(inputs))


def _attempt(inputs: Mapping[str, Any]) -> int:
    attempt = inputs.get("attempt", 0)
    return attempt if isinstance(attempt, int) else 0
