"""On a GPU: a replayed graph says what the same step says without one, also after streams have left."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vectrahub.engine.networks.omnisvg.generate import Written, generate, working_bytes
from vectrahub.engine.networks.omnisvg.network import OmniSVG
from vectrahub.engine.networks.omnisvg.prompts import Prompt, text_prompt
from vectrahub.engine.networks.omnisvg.settings import Sampling
from vectrahub.engine.networks.omnisvg.weights import load
from vectrahub.tests.engine.networks.omnisvg.test_grammar import DRAWING, closes_at_its_start, spelled
from vectrahub.tests.tiny_omnisvg import write_tiny_omnisvg

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: graphs are captured on CUDA only"),
]

ROOM = importlib.import_module("vectrahub.engine.networks.omnisvg.generate")
# Random weights end a drawing after a few tokens, each at another place: streams leave one after the other.
WILD = Sampling(temperature=1.5, top_p=1.0, top_k=50, repetition_penalty=1.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_omnisvg(tmp_path_factory.mktemp("omnisvg"), dtype=torch.float32, hidden=128, seed=8)


@pytest.fixture(scope="module")
def network(folder: Path) -> OmniSVG:
    return load(folder).to(torch.device("cuda"))


@pytest.fixture(scope="module")
def prompt(folder: Path) -> Prompt:
    return text_prompt(folder, "a red circle")


def counted(monkeypatch: pytest.MonkeyPatch, make: Callable[[Any], Callable[[], None]]) -> list[int]:
    """`make` stands for the capture from now on; the widths that it is called for."""
    widths: list[int] = []

    def making(writing: Any) -> Callable[[], None]:
        widths.append(len(writing.order))
        return make(writing)

    monkeypatch.setattr(ROOM, "_graph", making)
    return widths


def by_hand(writing: Any) -> Callable[[], None]:
    return lambda: writing.once(None)


@pytest.mark.parametrize("candidates", [1, 8])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_replay_says_what_the_step_says(
    network: OmniSVG, prompt: Prompt, monkeypatch: pytest.MonkeyPatch, candidates: int, seed: int
) -> None:
    def write() -> list[Written]:
        return generate(network, prompt, WILD, candidates=candidates, max_tokens=200, seed=seed)

    replayed = write()
    counted(monkeypatch, by_hand)
    assert write() == replayed
    for one in replayed:
        text = spelled(one.tokens, network.vocabulary)
        assert DRAWING.fullmatch(text)
        assert closes_at_its_start(one.tokens, text)


def test_a_graph_is_made_anew_when_half_have_ended(
    network: OmniSVG, prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is written after that is what each stream says when all are kept to the end."""
    capture = ROOM._graph
    widths = counted(monkeypatch, capture)
    drawings = generate(network, prompt, WILD, candidates=8, max_tokens=200, seed=3)
    assert len({len(one.tokens) for one in drawings}) > 2
    assert widths[0] == 8
    assert len(widths) >= 2
    assert all(2 * after <= before for before, after in itertools.pairwise(widths))
    few = generate(network, prompt, WILD, candidates=3, max_tokens=200, seed=3)
    assert few == drawings[:3]


def test_one_seed_gives_one_result(network: OmniSVG, prompt: Prompt) -> None:
    first = generate(network, prompt, WILD, candidates=4, max_tokens=96, seed=5)
    assert generate(network, prompt, WILD, candidates=4, max_tokens=96, seed=5) == first


def test_memory_stays_below_what_is_asked_for(network: OmniSVG, prompt: Prompt) -> None:
    generate(network, prompt, WILD, candidates=8, max_tokens=64)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    generate(network, prompt, WILD, candidates=8, max_tokens=2048, seed=1)
    assert torch.cuda.max_memory_allocated() - held <= working_bytes(network, 8, 2048)
