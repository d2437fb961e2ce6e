"""The pictures of a folder that a style is learned from, and what each of them is told to show.

Two layouts. Captioned pictures: NAME.png with NAME.txt beside it. Pairs: input/NAME.* is a photograph, target/NAME.*
the picture that is to be learned; the photograph only says what is in it, and is never learned itself.
"""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import BadInput
from ..progress import Progress, silent

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
INPUT, TARGET = "input", "target"
MOST_PIXELS = 1_500_000  # per picture in memory; training itself is at about two thirds of that
MOST_BYTES = 8_000_000_000  # of all of them: 444 full ones, tens of times a usual set; the host copies them for Fit

_FORMATS = ("PNG", "JPEG", "WEBP")
_CAPTIONS = (".txt",)
_BYTES = 12  # of a pixel: three float32
_NAMED = 5  # of the files that an error is about
_UNREADABLE = (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError)


@dataclass(frozen=True)
class Example:
    """picture: what is learned. photo: what shows its content; of a captioned picture, the picture itself.

    text: what it is said to show, with the trigger. captioned: whether a .txt says so.
    """

    picture: Path
    photo: Path
    text: str
    captioned: bool


def find_examples(folder: Path, root: Path, trigger: str, caption: str, minimum: int) -> list[Example]:
    """Every example of a folder, by name; photo is not picture exactly for pairs.

    root: where every file must lie, links followed. trigger: put before each text that does not hold it as a word.
    caption: for pictures without a .txt or with an empty one.
    Raises BadInput for too few, for pictures of one name, for pairs without a partner, for .txt that are no UTF-8 and
    for links to places outside root.
    """
    photos, targets = folder / INPUT, folder / TARGET
    check_inside([folder, photos, targets], root)
    here = _named(folder, SUFFIXES, root)
    if not photos.is_dir() and not targets.is_dir():
        pairs = [(picture, picture) for picture in here.values()]
    elif here:
        raise BadInput(
            f"Pictures lie beside the folders '{INPUT}' and '{TARGET}'",
            value=_some([picture.name for picture in here.values()]),
            limit="captioned pictures or pairs, not both",
            remedy="Move them into another folder.",
        )
    else:
        pairs = _paired(_named(photos, SUFFIXES, root), _named(targets, SUFFIXES, root))
    if len(pairs) < minimum:
        raise BadInput(
            f"Too few pictures to learn from in '{folder.name}'",
            value=len(pairs),
            limit=f"at least {minimum}",
            remedy=f"Add {', '.join(SUFFIXES)} there (or pairs in '{INPUT}' and '{TARGET}'), or lower 'minimum'.",
        )
    texts = {place: _named(place, _CAPTIONS, root) for place in {one.parent for pair in pairs for one in pair}}
    return [_example(picture, photo, trigger.strip(), caption, texts) for picture, photo in pairs]


def read_pictures(files: list[Path], progress: Progress = silent) -> list[NDArray[np.float32]]:
    """Each file as (H, W, 3), 0..1 sRGB: turned as its EXIF says, transparency on white, at most `MOST_PIXELS`.

    Raises BadInput that names the files that cannot be read, and for more than `MOST_BYTES` in all, before any is read.
    """
    needed = sum(_bytes(file) for file in files)
    if needed > MOST_BYTES:
        raise BadInput(
            "Too many pictures to hold in memory",
            value=f"{len(files)} pictures with {needed / 1e9:.3g} GB",
            limit=f"{MOST_BYTES / 1e9:.3g} GB",
            remedy="Take some out of the folder.",
        )
    read: list[NDArray[np.float32]] = []
    broken: list[str] = []
    for number, file in enumerate(files):
        progress(number / len(files))
        try:
            read.append(_read(file))
        except _UNREADABLE:
            broken.append(file.name)
    if broken:
        raise BadInput(
            "Pictures that cannot be read",
            value=_some(broken),
            limit="whole PNG, JPEG or WebP files",
            remedy="Save them anew, or take them out of the folder.",
        )
    progress(1.0)
    return read


