"""Who writes: the engine, and transformers in three ways, all with the settings of the image task."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from engine.networks.omnisvg.generate import generate
from engine.networks.omnisvg.grammar import Grammar
from engine.networks.omnisvg.network import OmniSVG
from engine.networks.omnisvg.prompts import Prompt
from engine.networks.omnisvg.settings import IMAGE
from engine.networks.omnisvg.vocabulary import ENDS

OURS, PLAIN, STATIC, GRAMMATICAL = "ours", "transformers", "transformers, static cache", "transformers, our grammar"
_PAD = 151_643
_CLOSING = 8  # near the limit the grammar only lets begin what can be completed: up to so many tokens stay unused

Write = Callable[[int, int, int], int]  # candidates, tokens, seed -> tokens written, all candidates together


def writers(model: Any, network: OmniSVG, prompt: Prompt, keywords: dict[str, torch.Tensor]) -> dict[str, Write]:
    """By name; each raises RuntimeError when a drawing did not go on to the limit."""

    def own(candidates: int, tokens: int, seed: int) -> int:
        drawings = generate(network, prompt, IMAGE, candidates=candidates, max_tokens=tokens, seed=seed)
        lengths = [len(one.tokens) for one in drawings]
        shortest = min(lengths)
        if shortest < tokens - _CLOSING:
            raise RuntimeError(f"a drawing of {shortest} tokens instead of {tokens}")
        return sum(lengths)

    @torch.inference_mode()
    def peer(candidates: int, tokens: int, seed: int, **more: Any) -> int:
        torch.manual_seed(seed)
        said = model.generate(
            **keywords,
            do_sample=True,
            temperature=IMAGE.temperature,
            top_p=IMAGE.top_p,
            top_k=IMAGE.top_k,
            repetition_penalty=IMAGE.repetition_penalty,
            num_return_sequences=candidates,
            max_new_tokens=tokens,
            bos_token_id=None,
            eos_token_id=list(ENDS),
            pad_token_id=_PAD,
            use_cache=True,
            **more,
        )[:, len(prompt.ids) :]
        closed = (said == _PAD).sum(dim=1).max().item()
        if said.shape[1] < tokens - _CLOSING or closed > _CLOSING:
            raise RuntimeError(f"{said.shape[1]} tokens instead of {tokens}, {closed} of them void")
        return int((said < ENDS[0]).sum()) - int((said == _PAD).sum())

    def static(candidates: int, tokens: int, seed: int) -> int:
        return peer(candidates, tokens, seed, cache_implementation="static")

    def grammatical(candidates: int, tokens: int, seed: int) -> int:
        rule = _Grammatical(network, candidates, len(prompt.ids), tokens)
        return peer(candidates, tokens, seed, logits_processor=LogitsProcessorList([rule]))

    return {OURS: own, PLAIN: peer, STATIC: static, GRAMMATICAL: grammatical}


class _Grammatical(LogitsProcessor):
    """The engine's grammar over all 197,000 words, for K streams."""

    def __init__(self, network: OmniSVG, streams: int, prompt: int, budget: int) -> None:
        self._grammar = Grammar.of(network.vocabulary, network.head.device)
        self._state, self._start = self._grammar.begin(streams)
        self._first, self._words = network.vocabulary.first, len(self._grammar.ids) - len(ENDS)
        self._prompt, self._budget = prompt, budget

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        said = input_ids.shape[1] - self._prompt
        if said:
            # After its end a stream is padded, which is no row; what it says then is thrown away.
            last = input_ids[:, -1]
            row = torch.where(last >= ENDS[0], self._words + last - ENDS[0], last - self._first)
            row = torch.where(last == _PAD, self._words + 1, row)
            self._state, self._start = self._grammar.advance(self._state, self._start, row)
        left = torch.tensor(self._budget - said, device=scores.device)
        bars = torch.full_like(scores, -torch.inf)
        bars[:, self._grammar.ids] = self._grammar.bars(self._state, self._start, left).to(scores.dtype)
        return scores + bars  # pyright: ignore[reportReturnType]
