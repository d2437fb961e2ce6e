"""K drawings from one prompt: always whole, the same for the same seed, stopped early, cancelled at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    StoppingCriteriaList,
)

from vectrahub.engine.errors import BadInput
from vectrahub.engine.networks.omnisvg.generate import generate
from vectrahub.engine.networks.omnisvg.grammar import Grammar
from vectrahub.engine.networks.omnisvg.network import OmniSVG
from vectrahub.engine.networks.omnisvg.prompts import Prompt, text_prompt
from vectrahub.engine.networks.omnisvg.settings import ICON, Sampling
from vectrahub.engine.networks.omnisvg.vocabulary import SIZE
from vectrahub.engine.networks.omnisvg.weights import load, read_release
from vectrahub.tests.engine.networks.omnisvg.test_grammar import DRAWING, closes_at_its_start, spelled
from vectrahub.tests.tiny_omnisvg import write_tiny_omnisvg

GREEDY = Sampling(temperature=1.0, top_p=1.0, top_k=1, repetition_penalty=1.05)
# Random weights end a drawing after a few tokens; warm sampling over many words makes longer and odder ones.
WILD = Sampling(temperature=1.5, top_p=1.0, top_k=50, repetition_penalty=1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_omnisvg(tmp_path_factory.mktemp("omnisvg"), dtype=torch.float32, hidden=32, seed=8)


@pytest.fixture(scope="module")
def network(folder: Path) -> OmniSVG:
    return load(folder)


@pytest.fixture(scope="module")
def prompt(folder: Path) -> Prompt:
    return text_prompt(folder, "a red circle")


def test_ten_thousand_random_drawings_are_all_whole(network: OmniSVG, prompt: Prompt) -> None:
    """Random weights, a hundred seeds, budgets from 64 tokens on: not one is broken."""
    count, longest = 0, 0
    for seed in range(100):
        for one in generate(network, prompt, WILD, candidates=100, max_tokens=64 + seed % 8, seed=seed):
            text = spelled(one.tokens, network.vocabulary)
            assert DRAWING.fullmatch(text), text
            assert closes_at_its_start(one.tokens, text)
            count, longest = count + 1, max(longest, len(one.tokens))
    assert count == 10_000
    assert longest >= 50


def test_greedy_equals_transformers_with_the_same_rule(folder: Path, network: OmniSVG, prompt: Prompt) -> None:
    """`generate` of transformers over the whole vocabulary, told the grammar and the penalty, says the same."""
    ours = generate(network, prompt, GREEDY, max_tokens=64)[0].tokens
    config = Qwen2_5_VLConfig.from_dict(read_release(folder).config | {"vocab_size": SIZE})
    theirs: Any = Qwen2_5_VLForConditionalGeneration(config).float().eval()
    theirs.model.load_state_dict(network.model.state_dict())
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    theirs.lm_head.weight.data = weights["transformer.lm_head.weight"]
    rule = _Grammatical(network, len(prompt.ids), 64)
    said = theirs.generate(
        input_ids=prompt.ids[None],
        max_new_tokens=64,
        do_sample=False,
        repetition_penalty=GREEDY.repetition_penalty,
        eos_token_id=None,
        pad_token_id=151_643,
        bos_token_id=None,
        logits_processor=LogitsProcessorList([rule]),
        stopping_criteria=StoppingCriteriaList([rule.ended]),
    )[0, len(prompt.ids) :].tolist()
    assert ours == [token for token in said if token < 196_998]
    assert len(ours) >= 6


class _Grammatical(LogitsProcessor):
    def __init__(self, network: OmniSVG, prompt: int, budget: int) -> None:
        self.grammar = Grammar.of(network.vocabulary, torch.device("cpu"))
        self.state, self.start = self.grammar.begin(1)
        self.prompt, self.budget = prompt, budget

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        said = input_ids.shape[1] - self.prompt
        if said:
            row = (self.grammar.ids == input_ids[0, -1]).nonzero()[0]
            self.state, self.start = self.grammar.advance(self.state, self.start, row)
        bars = torch.full_like(scores, -torch.inf)
        bars[:, self.grammar.ids] = self.grammar.bars(self.state, self.start, torch.tensor(self.budget - said))
        return scores + bars  # pyright: ignore[reportReturnType]

    def ended(self, input_ids: torch.LongTensor, _scores: Any) -> torch.Tensor:
        row = (self.grammar.ids == input_ids[0, -1]).nonzero()[0]
        return self.grammar.ended(self.grammar.advance(self.state, self.start, row)[0])


def test_one_seed_gives_one_result(network: OmniSVG, prompt: Prompt) -> None:
    first = generate(network, prompt, ICON, candidates=4, max_tokens=96, seed=5)
    assert generate(network, prompt, ICON, candidates=4, max_tokens=96, seed=5) == first
    assert generate(network, prompt, ICON, candidates=2, max_tokens=96, seed=5) == first[:2]
    assert generate(network, prompt, ICON, candidates=4, max_tokens=96, seed=6) != first
    assert len({tuple(one.tokens) for one in first}) > 1


def test_what_has_ended_costs_nothing_more(network: OmniSVG, prompt: Prompt, monkeypatch: Any) -> None:
    """The width of the batch falls to the number of drawings that are still being written."""
    from vectrahub.engine.networks.omnisvg import step

    widths: list[int] = []
    call = step.Step.__call__

    def counted(self: step.Step, tokens: torch.Tensor, *rest: Any) -> torch.Tensor:
        widths.append(len(tokens))
        return call(self, tokens, *rest)

    monkeypatch.setattr(step.Step, "__call__", counted)
    drawings = generate(network, prompt, WILD, candidates=8, max_tokens=200, seed=3)
    # Each step says one token per stream, the first came from the prompt; a beginning and an end are said too.
    begun = sum(widths) + 8 - sum(len(one.tokens) + one.finished for one in drawings)
    assert 0 <= begun <= 8
    assert widths == sorted(widths, reverse=True)
    assert widths[0] == 8 and min(widths) < 8


def test_it_tells_how_far_it_is(network: OmniSVG, prompt: Prompt) -> None:
    shares: list[float] = []
    generate(network, prompt, WILD, candidates=3, max_tokens=64, seed=1, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) >= 10


def test_it_shows_the_drawing_so_far(network: OmniSVG, prompt: Prompt, monkeypatch: Any) -> None:
    monkeypatch.setattr("vectrahub.engine.networks.omnisvg.generate._SHOW_SECONDS", 0.0)
    shown: list[list[int]] = []
    (drawing,) = generate(network, prompt, WILD, max_tokens=64, seed=2, show=shown.append)
    assert len(shown) >= 3
    assert all(drawing.tokens[: len(part)] == part for part in shown)


def test_cancel_leaves_at_once(network: OmniSVG, prompt: Prompt) -> None:
    class Cancelled(Exception):
        pass

    def cancel_at(limit: float) -> Any:
        def progress(share: float) -> None:
            if share >= limit:
                raise Cancelled

        return progress

    for limit in (0.0, 0.1):
        began = time.monotonic()
        with pytest.raises(Cancelled):
            generate(network, prompt, WILD, candidates=2, max_tokens=2048, seed=4, progress=cancel_at(limit))
        assert time.monotonic() - began < 20
    assert not any(module._forward_pre_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"candidates": 0}, "candidates"), ({"max_tokens": 63}, "64 to 2048"), ({"max_tokens": 2049}, "64 to 2048")],
)
def test_numbers_out_of_range(network: OmniSVG, prompt: Prompt, wrong: dict[str, int], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        generate(network, prompt, ICON, **wrong)
