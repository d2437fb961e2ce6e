"""The pictures of a folder that a style is learned from, and what each of them is told to show.

Two layouts. Captioned pictures: NAME.png with NAME.txt beside it. Pairs: input/NAME.* is a photograph, target/NAME.*
the picture that is to be learned; the photograph only says what is in it, and is never learned itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import BadInput
from ..progress import Progress, silent

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
INPUT, TARGET = "input", "target"
MOST_PIXELS = 4_000_000  # per picture in memory; training itself is at about a quarter of that

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


def find_examples(folder: Path, trigger: str, caption: str, minimum: int) -> list[Example]:
    """Every example of a folder, by name; photo is not picture exactly for pairs.

    trigger: put before each text that does not hold it. caption: for pictures without a .txt or with an empty one.
    Raises BadInput for too few, for pictures of one name, for pairs without a partner and for .txt that are no UTF-8.
    """
    photos, targets = folder / INPUT, folder / TARGET
    here = _pictures(folder)
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
        pairs = _paired(_pictures(photos), _pictures(targets))
    if len(pairs) < minimum:
        raise BadInput(
            f"Too few pictures to learn from in '{folder.name}'",
            value=len(pairs),
            limit=f"at least {minimum}",
            remedy=f"Add {', '.join(SUFFIXES)} there (or pairs in '{INPUT}' and '{TARGET}'), or lower 'minimum'.",
        )
    return [_example(picture, photo, trigger.strip(), caption) for picture, photo in pairs]


def read_pictures(files: list[Path], progress: Progress = silent) -> list[NDArray[np.float32]]:
    """Each file as (H, W, 3), 0..1 sRGB: turned as its EXIF says, transparency on white, at most `MOST_PIXELS`.

    Raises BadInput that names the files that cannot be read.
    """
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
    found = [(file, file.stat()) for place in places for file in _files(place)]
    return sorted((str(file), about.st_size, about.st_mtime_ns) for file, about in found)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))


def _pictures(folder: Path) -> dict[str, Path]:
    """Name without its ending -> picture, by name."""
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for file in sorted(_files(folder), key=lambda file: (file.stem.casefold(), file.name)):
        if file.suffix.lower() not in SUFFIXES:
            continue
        if file.stem in found:
            raise BadInput(
                f"Two pictures of one name in '{folder.name}'",
                value=f"{found[file.stem].name}, {file.name}",
                limit="one picture per name",
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


def _example(picture: Path, photo: Path, trigger: str, caption: str) -> Example:
    said = _said(picture) or _said(photo)
    words = said or " ".join(caption.split())
    text = words if trigger in words else ", ".join(part for part in (trigger, words) if part)
    return Example(picture, photo, text, captioned=bool(said))


def _said(picture: Path) -> str:
    file = picture.with_suffix(".txt")
    try:
        return " ".join(file.read_text(encoding="utf-8-sig").split()) if file.is_file() else ""
    except UnicodeDecodeError as error:
        raise BadInput(
            "A caption cannot be read",
            value=f"{file.parent.name}/{file.name}",
            limit="text in UTF-8",
            remedy="Save it as UTF-8.",
        ) from error


def _read(file: Path) -> NDArray[np.float32]:
    with Image.open(file) as opened:
        if opened.mode.startswith("I") or opened.mode == "F":  # 16 bits and more; PIL would cut them off at 255
            return _grey(np.asarray(opened, np.float32))
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    share = (MOST_PIXELS / (upright.width * upright.height)) ** 0.5
    if share < 1:
        size = (max(1, int(upright.width * share)), max(1, int(upright.height * share)))
        upright = upright.resize(size, Image.Resampling.LANCZOS)
    colours = np.asarray(upright, np.float32) / np.float32(255)
    cover = colours[..., 3:]
    return np.ascontiguousarray(colours[..., :3] * cover + (np.float32(1) - cover), np.float32)


def _grey(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.repeat(np.clip(levels / np.float32(65535), 0, 1)[..., None], 3, axis=2).astype(np.float32)


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
