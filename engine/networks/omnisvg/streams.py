"""K drawings being written side by side: choosing each one's next token."""

from dataclasses import dataclass, fields, replace

import torch

from ..qwen_vl.sampling import chances, draw
from .grammar import Grammar
from .settings import Sampling

_OVERFLOWED = 1e4  # for an infinite logit: above every real one, and finite when divided by a temperature


def noise(seed: int, candidates: int, tokens: int) -> torch.Tensor:
    """(tokens, candidates) float32 in 0..1, the same on every machine; a column does not depend on the others."""
    return chances([(seed, index) for index in range(candidates)], tokens)


@dataclass(frozen=True)
class Streams:
    """The state of K streams; every tensor is changed in place, so that a CUDA graph may hold on to it.

    said: (tokens, K) rows said so far, up to `at`. at: (1,) how many. row: (K,) the last one.
    """

    grammar: Grammar
    sampling: Sampling
    noise: torch.Tensor
    said: torch.Tensor
    at: torch.Tensor
    row: torch.Tensor
    state: torch.Tensor
    start: torch.Tensor

    @classmethod
    def begin(cls, grammar: Grammar, sampling: Sampling, drawn: torch.Tensor) -> "Streams":
        """Empty streams; `drawn` (tokens, K) is the chance that decides, from `noise`."""
        device, count = grammar.ids.device, drawn.shape[1]
        state, start = grammar.begin(count)
        return cls(
            grammar,
            sampling,
            drawn.to(device),
            torch.zeros(drawn.shape, dtype=torch.int64, device=device),
            torch.zeros(1, dtype=torch.int64, device=device),
            torch.zeros(count, dtype=torch.int64, device=device),
            state,
            start,
        )

    def choose(self, logits: torch.Tensor) -> None:
        """Say each stream's next token by the head's rows (K, rows), any float type."""
        bars = self.grammar.bars(self.state, self.start, len(self.noise) - self.at)
        chance = self.noise.index_select(0, self.at)[0]
        row = sample(logits, bars, self.said, self.at, chance, self.sampling)
        state, start = self.grammar.advance(self.state, self.start, row)
        self.said.index_copy_(0, self.at, row[None])
        self.at.add_(1)
        for held, new in ((self.row, row), (self.state, state), (self.start, start)):
            held.copy_(new)

    @property
    def tokens(self) -> torch.Tensor:
        """(K,) ids of the last tokens, for the embedding."""
        return self.grammar.ids[self.row]

    @property
    def ended(self) -> torch.Tensor:
        """(K,) bool: streams that have said their end."""
        return self.grammar.ended(self.state)

    def only(self, which: torch.Tensor) -> "Streams":
        """Copies of the streams at `which` (n,)."""
        per_stream = {"noise": 1, "said": 1, "row": 0, "state": 0, "start": 0}
        picked = {name: getattr(self, name).index_select(dim, which) for name, dim in per_stream.items()}
        return replace(self, at=self.at.clone(), **picked)

    def changing(self) -> list[torch.Tensor]:
        """The tensors that `choose` changes."""
        fixed = {"grammar", "sampling", "noise"}
        return [getattr(self, field.name) for field in fields(self) if field.name not in fixed]


def sample(
    logits: torch.Tensor,
    bars: torch.Tensor,
    said: torch.Tensor,
    count: torch.Tensor,
    chance: torch.Tensor,
    sampling: Sampling,
) -> torch.Tensor:
    """One row (K,) per stream from logits (K, rows) and the grammar's `bars`, otherwise as transformers samples.

    Order: repetition penalty on the first `count` (1,) of `said` (tokens, K) (Keskar et al., 2019, CTRL),
    then `draw` by `chance` (K,). Nothing here waits for the device.
    """
    scores = _penalized(logits, bars, said, count, sampling.repetition_penalty)
    return draw(scores, chance, sampling.temperature, sampling.top_k, sampling.top_p)


def _penalized(
    logits: torch.Tensor, bars: torch.Tensor, said: torch.Tensor, count: torch.Tensor, penalty: float
) -> torch.Tensor:
    logits = logits.nan_to_num(0.0, _OVERFLOWED, -_OVERFLOWED)
    places = torch.arange(len(said), device=said.device)[:, None]
    heard = torch.where(places < count, said, said[:1]).T  # what is not said yet stands for the first word
    old = logits.gather(1, heard).float()
    new = torch.where(old > 0, old / penalty, old * penalty)
    return (bars + logits).scatter_(1, heard, torch.where(count > 0, new, old) + bars.gather(1, heard))
