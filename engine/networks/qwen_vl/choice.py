"""Which model `auto` means here, or why none: the answer goes into the report."""

from collections.abc import Mapping
from dataclasses import dataclass

AUTO = "auto"

_MARGIN = 1.1  # of a GPU's memory over the weights: buffers, and what the driver keeps


@dataclass(frozen=True)
class Choice:
    """`name` is a folder of weights, or None; `reason` then says what is missing."""

    name: str | None
    reason: str


@dataclass(frozen=True)
class Kind:
    """title: what is chosen. folder: where its folders lie. most_on_cpu: bytes of weights up to which it is worth
    running on a processor. working: bytes that it needs besides its weights, at least."""

    title: str
    folder: str
    most_on_cpu: int
    working: int


def choose(kind: Kind, wanted: str, sizes: Mapping[str, int], room: int | None) -> Choice:
    """Resolve `auto` or a name against the folders that are here.

    sizes: bytes of the weights by name. room: all bytes of the GPU's memory, None without a GPU. `auto` takes the
    largest that can run: the larger ones of a family are the better ones.
    """
    if wanted != AUTO:
        return Choice(wanted, "chosen by name")
    if not sizes:
        return Choice(None, f"auto: no {kind.title} in {kind.folder}")
    by_size = sorted(sizes, key=lambda name: (-sizes[name], name))
    for name in by_size:
        if room is None and sizes[name] <= kind.most_on_cpu:
            return Choice(name, "auto: small enough for this CPU")
        if room is not None and sizes[name] * _MARGIN + kind.working <= room:
            return Choice(name, "auto: weights and GPU present")
    smallest = f"{by_size[-1]} ({sizes[by_size[-1]] / 1e9:.1f} GB)"
    if room is None:
        return Choice(None, f"auto: no GPU, so {smallest} runs only when chosen by name")
    return Choice(None, f"auto: {smallest} does not fit into this GPU's {room / 1e9:.1f} GB")
