"""Where the tiles of a picture lie."""

from dataclasses import dataclass, replace

from ...errors import BadInput

SMALLEST_TILE = 64  # px: 8 x 8 latents, the least that diffusion networks fold down without running out of pixels
LATENT = 8  # px per latent of SD, SDXL and Flux: other sides would be cropped by the VAE


@dataclass(frozen=True)
class TileGrid:
    """Square tiles of full size over a picture, row by row; all lengths in px, always y before x.

    The last row and column are moved inward so that they end with the picture: they overlap their neighbours by
    more than `overlap`. A picture smaller than a tile is continued by reflection; the offsets `ys` and `xs`
    (ascending, from 0) lie in that padded picture of (height + bottom, width + right).
    """

    height: int
    width: int
    tile: int
    overlap: int
    ys: tuple[int, ...]
    xs: tuple[int, ...]
    padding: tuple[int, int]  # bottom, right

    @property
    def rows(self) -> int:
        return len(self.ys)

    @property
    def columns(self) -> int:
        return len(self.xs)

    @property
    def count(self) -> int:
        return len(self.ys) * len(self.xs)

    @property
    def stride(self) -> int:
        return self.tile - self.overlap

    def position(self, index: int) -> tuple[int, int]:
        """Row and column of tile `index`. Raises IndexError outside 0..count - 1."""
        if not 0 <= index < self.count:
            raise IndexError(f"tile {index} of {self.count}")
        return divmod(index, self.columns)

    def box(self, index: int) -> tuple[int, int, int, int]:
        """Top, left, bottom and right (both beyond the last px) of tile `index` in the padded picture."""
        row, column = self.position(index)
        top, left = self.ys[row], self.xs[column]
        return top, left, top + self.tile, left + self.tile

    def shifted(self) -> "TileGrid":
        """The grid moved by half a stride: every seam of this one lies inside a tile of that one.

        It has one row (column) more, the first and last less than half a stride from the next. An axis with one
        tile stays.
        """
        return replace(self, ys=self._moved(self.ys), xs=self._moved(self.xs))

    def _moved(self, offsets: tuple[int, ...]) -> tuple[int, ...]:
        if len(offsets) == 1:
            return offsets
        wanted = (step * self.stride - self.stride // 2 for step in range(len(offsets) + 1))
        return tuple(sorted({min(max(offset, 0), offsets[-1]) for offset in wanted}))


def tile_grid(height: int, width: int, tile: int = 1024, overlap: int = 128) -> TileGrid:
    """The grid of a picture: ceil((side - overlap) / (tile - overlap)) tiles along each side, at least one.

    Raises BadInput for a tile that is below 64 or no multiple of 8, an overlap outside 0..tile - 1, or a picture
    without pixels.
    """
    if height < 1 or width < 1:
        raise BadInput(
            "The image has no pixels", value=f"{width} x {height}", limit="1 x 1 or more", remedy="Give an image."
        )
    if tile < SMALLEST_TILE or tile % LATENT:
        near = max(SMALLEST_TILE, round(tile / LATENT) * LATENT)
        raise BadInput(
            "Tile size",
            value=f"{tile} px",
            limit=f"multiples of {LATENT} from {SMALLEST_TILE}",
            remedy=f"Set tile to {near}; 1024 suits SDXL and Flux.",
        )
    if not 0 <= overlap < tile:
        raise BadInput(
            "Overlap of the tiles",
            value=f"{overlap} px",
            limit=f"0 to {tile - 1} (less than the tile)",
            remedy=f"Set overlap to {tile // 8}, an eighth of the tile.",
        )
    return TileGrid(
        height,
        width,
        tile,
        overlap,
        offsets(height, tile, overlap),
        offsets(width, tile, overlap),
        (max(tile - height, 0), max(tile - width, 0)),
    )


def offsets(side: int, tile: int, overlap: int) -> tuple[int, ...]:
    """Where the tiles along one side begin, for any tile above `overlap`."""
    stride = tile - overlap
    count = max(-(-(side - overlap) // stride), 1)
    return tuple(min(step * stride, max(side - tile, 0)) for step in range(count))
