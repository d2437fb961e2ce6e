"""Several answers at once: the questions are read in one pass, padded on the left, then all answers are written.

transformers computes; what is said is chosen here rather than by its `generate`: there, penalties count the words of
the question and of the padding too, and one seed is shared, so that a caption would depend on what stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...errors import EngineFailure
from ...progress import Progress
from ..cancel import between_layers, every
from ..qwen_vl.chat import MERGED
from ..qwen_vl.sampling import draw
from .network import Captioner
from .prompts import Asked

TOP_K = 50  # words that can be drawn at all; transformers' default

_READING = 0.2  # share of the bar for the questions
_OVERFLOWED = 1e4  # for an infinite logit: above every real one


@dataclass(frozen=True)
class Sampling:
    """temperature: 0 = always the likeliest word. top_p: 0..1, only where the temperature is above 0.
    repetition_penalty: 1 = none; on words that were said in the same answer (Keskar et al., 2019, CTRL)."""

    temperature: float = 0.0
    top_p: float = 0.9
    repetition_penalty: float = 1.05


@dataclass(frozen=True)
class Written:
    """tokens: ids without the end. finished: it said an end, and did not run into the limit."""

    tokens: list[int]
    finished: bool


@torch.inference_mode()
def write(
    network: Captioner,
    asked: Sequence[Asked],
    sampling: Sampling,
    ends: Sequence[int],
    free: Sequence[int],
    chance: torch.Tensor,
    progress: Progress,
) -> list[Written]:
    """An answer to each question, of as many tokens as `chance` (tokens, questions) in 0..1 has rows, at most.

    ends: ids that end an answer. free: ids that may be repeated without penalty.
    In float32 an answer does not depend on the questions beside it; in bfloat16 matrix products of another size round
    otherwise, so that one of two words that are about as likely may change.
    Raises EngineFailure where the network computes no numbers.
    """
    share, throttled = 0.0, every(lambda: progress(share))
    with between_layers(network.model, throttled):
        hidden, past = _read(network, asked, ends[-1])
        answers = _Answers(network, asked, past, sampling, ends, free, chance.to(hidden.device))
        while True:
            answers.say(hidden)
            share = _READING + (1 - _READING) * answers.count / len(chance)
            progress(share)
            if not answers.order or answers.count == len(chance):
                return answers.written()
            hidden = answers.read_on()


def _read(network: Captioner, asked: Sequence[Asked], pad: int) -> tuple[torch.Tensor, Any]:
    """The last hidden states (K, hidden) of the questions, and transformers' cache of them."""
    head = network.head
    longest = max(len(one.ids) for one in asked)
    ids = torch.full((len(asked), longest), pad)
    positions = torch.zeros(3, len(asked), longest, dtype=torch.int64)
    for row, one in enumerate(asked):
        ids[row, longest - len(one.ids) :] = one.ids
        positions[:, row, longest - len(one.ids) :] = one.positions
    grids = [[1, one.picture.rows * MERGED, one.picture.columns * MERGED] for one in asked]
    read = network.model(
        input_ids=ids.to(head.device),
        attention_mask=_heard(asked, longest).to(head.device),
        position_ids=positions.to(head.device),
        pixel_values=torch.cat([one.patches for one in asked]).to(head.device, head.dtype),
        image_grid_thw=torch.tensor(grids, device=head.device),
        use_cache=True,
    )
    hidden = read.last_hidden_state[:, -1]
    if not bool(hidden.isfinite().all()):
        raise EngineFailure("Qwen2.5-VL computed no numbers from its weights. Compare their files with those released.")
    return hidden, read.past_key_values


def _heard(asked: Sequence[Asked], longest: int) -> torch.Tensor:
    """(K, longest) 1 for a question's tokens, 0 for the padding before them."""
    lengths = torch.tensor([[len(one.ids)] for one in asked])
    return (torch.arange(longest) >= longest - lengths).long()


class _Answers:
    """The answers still being written; `order` says whose each row is. A row that has ended leaves the batch."""

    def __init__(
        self,
        network: Captioner,
        asked: Sequence[Asked],
        past: Any,
        sampling: Sampling,
        ends: Sequence[int],
        free: Sequence[int],
        chance: torch.Tensor,
    ) -> None:
        device = chance.device
        self.order = list(range(len(asked)))
        self.count = 0
        self._network, self._past, self._sampling, self._ends, self._chance = network, past, sampling, ends, chance
        self._said: list[list[int]] = [[] for _ in asked]
        self._tokens = torch.zeros(len(asked), dtype=torch.int64, device=device)
        self._used = torch.zeros(len(asked), len(network.head), dtype=torch.bool, device=device)
        self._free = torch.tensor([*free, *ends], device=device)
        self._next = torch.tensor([int(one.positions.max()) + 1 for one in asked], device=device)
        self._heard = _heard(asked, max(len(one.ids) for one in asked)).to(device)

    def say(self, hidden: torch.Tensor) -> None:
        """The next token of every answer, by the last hidden states (K, hidden)."""
        scores = torch.nn.functional.linear(hidden, self._network.head).float()
        scores = self._penalized(scores.nan_to_num(0.0, _OVERFLOWED, -_OVERFLOWED))
        if self._sampling.temperature == 0:
            self._tokens = scores.argmax(dim=1)
        else:
            chance = self._chance[self.count, self.order]
            self._tokens = draw(scores, chance, self._sampling.temperature, TOP_K, self._sampling.top_p)
        self._used.scatter_(1, self._tokens[:, None], True)
        self._used[:, self._free] = False
        self.count += 1
        said = self._tokens.tolist()
        for index, token in zip(self.order, said, strict=True):
            self._said[index].append(token)
        going = [row for row, token in enumerate(said) if token not in self._ends]
        if len(going) < len(said):
            self._keep(going)

    def read_on(self) -> torch.Tensor:
        """The last hidden states (K, hidden) after the tokens just said."""
        self._heard = torch.nn.functional.pad(self._heard, (0, 1), value=1)
        positions = (self._next + self.count - 1)[None, :, None].expand(3, -1, -1)
        read = self._network.model(
            input_ids=self._tokens[:, None],
            attention_mask=self._heard,
            position_ids=positions,
            past_key_values=self._past,
            use_cache=True,
        )
        self._past = read.past_key_values
        return read.last_hidden_state[:, -1]

    def written(self) -> list[Written]:
        """All answers, in the order of the questions."""
        return [
            Written(said[:-1], True) if said[-1] in self._ends else Written(said, finished=False) for said in self._said
        ]

    def _penalized(self, scores: torch.Tensor) -> torch.Tensor:
        penalty = self._sampling.repetition_penalty
        return torch.where(self._used, torch.where(scores > 0, scores / penalty, scores * penalty), scores)

    def _keep(self, rows: list[int]) -> None:
        self.order = [self.order[row] for row in rows]
        if not rows:
            return
        which = torch.tensor(rows, device=self._tokens.device)
        self._past.batch_select_indices(which)
        self._tokens, self._used, self._next, self._heard = (
            held.index_select(0, which) for held in (self._tokens, self._used, self._next, self._heard)
        )
