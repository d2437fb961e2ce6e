"""Which names a model file may have: for new files few, for files that are there whatever does not lead elsewhere."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ...vectrahub_client.service.problems import bad_value

SUFFIX = ".safetensors"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()+\-]{0,150}\.safetensors")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names that Windows gives to devices


def check_new_name(name: str) -> str:
    """A flat name for a new file. Raises Problem 422."""
    if not _NAME.fullmatch(name) or _DEVICE.fullmatch(name):
        raise bad_value(
            f"filename is {name[:200]!r}; it must be a name without folders that ends with {SUFFIX}, of at most 160 "
            "letters, digits, spaces and ._()+-, and begin with a letter or digit"
        )
    return name


def check_group(name: str) -> str:
    """What a model is made for ("sdxl"), as the name of its folder. Raises Problem 422."""
    if not _GROUP.fullmatch(name) or name.endswith(".") or _DEVICE.fullmatch(name):
        raise bad_value(
            f"base_model is {name[:200]!r}; it must be a name such as sdxl or flux, of at most 64 letters, digits "
            "and ._-, and begin with a letter or digit"
        )
    return name


def safe_parts(path: str) -> tuple[str, ...] | None:
    """The parts of a relative path, None where it is none, climbs, or leads to something hidden."""
    parts = PurePosixPath(path).parts
    wrong = not parts or path.startswith("/") or any(one in path for one in ("\\", ":", "//")) or not path.isprintable()
    return None if wrong or any(part.startswith(".") for part in parts) else parts
