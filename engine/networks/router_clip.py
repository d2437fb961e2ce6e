"""The route of a picture by CLIP: which of nine sentences describes it best.

Zero-shot classification as published with CLIP (Radford et al., 2021, "Learning Transferable
Visual Models From Natural Language Supervision"): softmax over the scaled cosine similarities
of the picture and the sentences, here summed over the three sentences of each route.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import BadInput, MissingPart
from .router_view import flatten
from .routes import ILLUSTRATION, LINE_ART, LOGO, ROUTES, Scores

PROMPTS: Mapping[str, Sequence[str]] = {
    LOGO: (
        "a company logo on a plain background",
        "a flat brand emblem with a few solid colors",
        "a simple icon of a brand, a wordmark or a monogram",
    ),
    ILLUSTRATION: (
        "a colorful cartoon illustration",
        "a detailed digital painting with many colors and shading",
        "clip art of a character, an animal or a scene",
    ),
    LINE_ART: (
        "a black and white line drawing",
        "an outline sketch drawn with thin strokes",
        "a technical drawing or a coloring page with empty shapes",
    ),
}

PACKAGE = "open_clip_torch"

# Channel statistics of CLIP's training pictures, from its published preprocessing.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
_HEAD_WIDTH = 64  # of every published CLIP with a ViT


def require_package() -> None:
    """Raise MissingPart unless open_clip can be imported; imports nothing."""
    if find_spec("open_clip") is None:
        raise MissingPart(
            f"The package {PACKAGE}, by which ClipRouter reads pictures with CLIP,",
            remedy=f"Run: pip install {PACKAGE} (MIT), or choose method = features.",
        )


def build(weights: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """An OpenAI CLIP with a ViT from its state dict in open_clip's names; sizes are read off the tensors.

    Nothing is downloaded. Raises MissingPart without open_clip, BadInput when the weights are
    not such a network.
    """
    require_package()
    open_clip: Any = import_module("open_clip")
    try:
        network = open_clip.CLIP(**_sizes(weights), quick_gelu=True)
        network.load_state_dict(weights)
    except (KeyError, ValueError, RuntimeError) as error:
        raise BadInput(
            "The weights are no CLIP of the ViT kind",
            value=str(error)[:200],
            limit="open_clip's names of tensors, as in ViT-B-32-openai.safetensors",
            remedy="Fetch them again: python install.py models get clip-vit-b-32",
        ) from error
    return network.eval().requires_grad_(False)


def _sizes(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    patch = weights["visual.conv1.weight"]
    grid = round((weights["visual.positional_embedding"].shape[0] - 1) ** 0.5)
    vocabulary, text_width = weights["token_embedding.weight"].shape
    return {
        "embed_dim": weights["text_projection"].shape[1],
        "vision_cfg": {
            "image_size": grid * patch.shape[-1],
            "layers": _layers(weights, "visual.transformer.resblocks."),
            "width": patch.shape[0],
            "head_width": _HEAD_WIDTH,
            "patch_size": patch.shape[-1],
        },
        "text_cfg": {
            "context_length": weights["positional_embedding"].shape[0],
            "vocab_size": vocabulary,
            "width": text_width,
            "heads": max(1, text_width // _HEAD_WIDTH),
            "layers": _layers(weights, "transformer.resblocks."),
        },
    }


def _layers(weights: Mapping[str, torch.Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)})


class ClipClassifier:
    """Scores pictures with a CLIP network that lies on `device`."""

    def __init__(self, network: torch.nn.Module, device: torch.device) -> None:
        self._network: Any = network
        self._device = device
        self._sentences = self._encode_sentences()

    def __call__(self, rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None = None) -> Scores:
        """RGB (H, W, 3), alpha (H, W) 1 = opaque or None -> probability per route."""
        with torch.inference_mode():
            seen = self._network.encode_image(self._prepare(rgb, alpha), normalize=True)
            logits = self._network.logit_scale.exp() * seen @ self._sentences.T
            shares = logits[0].double().softmax(0).reshape(len(ROUTES), -1).sum(1)
        return dict(zip(ROUTES, shares.tolist(), strict=True))

    def _encode_sentences(self) -> torch.Tensor:
        open_clip: Any = import_module("open_clip")
        tokenizer = open_clip.SimpleTokenizer(context_length=self._network.context_length)
        tokens = tokenizer([sentence for route in ROUTES for sentence in PROMPTS[route]])
        with torch.inference_mode():
            return self._network.encode_text(tokens.to(self._device), normalize=True)

    def _prepare(self, rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None) -> torch.Tensor:
        """The whole picture, never a centre crop that would cut a wide logo, in a white square."""
        size = int(self._network.visual.image_size[0])
        flat = flatten(rgb, alpha, longest=size, enlarge=True)
        height, width = flat.shape[:2]
        top, left = (size - height) // 2, (size - width) // 2
        square = cv2.copyMakeBorder(
            flat, top, size - height - top, left, size - width - left, cv2.BORDER_CONSTANT, value=(255, 255, 255)
        )
        scaled = torch.from_numpy(square).to(self._device).permute(2, 0, 1).float().div_(255)
        mean, deviation = (torch.tensor(v, device=self._device)[:, None, None] for v in (_MEAN, _DEVIATION))
        return ((scaled - mean) / deviation)[None]
