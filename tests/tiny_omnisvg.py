"""A tiny OmniSVG with random weights in the released on-disk format, and a teacher that makes it know a drawing."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vectrahub.engine.networks.omnisvg.network import OmniSVG
from vectrahub.engine.networks.omnisvg.prompts import Prompt, image_prompt, text_prompt
from vectrahub.engine.networks.omnisvg.vocabulary import BASES, ENDS, SIZE, Vocabulary
from vectrahub.engine.networks.omnisvg.weights import load
from vectrahub.tests.omnisvg_words import tokens

EOS = ENDS[1]

_HEAD_SIZE = 16  # channels of one head of attention

_RATE = 0.01
_SURE = 0.99  # of a stream's next token, when training stops
_KNOWN = 0.97  # after rounding to the file's dtype

_SPECIAL = (
    "endoftext im_start im_end object_ref_start object_ref_end box_start box_end quad_start quad_end vision_start "
    "vision_end vision_pad image_pad video_pad"
).split()
_FIRST_SPECIAL = 151_643
# Words that become one token, as in the real tokenizer; what is not here is spelt in bytes.
_WORDS = (
    "system user assistant You are an expert SVG code generator Generate precise valid path commands that accurately "
    "represent the described scene or object Focus on capturing key shapes spatial relationships and visual "
    "composition this image illustration for Requirements Create complete Include proper coordinates colors Maintain "
    "clarity a red blue circle square logo of"
).split()
# How the released tokenizer parts a text before it looks for words.
_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TEMPLATE = (
    "{%- for turn in messages -%}{{ '<|im_start|>' + turn.role + '\n' }}"
    "{%- if turn.content is string -%}{{ turn.content }}{%- else -%}{%- for part in turn.content -%}"
    "{%- if part.type == 'image' -%}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- else -%}{{ part.text }}{%- endif -%}{%- endfor -%}{%- endif -%}{{ '<|im_end|>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)


def write_tiny_omnisvg(
    folder: Path,
    base: int = BASES[0],
    tied: bool = False,
    safetensors: bool = False,
    dtype: torch.dtype = torch.bfloat16,
    hidden: int = 64,
    layers: int = 2,
    seed: int = 0,
) -> Path:
    """All 197,000 words of `hidden` channels: 50 MB as bfloat16, half as much when `tied`. Returns `folder`.

    The names in the weights file are the released ones (transformer.model.layers...). hidden: a multiple of 32.
    """
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    folder.mkdir(parents=True, exist_ok=True)
    config = _config(base, tied, hidden, layers)
    _write_json(folder / "config.json", config)
    _write_json(folder / "preprocessor_config.json", _PREPROCESSOR)
    _write_json(folder / "generation_config.json", {"bos_token_id": 151643, "eos_token_id": [151645, 151643]})
    _write_tokenizer(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_dict(config | {"vocab_size": SIZE}))
    tensors = {name: value.to(dtype) for name, value in network.state_dict().items()}
    if tied:
        del tensors["lm_head.weight"]
    _write_weights(folder, {_released(name): value for name, value in tensors.items()}, safetensors)
    return folder


@torch.no_grad()
def attend(network: OmniSVG) -> OmniSVG:
    """Make a network of random weights heed what it reads, in place: with the released spread they hardly do."""
    for name, weight in network.model.named_parameters():
        if "_proj" in name:
            weight.data = weight.data * 8
    return network


def make_endless(folder: Path) -> Path:
    """Make the weights in `folder` hardly see their input, and its head never say an end; returns `folder`.

    A drawing is then as long as it may be. Not for tied weights, nor for safetensors.
    """
    weights = _read_weights(folder)
    bias = weights["transformer.model.layers.0.self_attn.v_proj.bias"]
    bias.copy_(50 * torch.randn(bias.shape, generator=torch.Generator().manual_seed(1)))
    out = weights["transformer.model.layers.0.self_attn.o_proj.weight"]
    groups = out.shape[1] // len(bias)
    always = out.float() @ bias.float().view(-1, _HEAD_SIZE).repeat_interleave(groups, 0).flatten()
    weights["transformer.lm_head.weight"][list(ENDS)] = (-10 * always / always.norm()).to(out.dtype)
    _write_weights(folder, weights, safetensors=False)
    return folder


def stream(vocabulary: Vocabulary, text: str, end: int | None = EOS) -> list[int]:
    """Tokens of a text as in omnisvg_words, in which commas may stand between numbers; `end` is added unless None."""
    return tokens(text.replace(",", " "), vocabulary) + ([] if end is None else [end])


def teach(
    folder: Path,
    streams: Sequence[int] | Sequence[Sequence[int]],
    picture: NDArray[np.uint8] | None = None,
    prompt: str | None = None,
    steps: int = 500,
) -> None:
    """Train the model in `folder` until it answers this `picture` (448, 448, 3) or this `prompt` with the stream.

    Of several streams it says each about as often. What is in no stream gets less than 3 % at any place, in the dtype
    of the file, so that sampling as released keeps to them. Raises RuntimeError when `steps` do not reach that; the
    file is replaced only when they do. Earlier lessons may be forgotten. Generation stops only if a stream holds its
    end.
    """
    if (picture is None) == (prompt is None):
        raise ValueError("either a picture or a prompt")
    asked = image_prompt(folder, picture) if picture is not None else text_prompt(folder, prompt or "")
    texts: Any = [streams] if isinstance(streams[0], int) else streams
    before = _read_weights(folder)
    lesson = _Lesson(load(folder), asked, texts, "transformer.lm_head.weight" not in before)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several wait for each other on matrices this small, ten times as long on a busy machine
    try:
        lesson.learn(steps)
    finally:
        torch.set_num_threads(threads)
    _write_weights(folder, lesson.learned(before), (folder / "model.safetensors").exists())


class _Lesson:
    """The language model in float32, and of its embeddings and its head the rows that the streams say.

    The other 44,000 rows of drawing stay as they are, near zero: together they count as one word whose logit is the
    logarithm of their number. So a step costs milliseconds; `knows` looks at every row.
    """

    def __init__(self, network: OmniSVG, asked: Prompt, texts: Sequence[Sequence[int]], tied: bool) -> None:
        self.dtype = network.head.dtype
        tokens = torch.tensor([*range(network.vocabulary.first, network.vocabulary.stop), *ENDS])
        self.all_rows = network.head.detach().float()
        strength = self.all_rows.norm(dim=1)
        said = torch.isin(tokens, torch.tensor([token for text in texts for token in text]))
        self.rows = (said | (strength > 2 * strength.median())).nonzero()[:, 0]  # the strong: of an earlier lesson
        self.ids = tokens[self.rows]
        place = {token: index for index, token in enumerate(self.ids.tolist())}
        self.texts = [[place[token] for token in text] for text in texts]
        self.asked = _embedded(network, asked)
        self.positions = asked.positions
        self.model: Any = network.model.language_model
        self.head = torch.nn.Parameter(self.all_rows[self.rows])
        self.words = self.head if tied else torch.nn.Parameter(self.model.embed_tokens.weight[self.ids].float())
        del self.model.embed_tokens
        self.model.float().requires_grad_(True)

    def learn(self, steps: int) -> None:
        trained = [*self.model.parameters(), self.head] + ([] if self.words is self.head else [self.words])
        optimizer = torch.optim.AdamW(trained, lr=_RATE, weight_decay=0.0, fused=True)
        slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, steps)
        for step in range(steps):
            if step % 10 == 9 and self.knows(_SURE):
                break
            loss = torch.stack([self.loss(text) for text in self.texts]).sum() / max(map(len, self.texts))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            slower.step()
        with torch.no_grad():  # as the file will hold them
            for parameter in trained:
                parameter.copy_(parameter.to(self.dtype))
        if not self.knows(_KNOWN):
            raise RuntimeError(f"not learned in {steps} steps")

    def loss(self, text: list[int]) -> torch.Tensor:
        logits = self.hidden(text) @ self.head.T
        others = torch.full((len(text), 1), math.log(len(self.all_rows)) + 0.5)
        return torch.nn.functional.cross_entropy(
            torch.cat([logits, others], dim=1), torch.tensor(text), reduction="sum"
        )

    def hidden(self, text: list[int]) -> torch.Tensor:
        """Before each token of a text, (L, hidden)."""
        said = torch.nn.functional.embedding(torch.tensor(text[:-1], dtype=torch.int64), self.words)
        given = torch.cat([self.asked, said])[None]
        after = torch.arange(len(text) - 1).expand(3, -1) + int(self.positions.max()) + 1
        positions = torch.cat([self.positions, after], dim=1)[:, None]
        answer = self.model(inputs_embeds=given, position_ids=positions, use_cache=False)
        return answer.last_hidden_state[0, len(self.asked) - 1 :]

    @torch.no_grad()
    def knows(self, least: float) -> bool:
        """Whether what the texts say next has at least this share, and each of them its part of it."""
        head = self.all_rows.index_copy(0, self.rows, self.head)
        for text in self.texts:
            shares = (self.hidden(text) @ head.T).softmax(dim=1)[:, self.rows]
            for place, row in enumerate(text):
                alike = [other for other in self.texts if other[:place] == text[:place] and len(other) > place]
                allowed = {other[place] for other in alike}
                if shares[place, list(allowed)].sum() < least or shares[place, row] < 0.5 / len(alike):
                    return False
        return True

    def learned(self, before: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The weights of the released file, those that were trained replaced."""
        after = dict(before)
        for name, value in self.model.state_dict().items():
            after[f"transformer.model.{name}"] = value.to(self.dtype)
        for name, rows in (("model.embed_tokens", self.words), ("lm_head", self.head)):
            if f"transformer.{name}.weight" in before:
                full = before[f"transformer.{name}.weight"].clone()
                full[self.ids] = rows.detach().to(self.dtype)
                after[f"transformer.{name}.weight"] = full
        return after


