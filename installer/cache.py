"""Where things that are not in the checkout live, and how two installs at once stay apart."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

PACK = Path(__file__).resolve().parent.parent
_BUILDING = "building-"


class InstallError(RuntimeError):
    """Something a person can put right; the text says what and how."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """$VECTRAHUB_CACHE, else $XDG_CACHE_HOME/vectrahub, else ~/.cache/vectrahub."""
    if chosen := environ.get("VECTRAHUB_CACHE"):
        return Path(chosen).expanduser().absolute()
    if shared := environ.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser().absolute() / "vectrahub"
    return Path.home() / ".cache" / "vectrahub"


def digest(*parts: str) -> str:
    """A short name for a set of texts: 12 hex digits of their SHA-256."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file of any size, in hex."""
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


@contextlib.contextmanager
def only_one(cache: Path) -> Iterator[None]:
    """Holds the cache's lock. The system drops it when the process dies, so a killed install blocks nobody.

    The programs that `run` starts inherit it: if only the parent is killed, the lock lasts until they end.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("a+b") as handle:
        _acquire(handle.fileno())
        os.set_inheritable(handle.fileno(), True)
        yield


def _acquire(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        while True:
            try:
                msvcrt.locking(handle, msvcrt.LK_LOCK, 1)  # gives up after ten tries, one a second
                return
            except OSError:
                say("waiting for another install to finish ...")
    else:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another install to finish ...")
            fcntl.flock(handle, fcntl.LOCK_EX)


@contextlib.contextmanager
def workplace(cache: Path) -> Iterator[Path]:
    """A fresh folder in the cache (same disk, so a rename out of it is atomic). Call under `only_one`.

    Whatever an earlier, killed install left half-built is removed first: nobody else can be building.
    """
    for leftover in cache.glob(f"{_BUILDING}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = cache / f"{_BUILDING}{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, value: Mapping[str, str]) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def run(command: list[str], *, what: str, env: Mapping[str, str] | None = None) -> None:
    """Runs a command, its output on our standard error. Raises InstallError naming `what` if it fails."""
    result = subprocess.run(command, env=env, stdout=sys.stderr, close_fds=False, check=False)
    if result.returncode:
        raise InstallError(f"{what} failed (exit {result.returncode}): {' '.join(command)}")


def say(text: str) -> None:
    """One line for the person who waits; standard output stays free for answers."""
    print(f"vectrahub: {text}", file=sys.stderr, flush=True)
