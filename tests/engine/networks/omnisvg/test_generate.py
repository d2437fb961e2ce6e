"""K drawings from one prompt: always whole, the same for the same seed, stopped early, cancelled at once."""

from __future__ import annotations

import importlib
import inspect
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    StoppingCriteriaList,
)

from vectrahub.engine.errors import BadInput
from vectrahub.engine.networks.omnisvg.drawing import decode
from vectrahub.engine.networks.omnisvg.generate import generate
from vectrahub.engine.networks.omnisvg.grammar import Grammar
from vectrahub.engine.networks.omnisvg.network import OmniSVG
from vectrahub.engine.networks.omnisvg.prompts import Prompt, image_prompt, text_prompt
from vectrahub.engine.networks.omnisvg.settings import ICON, Sampling
from vectrahub.engine.networks.omnisvg.step import Cache, Step
from vectrahub.engine.networks.omnisvg.streams import Streams, noise
from vectrahub.engine.networks.omnisvg.vocabulary import SIZE
from vectrahub.engine.networks.omnisvg.weights import load, read_release
from vectrahub.engine.svg.document import write_svg
from vectrahub.engine.svg.safe import parse_svg
from vectrahub.tests.engine.networks.omnisvg.test_grammar import DRAWING, SHORTEST, closes_at_its_start, spelled
from vectrahub.tests.tiny_omnisvg import attend, make_endless, write_tiny_omnisvg

ROOM: Any = importlib.import_module("vectrahub.engine.networks.omnisvg.generate")
GREEDY = Sampling(temperature=1.0, top_p=1.0, top_k=1, repetition_penalty=1.05)
# Random weights end a drawing after a few tokens; warm sampling over many words makes longer and odder ones.
WILD = Sampling(temperature=1.5, top_p=1.0, top_k=50, repetition_penalty=1.0)
LAYERS = 3
IMAGE_PAD = 151_655


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("omnisvg")
    return write_tiny_omnisvg(folder, dtype=torch.float32, hidden=128, layers=LAYERS, seed=8)


@pytest.fixture(scope="module")
def network(folder: Path) -> OmniSVG:
    return attend(load(folder))


@pytest.fixture(scope="module")
def prompt(folder: Path) -> Prompt:
    """A picture's: its rotary positions are far fewer than its tokens."""
    return image_prompt(folder, np.random.default_rng(3).integers(0, 255, (448, 448, 3), np.uint8))


def test_ten_thousand_random_drawings_are_all_whole(tmp_path: Path) -> None:
    """A hundred seeds, budgets from 64 tokens on: not one is broken. Random weights end their drawings early, so a
    tenth is by weights that never do: their drawings are as long as they may be, and whole all the same."""
    folder = write_tiny_omnisvg(tmp_path, dtype=torch.float32, hidden=32, seed=8)
    prompt = text_prompt(folder, "a red circle")

    def unused(network: OmniSVG, limit: int, seed: int) -> list[int]:
        """How many tokens each of a hundred drawings left."""
        lengths = []
        for one in generate(network, prompt, WILD, candidates=100, max_tokens=limit, seed=seed):
            text = spelled(one.tokens, network.vocabulary)
            assert DRAWING.fullmatch(text), text
            assert closes_at_its_start(one.tokens, text)
            parse_svg(write_svg(decode(one.tokens, network.vocabulary)))
            assert one.finished or len(one.tokens) > limit - SHORTEST
            assert not one.finished or len(one.tokens) < limit
            lengths.append(len(one.tokens))
        return [limit - length for length in lengths]

    network = load(folder)
    early = [left for seed in range(90) for left in unused(network, 64 + seed % 8, seed)]
    assert np.mean(np.array(early) >= SHORTEST) > 0.9
    # Segments and paths have even lengths, so every second budget cannot be used to the last token.
    endless = load(make_endless(folder))
    late = [left for seed in range(10) for left in unused(endless, 64 + seed % 4, seed)]
    assert min(late) == 0
    assert max(late) < SHORTEST  # an end is said only where another path has no room
    assert len(early) + len(late) == 10_000


