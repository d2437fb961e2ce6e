"""What of the catalogue is in a models folder, and whether it is whole."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .cache import file_sha256, say
from .catalogue import CONVERTED, HubFile, Weights

_LARGEST_HEADER = 100_000_000  # bytes; the format's own limit
_LONG = 1_000_000_000  # bytes that take seconds to read


def state(weights: Weights, models: Path) -> str:
    """One of "missing", "whole", "damaged", or "present" if no hash is on record to judge it by.

    Of several files the worst counts: damaged, then missing, then present.
    """
    return worst(states(weights, models))


def worst(found: Mapping[str, str]) -> str:
    """What `state` says of several files."""
    return next(name for name in ("damaged", "missing", "present", "whole") if name in found.values())


def states(weights: Weights, models: Path) -> dict[str, str]:
    """The state of each file by its name; CONVERTED stands for the file it was made of as soon as it is there."""
    found = {}
    for file in weights.files:
        converted = models / weights.folder / CONVERTED
        if file.name == weights.convert and converted.is_file():
            found[CONVERTED] = _converted_state(file, converted)
        else:
            found[file.name] = _file_state(file, weights.place_of(file, models))
    return found


def absent(weights: Weights, models: Path) -> list[HubFile]:
    """The files that are not there, neither fetched nor converted. Reads none of them."""
    converted = (models / weights.folder / CONVERTED).is_file()
    return [
        file
        for file in weights.files
        if not weights.place_of(file, models).is_file() and not (converted and file.name == weights.convert)
    ]


def _file_state(file: HubFile, place: Path) -> str:
    if not place.is_file():
        return "missing"
    if file.exact and place.stat().st_size != file.size:
        return "damaged"
    if not file.sha256:
        return "present"
    if place.stat().st_size > _LONG:
        say(f"reading {place.name} ({place.stat().st_size / 1e9:.1f} GB), to judge it ...")
    return "whole" if file_sha256(place) == file.sha256 else "damaged"


def _converted_state(source: HubFile, place: Path) -> str:
    # There is no hash of it to know beforehand: it is whole if it has the length that its header
    # announces and says that it was made of the file on record.
    metadata = complete_metadata(place)
    if metadata is None:
        return "damaged"
    made_of = metadata.get("source_sha256")
    if not made_of or not source.sha256:
        return "present"
    return "whole" if made_of == source.sha256 else "damaged"


def complete_metadata(place: Path) -> dict[str, str] | None:
    """The __metadata__ of a .safetensors file, None if the file is not one or not as long as its header says."""
    with place.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        text = stream.read(length) if length <= _LARGEST_HEADER else b""
    if len(text) != length or not length:
        return None
    try:
        header: dict[str, dict[str, Any]] = json.loads(text)
        metadata = header.pop("__metadata__", {})
        data = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    return metadata if place.stat().st_size == 8 + length + data else None
