"""SVG icon packs of the npm registry, pinned by version and checked by their integrity hash."""

import base64
import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

Drawings = dict[str, str]


@dataclass(frozen=True)
class Pack:
    """One npm package: version, `dist.integrity`, licence of the drawings, and how they are read."""

    version: str
    integrity: str
    licence: str
    read: Callable[[tarfile.TarFile], Drawings]


def fetch(name: str) -> Drawings:
    """Icon name -> SVG text, sorted by name, of one of `PACKS`.

    The archive is fetched once with `npm pack` and kept in the cache ($VECTRAHUB_CACHE, else
    $XDG_CACHE_HOME/vectrahub, else ~/.cache/vectrahub). Raises KeyError for an unknown pack,
    RuntimeError when npm fails or the archive is not the pinned one.
    """
    pack = PACKS[name]
    with tarfile.open(fetch_archive(name, pack.version, pack.integrity)) as archive:
        return dict(sorted(pack.read(archive).items()))


def fetch_archive(name: str, version: str, integrity: str) -> Path:
    """The archive of an npm package, fetched once; its sha512 must be `integrity`. Raises RuntimeError otherwise."""
    folder = _cache() / "icons"
    kept = folder / f"{name.strip('@').replace('/', '-')}-{version}.tgz"
    if kept.exists():
        _check(kept, integrity)
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as staging:
        done = subprocess.run(
            ["npm", "pack", f"{name}@{version}", "--silent", "--pack-destination", staging],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        files = list(Path(staging).glob("*.tgz"))
        if done.returncode != 0 or len(files) != 1:
            raise RuntimeError(f"npm pack {name}@{version} failed: {done.stderr.strip()}")
        _check(files[0], integrity)
        os.replace(files[0], kept)
    return kept


def _cache() -> Path:
    own, shared = os.environ.get("VECTRAHUB_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own)
    return (Path(shared) if shared else Path.home() / ".cache") / "vectrahub"


def _check(path: Path, integrity: str) -> None:
    found = "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if found != integrity:
        raise RuntimeError(f"{path} is not the pinned archive: {found}, expected {integrity}. Delete it and retry.")


def _devicon(archive: tarfile.TarFile) -> Drawings:
    """One mark per brand: icons/NAME/NAME-original.svg, else its plain form."""
    texts = {
        path.stem: text for path, text in _svg_files(archive) if path.parts[1] == "icons" and path.stem != path.parts[2]
    }
    originals = {stem.removesuffix("-original"): text for stem, text in texts.items() if stem.endswith("-original")}
    plain = {stem.removesuffix("-plain"): text for stem, text in texts.items() if stem.endswith("-plain")}
    return plain | originals


def _icons_folder(archive: tarfile.TarFile) -> Drawings:
    return {path.stem: text for path, text in _svg_files(archive) if path.parts[1] == "icons"}


def _svg_files(archive: tarfile.TarFile) -> list[tuple[PurePosixPath, str]]:
    found = []
    for member in archive:
        path = PurePosixPath(member.name)
        stream = archive.extractfile(member) if path.suffix == ".svg" and len(path.parts) >= 3 else None
        if stream is not None:
            found.append((path, stream.read().decode("utf-8")))
    return found


def _iconify(archive: tarfile.TarFile) -> Drawings:
    """icons.json: bodies without the root element; sizes default to the set's own, then to 16."""
    stream = archive.extractfile("package/icons.json")
    if stream is None:
        raise RuntimeError("the pack holds no icons.json")
    data = json.load(stream)
    drawings = {}
    for name, icon in data["icons"].items():
        left, top, width, height = (
            icon.get(key, data.get(key, default))
            for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
        )
        view = f"{left} {top} {width} {height}"
        drawings[name] = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{width}" height="{height}" viewBox="{view}">{icon["body"]}</svg>'
        )
    return drawings


PACKS = {
    "devicon": Pack(
        "2.17.0",
        "sha512-2nKUdjobJlmRSaCHa50PGsVq0VDURnq9gVzQoJggsM/NKN0tLhC/Uq2zmy2pH36Q/1q3gvYwp/GjTgv/R0Ysbg==",
        "MIT",
        _devicon,
    ),
    "simple-icons": Pack(
        "16.37.0",
        "sha512-8mCJIhpMYOL9g13GW59EiL3sVXJnTEKGCTZFaekl9UQ3Qo0SwVjnLaJ82QiaH8BKBdouEDzrHMXIWh8cBIy48A==",
        "CC0-1.0",
        _icons_folder,
    ),
    "@iconify-json/emojione": Pack(
        "1.2.3",
        "sha512-T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
        "CC-BY-4.0",
        _iconify,
    ),
    "@iconify-json/flat-color-icons": Pack(
        "1.2.3",
        "sha512-KcmJ7CY0TKFv5GuBjiS4/v++jEcNXna1jfY+yq014tnw/MN/jMI2oYpoMHGuIpYtUqDu7eove+WySnOYO8nS3w==",
        "MIT",
        _iconify,
    ),
    "@iconify-json/skill-icons": Pack(
        "1.2.4",
        "sha512-S6iRKHGlGCb/zfx3Isv1TBe5PunbDE5FEwJcaXji60+yRZMrcFFtYEI1xivKqaGKXyVZ508yjGDItsehQdJmSg==",
        "MIT",
        _iconify,
    ),
    "lucide-static": Pack(
        "1.62.0",
        "sha512-WBZA/m2PvkFpMGHDtsBck5P2A9G4ehLlYu4GwwICcmEm1BvYVgj00lCDxKRWLlbMlOibLaiwdQ88G5pHkSWgwA==",
        "ISC",
        _icons_folder,
    ),
}
