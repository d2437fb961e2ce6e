"""Which OmniSVG `auto` means here, or why none: the answer goes into the report."""

from collections.abc import Mapping
from dataclasses import dataclass

AUTO = "auto"

# Every token reads all weights once, a drawing has about a thousand tokens, and a CPU's memory gives some ten GB/s:
# with 2 GB that is minutes, with the released 8B most of an hour. Above this it runs on a CPU only by name.
_MOST_ON_CPU = 2 * 10**9
_WORKING = 10**9  # bytes for writing, see `working_bytes`


@dataclass(frozen=True)
class Choice:
    """`name` is a folder of models/omnisvg, or None; `reason` then says what is missing."""

    name: str | None
    reason: str


def choose_omnisvg(wanted: str, sizes: Mapping[str, int], room: int | None) -> Choice:
    """Resolve `auto` or a name against the folders that are here.

    sizes: bytes of the weights by name. room: all bytes of the GPU's memory, None without a GPU. `auto` takes the
    largest that can run: the 8B draws better than the 4B.
    """
    if wanted != AUTO:
        return Choice(wanted, "chosen by name")
    if not sizes:
        return Choice(None, "auto: no OmniSVG in models/omnisvg")
    by_size = sorted(sizes, key=lambda name: (-sizes[name], name))
    for name in by_size:
        if room is None and sizes[name] <= _MOST_ON_CPU:
            return Choice(name, "auto: small enough for this CPU")
        if room is not None and sizes[name] * 1.1 + _WORKING <= room:
            return Choice(name, "auto: weights and GPU present")
    smallest = f"{by_size[-1]} ({sizes[by_size[-1]] / 1e9:.1f} GB)"
    if room is None:
        return Choice(None, f"auto: no GPU, so {smallest} runs only when chosen by name")
    return Choice(None, f"auto: {smallest} does not fit into this GPU's {room / 1e9:.1f} GB")
