"""The catalogue of weights (models.toml): list, get, check."""

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .cache import PACK, InstallError, cache_folder, file_sha256
from .host import read_host


@dataclass(frozen=True)
class Weights:
    """One entry of models.toml; see the head of that file."""

    key: str
    file: str
    folder: str
    size: int
    sha256: str
    licence: str
    origin: str
    repo: str
    path: str
    revision: str
    purpose: str
    without: str

    def place(self, models: Path) -> Path:
        """Where the file belongs under the host's models folder."""
        return models / self.folder / self.file


def read_catalogue(file: Path = PACK / "models.toml") -> dict[str, Weights]:
    """Key -> entry. Raises InstallError for a damaged catalogue."""
    tables = _toml(file)
    wanted = {field.name for field in fields(Weights)} - {"key"}
    for key, table in tables.items():
        if set(table) != wanted:
            raise InstallError(f"{file}: entry {key} lacks or adds {sorted(set(table) ^ wanted)}.")
    return {key: Weights(key=key, **table) for key, table in tables.items()}


def _toml(file: Path) -> dict[str, dict[str, Any]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            raise InstallError(f"Python 3.10 needs one package more: {sys.executable} -m pip install tomli") from None
    return tomllib.loads(file.read_text(encoding="utf-8"))


def models_folder(chosen: Path | None) -> Path:
    """--models-dir, else that of the ComfyUI around this checkout, else that of the prepared host."""
    if chosen:
        return chosen.expanduser().absolute()
    called = Path(sys.argv[0]).absolute().parent  # not resolved: the checkout may be linked into custom_nodes
    if called.parent.name == "custom_nodes" and (called.parent.parent / "main.py").is_file():
        return called.parent.parent / "models"
    if prepared := read_host(cache_folder()):
        return Path(prepared["base"]) / "models"
    raise InstallError("No ComfyUI is known here. Run: python install.py host, or give --models-dir DIR")


def state(weights: Weights, models: Path) -> str:
    """One of "missing", "whole", "damaged", or "present" if no hash is on record to judge it by."""
    place = weights.place(models)
    if not place.is_file():
        return "missing"
    if place.stat().st_size != weights.size:
        return "damaged"
    if not weights.sha256:
        return "present"
    return "whole" if file_sha256(place) == weights.sha256 else "damaged"


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds list, get and check to the command line."""
    commands = parser.add_subparsers(required=True)
    for name, action, help_text in (
        ("list", _list, "what there is, and what is lost without it"),
        ("get", _get, "fetch one from the model hub; goes on where it stopped"),
        ("check", _check, "compare what is here with the hashes on record; exit 1 if something is not whole"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("--models-dir", type=Path, metavar="DIR", help="the host's models folder")
        if name != "list":
            command.add_argument("key", metavar="KEY", nargs=None if name == "get" else "?")
        command.set_defaults(run=action)


def _chosen(key: str | None) -> list[Weights]:
    catalogue = read_catalogue()
    if key is None:
        return list(catalogue.values())
    if key not in catalogue:
        raise InstallError(f"Unknown key {key!r}; known are {', '.join(catalogue)}.")
    return [catalogue[key]]


def _list(options: argparse.Namespace) -> int:
    try:
        models = models_folder(options.models_dir)
    except InstallError:
        models = None
    for weights in read_catalogue().values():
        here = bool(models) and weights.place(models).is_file()
        print(f"{weights.key}  [{'here' if here else 'missing'}]")
        print(f"  {weights.folder}/{weights.file}, {weights.size / 1e6:.0f} MB, {weights.licence}")
        print(f"  from {weights.repo} (made by {weights.origin})")
        print(f"  for: {weights.purpose}")
        print(f"  without it: {weights.without}")
        if not here:
            print(f"  get it: python install.py models get {weights.key}")
    return 0


def _check(options: argparse.Namespace) -> int:
    models = models_folder(options.models_dir)
    states = {weights.key: state(weights, models) for weights in _chosen(options.key)}
    print(f"in {models}:")
    for key, found in states.items():
        print(f"  {key}: {found}")
    return 0 if set(states.values()) <= {"whole", "present"} else 1


def _get(options: argparse.Namespace) -> int:
    (weights,) = _chosen(options.key)
    models = models_folder(options.models_dir)
    place = weights.place(models)
    found = state(weights, models)
    if found in ("whole", "present"):
        print(f"{place} is {found}")
        return 0
    if found == "damaged":
        raise InstallError(f"{place} is not the file on record. Move it away, then run this again.")
    if not find_spec("huggingface_hub"):
        return _get_elsewhere(weights, models)
    place.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place.parent).free
    if free < weights.size:
        need = f"{weights.size / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free"
        raise InstallError(f"No room for {weights.file} in {place.parent}: {need}. Free some, or give --models-dir DIR")
    from .download import download

    digest = download(weights, place)
    if not weights.sha256:
        print(f"hash not on record; it is {digest}")
    print(f"{place} is whole ({weights.licence}; {weights.purpose})")
    return 0


def _get_elsewhere(weights: Weights, models: Path) -> int:
    """Runs the same command by the host's interpreter, which has huggingface_hub."""
    prepared = read_host(cache_folder())
    if prepared is None or os.path.abspath(prepared["python"]) == os.path.abspath(sys.executable):
        remedy = f"{sys.executable} -m pip install huggingface_hub"
        raise InstallError(f"huggingface_hub is not installed here. Run: {remedy}")
    command = [prepared["python"], str(PACK / "install.py"), "models", "get", weights.key, "--models-dir", str(models)]
    return subprocess.run(command, check=False).returncode
