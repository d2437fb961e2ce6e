"""Another attempt at a picture whose silhouette was lost: the same nodes again, held more strongly.

What lies between the strengths and the gate is copied as it stands in the running graph, so an attempt goes through
whatever sampler, LoRA or control the user has wired there. All attempts that may be needed are in one expansion, of
links, numbers and texts only, and are asked for one by one: so the host's cache finds them again, which it does not
for an expansion within an expansion.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from comfy_execution.graph_utils import GraphBuilder

from ..engine.errors import BadInput
from ..engine.vehicle.silhouette import Strengths, overlap
from .convert import mask_to_planes
from .lineage import Graph, Link, RunningGraph, is_link
from .report import StageReport

STRENGTHS = "VectraHub_SilhouetteStrengths"
ATTEMPTS = "VectraHub_SilhouetteAttempts"
MOST_RETRIES = 10
_GATE = "VectraHub_SilhouetteGate"  # what lies behind another gate has been judged
_NUMBERS = ("depth", "canny", "step", "depth_limit", "canny_limit")

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """threshold: IoU that passes. keep_best: give the best attempt where none passes, rather than an error.

    strengths: depth and canny of every attempt that may be made, the first one first, per Silhouette Strengths; None
    where they come over a link. end: why there are no more.
    """

    threshold: float
    keep_best: bool
    strengths: Sequence[Sequence[tuple[float, float] | None]]
    end: str


def planned(graph: Graph, node_id: str, retries: int) -> tuple[list[list[tuple[float, float] | None]], str]:
    """What the attempts at the gate `node_id` are held by, the first one first, and why there are no more."""
    held = [graph.get_node(behind)["inputs"] for behind in _strengths(graph, graph.get_node(node_id)["inputs"])]
    first = [_values(inputs, 0) for inputs in held]
    if not held:
        return [first], "no Silhouette Strengths before the picture, or another gate between: nothing to raise"
    plan = [first]
    while len(plan) <= retries:
        values = [_values(inputs, len(plan)) for inputs in held]
        if None not in values and values == plan[-1]:
            return plan, "the strengths cannot rise any more"
        plan.append(values)
    return plan, "no retries left"


def measured(original: torch.Tensor, image: torch.Tensor, mask: torch.Tensor) -> Figures:
    """Per picture of an attempt: IoU, and the shares of foreground. original, mask: MASK, 1 = vehicle; image: IMAGE.

    Raises BadInput when the batches do not fit.
    """
    photos, drawn = mask_to_planes(original), mask_to_planes(mask)
    _check("mask", len(drawn), (len(image),))
    _check("original", len(photos), (1, len(drawn)))
    overlaps = [overlap(photos[min(index, len(photos) - 1)], plane) for index, plane in enumerate(drawn)]
    return {
        "iou": [round(one.iou, 4) for one in overlaps],
        "original": [_short(one.original) for one in overlaps],
        "foreground": [_short(one.result) for one in overlaps],
    }


def best_of(tried: Sequence[Figures]) -> int:
    """The number of the attempt whose worst picture keeps most; the earliest of equal ones."""
    return max(range(len(tried)), key=lambda number: (min(tried[number]["iou"]), -number))


def why_no_more(wanted: Wanted, tried: Sequence[Figures]) -> str:
    """Why the last of these attempts is not followed by another one; empty when it is."""
    if _passed(wanted, tried):
        return "passed"
    bare = [str(number) for number, share in enumerate(tried[-1]["original"], 1) if not share]
    if bare:
        which = f"photo {', '.join(bare)}" if len(tried[-1]["original"]) > 1 else "the photo"
        return f"{which} has no foreground: no silhouette to keep"
    return wanted.end if len(tried) == len(wanted.strengths) else ""


def retried(builder: GraphBuilder, graph: RunningGraph, node_id: str, wanted: Wanted) -> tuple[Link, Link, Link, Link]:
    """Put all further attempts and their judge into the builder; returns the judge's outputs."""
    links = graph.get_node(node_id)["inputs"]
    attempts: dict[str, Link] = {}
    for number in range(1, len(wanted.strengths)):
        copies = _copies(builder, graph, links, number)
        attempts[f"image_{number}"] = _moved(links["image"], copies)
        attempts[f"mask_{number}"] = _moved(links["mask"], copies)
    judge = builder.node(
        ATTEMPTS,
        original=links["original"],
        image=links["image"],
        mask=links["mask"],
        threshold=wanted.threshold,
        allow_skip_on_failure=wanted.keep_best,
        strengths=json.dumps(wanted.strengths),
        end=wanted.end,
        **attempts,
    )
    return judge.out(0), judge.out(1), judge.out(2), judge.out(3)


