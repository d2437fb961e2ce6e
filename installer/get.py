"""Fetching one entry of the catalogue: what is missing of it, then the conversion if it has one."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from .cache import PACK, InstallError, cache_folder, file_sha256, say
from .catalogue import CONVERTED, Weights
from .convert import MODULES, convert, unfinished
from .download import ask, download
from .host import read_host
from .states import absent, complete_metadata, states, worst


def get(weights: Weights, models: Path) -> int:
    """Fetches, verifies and converts what is not here yet; at once if nothing is. Returns the exit code.

    Raises InstallError if a file in the way is not the one on record, if there is no room (for the conversion too),
    if the hub cannot be reached or offers something else, or if no interpreter can do it.
    """
    missing = absent(weights, models)
    to_convert = bool(weights.convert) and not (models / weights.folder / CONVERTED).is_file()
    modules = (*(["huggingface_hub"] if missing else []), *(MODULES if to_convert else []))
    lacking = [module for module in modules if not find_spec(module)]
    if lacking:
        return _get_elsewhere(weights, models, lacking)

    found = states(weights, models)
    for name, state in found.items():
        if state == "damaged":
            place = models / weights.folder / name
            raise InstallError(f"{place} is not the file on record. Move it away, then run this again.")
    if weights.convert and not to_convert:
        _remove_source(weights, models)
    if not missing and not to_convert:
        print(f"{weights.place(models)} is {worst(found)}")
        return 0

    _fetch(weights, models, to_convert)
    if to_convert:
        _convert(weights, models)
    print(f"{weights.place(models)} is whole ({weights.licence}; {weights.purpose})")
    return 0


def _fetch(weights: Weights, models: Path, to_convert: bool) -> None:
    offers = {ask(file): weights.place_of(file, models) for file in absent(weights, models)}
    folder = models / weights.folder
    folder.mkdir(parents=True, exist_ok=True)
    need = sum(offer.still_to_come(place) for offer, place in offers.items())
    if to_convert:
        unfinished(folder / CONVERTED).unlink(missing_ok=True)  # what a killed run left takes the room of the next
        lengths = {offer.file.name: offer.length for offer in offers}
        need += lengths.get(weights.convert) or (folder / weights.convert).stat().st_size
    free = shutil.disk_usage(folder).free
    if free < need:
        what = f"{weights.key} (with its conversion)" if to_convert else weights.files[0].name
        lack = f"{need / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free"
        raise InstallError(f"No room for {what} in {folder}: {lack}. Free some, or give --models-dir DIR")
    for offer, place in sorted(offers.items(), key=lambda pair: pair[0].size):  # the small ones fail early
        if not offer.file.sha256:
            judged = f"the hub's own statement, {offer.sha256}" if offer.sha256 else "nothing: the hub states none"
            say(f"{offer.file.name}: no hash on record here; it is compared with {judged}")
        digest = download(offer, place)
        if not offer.file.sha256:
            print(f"{offer.file.name}: hash not on record; it is {digest}")


def _convert(weights: Weights, models: Path) -> None:
    source = models / weights.folder / weights.convert
    known = next(file.sha256 for file in weights.files if file.name == weights.convert)
    say(f"converting {source.name} to {CONVERTED}, once; both need room until it is done ...")
    count = convert(source, source.with_name(CONVERTED), known or file_sha256(source), _every_few_seconds())
    source.unlink()
    print(f"{CONVERTED} is written: {count} tensors. {source.name} was removed, it held the same a second time.")


def _every_few_seconds() -> Callable[[float], None]:
    told = time.monotonic()

    def tell(share: float) -> None:
        nonlocal told
        if time.monotonic() - told > 5:
            told = time.monotonic()
            say(f"converted {share:.0%}")

    return tell


def _remove_source(weights: Weights, models: Path) -> None:
    """Removes what was converted, if a run was stopped between the two. Another file of that name is let be."""
    source = models / weights.folder / weights.convert
    if not source.is_file():
        return
    metadata = complete_metadata(source.with_name(CONVERTED)) or {}
    if file_sha256(source) == metadata.get("source_sha256"):
        source.unlink()
        print(f"{source.name} was removed: {CONVERTED} holds the same.")
    else:
        print(f"{source} stays: {CONVERTED} was not made of it.")


def _get_elsewhere(weights: Weights, models: Path, lacking: list[str]) -> int:
    """Runs the same command by the host's interpreter, which has the packages that this one lacks."""
    prepared = read_host(cache_folder())
    names = ", ".join(lacking)
    if prepared is None or os.path.abspath(prepared["python"]) == os.path.abspath(sys.executable):
        remedy = f"python install.py host, or {sys.executable} -m pip install {' '.join(lacking)}"
        raise InstallError(f"This Python lacks {names}. Run: {remedy}")
    command = [prepared["python"], str(PACK / "install.py"), "models", "get", weights.key, "--models-dir", str(models)]
    return subprocess.run(command, check=False).returncode
