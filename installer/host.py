"""The private host: a ComfyUI tree, an environment, and a base folder in which this checkout is its custom node."""

import json
import os
import sys
from pathlib import Path

from .cache import PACK, InstallError, digest, only_one, say, write_json
from .check import missing_packages
from .comfyui import fetch_tree, private_tree, tree_python, tree_version
from .environment import build_environment, ready_python

KEYS = ("python", "comfyui", "base", "version")


def base_folder(cache: Path) -> Path:
    """The base folder (input, output, custom_nodes, ...) of this checkout."""
    return cache / f"base-{digest(str(PACK))}"


def read_host(cache: Path) -> dict[str, str] | None:
    """The host of this checkout, or None if `install.py host` has not prepared one."""
    file = base_folder(cache) / "host.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def prepare_private(cache: Path, *, dev: bool) -> dict[str, str]:
    """Makes what is missing of the private host and returns its host.json. At once if nothing is missing."""
    tree = private_tree(cache)
    python = ready_python(cache, tree, dev=dev) if tree.is_dir() else None
    if python is None:
        with only_one(cache):
            tree = fetch_tree(cache)
            python = ready_python(cache, tree, dev=dev) or build_environment(cache, tree, dev=dev)
    return _settle(cache, tree=tree, python=python, models=cache / "models")


def prepare_existing(cache: Path, tree: Path, python: Path | None) -> dict[str, str]:
    """Uses a ComfyUI that is already here: nothing is installed into it, its models are used."""
    tree = tree.resolve()
    version = tree_version(tree)
    python = python.absolute() if python else tree_python(tree)
    if missing := missing_packages(python):
        remedy = f"{python} -m pip install -r {PACK / 'requirements.txt'}"
        raise InstallError(f"ComfyUI {version} at {tree} lacks {', '.join(missing)}. Run: {remedy}")
    return _settle(cache, tree=tree, python=python, models=tree / "models")


def _settle(cache: Path, *, tree: Path, python: Path, models: Path) -> dict[str, str]:
    base = base_folder(cache)
    for name in ("custom_nodes", "input", "output", "user"):
        (base / name).mkdir(parents=True, exist_ok=True)
    models.mkdir(parents=True, exist_ok=True)
    _link(base / "custom_nodes" / "vectrahub", PACK)
    # One folder of weights for every checkout: they are large.
    _link(base / "models", models)
    host = {"python": str(python), "comfyui": str(tree), "base": str(base), "version": tree_version(tree)}
    for file in (base / "host.json", cache / "host.json"):
        if not file.is_file() or json.loads(file.read_text(encoding="utf-8")) != host:
            write_json(file, host)
    say(f"ComfyUI {host['version']} is ready")
    return host


def _link(link: Path, target: Path) -> None:
    """Points `link` at the folder `target`; on Windows by a junction, which needs no special right."""
    if link.is_symlink() or link.exists():
        if link.exists() and link.samefile(target):
            return
        if not link.is_symlink() and not _is_junction(link):
            raise InstallError(f"{link} is in the way: a folder where a link to {target} belongs. Move it away.")
        link.rmdir() if _is_junction(link) else link.unlink()
    if sys.platform == "win32":
        import _winapi

        _winapi.CreateJunction(str(target), str(link))
    else:
        temporary = link.with_name(f"{link.name}.{os.getpid()}.part")
        temporary.symlink_to(target, target_is_directory=True)
        os.replace(temporary, link)


def _is_junction(path: Path) -> bool:
    return sys.platform == "win32" and not path.is_symlink() and os.path.realpath(path) != os.path.abspath(path)
