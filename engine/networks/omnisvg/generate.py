"""K drawings from one prompt: the prompt is read once, then all streams are written together."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ...errors import BadInput
from ...progress import Progress, part, silent
from ..cancel import between_layers, every
from .grammar import Grammar
from .network import OmniSVG
from .prompts import GRID, LONGEST_PROMPT, Prompt
from .settings import Sampling
from .step import Cache, Step
from .streams import Streams, noise
from .vocabulary import ENDS

MAX_CANDIDATES = 8
FEWEST_TOKENS, MOST_TOKENS = 64, 2048
Show = Callable[[list[int]], None]

# A thousand tokens through the widest layer, and 1024 x 1024 attention in 16 heads of the vision tower, from above.
_PREFILL = 512 * 2**20
_READING = 0.05  # share of the bar for the prompt
_POLL = 8  # replays of a graph between two looks at what it wrote: 0.06 s at 140 tokens/s, the target on an H100
_SHOW_SECONDS = 0.5


def working_bytes(network: OmniSVG, candidates: int, max_tokens: int) -> int:
    """Device memory that `generate` needs besides the weights, from above: the cache, the head's rows, one prefill."""
    text: Any = network.model.config.text_config
    heads = text.num_key_value_heads * (text.hidden_size // text.num_attention_heads)
    tokens = candidates * (LONGEST_PROMPT + max_tokens)
    cache = 2 * text.num_hidden_layers * heads * tokens * network.head.element_size()
    rows = candidates * len(network.head) * 4
    # Twice the cache, since it is copied when candidates have ended; scores are held about eight times at once.
    return 2 * cache + 8 * rows + _PREFILL


@dataclass(frozen=True)
class Written:
    """tokens: ids of a whole drawing, without its ends. finished: it said an end and did not run into
    the limit; less than a path below the limit it has no choice but to say one."""

    tokens: list[int]
    finished: bool


@torch.inference_mode()
def generate(
    network: OmniSVG,
    prompt: Prompt,
    sampling: Sampling,
    *,
    candidates: int = 1,
    max_tokens: int = 1536,
    seed: int = 0,
    progress: Progress = silent,
    show: Show | None = None,
) -> list[Written]:
    """`candidates` drawings (1 or more; 8 are meant to be the most), each a whole one by the grammar.

    max_tokens: 64..2048 for each. seed: 0 or more; the same gives the same, whatever `candidates` is
    (within rounding of the batch). show: gets the tokens so far of a stream that is being written, twice a second.
    Raises BadInput for numbers out of range.
    """
    _check_range("number of candidates", candidates, 1, None)
    _check_range("number of tokens", max_tokens, FEWEST_TOKENS, MOST_TOKENS)
    _check_range("seed", seed, 0, 2**64 - 1)
    device = network.head.device
    hidden, past = _read(network, prompt, lambda: progress(0.0))
    length = len(prompt.ids)
    streams = Streams.begin(Grammar.of(network.vocabulary, device), sampling, noise(seed, candidates, max_tokens))
    streams.choose(torch.nn.functional.linear(hidden, network.head).expand(candidates, -1))
    step = Step(network, length, int(prompt.positions.max()) + 1, max_tokens)
    writing = _Writing(step, length, streams, Cache.of_prompt(past, candidates, max_tokens), list(range(candidates)))
    return _write(writing, max_tokens, part(progress, _READING, 1), show)


def _read(network: OmniSVG, prompt: Prompt, check: Callable[[], None]) -> tuple[torch.Tensor, object]:
    """The last hidden state (1, hidden) of the prompt, and transformers' cache of it."""
    device = network.head.device
    picture = {}
    if prompt.patches is not None:
        grid = torch.tensor([[1, GRID, GRID]], device=device)
        picture = {"pixel_values": prompt.patches.to(device, network.head.dtype), "image_grid_thw": grid}
    with between_layers(network.model, check):
        read = network.model(
            input_ids=prompt.ids[None].to(device),
            position_ids=prompt.positions[:, None].to(device),
            use_cache=True,
            **picture,
        )
    return read.last_hidden_state[:, -1], read.past_key_values


@dataclass
class _Writing:
    """The streams still being written; `order` says which candidate each is."""

    step: Step
    prompt: int
    streams: Streams
    cache: Cache
    order: list[int]

    def once(self, said: int | None, check: Callable[[], None] | None = None) -> None:
        """One token more for every stream; `said` tokens were said before, None inside a graph."""
        streams = self.streams
        length = None if said is None else self.prompt + said
        streams.choose(self.step(streams.tokens, streams.at - 1, self.cache, length, check))

    def without(self, ended: list[int]) -> "_Writing":
        """The streams besides those at the places `ended`."""
        kept = [place for place in range(len(self.order)) if place not in ended]
        which = torch.tensor(kept, device=self.streams.row.device)
        order = [self.order[place] for place in kept]
        return _Writing(self.step, self.prompt, self.streams.only(which), self.cache.only(which), order)

    def tokens(self, place: int, said: int) -> list[int]:
        """What the stream at `place` said, its ends left out."""
        ids = self.streams.grammar.ids[self.streams.said[:said, place]].tolist()
        return [token for token in ids if token not in ENDS]


def _write(writing: _Writing, max_tokens: int, progress: Progress, show: Show | None) -> list[Written]:
    on_graph = writing.streams.row.is_cuda
    written: dict[int, Written] = {}
    said, showing = 1, _throttled(show)
    again = _graph(writing) if on_graph else None
    while True:
        ended = writing.streams.ended.nonzero()[:, 0].tolist()
        running = len(writing.order) - len(ended)
        if not running or said == max_tokens:
            for place, index in enumerate(writing.order):
                written[index] = Written(writing.tokens(place, said), place in ended)
            progress(1.0)
            return [written[index] for index in range(len(written))]
        if ended and (again is None or 2 * running <= len(writing.order)):
            # A graph is made anew for fewer streams, so only when half of them have ended.
            written |= {writing.order[place]: Written(writing.tokens(place, said), True) for place in ended}
            writing = writing.without(ended)
            again = _graph(writing) if on_graph else None
        share = said / max_tokens
        progress(share)
        showing(writing, said)
        if again is None:
            writing.once(said, every(lambda at=share: progress(at)))
            said += 1
            continue
        rounds = min(_POLL, max_tokens - said)
        for _ in range(rounds):
            again()
        said += rounds


def _throttled(show: Show | None) -> Callable[[_Writing, int], None]:
    shown = time.monotonic()

    def maybe(writing: _Writing, said: int) -> None:
        nonlocal shown
        if show and time.monotonic() - shown >= _SHOW_SECONDS:
            show(writing.tokens(0, said))
            shown = time.monotonic()

    return maybe


def _graph(writing: _Writing) -> Callable[[], None]:
    """`once` as a CUDA graph. It is run beforehand, as captures ask for, and what that changed is put back; keys
    and values that it wrote are overwritten by the first replay."""
    changing = writing.streams.changing()
    before = [tensor.clone() for tensor in changing]
    writing.once(None)
    for tensor, old in zip(changing, before, strict=True):
        tensor.copy_(old)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # the server's threads go on meanwhile
        writing.once(None)
    return graph.replay


def _check_range(what: str, value: int, low: int, high: int | None) -> None:
    if value < low or (high is not None and value > high):
        limit = f"{low} or more" if high is None else f"{low} to {high}"
        raise BadInput(f"The {what} is out of range", value=value, limit=limit, remedy="Choose another number.")
