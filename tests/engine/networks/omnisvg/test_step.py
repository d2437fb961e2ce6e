"""One step of ours equals the same step of transformers on the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vectrahub.engine.networks.omnisvg.network import OmniSVG
from vectrahub.engine.networks.omnisvg.prompts import Prompt, image_prompt, text_prompt
from vectrahub.engine.networks.omnisvg.step import Cache, Step
from vectrahub.engine.networks.omnisvg.weights import load
from vectrahub.tests.tiny_omnisvg import attend, write_tiny_omnisvg

STREAMS, TOKENS = 3, 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # More heads than key heads, so that the grouping of queries matters.
    return write_tiny_omnisvg(tmp_path_factory.mktemp("omnisvg"), dtype=torch.float32, hidden=128, layers=3, seed=4)


@pytest.fixture(scope="module")
def network(folder: Path) -> OmniSVG:
    return attend(load(folder))


@pytest.fixture(scope="module", params=["picture", "text"])
def prompt(request: pytest.FixtureRequest, folder: Path) -> Prompt:
    if request.param == "text":
        return text_prompt(folder, "a red circle")
    picture = np.random.default_rng(3).integers(0, 255, (448, 448, 3), np.uint8)
    return image_prompt(folder, picture)


def read(network: OmniSVG, prompt: Prompt) -> Any:
    seen = {} if prompt.patches is None else {"pixel_values": prompt.patches}
    if seen:
        seen["image_grid_thw"] = torch.tensor([[1, 32, 32]])
    return network.model(input_ids=prompt.ids[None], position_ids=prompt.positions[:, None], use_cache=True, **seen)


def said_at_random() -> torch.Tensor:
    return torch.randint(152_072, 190_000, (STREAMS, TOKENS), generator=torch.Generator().manual_seed(1))


def by_transformers(network: OmniSVG, prompt: Prompt, said: torch.Tensor) -> torch.Tensor:
    """Logits (TOKENS, STREAMS, rows) after each token, all tokens of a stream in one pass."""
    first = int(prompt.positions.max()) + 1
    embedded = network.model.language_model.embed_tokens(said)
    places = (torch.arange(TOKENS) + first).expand(3, 1, -1)
    hidden = [
        network.model.language_model(
            inputs_embeds=one[None], position_ids=places, past_key_values=read(network, prompt).past_key_values
        ).last_hidden_state[0]
        for one in embedded
    ]
    return torch.stack(hidden, dim=1) @ network.head.T


def by_steps(network: OmniSVG, prompt: Prompt, said: torch.Tensor, growing: bool) -> torch.Tensor:
    """The same one by one."""
    step = Step(network, len(prompt.ids), int(prompt.positions.max()) + 1, TOKENS)
    cache = Cache.of_prompt(read(network, prompt).past_key_values, STREAMS, TOKENS)
    lengths = [len(prompt.ids) + at + 1 if growing else None for at in range(TOKENS)]
    return torch.stack([step(said[:, at], torch.tensor([at]), cache, lengths[at]) for at in range(TOKENS)])


@pytest.mark.parametrize("growing", [True, False], ids=["slice", "mask"])
@torch.no_grad()
def test_logits_are_those_of_transformers(network: OmniSVG, prompt: Prompt, growing: bool) -> None:
    """Prompt and the tokens so far in one pass of transformers against ours one by one."""
    said = said_at_random()
    expected, ours = by_transformers(network, prompt, said), by_steps(network, prompt, said, growing)
    for a, b in zip(ours, expected, strict=True):
        assert b.std() > 0.1
        torch.testing.assert_close(a, b, atol=2e-4 * float(b.abs().max()), rtol=0)


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.float() - b.float()).square().mean().sqrt())


@pytest.fixture(scope="module")
def exact_and_rounded(folder: Path) -> tuple[OmniSVG, OmniSVG]:
    """One network of bfloat16 weights, computing in float32 and in bfloat16."""
    exact, rounded = attend(load(folder).bfloat16()), attend(load(folder).bfloat16())
    return exact.float(), rounded


@pytest.mark.parametrize("growing", [True, False], ids=["slice", "mask"])
@torch.no_grad()
def test_bfloat16_is_no_further_from_the_truth_than_in_transformers(
    exact_and_rounded: tuple[OmniSVG, OmniSVG], prompt: Prompt, growing: bool
) -> None:
    """Roundings to 8 bits add up differently (a norm rounds once here, twice there), so neither is held to the other's
    bits but both to float32: ours may be a quarter further from it, and less far from theirs than theirs is from it
    (measured: 0 to 1 %, and a fifth, since most of the way goes back to the prompt that both read alike)."""
    exact, rounded = exact_and_rounded
    said = said_at_random()
    truth, theirs = (by_transformers(network, prompt, said).float() for network in (exact, rounded))
    ours = by_steps(rounded, prompt, said, growing)
    assert ours.dtype == torch.bfloat16
    far = apart(theirs, truth)
    assert far < 0.1 * truth.std()
    assert apart(ours, truth) <= 1.25 * far
    assert apart(ours, theirs) <= far


@torch.no_grad()
def test_the_streams_are_apart(network: OmniSVG, prompt: Prompt) -> None:
    """What one stream says changes nothing in another, also after a third is gone."""
    past = read(network, prompt).past_key_values
    step = Step(network, len(prompt.ids), int(prompt.positions.max()) + 1, TOKENS)
    said = torch.tensor([[152_080, 153_000, 154_000], [160_000, 161_000, 162_000], [170_000, 171_000, 172_000]])
    together, alone = Cache.of_prompt(past, 3, TOKENS), Cache.of_prompt(past, 1, TOKENS)
    length = len(prompt.ids)
    for at in range(2):
        step(said[:, at], torch.tensor([at]), together, length + at + 1)
        step(said[2:, at], torch.tensor([at]), alone, length + at + 1)
    kept = together.only(torch.tensor([0, 2]))
    both = step(said[[0, 2], 2], torch.tensor([2]), kept, length + 3)
    one = step(said[2:, 2], torch.tensor([2]), alone, length + 3)
    torch.testing.assert_close(both[1:], one, atol=1e-4, rtol=1e-4)


def test_the_head_is_the_rows_of_drawing(folder: Path, network: OmniSVG) -> None:
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    full = weights["transformer.lm_head.weight"]
    hidden = torch.randn(5, full.shape[1], generator=torch.Generator().manual_seed(2))
    ids = [*range(network.vocabulary.first, network.vocabulary.stop), 196_998, 196_999]
    torch.testing.assert_close(hidden @ network.head.T, (hidden @ full.T)[:, ids], atol=1e-5, rtol=1e-5)
