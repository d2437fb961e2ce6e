"""A tiny OmniSVG with random weights in the released on-disk format, and a teacher that makes it know a drawing."""

import math
from collections.abc import Sequence
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
from vectrahub.tests.tiny_qwen import HEAD_SIZE, PREPROCESSOR, qwen_config, write_json, write_tokenizer

EOS = ENDS[1]

_RATE = 0.01
_SURE = 0.99  # of a stream's next token, when training stops
_KNOWN = 0.97  # after rounding to the file's dtype

# Words that become one token, as in the real tokenizer; what is not here is spelt in bytes.
_WORDS = (
    "system user assistant You are an expert SVG code generator Generate precise valid path commands that accurately "
    "represent the described scene or object Focus on capturing key shapes spatial relationships and visual "
    "composition this image illustration for Requirements Create complete Include proper coordinates colors Maintain "
    "clarity a red blue circle square logo of"
).split()


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
    config = qwen_config(base, tied, hidden, layers)
    write_json(folder / "config.json", config)
    write_json(folder / "preprocessor_config.json", PREPROCESSOR)
    write_json(folder / "generation_config.json", {"bos_token_id": 151643, "eos_token_id": [151645, 151643]})
    write_tokenizer(folder, _WORDS)
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
    always = out.float() @ bias.float().view(-1, HEAD_SIZE).repeat_interleave(groups, 0).flatten()
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
