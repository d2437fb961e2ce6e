"""A CLIP of the ViT kind with random weights, in the on-disk format of ViT-B-32-openai.safetensors."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


def write_tiny_clip(path: Path, seed: int = 0) -> None:
    """One layer, 64 channels, 32 px pictures, the real vocabulary: about 13 MB. Needs open_clip."""
    import open_clip

    settings: dict[str, Any] = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
    }
    torch.manual_seed(seed)
    network = open_clip.CLIP(**settings, quick_gelu=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
