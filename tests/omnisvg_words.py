"""Token streams written as text: 'M 0 0 20 20 L 60 20 Z 20 20 #e01', for tests that want to be read."""

from vectrahub.engine.networks.omnisvg.drawing import ARGUMENTS
from vectrahub.engine.networks.omnisvg.picture import Placement, to_the_edge, unsquare
from vectrahub.engine.networks.omnisvg.vocabulary import Vocabulary
from vectrahub.engine.svg.document import Drawing, write_svg

ART = """
    M 0 0 0 0 L 199 0 L 199 199 L 0 199 Z 0 0 #ffe
    M 0 0 40 100 A 60 60 0 0 1 160 100 A 60 60 0 0 1 40 100 Z 40 100
    M 0 0 70 100 A 30 30 0 0 0 130 100 A 30 30 0 0 0 70 100 Z 70 100 #e01
    M 0 0 20 180 C 40 120 60 120 80 180 Z 20 180 #249
    M 0 0 120 180 A 40 10 30 1 1 180 170 Z 120 180 #383
    M 0 0 20 20 A 5 3 45 0 1 60 40 Z 20 20 #f80
    M 0 0 150 20 L 190 20 L 190 60 L 150 60 Z 150 20 #428"""


def tokens(text: str, vocabulary: Vocabulary) -> list[int]:
    """The ids; colours are '#rgb', 'none' and 'current'; of a command cut short, what is there."""
    found: list[int] = []
    words = text.split()
    while words:
        word = words.pop(0)
        if word in ("none", "current"):
            found.append(vocabulary.no_color if word == "none" else vocabulary.current_color)
        elif word.startswith("#"):
            found.append(vocabulary.color(*(int(digit, 16) for digit in word[1:])))
        else:
            found.append(vocabulary.command(word))
            for kind in ARGUMENTS[word]:
                if not words or not words[0].isdigit():
                    break
                numbers = [int(words.pop(0)) for _ in range(2 if kind == "point" else 1)]
                found.append(vocabulary.point(*numbers) if kind == "point" else vocabulary.scalar(*numbers))
    return found


def to_svg(drawing: Drawing, placement: Placement | None = None, ground: str | None = None) -> bytes:
    """The file: in the coordinates of the picture it stands for, or on its own canvas where there was none."""
    if placement is None:
        return write_svg(to_the_edge(drawing))
    return write_svg(unsquare(drawing, placement.width, placement.height, ground))
