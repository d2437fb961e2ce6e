"""One token through the language model for K streams at once, over a cache of fixed size.

The arithmetic of transformers' Qwen2.5-VL on the same weights, equal within rounding, without what `generate` does:
no growing cache, no masks and positions made anew, and nothing that waits for the device, so that a GPU may
replay the whole step from a CUDA graph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from .network import OmniSVG


@dataclass(frozen=True)
class Cache:
    """Keys and values (layers, K, key heads, tokens, head size). Its first tokens are the prompt's, in every stream."""

    keys: torch.Tensor
    values: torch.Tensor

    @classmethod
    def of_prompt(cls, past: Any, streams: int, tokens: int) -> "Cache":
        """Room for `tokens` more after the prompt's, which are copied from transformers' cache `past`."""
        return cls(*(_roomy([getattr(layer, name) for layer in past.layers], streams, tokens) for name in _PARTS))

    def only(self, which: torch.Tensor) -> "Cache":
        """A copy for the streams at `which` (n,)."""
        return Cache(self.keys.index_select(1, which), self.values.index_select(1, which))


_PARTS = ("keys", "values")
_STRIDE = 16  # places: with another length PyTorch's attention pads the mask anew in every layer


def _roomy(layers: list[torch.Tensor], streams: int, tokens: int) -> torch.Tensor:
    _, heads, known, size = layers[0].shape
    places = -(-(known + tokens) // _STRIDE) * _STRIDE
    room = layers[0].new_zeros(len(layers), streams, heads, places, size)
    for kept, layer in zip(room, layers, strict=True):
        kept[:, :, :known] = layer
    return room


@dataclass(frozen=True)
class _Layer:
    """The weights of one layer, as the host has placed them now."""

    before: torch.Tensor
    query: tuple[torch.Tensor, torch.Tensor]
    key: tuple[torch.Tensor, torch.Tensor]
    value: tuple[torch.Tensor, torch.Tensor]
    output: torch.Tensor
    between: torch.Tensor
    gate: torch.Tensor
    up: torch.Tensor
    down: torch.Tensor

    @classmethod
    def of(cls, layer: Any) -> "_Layer":
        attention, mlp = layer.self_attn, layer.mlp
        return cls(
            before=layer.input_layernorm.weight,
            query=(attention.q_proj.weight, attention.q_proj.bias),
            key=(attention.k_proj.weight, attention.k_proj.bias),
            value=(attention.v_proj.weight, attention.v_proj.bias),
            output=attention.o_proj.weight,
            between=layer.post_attention_layernorm.weight,
            gate=mlp.gate_proj.weight,
            up=mlp.up_proj.weight,
            down=mlp.down_proj.weight,
        )


class Step:
    """Tokens (K,) at one place of all streams -> the head's rows of drawing (K, rows)."""

    def __init__(self, network: OmniSVG, prompt: int, first_position: int, tokens: int) -> None:
        """`prompt`: its tokens. `first_position`: the rotary position of the first new one. `tokens`: new ones."""
        text: Any = network.model.language_model
        config = text.config
        self._prompt = prompt
        self._embedding = text.embed_tokens.weight
        self._norm = text.norm.weight
        self._head = network.head
        self._layers = [_Layer.of(layer) for layer in text.layers]
        self._epsilon = config.rms_norm_eps
        self._heads, self._key_heads = config.num_attention_heads, config.num_key_value_heads
        self._cos, self._sin = _rotations(text.rotary_emb, first_position, tokens, self._head)
        self._size = self._cos.shape[1]

    def __call__(
        self,
        tokens: torch.Tensor,
        at: torch.Tensor,
        cache: Cache,
        length: int | None,
        check: Callable[[], None] | None = None,
    ) -> torch.Tensor:
        """`at` (1,): how many new tokens came before these. `length`: the cache's tokens with these, or None where
        it must not be known (in a graph: all places are then read, the later ones masked). `check` is called
        between layers and may raise."""
        place = at + self._prompt
        places = cache.keys.shape[3]
        mask = None if length else _later(place, places, self._head.dtype)
        turn = self._cos.index_select(0, at), self._sin.index_select(0, at)
        x = functional.embedding(tokens, self._embedding)
        for layer, keys, values in zip(self._layers, cache.keys, cache.values, strict=True):
            if check:
                check()
            x = x + self._attention(layer, self._normed(x, layer.before), (keys, values), place, length, mask, turn)
            h = self._normed(x, layer.between)
            x = x + functional.linear(
                functional.silu(functional.linear(h, layer.gate)) * functional.linear(h, layer.up), layer.down
            )
        return functional.linear(self._normed(x, self._norm), self._head)

    def _attention(
        self,
        layer: _Layer,
        h: torch.Tensor,
        cache: tuple[torch.Tensor, torch.Tensor],
        place: torch.Tensor,
        length: int | None,
        mask: torch.Tensor | None,
        turn: tuple[torch.Tensor, torch.Tensor],
    ) -> torch.Tensor:
        count = len(h)
        both = torch.cat([functional.linear(h, *layer.query), functional.linear(h, *layer.key)], dim=1)
        turned = _turned(both.view(count, self._heads + self._key_heads, self._size), *turn)
        query, key = turned.split([self._heads, self._key_heads], dim=1)
        value = functional.linear(h, *layer.value).view(count, self._key_heads, 1, self._size)
        for held, new in zip(cache, (key[:, :, None], value), strict=True):
            held.index_copy_(2, place, new)
        # The queries that share a key head stand in the place of several tokens: no key is ever repeated.
        grouped = query.reshape(count, self._key_heads, -1, self._size)
        keys, values = (held[:, :, :length] for held in cache)
        seen = functional.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask)
        return functional.linear(seen.reshape(count, -1), layer.output)

    def _normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(x, weight.shape, weight, self._epsilon)


def _later(place: torch.Tensor, places: int, dtype: torch.dtype) -> torch.Tensor:
    """(1, 1, 1, places): 0 up to `place` (1,), -inf behind it."""
    behind = torch.arange(places, device=place.device) > place
    return torch.zeros(places, dtype=dtype, device=place.device).masked_fill(behind, -torch.inf)[None, None, None]


def _rotations(rotary: Any, first: int, count: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine (count, head size) of the rotary positions from `first` on (Su et al., 2021, RoFormer).

    New tokens are text: their time, row and column are one number, so Qwen2.5-VL's three-part rotation is plain here.
    """
    frequencies = rotary.inv_freq.to(like.device, torch.float32)
    positions = torch.arange(first, first + count, device=like.device, dtype=torch.float32)
    angles = (positions[:, None] * frequencies).repeat(1, 2)
    return tuple((f(angles) * rotary.attention_scaling).to(like.dtype) for f in (torch.cos, torch.sin))  # pyright: ignore[reportReturnType]


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
