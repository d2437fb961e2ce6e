"""The examples of docs/customize.md, run as they stand there on the workflow as it is shipped."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vectrahub.tests import tiny_qwen_image
from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.events import listen
from vectrahub.tests.host.runs import Outcome
from vectrahub.tests.host.tryon_graphs import BLUE, TINY, new_picture, picture_of
from vectrahub.tests.host_fixture import ROOT, RunningHost
from vectrahub.vectrahub_client.host_config import HostConfig

pytestmark = pytest.mark.host

PAGE = (ROOT / "docs" / "customize.md").read_text(encoding="utf-8")
EXAMPLES = {name.split()[0]: code for name, code in re.findall(r"^```python (.+)\n((?:.*\n)*?)```$", PAGE, re.M)}
Body = dict[str, dict[str, Any]]
Changed = Callable[..., Body]


@pytest.fixture
def changed(host: RunningHost, monkeypatch: pytest.MonkeyPatch) -> Changed:
    """The shipped body after some examples, with small pictures, one step and, where none is named, tiny models."""
    monkeypatch.chdir(ROOT)

    def change(*examples: str, person: tuple[int, int] = (300, 400)) -> Body:
        names: dict[str, Any] = {}
        for example in ("start", *examples):
            exec(EXAMPLES[example], names)  # noqa: S102  (our own page)
        body, ids = names["body"], names["ids"]
        body[ids["Person"]]["inputs"]["image"] = new_picture(host, *person)
        body[ids["Garment"]]["inputs"]["image"] = new_picture(host, 480, 640, BLUE)
        if ids["Prepare"] in body:
            body[ids["Prepare"]]["inputs"]["resolution"] = "480p"
        tryon = body[ids["Try on"]]["inputs"]
        tryon.update({"steps": 1, "cfg": 1, **{name: link for name, link in TINY.items() if name not in tryon}})
        body["8"] = node("Tiny", "VectraHubTest_TinyQwenImage", seed=0)
        return body

    return change


def done(host: RunningHost, body: Body) -> tuple[Outcome, list[str]]:
    """The outcome, and the nodes in the order in which they ran; what Try on became counts as 4."""
    heard = listen(host, body)
    assert heard.outcome.problem is None, heard.outcome.error
    return heard.outcome, [name.split(".")[0] for name in heard.ids]


def test_the_page_has_these_examples() -> None:
    assert list(EXAMPLES) == ["start", "knob", "insert", "remove", "reorder", "replace", "own"]


def test_a_knob(host: RunningHost, changed: Changed) -> None:
    outcome, _ = done(host, changed("knob"))
    assert picture_of(outcome, "6").shape == (400, 300 + 300 + 300, 3)


def test_an_inserted_step_runs_between_its_neighbours(host: RunningHost, changed: Changed) -> None:
    plain, _ = done(host, changed())
    outcome, ran = done(host, changed("insert"))
    assert ran.index("sharpen") > max(i for i, name in enumerate(ran) if name == "4")
    assert ran.index("sharpen") < ran.index("5")
    assert not np.array_equal(picture_of(outcome), picture_of(plain))


def test_a_removed_step_does_not_run(host: RunningHost, changed: Changed) -> None:
    outcome, ran = done(host, changed("remove", person=(480, 720)))
    assert "3" not in ran
    assert picture_of(outcome).shape == (720, 480, 3)


def test_a_step_in_another_place(host: RunningHost, changed: Changed) -> None:
    outcome, ran = done(host, changed("insert", "reorder"))
    assert ran.index("1") < ran.index("sharpen") < ran.index("3") < max(i for i, name in enumerate(ran) if name == "4")
    assert picture_of(outcome).shape == (400, 300, 3)


def test_a_loader_of_ones_own(host: RunningHost, changed: Changed) -> None:
    written = tiny_qwen_image.write_tiny_qwen_image(host.models)
    try:
        outcome, ran = done(host, changed("replace"))
    finally:
        for file in written.values():
            file.unlink()
    assert "loader" in ran
    assert picture_of(outcome).shape == (400, 300, 3)


def test_a_step_of_ones_own(host_config: HostConfig, tmp_path: Path) -> None:
    """Against ComfyUI's real node API, without its server."""
    file = tmp_path / "my_nodes.py"
    file.write_text(EXAMPLES["own"])
    use = (
        "import asyncio, importlib.util, torch\n"
        f"spec = importlib.util.spec_from_file_location('my_nodes', {str(file)!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "async def nodes(): return await (await module.comfy_entrypoint()).get_node_list()\n"
        "(mine,) = asyncio.run(nodes())\n"
        "mine.GET_SCHEMA()\n"
        "print(mine.execute(torch.full((1, 2, 2, 3), 0.5), 1.5).result[0].unique().tolist())\n"
    )
    command = [str(host_config.python), "-c", use]
    ran = subprocess.run(command, cwd=host_config.comfyui, capture_output=True, text=True, timeout=280)
    assert ran.stdout.strip().splitlines()[-1:] == ["[0.75]"], ran.stderr[-2000:]
