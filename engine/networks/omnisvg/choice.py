"""Which OmniSVG `auto` means here, or why none."""

from collections.abc import Mapping

from ..qwen_vl.choice import Choice, Kind, choose

# Every token reads all weights once, a drawing has about a thousand tokens, and a CPU's memory gives some ten GB/s:
# with 2 GB that is minutes, with the released 8B most of an hour. Above this it runs on a CPU only by name.
_OMNISVG = Kind("OmniSVG", "models/omnisvg", most_on_cpu=2 * 10**9, working=10**9)


def choose_omnisvg(wanted: str, sizes: Mapping[str, int], room: int | None) -> Choice:
    """`choose` among the folders of models/omnisvg: the 8B draws better than the 4B."""
    return choose(_OMNISVG, wanted, sizes, room)
