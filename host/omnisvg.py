"""OmniSVG out of the host's model folders and into its memory."""

import logging
from pathlib import Path

import folder_paths

from ..engine.errors import MissingPart
from ..engine.networks.omnisvg.draw import Artist
from ..engine.networks.omnisvg.generate import working_bytes
from ..engine.networks.omnisvg.network import OmniSVG
from ..engine.networks.omnisvg.weights import WEIGHTS, load
from ..engine.networks.qwen_vl.choice import Choice
from .memory import Kept, bring_in_or_say

FOLDER = "omnisvg"

_log = logging.getLogger("vectrahub")
_kept = Kept()  # the process's own, as the host's list of loaded models is


def register_folder() -> None:
    """Make models/omnisvg a folder of the host, so that extra_model_paths.yaml and /models know it."""
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))


def omnisvg_sizes() -> dict[str, int]:
    """Name of each folder of models/omnisvg that holds weights -> their bytes."""
    return {name: file.stat().st_size for name, file in _weights().items()}


def load_omnisvg(name: str, candidates: int, max_tokens: int) -> Artist:
    """A folder of models/omnisvg on the host's device, with room for that many drawings of that length.

    It stays there until the host needs the room or is asked to free it. Raises MissingPart when it is not there,
    EngineFailure when it does not fit, BadInput for files of something else.
    """
    file = _weights().get(name)
    if file is None:
        raise _not_here(f"no folder {name} with weights")
    patcher = _kept.get((str(file), file.stat().st_mtime_ns), lambda: _loaded(file.parent))
    network: OmniSVG = patcher.model
    remedy = "Ask for fewer candidates or tokens, take the smaller omnisvg-4b, or close other programs that use it."
    bring_in_or_say(patcher, working_bytes(network, candidates, max_tokens), f"OmniSVG ({name})", remedy)
    return Artist(network, file.parent)


def missing_omnisvg(choice: Choice) -> MissingPart:
    """The error of a node that cannot draw, because `choice` names nothing."""
    if not _weights():
        return _not_here(choice.reason)
    return MissingPart(
        f"A GPU with room for OmniSVG ({choice.reason})", remedy="Choose the model by name, or if_missing = skip."
    )


def _not_here(reason: str) -> MissingPart:
    return MissingPart(
        f"OmniSVG ({reason}; models/omnisvg/omnisvg-8b, 17.2 GB, Apache-2.0, by OmniSVG, on Qwen2.5-VL-7B)",
        remedy="Fetch it (Hugging Face): python install.py models get omnisvg-8b, or choose if_missing = skip.",
    )


def _weights() -> dict[str, Path]:
    """Name of each folder of models/omnisvg -> its weights file; of a name in several places the first."""
    found: dict[str, Path] = {}
    places, _ = folder_paths.folder_names_and_paths.get(FOLDER, ([], set()))
    for place in places:
        for file in WEIGHTS:
            for path in sorted(Path(place).glob(f"*/{file}")):
                found.setdefault(path.parent.name, path)
    return dict(sorted(found.items()))


def _loaded(folder: Path) -> OmniSVG:
    _log.info("loading OmniSVG from %s", folder.name)
    return load(folder)
