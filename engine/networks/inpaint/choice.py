"""Which network `auto` means here, and why: the answer goes into the report."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

AUTO = "auto"

FAVOURITE = "big-lama.safetensors"  # as it is fetched; another of its name may be a program (big-lama.pt)


@dataclass(frozen=True)
class Choice:
    """`file` is a name of models/inpaint, or None where there is none to take."""

    file: str | None
    reason: str


def choose_inpainter(wanted: str, files: Sequence[str]) -> Choice:
    """Resolve `auto` or a file name against the files that are here; auto takes only what is called LaMa.

    Other packs keep other things in that folder: patches of diffusion models, heads, other architectures.
    """
    if wanted != AUTO:
        return Choice(wanted, "chosen by name")
    called = {file: re.split(r"[/\\]", file)[-1].lower().replace("_", "-") for file in files}
    lamas = sorted(
        (file for file in files if re.search(r"(?<!l)lama", called[file])),
        key=lambda file: (called[file] != FAVOURITE, not called[file].startswith("big-lama"), called[file], file),
    )
    if not lamas:
        return Choice(None, "auto: no LaMa in models/inpaint")
    return Choice(lamas[0], "auto: the LaMa in models/inpaint")