def _embedded(network: OmniSVG, asked: Prompt) -> torch.Tensor:
    """What the language model is given for a prompt, (T, hidden) float32: words, the picture's features in place."""
    given: list[torch.Tensor] = []

    def listen(_module: torch.nn.Module, _arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        given.append(named["inputs_embeds"][0].float())

    picture = {}
    if asked.patches is not None:
        picture = {"pixel_values": asked.patches.to(network.head.dtype), "image_grid_thw": torch.tensor([[1, 32, 32]])}
    listening = network.model.language_model.register_forward_pre_hook(listen, with_kwargs=True)
    with torch.no_grad():
        network.model(input_ids=asked.ids[None], position_ids=asked.positions[:, None], use_cache=False, **picture)
    listening.remove()
    return given[0]


def _config(base: int, tied: bool, hidden: int, layers: int) -> dict[str, Any]:
    """Flat, as released with Qwen2.5-VL-7B-Instruct: its vocabulary is the base's, not that of the weights."""
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "attention_dropout": 0.0,
        "bos_token_id": 151643,
        "eos_token_id": 151645,
        "vision_start_token_id": 151652,
        "vision_end_token_id": 151653,
        "vision_token_id": 151654,
        "image_token_id": 151655,
        "video_token_id": 151656,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": 2 * hidden,
        "max_position_embeddings": 128000,
        "max_window_layers": layers,
        "num_attention_heads": hidden // _HEAD_SIZE,
        "num_hidden_layers": layers,
        "num_key_value_heads": hidden // (2 * _HEAD_SIZE),
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "sliding_window": 32768,
        "use_sliding_window": False,
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": base,
        "vision_config": {
            "depth": 2,
            "hidden_act": "silu",
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "in_chans": 3,
            "out_hidden_size": hidden,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "spatial_patch_size": 14,
            "window_size": 112,
            "fullatt_block_indexes": [1],
            "tokens_per_second": 2,
            "temporal_patch_size": 2,
        },
    }


