"""The model folders of the host around us."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import folder_paths

from .folders import NO_MODELS, SUFFIXES, ModelFolder
from .hashes import Hashes
from .store import ModelStore


def host_models() -> ModelStore:
    """The model files of the host around us; their digests are kept where nobody is served from."""
    return ModelStore(HostFolders(), Hashes(Path(folder_paths.get_system_user_directory("vectrahub")) / "hashes.json"))


class HostFolders:
    """What the host and other packs have registered, as it is now."""

    def all(self) -> Mapping[str, ModelFolder]:
        found: dict[str, ModelFolder] = {}
        for name, (roots, suffixes) in sorted(folder_paths.folder_names_and_paths.items()):
            # An empty set is the host's word for files of every kind.
            listed = SUFFIXES & {*suffixes} if suffixes else SUFFIXES
            if name not in NO_MODELS and roots and listed:
                found[name] = ModelFolder(name, tuple(Path(root) for root in roots), frozenset(listed))
        return found

    def changed(self, name: str) -> None:
        """The host looks again by itself, but trusts times of folders, which some disks keep to the second."""
        folder_paths.filename_list_cache.pop(name, None)
