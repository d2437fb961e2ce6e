"""Choosing the next token, against transformers' own processors."""

from __future__ import annotations

import itertools

import pytest
import torch
from transformers import (
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from vectrahub.engine.networks.omnisvg.grammar import Grammar
from vectrahub.engine.networks.omnisvg.settings import Sampling
from vectrahub.engine.networks.omnisvg.streams import Streams, noise, sample
from vectrahub.engine.networks.omnisvg.vocabulary import BASES, Vocabulary

SETTINGS = [
    Sampling(temperature=0.3, top_p=0.9, top_k=50, repetition_penalty=1.05),
    Sampling(temperature=0.6, top_p=0.9, top_k=60, repetition_penalty=1.03),
    Sampling(temperature=1.5, top_p=0.5, top_k=7, repetition_penalty=1.3),
]


def nothing_said(streams: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(20, streams, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)


def by_transformers(logits: torch.Tensor, said: torch.Tensor, settings: Sampling) -> torch.Tensor:
    scores = logits.clone()
    for step in (
        RepetitionPenaltyLogitsProcessor(settings.repetition_penalty),
        TemperatureLogitsWarper(settings.temperature),
        TopKLogitsWarper(settings.top_k),
        TopPLogitsWarper(settings.top_p),
    ):
        scores = step(said, scores)  # pyright: ignore[reportArgumentType]
    return scores.softmax(dim=1)


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("settings", SETTINGS)
def test_the_distribution_is_that_of_transformers(settings: Sampling, count: int) -> None:
    """Chances on a fine grid must fall on the tokens in proportion to transformers' probabilities."""
    torch.manual_seed(1)
    rows, grid = 300, 20_000
    logits = torch.randn(1, rows) * 3
    said = torch.randint(0, rows, (1, count))
    later = torch.randint(0, rows, (60, 1)).expand(-1, grid).clone()  # what is not said yet must not count
    later[0] = logits.argmax()  # least of all before the first word
    heard = torch.cat([said.T.expand(-1, grid), later])
    chance = (torch.arange(grid) + 0.5) / grid
    every = (logits.expand(grid, -1), torch.zeros(grid, rows), heard, torch.tensor([count]))
    chosen = sample(*every, chance, settings).bincount(minlength=rows) / grid
    expected = by_transformers(logits, said, settings)[0]
    assert (chosen - expected).abs().max() < 2 / grid


def test_only_the_allowed_are_chosen() -> None:
    torch.manual_seed(2)
    allowed = torch.zeros(500, 300, dtype=torch.bool)
    allowed[torch.arange(500), torch.randint(0, 300, (500,))] = True
    allowed[:250, 3] = True
    bars = torch.zeros(500, 300).masked_fill(~allowed, -torch.inf)
    chosen = sample(torch.randn(500, 300), bars, *nothing_said(500), torch.rand(500), SETTINGS[0])
    assert allowed[torch.arange(500), chosen].all()
    assert (chosen[:250] == 3).any()


@pytest.mark.parametrize("chance", [0.0, 1.0 - 2**-24])
def test_the_ends_of_chance(chance: float) -> None:
    logits = torch.tensor([[5.0, 4.0, -50.0, -60.0]])
    settings = Sampling(temperature=1.0, top_p=0.9, top_k=50, repetition_penalty=1.0)
    chosen = int(sample(logits, torch.zeros(1, 4), *nothing_said(1), torch.tensor([chance]), settings))
    assert chosen == (0 if chance == 0 else 1)


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "logits",
    [
        [NAN] * 6,
        [INFINITE] * 6,
        [-INFINITE] * 6,
        [NAN, 1.0, NAN, 2.0, INFINITE, NAN],
        [INFINITE, -INFINITE, INFINITE, 1.0, NAN, -INFINITE],
        [0.0, INFINITE, -INFINITE, -INFINITE, INFINITE, 3.0],
    ],
)
def test_numbers_that_overflowed_still_say_something_allowed(logits: list[float], dtype: torch.dtype) -> None:
    grid = 16
    allowed = torch.tensor([False, True, False, True, True, False])
    bars = torch.zeros(grid, 6).masked_fill(~allowed, -INFINITE)
    said = torch.tensor([1, 2, 3, 0])[:, None].expand(-1, grid)
    rows = torch.tensor([logits], dtype=dtype).expand(grid, -1)
    for count, settings in itertools.product([0, 3], SETTINGS):
        chosen = sample(rows, bars, said, torch.tensor([count]), torch.arange(grid) / grid, settings)
        assert allowed[chosen].all()


def test_each_step_has_a_chance_of_its_own() -> None:
    """Where all points are alike, the two after M differ, from each other and between streams."""
    vocabulary = Vocabulary(BASES[0])
    grammar = Grammar.of(vocabulary, torch.device("cpu"))
    alike = Sampling(temperature=1.0, top_p=1.0, top_k=len(grammar.ids), repetition_penalty=1.0)
    streams = Streams.begin(grammar, alike, noise(3, 8, 64))
    logits = torch.zeros(8, len(grammar.ids))
    logits[:, grammar.ids == vocabulary.command("M")] = 50.0
    for _ in range(3):
        streams.choose(logits)
    assert (grammar.ids[streams.said[0]] == vocabulary.command("M")).all()
    first, second = streams.said[1:3]
    assert (first != second).all()
    assert len(set(first.tolist())) == len(set(second.tolist())) == 8


def test_noise_does_not_depend_on_its_neighbours() -> None:
    assert torch.equal(noise(7, 8, 50)[:30, :3], noise(7, 3, 30))
    columns = noise(7, 8, 50)
    assert len({tuple(column.tolist()) for column in columns.T}) == 8
    assert not torch.equal(noise(8, 1, 50), noise(7, 1, 50))
