"""A PyTorch checkpoint becomes a .safetensors file, which loads without pickle and without a copy in memory.

The file is written here and not by safetensors' own save_file. That one (0.8.0) needs no second copy either, but
it writes under a random hidden name that a killed run leaves behind at full length, makes the result readable by
nobody else, and tells no progress; before 0.8 it copied every tensor into memory first.
"""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from .cache import InstallError

if TYPE_CHECKING:
    import torch

MODULES = ("torch", "safetensors")

_PIECE = 16 << 20  # bytes written at a time
# Of two names for the same numbers this one stays: with tied embeddings, loaders make the head of it.
_KEEPS = "embed_tokens"


def convert(source: Path, target: Path, source_sha256: str, tell: Callable[[float], None]) -> int:
    """Writes the tensors of `source`, a state dict saved by torch, to `target`; returns how many.

    Names stay as they are. Names that share one storage are written once; the metadata says name -> the name that
    it is kept under. `tell` hears the share done. `target` appears when it is whole and was read back; until then
    it is a .part file beside it, which an earlier, killed run may have left and which is removed first. The memory
    used does not grow with the file: the source is mapped. Raises InstallError if `source` cannot be read so.
    """
    part = unfinished(target)
    part.unlink(missing_ok=True)
    tensors = _load(source)
    kept, aliases = _without_aliases(tensors)
    metadata = {"format": "pt", "source_sha256": source_sha256, **aliases}
    try:
        _write(part, kept, metadata, tell)
        _read_back(part, kept)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return len(kept)


def unfinished(target: Path) -> Path:
    """Where `convert` writes before `target` is whole."""
    return target.with_name(f"{target.name}.part")


def _load(source: Path) -> "dict[str, torch.Tensor]":
    import torch

    try:
        tensors = torch.load(source, map_location="cpu", mmap=True, weights_only=True)
    except (RuntimeError, ValueError, EOFError, UnpicklingError) as problem:
        first = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        raise InstallError(f"{source} cannot be read as weights: {first}") from problem
    if not isinstance(tensors, dict) or not tensors:
        raise InstallError(f"{source} holds no named tensors.")
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor) or tensor.dtype not in _dtypes():
            raise InstallError(f"{source} holds {name!r}, which is no tensor of a known type.")
    return tensors


def _without_aliases(tensors: "dict[str, torch.Tensor]") -> "tuple[dict[str, torch.Tensor], dict[str, str]]":
    """The tensors in the order of the file, and name -> name of those left out because they are the same numbers."""
    by_place: dict[tuple[object, ...], str] = {}
    aliases: dict[str, str] = {}
    for name in sorted(tensors, key=lambda name: (_KEEPS not in name, name)):
        tensor = tensors[name]
        start = tensor.untyped_storage().data_ptr(), tensor.storage_offset()
        place = (*start, tensor.dtype, tuple(tensor.shape), tensor.stride()) if tensor.numel() else (name,)
        if by_place.setdefault(place, name) != name:
            aliases[name] = by_place[place]
    # Widest type first, as safetensors does: then every tensor begins at a multiple of its element's size.
    order = sorted(tensors.keys() - aliases.keys(), key=lambda name: (-tensors[name].element_size(), name))
    return {name: tensors[name] for name in order}, aliases


def _write(
    part: Path, tensors: "dict[str, torch.Tensor]", metadata: dict[str, str], tell: Callable[[float], None]
) -> None:
    header: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _dtypes()[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with part.open("xb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        done = 0
        for piece in _pieces(tensors.values()):
            stream.write(piece)
            done += len(piece)
            tell(done / end)
        stream.flush()
        os.fsync(stream.fileno())


def _pieces(tensors: "Iterable[torch.Tensor]") -> Iterable[memoryview]:
    import torch

    for tensor in tensors:
        if tensor.numel():
            content = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data
            yield from (content[start : start + _PIECE] for start in range(0, len(content), _PIECE))


def _read_back(part: Path, tensors: "dict[str, torch.Tensor]") -> None:
    """Compares names, shapes and types by the format's own reader. Raises InstallError."""
    from safetensors import SafetensorError, safe_open

    wanted = {name: (list(tensor.shape), _dtypes()[tensor.dtype]) for name, tensor in tensors.items()}
    try:
        with safe_open(part, framework="pt") as file:
            views = {name: file.get_slice(name) for name in file.keys()}
            found = {name: (list(view.get_shape()), view.get_dtype()) for name, view in views.items()}
    except SafetensorError as problem:
        raise InstallError(f"What was written to {part} cannot be read back: {problem}") from problem
    if found != wanted:
        wrong = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
        raise InstallError(f"What was written to {part} differs from its source in {', '.join(wrong[:3])}.")


def _dtypes() -> "dict[torch.dtype, str]":
    import torch

    return {
        torch.float64: "F64",
        torch.float32: "F32",
        torch.float16: "F16",
        torch.bfloat16: "BF16",
        torch.int64: "I64",
        torch.int32: "I32",
        torch.int16: "I16",
        torch.int8: "I8",
        torch.uint8: "U8",
        torch.bool: "BOOL",
    }
