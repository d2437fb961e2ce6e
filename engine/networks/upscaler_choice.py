"""Which upscaler `auto` means here, and why: the answer goes into the report."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

AUTO = "auto"
LANCZOS = "lanczos"
ANIME = "anime"

_FAVOURITE = "realesrgan_x2plus"
_DRAWINGS = "realesrgan_x4plus_anime_6b"
_FACTOR = re.compile(r"(?:(?<![0-9a-z])x|(?<![0-9A-Za-z])X)([1-9])(?![0-9])|(?<![0-9])([1-9])[xX](?![0-9])")


@dataclass(frozen=True)
class Choice:
    """`file` is a name of the models folder, or None for Lanczos."""

    file: str | None
    reason: str


def factor_in_name(file: str) -> int | None:
    """The factor that the community writes into file names ("RealESRGAN_x2plus.pth", "4x-Ultra.safetensors")."""
    found = _FACTOR.search(re.split(r"[/\\]", file)[-1])
    return int(found[1] or found[2]) if found else None


def choose_upscaler(wanted: str, files: Sequence[str], gpu: bool) -> Choice:
    """Resolve `auto`, `anime`, `lanczos` or a file name against the files that are here.

    `auto` takes a x2 network, `anime` RealESRGAN_x4plus_anime_6B, both only on a GPU: an RRDBNet pass to 12 MP on two
    CPU cores takes minutes.
    """
    if wanted == LANCZOS:
        return Choice(None, "chosen by name")
    if wanted == ANIME:
        return _for_drawings(files, gpu)
    if wanted != AUTO:
        return Choice(wanted, "chosen by name")
    doublers = sorted(
        (file for file in files if factor_in_name(file) == 2),
        key=lambda file: (_FAVOURITE not in file.lower(), file.lower(), file),
    )
    if not doublers:
        return Choice(None, "auto: no x2 network in models/upscale_models")
    if not gpu:
        return Choice(None, f"auto: no GPU, so {doublers[0]} runs only when chosen by name")
    return Choice(doublers[0], "auto: x2 network and GPU present")


def _for_drawings(files: Sequence[str], gpu: bool) -> Choice:
    here = sorted((file for file in files if _DRAWINGS in file.lower()), key=lambda file: (file.lower(), file))
    if not here:
        return Choice(None, "anime: no RealESRGAN_x4plus_anime_6B in models/upscale_models")
    if not gpu:
        return Choice(None, f"anime: no GPU, so {here[0]} runs only when chosen by name")
    return Choice(here[0], "anime: the x4 network for drawings and a GPU present")
