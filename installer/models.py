"""The commands for the weights: list, get, check."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .cache import InstallError, cache_folder
from .catalogue import CONVERTED, Weights, read_catalogue
from .get import get
from .host import read_host
from .states import absent, states, worst


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


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds list, get and check to the command line."""
    commands = parser.add_subparsers(required=True)
    for name, action, help_text in (
        ("list", _list, "what there is, and what is lost without it"),
        ("get", _get, "fetch them from the model hub, one after the other; goes on where it stopped"),
        ("check", _check, "compare what is here with the hashes on record; exit 1 if something is not whole"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("--models-dir", type=Path, metavar="DIR", help="the host's models folder")
        if name != "list":
            command.add_argument("keys", metavar="KEY", nargs="+" if name == "get" else "*")
        command.set_defaults(run=action)


def _chosen(keys: Sequence[str]) -> list[Weights]:
    """The entries of these keys, each once; all of them for no keys."""
    catalogue = read_catalogue()
    for key in keys:
        if key not in catalogue:
            raise InstallError(f"Unknown key {key!r}; known are {', '.join(catalogue)}.")
    return [catalogue[key] for key in dict.fromkeys(keys or catalogue)]


def _list(options: argparse.Namespace) -> int:
    try:
        models = models_folder(options.models_dir)
    except InstallError:
        models = None
    for weights in read_catalogue().values():
        away = absent(weights, models) if models else list(weights.files)
        here = "here" if not away else "missing" if len(away) == len(weights.files) else "incomplete"
        print(f"{weights.key}  [{here}]")
        print(f"  {_shown(weights)}, {weights.licence}")
        print(f"  from {' and '.join(dict.fromkeys(file.repo for file in weights.files))} (made by {weights.origin})")
        print(f"  for: {weights.purpose}")
        print(f"  without it: {weights.without}")
        if weights.convert:
            twice = sum(file.size for file in weights.files if file.name == weights.convert)
            room = f"{(weights.size + twice) / 1e9:.1f} GB"
            print(f"  room while it is fetched: about {room}; {weights.convert} becomes {CONVERTED}, then is removed")
        if away:
            print(f"  get it: python install.py models get {weights.key}")
    return 0


def _shown(weights: Weights) -> str:
    if weights.single:
        about = "" if weights.exact else "about "
        return f"{weights.folder}/{weights.files[0].name}, {about}{weights.size / 1e6:.0f} MB"
    size = f"{weights.size / 1e9:.1f} GB" if weights.size >= 1e9 else f"{weights.size / 1e6:.0f} MB"
    return f"{weights.folder}/ ({len(weights.files)} files), {'' if weights.exact else 'about '}{size}"


def _check(options: argparse.Namespace) -> int:
    models = models_folder(options.models_dir)
    found = {weights.key: states(weights, models) for weights in _chosen(options.keys)}
    print(f"in {models}:")
    for key, files in found.items():
        verdict = worst(files)
        others = "; ".join(f"{name} is {state}" for name, state in files.items() if state != verdict)
        print(f"  {key}: {verdict}{f' ({others})' if others else ''}")
    return 0 if {worst(files) for files in found.values()} <= {"whole", "present"} else 1


def _get(options: argparse.Namespace) -> int:
    models = models_folder(options.models_dir)
    for weights in _chosen(options.keys):
        if code := get(weights, models):
            return code
    return 0
