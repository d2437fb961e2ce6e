"""Captions without a server: one node for all pictures, and whose caption is whose."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vectrahub.vectrahub_client._workflow import Graph
from vectrahub.vectrahub_client.caption import CAPTIONS, MOST_PICTURES, CaptionRequest, caption_graph, captions_by_name
from vectrahub.vectrahub_client.errors import UsageError, WorkflowError
from vectrahub.vectrahub_client.service.systems.caption import CAPTION

MODELS = {"input": {"optional": {"model": ["COMBO", {"options": ["auto", "Qwen-VL/7B", "Qwen-VL/3B"]}]}}}


def described(count: int) -> tuple[Graph, dict[str, Any], list[str]]:
    """A graph for so many pictures in no order of names, and what its node would report."""
    names = [f"{(7 * number) % count}_{number}" for number in range(count)]
    graph = caption_graph(CaptionRequest(), {name: f"jobs/1/{name}.png" for name in names})
    return graph, {CAPTIONS: {"images": [{"caption": f"of {name}"} for name in names]}}, names


@pytest.mark.parametrize("count", [1, 2, 10, 11, 23, MOST_PICTURES])
def test_every_caption_finds_its_picture(count: int) -> None:
    graph, reports, names = described(count)
    assert len([node for node in graph.values() if node["class_type"] == "VectraHub_QwenCaption"]) == 1
    stored = json.loads(json.dumps(graph, sort_keys=True))
    for kept in (graph, stored):
        assert captions_by_name(kept, reports) == {name: f"of {name}" for name in names}


def test_no_list_is_longer_than_the_host_takes() -> None:
    graph, _, _ = described(MOST_PICTURES)
    assert max(len(node["inputs"]) for node in graph.values() if node["class_type"] == "CreateList") == 10


def test_the_caller_is_told_the_captions_beside_the_report() -> None:
    graph, reports, names = described(3)
    told = CAPTION.tell(graph, reports)
    assert told["captions"] == {name: f"of {name}" for name in names} and told[CAPTIONS] == reports[CAPTIONS]


def test_a_report_of_other_pictures_is_no_answer() -> None:
    graph, reports, _ = described(3)
    reports[CAPTIONS]["images"].pop()
    with pytest.raises(ValueError, match="shorter"):
        captions_by_name(graph, reports)


def test_what_was_chosen_reaches_the_node() -> None:
    request = CaptionRequest(style="sentence", instruction="Look.", max_tokens=20, seed=0, model="3b", free_after=True)
    graph = caption_graph(request, {"a": "a.png"}, lambda kind: MODELS if kind.endswith("QwenCaption") else None)
    (node,) = (node for node in graph.values() if node["class_type"] == "VectraHub_QwenCaption")
    chosen = {name: value for name, value in node["inputs"].items() if name != "images"}
    assert chosen == {
        "style": "sentence",
        "instruction": "Look.",
        "max_tokens": 20,
        "seed": 0,
        "model": "Qwen-VL/3B",
        "free_after": True,
    }
    with pytest.raises(WorkflowError, match="no choice '72b'"):
        caption_graph(CaptionRequest(model="72b"), {"a": "a.png"}, lambda _kind: MODELS)


@pytest.mark.parametrize("count", [0, MOST_PICTURES + 1])
def test_none_and_too_many_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match=f"1 to {MOST_PICTURES} pictures at a time; {count} "):
        caption_graph(CaptionRequest(), {str(number): "x.png" for number in range(count)})


@pytest.mark.parametrize("values", [{"style": "poem"}, {"seed": -1}, {"temperature": float("nan")}, {"top_p": -0.1}])
def test_values_outside_their_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        CaptionRequest(**values)
