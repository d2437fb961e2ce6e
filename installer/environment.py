"""The private host's Python environment: built by uv, named by the hash of what it holds."""

import os
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from .cache import PACK, InstallError, digest, run, say

UV = "uv==0.13.8"
_READY = "vectrahub-ready"


def environment_folder(cache: Path, tree: Path, *, dev: bool) -> Path:
    """CACHE/env-HASH; the hash covers ComfyUI's and our requirements, the constraints and the interpreter."""
    files = [tree / "requirements.txt", PACK / "requirements.txt", PACK / "constraints.txt"]
    files += [PACK / "requirements-dev.txt"] if dev else []
    texts = [file.read_text(encoding="utf-8") for file in files]
    return cache / f"env-{digest(*texts, platform.python_version(), sys.platform, platform.machine())}"


def ready_python(cache: Path, tree: Path, *, dev: bool) -> Path | None:
    """The interpreter of a finished environment, or None. One with the tools of development serves both."""
    for kind in {True, dev}:
        folder = environment_folder(cache, tree, dev=kind)
        python = _python_in(folder)
        if (folder / _READY).is_file() and python.exists():
            return python
    return None


def build_environment(cache: Path, tree: Path, *, dev: bool) -> Path:
    """Builds the environment and returns its interpreter. Call under the cache's lock.

    An environment cannot be moved once made, so it is built in place; the marker file, written last,
    makes it count. One without the marker is a killed build and is made anew.
    """
    uv = find_uv(cache)
    folder = environment_folder(cache, tree, dev=dev)
    if folder.exists():
        say(f"{folder.name} is half-built; starting it afresh")
        shutil.rmtree(folder)
    say("building the environment (about 3 GB to fetch the first time) ...")
    env = _uv_settings()
    base = getattr(sys, "_base_executable", None) or sys.executable
    run([str(uv), "venv", "--quiet", "--python", base, str(folder)], what="Making the environment", env=env)
    python = _python_in(folder)
    files = [tree / "requirements.txt", PACK / "requirements.txt"]
    files += [PACK / "requirements-dev.txt"] if dev else []
    command = [str(uv), "pip", "install", "--python", str(python), "--constraint", str(PACK / "constraints.txt")]
    for file in files:
        command += ["--requirement", str(file)]
    if not sys.stderr.isatty():
        command.append("--quiet")  # in a log its progress is a line for each of 130 packages
    run(command, what="Installing the packages", env=env)
    (folder / _READY).touch()
    return python


def find_uv(cache: Path) -> Path:
    """A uv that runs: the bootstrap's, else the one on PATH, else one installed into the bootstrap."""
    bootstrap = cache / "bootstrap"
    own = _python_in(bootstrap).with_name("uv.exe" if sys.platform == "win32" else "uv")
    on_path = shutil.which("uv")
    for candidate in [own, Path(on_path)] if on_path else [own]:
        if _runs(candidate):
            return candidate
    python = _bootstrap(cache)
    say("installing uv ...")
    run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV], what="Installing uv")
    return own


def pip_python(cache: Path) -> Path:
    """An interpreter with pip: this one, else the bootstrap's."""
    return Path(sys.executable) if find_spec("pip") else _bootstrap(cache)


def _bootstrap(cache: Path) -> Path:
    """A small environment with pip, for machines that have neither pip nor uv at hand."""
    folder = cache / "bootstrap"
    python = _python_in(folder)
    if python.exists() and not subprocess.run([str(python), "-c", "import pip"], check=False).returncode:
        return python
    if not find_spec("ensurepip"):
        raise InstallError("This Python cannot make environments. On Debian or Ubuntu: apt-get install python3-venv")
    run([sys.executable, "-m", "venv", "--clear", str(folder)], what="Making the bootstrap environment")
    return python


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _runs(program: Path) -> bool:
    """Whether it starts: a shim of a version manager may stand on PATH and lead nowhere."""
    try:
        return not subprocess.run([str(program), "--version"], capture_output=True, check=False).returncode
    except OSError:
        return False


def _uv_settings() -> dict[str, str]:
    """uv reads no pip settings; a package index chosen for pip (a company's mirror) is passed on to it."""
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    if "UV_DEFAULT_INDEX" in env or "UV_INDEX_URL" in env:
        return env
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False) if find_spec("pip") else None
    index = env.get("PIP_INDEX_URL") or (answer.stdout.strip() if answer and not answer.returncode else "")
    return {**env, "UV_DEFAULT_INDEX": index} if index else env