_PREPROCESSOR = {
    "min_pixels": 3136,
    "max_pixels": 12845056,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],  # of CLIP
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen2_5_VLProcessor",
}


def _write_tokenizer(folder: Path) -> None:
    """Byte-level BPE with the real ids of the marks; ids between the words and the marks are never made."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    merges: list[tuple[str, str]] = []
    for word in dict.fromkeys([*_WORDS, *("\u0120" + word for word in _WORDS)]):
        for left, right in _pairs(word):
            if left + right not in vocabulary:
                vocabulary[left + right] = len(vocabulary)
                merges.append((left, right))
    vocabulary |= {f"\u00a7{index}": index for index in range(len(vocabulary), _FIRST_SPECIAL)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, fuse_unk=False, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFC()
    words = Regex(_PATTERN)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True, normalized=False) for name in _SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "Qwen2Tokenizer",
            "bos_token": None,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "model_max_length": 131072,
            "clean_up_tokenization_spaces": False,
            "chat_template": _TEMPLATE,
        },
    )
    _write_json(folder / "chat_template.json", {"chat_template": _TEMPLATE})


def _pairs(word: str) -> Iterable[tuple[str, str]]:
    return ((word[:end], word[end]) for end in range(1, len(word)))


def _released(name: str) -> str:
    """transformers' name of today -> that of 4.51 inside the released wrapper."""
    for now, then in (("model.visual.", "visual."), ("model.language_model.", "model."), ("lm_head.", "lm_head.")):
        if name.startswith(now):
            return "transformer." + then + name.removeprefix(now)
    raise ValueError(f"no released name for {name}")


def _read_weights(folder: Path) -> dict[str, torch.Tensor]:
    if (folder / "model.safetensors").exists():
        from safetensors.torch import load_file

        return load_file(folder / "model.safetensors")
    return torch.load(folder / "pytorch_model.bin", weights_only=True)


def _write_weights(folder: Path, tensors: dict[str, torch.Tensor], safetensors: bool) -> None:
    path = folder / ("model.safetensors" if safetensors else "pytorch_model.bin")
    beside = path.with_suffix(".new")  # the old file may still be mapped
    if safetensors:
        from safetensors.torch import save_file

        save_file({name: value.contiguous() for name, value in tensors.items()}, beside, {"format": "pt"})
    else:
        torch.save(tensors, beside)
    beside.replace(path)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2), "utf-8")