def state(folder: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of change of every file that `find_examples` looks at: equal states give equal examples."""
    places = [place for place in (folder, folder / INPUT, folder / TARGET) if place.is_dir()]
    found = [(file, file.stat()) for place in places for file in _files(place, (*SUFFIXES, *_CAPTIONS))]
    return sorted((str(file), about.st_size, about.st_mtime_ns) for file, about in found)


def is_inside(path: Path, root: Path) -> bool:
    """Whether a path, with all links followed, lies in root, or is root."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def check_inside(paths: list[Path], root: Path) -> None:
    """Raises BadInput that names the paths that are links to somewhere outside root."""
    outside = [path.name for path in paths if not is_inside(path, root)]
    if outside:
        raise BadInput(
            "Links that lead out of ComfyUI's input folder",
            value=_some(outside),
            limit="files and folders that lie in it",
            remedy="Copy there what they lead to.",
        )


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """By name, small letters like capitals."""
    wanted = (one for one in folder.iterdir() if one.suffix.lower() in suffixes and not one.name.startswith("."))
    return sorted((one for one in wanted if one.is_file()), key=lambda one: (one.stem.casefold(), one.name))


def _named(folder: Path, suffixes: tuple[str, ...], root: Path) -> dict[str, Path]:
    """Name without its ending -> file, by name."""
    if not folder.is_dir():
        return {}
    files = _files(folder, suffixes)
    check_inside(files, root)
    found: dict[str, Path] = {}
    for file in files:
        if file.stem in found:
            raise BadInput(
                f"Two files of one name in '{folder.name}'",
                value=f"{found[file.stem].name}, {file.name}",
                limit="one picture and one .txt per name",
                remedy="Rename one of them, or take it away.",
            )
        found[file.stem] = file
    return found


def _paired(photos: dict[str, Path], targets: dict[str, Path]) -> list[tuple[Path, Path]]:
    alone = [f"{INPUT}/{photos[name].name}" for name in photos if name not in targets]
    alone += [f"{TARGET}/{targets[name].name}" for name in targets if name not in photos]
    if alone:
        raise BadInput(
            "Pictures without a partner",
            value=_some(alone),
            limit=f"'{INPUT}/NAME' and '{TARGET}/NAME' for each NAME",
            remedy="Add the missing ones, or take these away.",
        )
    return [(target, photos[name]) for name, target in targets.items()]


def _example(
    picture: Path, photo: Path, trigger: str, caption: str, texts: Mapping[Path, Mapping[str, Path]]
) -> Example:
    said = _said(texts[picture.parent].get(picture.stem)) or _said(texts[photo.parent].get(photo.stem))
    words = said or " ".join(caption.split())
    held = re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", words)
    text = words if held else ", ".join(part for part in (trigger, words) if part)
    return Example(picture, photo, text, captioned=bool(said))


def _said(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return " ".join(file.read_text(encoding="utf-8-sig").split())
    except UnicodeDecodeError as error:
        raise BadInput(
            "A caption cannot be read",
            value=f"{file.parent.name}/{file.name}",
            limit="text in UTF-8",
            remedy="Save it as UTF-8.",
        ) from error


def _read(file: Path) -> NDArray[np.float32]:
    with Image.open(file, formats=_FORMATS) as opened:
        upright = ImageOps.exif_transpose(opened)
    if upright.mode.startswith("I"):  # 16 bits of grey; PIL would cut them off at 255
        upright = Image.fromarray((np.asarray(upright, np.float32) / np.float32(257)).round().astype(np.uint8))
    upright = upright.convert("RGBA")
    size = _kept(upright.size)
    if size != upright.size:
        upright = upright.resize(size, Image.Resampling.LANCZOS)
    colours = np.asarray(upright, np.float32) / np.float32(255)
    cover = colours[..., 3:]
    return np.ascontiguousarray(colours[..., :3] * cover + (np.float32(1) - cover), np.float32)


def _bytes(file: Path) -> int:
    """What it takes in memory, by its header; 0 for a file that has none."""
    try:
        with Image.open(file, formats=_FORMATS) as opened:
            return math.prod(_kept(opened.size)) * _BYTES
    except _UNREADABLE:
        return 0


def _kept(size: tuple[int, int]) -> tuple[int, int]:
    share = (MOST_PIXELS / math.prod(size)) ** 0.5
    return size if share >= 1 else (max(1, int(size[0] * share)), max(1, int(size[1] * share)))


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
