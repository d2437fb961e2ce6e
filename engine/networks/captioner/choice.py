"""Which captioner `auto` means here, or why none."""

from collections.abc import Mapping

from ..qwen_vl.choice import Choice, Kind, choose

# A caption has about a hundred words, each of which reads all weights once: with the 3B's 7.5 GB and the ten GB/s of
# a CPU's memory about a minute. The 7B runs on a CPU only by name.
_CAPTIONER = Kind("Qwen2.5-VL", "models/LLM", most_on_cpu=8 * 10**9, working=10**9)


def choose_captioner(wanted: str, sizes: Mapping[str, int], room: int | None) -> Choice:
    """`choose` among the folders of Qwen2.5-VL in models/LLM: the 7B sees better than the 3B."""
    return choose(_CAPTIONER, wanted, sizes, room)
