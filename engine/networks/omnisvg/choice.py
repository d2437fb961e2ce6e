"""Which OmniSVG `auto` means here, or why none: the answer goes into the report."""

from collections.abc import Mapping
from dataclasses import dataclass

AUTO = "auto"

# Every token reads all weights once, a drawing has about a thousand tokens, and a CPU's memory gives some ten GB/s:
# with 2 GB that is minutes, with the released 8B most of an hour. Above this it runs on a CPU only by name.
_MOST_ON_CPU = 2 * 10**9


@dataclass(frozen=True)
class Choice:
    """`name` is a folder of models/omnisvg, or None; `reason` then says what is missing."""

    name: str | None
    reason: str


def choose_omnisvg(wanted: str, sizes: Mapping[str, int], gpu: bool) -> Choice:
    """Resolve `auto` or a name against the folders that are here; `sizes` are the bytes of their weights.

    `auto` takes the largest: the 8B draws better than the 4B.
    """
    if wanted != AUTO:
        return Choice(wanted, "chosen by name")
    if not sizes:
        return Choice(None, "auto: no OmniSVG in models/omnisvg")
    largest = max(sorted(sizes), key=lambda name: sizes[name])
    if gpu:
        return Choice(largest, "auto: weights and GPU present")
    small = {name: size for name, size in sizes.items() if size <= _MOST_ON_CPU}
    if small:
        return Choice(max(sorted(small), key=lambda name: small[name]), "auto: small enough for this CPU")
    return Choice(None, f"auto: no GPU, so {largest} ({sizes[largest] / 1e9:.1f} GB) runs only when chosen by name")
