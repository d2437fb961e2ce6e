"""The frame of a try-on: the size at which the person is painted anew, and where each picture lies in it.

The model wants sides in multiples of 16, which a photograph rarely has. Nothing is stretched or cut: each picture is
contained in the frame, and what lies beside the person is taken away again from the result.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..progress import Progress, part, silent
from ..raster.tiles.enlarge import LANCZOS, resize_photo

SHORT_SIDES = {"480p": 480, "720p": 720, "1080p": 1080}  # px, before they are brought to STEP
STEP = 16  # VAE (8) times patch (2) of Qwen-Image
SMALLEST = 64  # px of the short side: less shows neither a person nor a garment
HIGHEST_ROW = 2048  # px of a comparison: three pictures of a large person side by side are for looking at only
LONGEST = 3.0  # times the short side: keeps 1080p below 3.5 megapixels

Photo = NDArray[np.float32]  # (H, W, 3), sRGB, 0..1


@dataclass(frozen=True)
class Place:
    """Where a picture lies in a frame, in px."""

    top: int
    left: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        """Its rows in the frame."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """Its columns in the frame."""
        return slice(self.left, self.left + self.width)


def frame_size(height: int, width: int, resolution: str) -> tuple[int, int]:
    """Height and width of the frame of a person (height, width): its aspect, multiples of 16, floored.

    resolution: "480p", "720p" or "1080p", the short side (1080p gives 1072). Raises BadInput for another one, and for
    a person smaller than 64 px or longer than 3 times its short side.
    """
    if resolution not in SHORT_SIDES:
        raise BadInput("Resolution", value=repr(resolution), limit=", ".join(SHORT_SIDES), remedy="Choose one of them.")
    check_size("person", height, width)
    short, long = min(height, width), max(height, width)
    if long > LONGEST * short:
        raise BadInput(
            "The picture of the person is too narrow",
            value=f"{width} x {height} px",
            limit=f"one side at most {LONGEST:g} times the other",
            remedy="Crop it to the person.",
        )
    scale = _floored(SHORT_SIDES[resolution]) / short
    high, wide = (_floored(round(side * scale)) for side in (height, width))
    return high, wide


def check_size(name: str, height: int, width: int) -> None:
    """Raise BadInput for a picture whose short side is below 64 px."""
    if min(height, width) < SMALLEST:
        raise BadInput(
            f"The picture of the {name} is too small",
            value=f"{width} x {height} px",
            limit=f"at least {SMALLEST} px per side; 720 and more look good",
            remedy="Take a larger picture.",
        )


def contained(height: int, width: int, frame: tuple[int, int]) -> Place:
    """Where a picture (height, width) lies in a frame: as large as fits, in the middle."""
    scale = min(frame[0] / height, frame[1] / width)
    high, wide = (max(1, min(limit, round(side * scale))) for side, limit in zip((height, width), frame, strict=True))
    return Place((frame[0] - high) // 2, (frame[1] - wide) // 2, high, wide)


def place_of(height: int, width: int, frame: tuple[int, int], name: str) -> Place:
    """`contained`, for what must be as large as the person that was framed. Raises BadInput, naming it, where not."""
    place = contained(height, width, frame)
    if max(place.top, place.left) > STEP // 2:
        raise BadInput(
            f"'{name}' does not belong to this person",
            value=f"{width} x {height} px for a frame of {frame[1]} x {frame[0]} px",
            limit="the size of the person, before or after VTON Prepare",
            remedy="Make it from the picture that goes into VTON Prepare as 'person', or leave it unconnected.",
        )
    return place


def framed_person(person: Photo, frame: tuple[int, int], progress: Progress = silent) -> Photo:
    """The person in the frame; the few px beside it repeat its edge, so that the model sees no bars."""
    place = contained(person.shape[0], person.shape[1], frame)
    inner = resize_photo(person, place.height, place.width, LANCZOS, progress)
    below, beside = frame[0] - place.top - place.height, frame[1] - place.left - place.width
    return np.pad(inner, ((place.top, below), (place.left, beside), (0, 0)), mode="edge")


def framed_garment(garment: Photo, frame: tuple[int, int], progress: Progress = silent) -> Photo:
    """The garment in the frame; the rest has the median colour of its border: mostly a product photo's ground."""
    place = contained(garment.shape[0], garment.shape[1], frame)
    border = np.concatenate([garment[0], garment[-1], garment[:, 0], garment[:, -1]])
    framed = np.empty((*frame, 3), np.float32)
    framed[:] = np.median(border, axis=0)
    framed[place.rows, place.columns] = resize_photo(garment, place.height, place.width, LANCZOS, progress)
    return framed


def check_frame(height: int, width: int) -> None:
    """Raise BadInput for sides that are no multiple of 16, and for more px than the largest frame has."""
    largest = int(LONGEST * SHORT_SIDES["1080p"] ** 2)
    if height % STEP or width % STEP or height * width > largest:
        raise BadInput(
            "The person is not in a frame that the model takes",
            value=f"{width} x {height} px",
            limit=f"sides in multiples of {STEP}, at most {largest / 1e6:.1f} megapixels",
            remedy="Put VTON Prepare in front, and nothing that changes the size behind it.",
        )


def unframed(result: Photo, height: int, width: int, progress: Progress = silent) -> Photo:
    """What `framed_person` did to a person of this size, undone: the result without its margins, at that size.

    Raises BadInput where a person of this size does not lie in such a frame.
    """
    place = place_of(height, width, (result.shape[0], result.shape[1]), "original")
    return resize_photo(np.ascontiguousarray(result[place.rows, place.columns]), height, width, LANCZOS, progress)


def side_by_side(pictures: list[Photo], height: int, progress: Progress = silent) -> Photo:
    """Pictures in a row, all of one height, each in its own aspect."""
    row = []
    for number, one in enumerate(pictures):
        width = max(1, round(one.shape[1] * height / one.shape[0]))
        step = part(progress, number / len(pictures), (number + 1) / len(pictures))
        row.append(resize_photo(one, height, width, LANCZOS, step))
    return np.concatenate(row, axis=1)


def _floored(side: int) -> int:
    return side // STEP * STEP
