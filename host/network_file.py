"""A file of weights as the network that spandrel makes of it, or why it is none."""

from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import torch
from comfy.utils import load_torch_file
from safetensors import SafetensorError
from spandrel import ModelLoader, UnsupportedModelError

# What loaders raise for files that are damaged, cut off or something else; each looks for its own keys and shapes.
_DAMAGED = (
    UnpicklingError,
    SafetensorError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
)
_WRAPPERS = ("params_ema", "params-ema", "params", "model", "net", "state_dict")  # tensors one level down


class Unreadable(Exception):
    """Says what was found instead of a network."""


def read_network(path: str, chosen: Callable[[dict[Any, Any]], dict[Any, Any]] = dict):  # noqa: ANN201  (a union)
    """spandrel's descriptor of a .safetensors, or of a .pt, .pth and .ckpt without code.

    chosen: takes what belongs to the network out of the file. Raises Unreadable, whatever is in the file.
    """
    try:
        weights: Any = load_torch_file(path, safe_load=True)
    except _DAMAGED as error:
        if "TorchScript" in str(error):
            raise Unreadable("a TorchScript archive, which is a program and is not run here") from error
        raise Unreadable(f"a file that cannot be read as one ({type(error).__name__})") from error
    tensors = chosen(weights) if isinstance(weights, dict) else weights
    if not _are_tensors(tensors):
        raise Unreadable("a file that holds no named tensors")
    try:
        return ModelLoader().load_from_state_dict(tensors)
    except (UnsupportedModelError, *_DAMAGED) as error:
        raise Unreadable(f"a file that cannot be read as one ({type(error).__name__})") from error


def _are_tensors(weights: Any) -> bool:
    if not isinstance(weights, dict):
        return False
    inner = next((weights[name] for name in _WRAPPERS if isinstance(weights.get(name), dict)), weights)
    return bool(inner) and all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in inner.items())
