"""A drawing of a picture, or of a text: several are written, the best one is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part, silent
from ...svg.document import Drawing, write_svg
from .drawing import decode
from .generate import Written, generate
from .network import OmniSVG
from .picture import square, to_the_edge, unsquare
from .prompts import Prompt, image_prompt, text_prompt
from .ranking import BRIGHTEST, Ranking, rank, rank_without_picture
from .recolor import recolored_if_better
from .settings import SETTINGS, Sampling

Style = Literal["icon", "illustration"]
Show = Callable[[bytes], None]

_WRITTEN, _RANKED = 0.9, 0.96  # shares of the bar


@dataclass(frozen=True)
class Artist:
    """The network, on the device where it shall run, and its folder with the tokenizer."""

    network: OmniSVG
    folder: Path


@dataclass(frozen=True)
class Wish:
    """candidates: how many drawings to choose from. max_tokens: of each, 64..2048. seed: >= 0. refine_colors: give
    the winner the picture's own colours. ground_to_white: show the network a plain ground as white."""

    candidates: int = 4
    max_tokens: int = 1536
    seed: int = 0
    refine_colors: bool = True
    ground_to_white: bool = False


@dataclass(frozen=True)
class Drawn:
    """svg: the chosen drawing. ranking: of all. written: all of them. recolored: how many fills took the picture's
    colours."""

    svg: bytes
    ranking: Ranking
    written: Sequence[Written]
    recolored: int = 0

    def figures(self) -> dict[str, object]:
        """For a report: the choice, and every candidate's likeness and length."""
        pairs = zip(self.ranking.scores, self.written, strict=True)
        candidates = [{**score.figures(), "tokens": len(w.tokens), "finished": w.finished} for score, w in pairs]
        return {"best": self.ranking.best, "candidates": candidates, "recolored": self.recolored}


def draw_picture(
    artist: Artist,
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None,
    wish: Wish,
    progress: Progress = silent,
    show: Show | None = None,
) -> Drawn:
    """The candidate most like the picture (H, W, 3), alpha (H, W), in its coordinates: viewBox 0 0 W H.

    show: gets the drawing so far as a file, twice a second. Raises BadInput for a wish out of range.
    """
    seen = square(rgb, alpha, wish.ground_to_white)

    def placed(drawing: Drawing) -> Drawing:
        return unsquare(drawing, seen.placement.width, seen.placement.height, seen.whitened)

    prompt, share = image_prompt(artist.folder, seen.pixels), part(progress, 0, _WRITTEN)
    drawings, written = _written(artist, prompt, SETTINGS["image"], wish, placed, share, show)
    ranking = rank([write_svg(drawing) for drawing in drawings], rgb, alpha, part(progress, _WRITTEN, _RANKED))
    best = drawings[ranking.best]
    if not wish.refine_colors:
        return Drawn(write_svg(best), ranking, written)
    refined = recolored_if_better(best, rgb, alpha, part(progress, _RANKED, 1))
    return Drawn(write_svg(refined.drawing), ranking, written, refined.changed)


def draw_text(
    artist: Artist, text: str, style: Style, wish: Wish, progress: Progress = silent, show: Show | None = None
) -> Drawn:
    """What `text` says, 200 x 200: the soundest candidate, see `rank_without_picture`."""
    prompt, share = text_prompt(artist.folder, text), part(progress, 0, _WRITTEN)
    drawings, written = _written(artist, prompt, SETTINGS[style], wish, to_the_edge, share, show)
    files, finished = [write_svg(drawing) for drawing in drawings], [one.finished for one in written]
    ranking = rank_without_picture(files, finished, BRIGHTEST[style], part(progress, _WRITTEN, 1))
    return Drawn(files[ranking.best], ranking, written)


def _written(
    artist: Artist,
    prompt: Prompt,
    sampling: Sampling,
    wish: Wish,
    placed: Callable[[Drawing], Drawing],
    progress: Progress,
    show: Show | None,
) -> tuple[list[Drawing], Sequence[Written]]:
    """All candidates, as drawings and as they were written."""
    vocabulary = artist.network.vocabulary

    def drawing(tokens: list[int]) -> Drawing:
        return placed(decode(tokens, vocabulary))

    written = generate(
        artist.network,
        prompt,
        sampling,
        candidates=wish.candidates,
        max_tokens=wish.max_tokens,
        seed=wish.seed,
        progress=progress,
        show=show and (lambda tokens: show(write_svg(drawing(tokens)))),
    )
    return [drawing(one.tokens) for one in written], written
