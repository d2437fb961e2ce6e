"""Random models of OmniSVG's architecture that never end a drawing by themselves, made on the device."""

from dataclasses import dataclass
from typing import Any

import torch

from engine.networks.omnisvg.network import OmniSVG
from engine.networks.omnisvg.prompts import GRID, MERGED, Prompt
from engine.networks.omnisvg.vocabulary import BASE_OF_HIDDEN_SIZE, BASES, ENDS, SIZE, Vocabulary

_START, _STOP, _PICTURE = 151_652, 151_653, 151_655  # Qwen2.5-VL's marks around and for a picture's tokens
_BEFORE, _AFTER = 67, 20  # words of the image task before and after the picture, about as released
_BITTER = -1e4  # weight of the ends in the channel that is the same in all states


@dataclass(frozen=True)
class Size:
    """hidden, layers, heads, key heads, intermediate, tied: of the language model. tower: layers, hidden, heads,
    intermediate of the vision tower, and those of its layers that see the whole picture."""

    name: str
    hidden: int
    layers: int
    heads: int
    key_heads: int
    intermediate: int
    tied: bool = False
    tower: tuple[int, int, int, int] = (2, 32, 2, 48)
    whole: tuple[int, ...] = (1,)


_TOWER, _WHOLE = (32, 1280, 16, 3420), (7, 15, 23, 31)
# As in the config.json of Qwen2.5-VL-7B-Instruct and Qwen2.5-VL-3B-Instruct.
EIGHT = Size("8B", 3584, 28, 28, 4, 18_944, tower=_TOWER, whole=_WHOLE)
FOUR = Size("4B", 2048, 36, 16, 2, 11_008, tied=True, tower=_TOWER, whole=_WHOLE)
TINY = Size("tiny", 128, 4, 4, 2, 256)
SMALL = Size("small", 512, 12, 8, 2, 2048)


@torch.inference_mode()
def build(size: Size, device: torch.device, dtype: torch.dtype) -> Any:
    """A Qwen2_5_VLForConditionalGeneration with 197,000 words, random weights and the ends' logits at -1000 or less.

    Channel 0 of every word is one constant that no layer changes; the ends' rows of the head are a large negative
    number there and 0 elsewhere. Drawings so go on to the limit of tokens, here and in transformers alike.
    """
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    config = Qwen2_5_VLConfig.from_dict(_config(size))
    torch.manual_seed(0)
    with torch.device(device):  # weights are drawn there, without a copy in this process' memory
        model: Any = Qwen2_5_VLForConditionalGeneration._from_config(config, dtype=dtype, attn_implementation="sdpa")
    text = model.model.language_model
    for layer in text.layers:
        layer.self_attn.o_proj.weight[0] = 0
        layer.mlp.down_proj.weight[0] = 0
    if size.tied:  # the head's rows are the words themselves, so the ends would have to be both
        model.config.tie_word_embeddings = model.config.text_config.tie_word_embeddings = False
        model.lm_head.weight = torch.nn.Parameter(text.embed_tokens.weight.clone(), requires_grad=False)
    text.embed_tokens.weight[:, 0] = 0.02 * size.hidden**0.5
    model.lm_head.weight[list(ENDS)] = 0
    model.lm_head.weight[list(ENDS), 0] = _BITTER
    return model.eval().requires_grad_(False)


def ours(model: Any) -> OmniSVG:
    """The same weights as the engine takes them; only the head's rows of drawing are copied."""
    return OmniSVG(model.model, model.lm_head.weight, Vocabulary(_base(model.config.text_config.hidden_size)))


def picture_prompt(model: Any, seed: int = 0) -> tuple[Prompt, dict[str, torch.Tensor]]:
    """A picture of noise among random words, for the engine and as keywords for transformers (which finds the
    positions itself; the engine gets the same ones)."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(0, 100_000, (_BEFORE + _AFTER,), generator=generator)
    picture = torch.tensor([_START, *[_PICTURE] * MERGED**2, _STOP])
    ids = torch.cat([words[:_BEFORE], picture, words[_BEFORE:]])
    device, dtype = model.lm_head.weight.device, model.lm_head.weight.dtype
    patches = torch.randn(GRID**2, 3 * 2 * 14 * 14, generator=generator)
    keywords = {
        "input_ids": ids[None],
        "attention_mask": torch.ones_like(ids)[None],
        "image_grid_thw": torch.tensor([[1, GRID, GRID]]),
        "mm_token_type_ids": (ids == _PICTURE).long()[None],
    }
    keywords = {name: value.to(device) for name, value in keywords.items()}
    positions, _ = model.model.get_rope_index(**keywords)
    return Prompt(ids, positions[:, 0].cpu(), patches), keywords | {"pixel_values": patches.to(device, dtype)}


def _base(hidden: int) -> int:
    return BASE_OF_HIDDEN_SIZE.get(hidden, BASES[0])


def _config(size: Size) -> dict[str, Any]:
    channels = size.hidden // size.heads
    depth, wide, heads, between = size.tower
    return {
        "model_type": "qwen2_5_vl",
        "vocab_size": SIZE,
        "vision_start_token_id": _START,
        "vision_end_token_id": _STOP,
        "image_token_id": _PICTURE,
        "video_token_id": _PICTURE + 1,
        "hidden_size": size.hidden,
        "intermediate_size": size.intermediate,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.key_heads,
        "max_window_layers": size.layers,
        "max_position_embeddings": 128_000,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "rope_scaling": {"type": "mrope", "mrope_section": [channels // 8, channels * 3 // 16, channels * 3 // 16]},
        "use_sliding_window": False,
        "tie_word_embeddings": size.tied,
        "vision_config": {
            "depth": depth,
            "hidden_size": wide,
            "num_heads": heads,
            "intermediate_size": between,
            "out_hidden_size": size.hidden,
            "fullatt_block_indexes": list(size.whole),
            "window_size": 112,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "tokens_per_second": 2,
        },
    }
