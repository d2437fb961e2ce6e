"""host.json: where the private host lies.

`install.py host` prepares the host and writes the file:

    {"python": "/.../bin/python", "comfyui": "/.../ComfyUI", "base": "/.../base", "args": ["--cpu"]}

`python` is the interpreter with ComfyUI's requirements, `comfyui` the folder of its main.py, `base` its base
directory (models, custom_nodes, input). `args` is optional; without it `--cpu` is added where no GPU is seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import HostNotPrepared

_REMEDY = "run `python install.py host` in the pack, or name a running ComfyUI with --server URL"


@dataclass(frozen=True)
class HostConfig:
    """Where the private host lives; all paths absolute."""

    python: Path
    comfyui: Path
    base: Path
    args: tuple[str, ...] | None = None


def default_config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """$VECTRAHUB_HOST, else host.json in the cache directory (see the module's text)."""
    if named := environ.get("VECTRAHUB_HOST"):
        return Path(named)
    if cache := environ.get("VECTRAHUB_CACHE"):
        return Path(cache) / "host.json"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vectrahub" / "host.json"


def load_config(path: Path | None = None) -> HostConfig:
    """Read and check host.json. Raises HostNotPrepared, which says what to run."""
    path = path or default_config_path()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise TypeError("not a JSON object")
        here = path.parent
        # Not resolve(): the interpreter of an environment is a link, and following it leaves the environment.
        python, comfyui, base = (Path(os.path.abspath(here / str(data[key]))) for key in ("python", "comfyui", "base"))
        args = data.get("args")
        config = HostConfig(python, comfyui, base, None if args is None else tuple(str(arg) for arg in args))
    except FileNotFoundError:
        raise HostNotPrepared(f"no private host is prepared ({path} does not exist); {_REMEDY}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HostNotPrepared(f"{path} is not a usable host.json ({error!r}); {_REMEDY}") from error
    for needed in (config.python, config.comfyui / "main.py"):
        if not needed.is_file():
            raise HostNotPrepared(f"{path} names {needed}, which does not exist; {_REMEDY}")
    return config
