"""Bare class names are accepted in a /prompt body, however bare the body is."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from vectrahub.tests.host_fixture import RunningHost


def body(**extra: Any) -> dict[str, Any]:
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 32, "height": 32, "batch_size": 1, "color": 255}},
        "2": {
            "class_type": "ClipRouter",
            "inputs": {"image": ["1", 0], "method": "features", "force": "logo"},
            **extra,
        },
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 0]}},
    }


@pytest.mark.parametrize("extra", [{}, {"_meta": {"title": "Route"}}], ids=["bare", "titled"])
def test_a_bare_name_runs(host: RunningHost, extra: dict[str, Any]) -> None:
    answer = httpx.post(f"{host.url}/prompt", json={"prompt": body(**extra)}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["node_errors"] == {}


def test_an_unknown_name_is_still_refused(host: RunningHost) -> None:
    graph = json.loads(json.dumps(body()).replace("ClipRouter", "ClipRouterX"))
    assert httpx.post(f"{host.url}/prompt", json={"prompt": graph}, timeout=60).status_code == 400


def test_the_front_end_is_told(host: RunningHost) -> None:
    known = httpx.get(f"{host.url}/node_replacements", timeout=60).json()
    assert known["SVGSave"][0]["new_node_id"] == "VectraHub_SVGSave"
    assert known["SVGSave"][0]["old_widget_ids"] == ["filename_prefix", "include_workflow"]