@torch.no_grad()
def test_greedy_equals_transformers_with_the_same_rule(folder: Path, network: OmniSVG, prompt: Prompt) -> None:
    """`generate` of transformers over the whole vocabulary, told the grammar and the penalty, says the same."""
    ours = generate(network, prompt, GREEDY, max_tokens=64)[0].tokens
    config = Qwen2_5_VLConfig.from_dict(read_release(folder).config | {"vocab_size": SIZE})
    theirs: Any = Qwen2_5_VLForConditionalGeneration(config).float().eval()
    theirs.model.load_state_dict(network.model.state_dict())
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    theirs.lm_head.weight.data = weights["transformer.lm_head.weight"]
    rule = _Grammatical(network, len(prompt.ids), 64)
    seen = {"pixel_values": prompt.patches, "image_grid_thw": torch.tensor([[1, 32, 32]])}
    if "mm_token_type_ids" in inspect.signature(theirs.forward).parameters:
        seen["mm_token_type_ids"] = (prompt.ids == IMAGE_PAD).int()[None]
    said = theirs.generate(
        input_ids=prompt.ids[None],
        **seen,
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
    assert len(ours) >= 15


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
        bars[:, self.grammar.ids] = self.grammar.bars(self.state, self.start, torch.tensor([self.budget - said]))
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


def writing(network: OmniSVG, prompt: Prompt, candidates: int = 4, tokens: int = 40, steps: int = 0) -> Any:
    """Streams of one prompt after `steps`, and the first token before them."""
    hidden, past = ROOM._read(network, prompt, lambda: None)
    grammar = Grammar.of(network.vocabulary, torch.device("cpu"))
    streams = Streams.begin(grammar, WILD, noise(5, candidates, tokens))
    streams.choose((hidden @ network.head.T).expand(candidates, -1))
    step = Step(network, len(prompt.ids), int(prompt.positions.max()) + 1, tokens)
    cache = Cache.of_prompt(past, candidates, tokens)
    begun = ROOM._Writing(step, len(prompt.ids), streams, cache, list(range(candidates)))
    for said in range(1, steps + 1):
        begun.once(said)
    return begun


@torch.inference_mode()
def test_what_is_kept_goes_on_as_it_was(network: OmniSVG, prompt: Prompt) -> None:
    """Each stream kept sees what it said itself, and says what it would have said with all the others there."""
    before, kept = writing(network, prompt, steps=6), [0, 2, 3]
    assert len({tuple(column.tolist()) for column in before.streams.said.T}) == 4
    after = before.without([1])
    assert after.order == kept
    assert after.without([0]).order == [2, 3]
    same = before.streams.tokens[:1]  # the same word for all, so that only what they said before tells them apart
    place, length = torch.tensor([6]), len(prompt.ids) + 7
    all_of_them = before.step(same.expand(4), place, before.cache, length)
    of_the_kept = after.step(same.expand(3), place, after.cache, length)
    apart = min((all_of_them[a] - all_of_them[b]).abs().max() for a, b in itertools.combinations(range(4), 2))
    torch.testing.assert_close(of_the_kept, all_of_them[kept], atol=1e-3 * float(apart), rtol=0)
    for said in range(7, 39):
        before.once(said)
        after.once(said)
    assert [after.tokens(place, 39) for place in range(3)] == [before.tokens(place, 39) for place in kept]


# What a capture of a CUDA graph refuses, since its result must be known on the processor.
_WAITING = {
    torch.ops.aten._local_scalar_dense,
    torch.ops.aten.item,
    torch.ops.aten.nonzero,
    torch.ops.aten.equal,
    torch.ops.aten.is_nonzero,
    torch.ops.aten.masked_select,
}


class _NoWaiting(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func.overloadpacket not in _WAITING, func
        if func.overloadpacket in (torch.ops.aten.index, torch.ops.aten.index_put_, torch.ops.aten.index_put):
            assert not any(index is not None and index.dtype == torch.bool for index in args[1]), func
        return func(*args, **(kwargs or {}))


@torch.inference_mode()
def test_a_step_in_a_graph_waits_for_nothing(network: OmniSVG, prompt: Prompt) -> None:
    by_length, in_graph = writing(network, prompt, steps=3), writing(network, prompt, steps=3)
    with _NoWaiting():
        in_graph.once(None)
    by_length.once(4)
    assert torch.equal(in_graph.streams.said, by_length.streams.said)
    with pytest.raises(AssertionError), _NoWaiting():
        in_graph.streams.ended.nonzero()


class Cancelled(Exception):
    pass


def test_a_step_can_be_left_between_layers(network: OmniSVG, prompt: Prompt) -> None:
    begun, checks = writing(network, prompt), itertools.count()

    def check() -> None:
        if next(checks) == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        begun.once(1, check)
    new = begun.cache.keys[:, :, :, len(prompt.ids)]
    assert [bool(layer.any()) for layer in new] == [True] + [False] * (LAYERS - 1)
    assert next(checks) == 2


def test_cancel_leaves_the_reading_of_the_prompt(
    network: OmniSVG, prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock by which every layer takes a second; the third look at the clock cancels."""
    clock, shares, ran = itertools.count(), [], []
    monkeypatch.setattr("vectrahub.engine.networks.cancel.time", SimpleNamespace(monotonic=lambda: next(clock)))

    def progress(share: float) -> None:
        shares.append(share)
        if len(shares) == 3:
            raise Cancelled

    leaves = [module for module in network.model.modules() if next(module.children(), None) is None]
    counting = [leaf.register_forward_hook(lambda *_unused: ran.append(1)) for leaf in leaves]
    with pytest.raises(Cancelled):
        generate(network, prompt, WILD, progress=progress)
    for hook in counting:
        hook.remove()
    assert len(ran) == 2
    assert shares == [0.0] * 3
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_cancel_leaves_a_token_between_layers(
    network: OmniSVG, prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, ran = itertools.count(), []
    monkeypatch.setattr("vectrahub.engine.networks.cancel.time", SimpleNamespace(monotonic=lambda: next(clock)))
    attention = Step._attention

    def counted(self: Step, *rest: Any) -> torch.Tensor:
        ran.append(1)
        return attention(self, *rest)

    def progress(_share: float) -> None:
        if len(ran) > LAYERS:
            raise Cancelled

    monkeypatch.setattr(Step, "_attention", counted)
    with pytest.raises(Cancelled):
        generate(network, prompt, WILD, candidates=4, progress=progress, seed=5)
    assert len(ran) == LAYERS + 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"candidates": 0}, "candidates"), ({"max_tokens": 63}, "64 to 2048"), ({"max_tokens": 2049}, "64 to 2048")],
)
def test_numbers_out_of_range(network: OmniSVG, prompt: Prompt, wrong: dict[str, int], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        generate(network, prompt, ICON, **wrong)
