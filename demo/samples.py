"""The sample pictures: SVG sources of the pack's own, and the nine pictures that are made of them."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import resvg_py
from PIL import Image

SOURCES = Path(__file__).resolve().parent / "samples"
NAMES = ("logo", "illustration", "line_drawing")

SIDE = 512  # px of the PNG and the JPEG
SMALL = 170
QUALITY = 80  # of the JPEG


@dataclass(frozen=True)
class Sample:
    """A picture file to vectorize. kind: what the file is, in words. draft: traced at 3 megapixels."""

    name: str
    kind: str
    path: Path
    draft: bool

    @property
    def title(self) -> str:
        return self.path.name


def draw_samples(folder: Path, draft: bool) -> list[Sample]:
    """Draw the PNG, the JPEG and the small PNG of each source into `folder`.

    Only the large PNG takes the full 12 megapixels, and not even that with `draft`: all nine would
    double the time and show nothing else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples: list[Sample] = []
    for name in NAMES:
        source = (SOURCES / f"{name}.svg").read_bytes()
        large, small = draw(source, SIDE), draw(source, SMALL)
        files = [folder / f"{name}.png", folder / f"{name}.jpg", folder / f"{name}_small.png"]
        _plain(large).save(files[0])
        over(large).save(files[1], quality=QUALITY)
        _plain(small).save(files[2])
        kinds = (f"PNG {SIDE} px", f"JPEG q{QUALITY} {SIDE} px", f"PNG {SMALL} px")
        drafts = (draft, True, True)
        samples += [Sample(name, *rest) for rest in zip(kinds, files, drafts, strict=True)]
    return samples


def draw(svg: bytes, side: int) -> Image.Image:
    """A square drawing as an RGBA picture of `side` pixels, by resvg."""
    return Image.open(BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg.decode(), width=side, height=side)))).convert(
        "RGBA"
    )


def over(picture: Image.Image, ground: str = "#FFFFFF") -> Image.Image:
    """The picture (RGBA) on a ground colour, as RGB."""
    below = Image.new("RGBA", picture.size, ground)
    below.alpha_composite(picture)
    return below.convert("RGB")


def _plain(picture: Image.Image) -> Image.Image:
    """Without an alpha channel where nothing is transparent."""
    alpha = picture.getchannel("A").getextrema()
    return picture.convert("RGB") if alpha == (255, 255) else picture
