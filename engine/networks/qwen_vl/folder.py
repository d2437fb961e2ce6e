"""The released folder of a Qwen2.5-VL -> the model, over mapped weights and without asking any network."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...errors import BadInput, MissingPart
from .patches import FlatPatches

if TYPE_CHECKING:  # its import takes seconds
    from transformers import Qwen2_5_VLModel

Tensors = dict[str, torch.Tensor]

HEAD = "lm_head.weight"
EMBEDDING = "embed_tokens.weight"

_OLDEST = (4, 54)  # of transformers: 4.52 has this Qwen2_5_VLModel, 4.54 the cache by layers
_VISION_THETA = 10_000.0  # of the vision tower's rotary positions


@dataclass(frozen=True)
class Source:
    """Whose files these are, for errors. title: with its release. key: of models.toml."""

    title: str
    key: str

    @property
    def fetch(self) -> str:
        """What to do when it is not here."""
        return f"Fetch it: python install.py models get {self.key}"

    @property
    def fetch_again(self) -> str:
        """What to do when it is damaged."""
        return f"Fetch it again: python install.py models get {self.key}"

    def damaged(self, path: Path, how: str) -> BadInput:
        """The error for weights that are not as released."""
        return BadInput(
            f"The weights {path} are damaged or incomplete",
            value=how,
            limit=f"the file of {self.title} as released",
            remedy=self.fetch_again,
        )


def require_transformers() -> None:
    """Raises MissingPart for transformers older than 4.54, or none."""
    try:
        version = metadata.version("transformers")
    except metadata.PackageNotFoundError:
        version = "none"
    known = re.match(r"(\d+)\.(\d+)", version)  # what follows may be rc1 or dev0
    if known is None or (int(known[1]), int(known[2])) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise MissingPart(
            f"transformers {oldest} or newer (found: {version})", remedy="Install it: pip install -U transformers"
        )


def read_config(path: Path, source: Source) -> dict[str, Any]:
    """A config.json of model_type qwen2_5_vl. Raises BadInput for one of another model, or none at all."""
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadInput("The config cannot be read", value=path, limit="JSON", remedy=source.fetch_again) from error
    kind = config.get("model_type") if isinstance(config, dict) else type(config).__name__
    if kind != "qwen2_5_vl":
        raise BadInput(
            f"The config {path} is of another model", value=kind, limit="model_type qwen2_5_vl", remedy=source.fetch
        )
    return config


def of_text(config: dict[str, Any], name: str, otherwise: Any = None) -> Any:
    """A value of the language model, in the flat layout as released or in the later one with `text_config`."""
    return config.get("text_config", {}).get(name, config.get(name, otherwise))


def mapped_safetensors(path: Path, source: Source) -> Tensors:
    """Every tensor of the file by its name in it, over pages that are read when touched."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, RuntimeError) as error:
        raise source.damaged(path, str(error)) from error


def plain(name: str) -> str:
    """A weight's name without the wrappers around it, which differ between OmniSVG's file (transformer.model.layers,
    transformer.visual), Qwen's files and transformers up to 4.51 (model.layers, visual), and later ones
    (model.language_model.layers, model.visual)."""
    parts = name.split(".")
    while parts[0] in {"transformer", "model", "language_model"}:
        parts.pop(0)
    return ".".join(parts)


def build(
    config: dict[str, Any], tensors: Tensors, weights: Path, source: Source, words: int | None = None
) -> tuple["Qwen2_5_VLModel", torch.Tensor]:
    """The model over `tensors` (by their `plain` names, emptied of the head), not copied, and its head (words, hidden).

    words: size of the vocabulary where the config's is not the weights'. weights: where they came from. The head of
    tied weights is the embedding itself. Raises BadInput for weights that are not those of the config.
    """
    model = _empty_model(config, words)
    names = {plain(name): name for name in model.state_dict()}
    head = tensors.pop(HEAD, None)
    if head is None and of_text(config, "tie_word_embeddings", False):
        head = tensors.get(EMBEDDING)
    missing = sorted(names.keys() - tensors.keys()) + ([HEAD] if head is None else [])
    if missing or head is None:
        raise source.damaged(weights, f"no {_some(missing)}")
    if unknown := sorted(tensors.keys() - names.keys()):
        raise source.damaged(weights, f"unknown {_some(unknown)}")
    try:
        model.load_state_dict({names[name]: tensor for name, tensor in tensors.items()}, assign=True)
    except RuntimeError as error:  # shapes: its text is a list of them
        raise source.damaged(weights, str(error).splitlines()[1].strip()) from error
    _fill_rotations(model)
    return model, head


def _empty_model(config: dict[str, Any], words: int | None) -> "Qwen2_5_VLModel":
    """The model on the meta device: no memory, no random numbers."""
    from transformers import AutoModel, Qwen2_5_VLConfig

    known = Qwen2_5_VLConfig.from_dict(config)
    text: Any = known.text_config
    text.vocab_size = words or text.vocab_size
    with torch.device("meta"):
        model = AutoModel.from_config(known, attn_implementation="sdpa")
    model.visual.patch_embed = FlatPatches(model.visual.patch_embed)
    return model


def _fill_rotations(model: "Qwen2_5_VLModel") -> None:
    """The rotary frequencies, which no file holds: theta^(-2i / d) (Su et al., 2021, RoFormer)."""
    text: Any = model.config.text_config
    theta = getattr(text, "rope_theta", None) or text.rope_parameters["rope_theta"]
    for name, buffer in list(model.named_buffers()):
        if not buffer.is_meta:
            continue
        module, _, own = name.rpartition(".")
        if own not in {"inv_freq", "original_inv_freq"}:
            raise MissingPart(f"A transformers whose Qwen2.5-VL has no buffer {name}", remedy="Tell us its version.")
        base = _VISION_THETA if name.startswith("visual.") else theta
        share = torch.arange(len(buffer), dtype=torch.float32) / len(buffer)
        model.get_submodule(module).register_buffer(own, 1.0 / base**share, persistent=False)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
