"""LaMa with random weights in the real on-disk formats. It is not tiny: loaders know one size, 51 M numbers, 204 MB."""

import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def random_lama(seed: int = 0) -> torch.nn.Module:
    """The network of the loader, as it begins its training; takes a second."""
    from spandrel.architectures.LaMa import LaMa

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LaMa(in_nc=4, out_nc=3).eval()


def write_lama(path: Path) -> Path:
    """.safetensors with the generator alone, under the names of the release."""
    tensors = random_lama().state_dict()
    save_file({name.replace("model.model", "generator.model", 1): one for name, one in tensors.items()}, path)
    return path


def write_checkpoint(path: Path, generator: Path) -> Path:
    """What a training leaves behind: the generator of a file beside other things."""
    torch.save({"epoch": 3, "state_dict": {**load_file(generator), "loss_pl.weight": torch.zeros(2)}}, path)
    return path


def write_torchscript(path: Path) -> Path:
    """A small archive of the kind in which big-lama.pt is passed around: a program, not tensors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch would rather have other formats; people have this
        torch.jit.script(torch.nn.ReLU()).save(str(path))
    return path
