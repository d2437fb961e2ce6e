"""CLIP out of the host's model folders and into its memory."""

from typing import Any

import folder_paths
import numpy as np
from comfy.model_patcher import ModelPatcher
from comfy.utils import load_torch_file
from numpy.typing import NDArray
from safetensors import SafetensorError

from ..engine.errors import BadInput, MissingPart
from ..engine.networks.router_clip import ClipClassifier, build, require_package
from ..engine.networks.routes import Scores
from .memory import bring_in, manage

CLIP_FOLDER = "clip_vision"
CLIP_FILE = "ViT-B-32-openai.safetensors"

_WORKING_BYTES = 64 * 2**20  # activations of one 224 px picture and nine sentences, float32, with room


class ManagedClip:
    """The classifier with its patcher: the host forgets a model whose patcher nobody holds."""

    def __init__(self, patcher: ModelPatcher) -> None:
        self._patcher = patcher
        self._classify = ClipClassifier(patcher.model, bring_in(patcher, _WORKING_BYTES))

    def __call__(self, rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None) -> Scores:
        return self._classify(rgb, alpha)


def load_clip() -> ManagedClip:
    """CLIP ViT-B-32 from models/clip_vision on the host's device.

    Raises MissingPart when the package or the weights are not here, BadInput for a file that is not CLIP.
    """
    require_package()
    path = folder_paths.get_full_path(CLIP_FOLDER, CLIP_FILE)
    if path is None:
        raise MissingPart(
            f"CLIP ViT-B-32 (models/{CLIP_FOLDER}/{CLIP_FILE}, 605 MB, MIT, by OpenAI, converted by timm)",
            remedy="Fetch it (Hugging Face): python install.py models get clip-vit-b-32, or choose method = features.",
        )
    try:
        weights: Any = load_torch_file(path, safe_load=True)
    except (SafetensorError, ValueError) as error:
        raise BadInput(
            f"{CLIP_FILE} cannot be read",
            value=type(error).__name__,
            limit="a complete safetensors file",
            remedy="Fetch it again: python install.py models get clip-vit-b-32",
        ) from error
    return ManagedClip(manage(build(weights)))