def told(report: StageReport, wanted: Wanted, tried: Sequence[Figures], reason: str) -> str:
    """The report when no more is tried. Raises BadInput when nothing passed and the best is not to be kept."""
    best, passed = best_of(tried), _passed(wanted, tried)
    iou = min(tried[best]["iou"])
    if not passed and not wanted.keep_best:
        attempts = f"the best of {len(tried)} attempts" if len(tried) > 1 else "the only attempt"
        raise BadInput(
            "The silhouette was lost",
            value=f"IoU {iou:.3f}, {attempts} ({reason})",
            limit=f"at least {wanted.threshold:g}",
            remedy=(
                "Raise strengths or retries, lower the threshold, try another seed, leave this phase out for a photo "
                "without a vehicle, or turn allow_skip_on_failure on."
            ),
        )
    figures = [{**one, "strengths": held} for one, held in zip(tried, wanted.strengths, strict=False)]
    summary = {"passed": passed, "reason": reason, "threshold": wanted.threshold, "iou": iou, "chosen": best + 1}
    report.add(**summary, attempts=figures)
    return report.json()


def _passed(wanted: Wanted, tried: Sequence[Figures]) -> bool:
    best = tried[best_of(tried)]
    return min(best["iou"]) >= wanted.threshold and all(best["original"])


def _copies(builder: GraphBuilder, graph: RunningGraph, links: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The nodes of attempt `number`, by the ids of their originals."""
    copies: dict[str, Any] = {}
    for changing in _changing(graph, links):
        node = graph.get_node(changing)
        inputs = {name: _moved(value, copies) for name, value in node["inputs"].items()}
        if node["class_type"] == STRENGTHS:
            inputs["attempt"] = number
        copies[changing] = builder.node(node["class_type"])
        copies[changing].inputs = inputs  # not as keywords: an input may be called "id"
        copies[changing].set_override_display_id(graph.get_display_node_id(changing))
    return copies


def _short(share: float) -> float:
    return float(f"{share:.4g}")  # one pixel of many is not none


def _check(name: str, count: int, allowed: tuple[int, ...]) -> None:
    if count not in allowed:
        limit = " or ".join(str(number) for number in sorted({*allowed}))
        raise BadInput(
            f"'{name}' does not fit the pictures",
            value=f"{count} masks",
            limit=limit,
            remedy="Give one mask per picture; one photo may stand for several pictures.",
        )


def _changing(graph: Graph, links: Mapping[str, Any]) -> list[str]:
    """The nodes behind a judge's image and mask that follow from the strengths, sources first."""
    depends: dict[str, bool] = {}
    order: list[str] = []

    def visit(node_id: str) -> bool:
        if node_id not in depends:
            node = graph.get_node(node_id)
            depends[node_id] = False  # a gate ends the search
            if node["class_type"] != _GATE:
                behind = [visit(value[0]) for value in node["inputs"].values() if is_link(value)]
                depends[node_id] = node["class_type"] == STRENGTHS or any(behind)
            if depends[node_id]:
                order.append(node_id)
        return depends[node_id]

    visit(links["image"][0])
    visit(links["mask"][0])
    return order


def _strengths(graph: Graph, links: Mapping[str, Any]) -> list[str]:
    return [node_id for node_id in _changing(graph, links) if graph.get_node(node_id)["class_type"] == STRENGTHS]


def _moved(value: Any, copies: Mapping[str, Any]) -> Any:
    return copies[value[0]].out(value[1]) if is_link(value) and value[0] in copies else value


def _values(inputs: Mapping[str, Any], attempt: int) -> tuple[float, float] | None:
    """Depth and canny of an attempt; None where a number comes over a link."""
    numbers = [value for name in _NUMBERS if isinstance(value := inputs.get(name), (int, float))]
    return Strengths(*numbers).at(attempt) if len(numbers) == len(_NUMBERS) else None
