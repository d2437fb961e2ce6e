"""What models.toml says: the weights that can be fetched, each one file or a folder of several."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cache import PACK, InstallError

_TEXTS = {"folder", "licence", "origin", "purpose", "without"}
_SINGLE = {"file", "repo", "path", "revision", "sha256"}  # and its size, see _length
_SEVERAL = {"convert", "sources"}

CONVERTED = "model.safetensors"


@dataclass(frozen=True)
class HubFile:
    """One file of the model hub.

    `name` is its name in our folder, `path` the one in the repository. `size` is in bytes; where `exact` is False
    it was recorded for another commit and is only good for an estimate. `sha256` is "" where none is on record.
    """

    name: str
    repo: str
    path: str
    revision: str
    size: int
    exact: bool
    sha256: str


@dataclass(frozen=True)
class Weights:
    """One entry of models.toml; see the head of that file.

    `convert` names the file that becomes CONVERTED, "" where none does. `single`: one file rather than a folder.
    """

    key: str
    folder: str
    files: tuple[HubFile, ...]
    convert: str
    single: bool
    licence: str
    origin: str
    purpose: str
    without: str

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)

    @property
    def exact(self) -> bool:
        """Whether `size` is."""
        return all(file.exact for file in self.files)

    def place(self, models: Path) -> Path:
        """The file, or the folder of the files, under the host's models folder."""
        return self.place_of(self.files[0], models) if self.single else models / self.folder

    def place_of(self, file: HubFile, models: Path) -> Path:
        """Where one of `files` belongs under the host's models folder."""
        return models / self.folder / file.name


def read_catalogue(file: Path = PACK / "models.toml") -> dict[str, Weights]:
    """Key -> entry. Raises InstallError for a damaged catalogue."""
    return {key: _entry(key, table, file) for key, table in _toml(file).items()}


def _entry(key: str, table: dict[str, Any], file: Path) -> Weights:
    several = "sources" in table
    _demand(table, _TEXTS | (_SEVERAL if several else _SINGLE | {_length(table)}), f"entry {key}", file)
    texts = {name: table[name] for name in _TEXTS}
    if not several:
        size = _length(table)
        origin = {name: table[name] for name in ("repo", "path", "revision", "sha256")}
        only = HubFile(name=table["file"], size=table[size], exact=size == "size", **origin)
        return Weights(key, files=(only,), convert="", single=True, **texts)
    files = tuple(_files(key, table["sources"], file))
    if table["convert"] and table["convert"] not in {one.name for one in files}:
        raise InstallError(f"{file}: entry {key} converts {table['convert']}, which is not among its files.")
    return Weights(key, files=files, convert=table["convert"], single=False, **texts)


def _files(key: str, sources: list[dict[str, Any]], file: Path) -> list[HubFile]:
    found = []
    for source in sources:
        _demand(source, {"repo", "revision", "files"}, f"a source of entry {key}", file)
        for one in source["files"]:
            size = _length(one)
            _demand(one, {"path", size, "sha256"}, f"a file of entry {key}", file)
            name = one["path"].rsplit("/", 1)[-1]
            exact = size == "size"
            found.append(
                HubFile(name, source["repo"], one["path"], source["revision"], one[size], exact, one["sha256"])
            )
    return found


def _length(table: dict[str, Any]) -> str:
    """The key that says how many bytes it is: "about" where that is an estimate, else "size"."""
    return "about" if "about" in table else "size"


def _demand(table: dict[str, Any], wanted: set[str], what: str, file: Path) -> None:
    if set(table) != wanted:
        raise InstallError(f"{file}: {what} lacks or adds {sorted(set(table) ^ wanted)}.")


def _toml(file: Path) -> dict[str, dict[str, Any]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            raise InstallError(f"Python 3.10 needs one package more: {sys.executable} -m pip install tomli") from None
    return tomllib.loads(file.read_text(encoding="utf-8"))
