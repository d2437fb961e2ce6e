"""What is to be done in each tile: its caption and, if the user wants it otherwise, its own prompt, denoise, seed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import BadInput
from .grid import TileGrid

VERSION = 1
MAX_SEED = 2**64 - 1  # the host's samplers take no larger one
MAX_BYTES = 4_000_000  # of edits: a thousand tiles with a page of text each
_CLEAR = "Press 'Clear edits' on the node, or empty the text of 'edits'."
_EXAMPLE = 'An edit looks like {"rows": 2, "columns": 3, "tiles": [{"row": 0, "column": 1, "denoise": 0.5}]}. '
_PLAN_FIELDS = frozenset({"version", "rows", "columns", "prompt", "negative", "tiles"})
_TILE_FIELDS = frozenset({"row", "column", "caption", "prompt", "denoise", "seed", "skip"})


@dataclass(frozen=True)
class TileWork:
    """One tile. caption: what a captioner saw. prompt: the user's own words instead, None = the caption.

    denoise (0..1) and seed (0..2^64 - 1): None = as all others. skip: the tile stays as it is.
    """

    caption: str = ""
    prompt: str | None = None
    denoise: float | None = None
    seed: int | None = None
    skip: bool = False

    @property
    def edited(self) -> bool:
        """Whether the tile has a prompt, a denoise or a seed of its own."""
        return (self.prompt, self.denoise, self.seed) != (None, None, None)


@dataclass(frozen=True)
class TilePlan:
    """The work of all tiles of `grid`, row by row; `prompt` and `negative` are for the whole picture."""

    grid: TileGrid
    prompt: str
    negative: str
    tiles: tuple[TileWork, ...]

    def changes(self, index: int, denoise: float) -> bool:
        """Whether tile `index` is refined: not skipped, and with a denoise above 0, its own or else this one."""
        work = self.tiles[index]
        return not work.skip and (denoise if work.denoise is None else work.denoise) > 0

    def text(self, index: int) -> str:
        """The positive prompt of tile `index`: the global one, then its own or else its caption, once each."""
        work = self.tiles[index]
        own = work.caption if work.prompt is None else work.prompt
        return ", ".join(filter(None, (part.strip(" ,\t\r\n") for part in (self.prompt, own))))


def make_plan(
    grid: TileGrid, prompt: str = "", negative: str = "", captions: Sequence[str] = (), edits: str = ""
) -> TilePlan:
    """A plan for `grid` from captions (none, or one per tile) and `edits`, the JSON of `plan_json`, sparse or whole.

    Tiles and fields that `edits` leaves out, or that are null there, keep their defaults. `prompt`, `negative` and
    `captions` win over the JSON's where they are not empty.
    Raises BadInput for edits of another grid, too few or too many captions, and JSON that is broken or says
    something else than `plan_json` does.
    """
    if captions and len(captions) != grid.count:
        raise BadInput(
            "Captions that do not fit the tiles",
            value=f"{len(captions)} captions",
            limit=f"{grid.count}, one for each of {grid.rows} x {grid.columns} tiles",
            remedy="Give the captioner the tiles of the same Tile Split as the grid.",
        )
    data = _read(edits)
    _check_shape(data, grid)
    works = _works(data.get("tiles"), grid)
    tiles = [works.get(index, TileWork()) for index in range(grid.count)]
    if captions:
        tiles = [replace(work, caption=caption) for work, caption in zip(tiles, captions, strict=True)]
    return TilePlan(
        grid,
        prompt or _text(data, "prompt") or "",
        negative or _text(data, "negative") or "",
        tuple(tiles),
    )


def plan_json(plan: TilePlan) -> str:
    """The plan as JSON: {"version": 1, "rows", "columns", "prompt", "negative", "tiles": [{"row", "column", ...}]}.

    One tile a line. As `edits` of the same grid it gives the same plan.
    """
    head: dict[str, object] = {
        "version": VERSION,
        "rows": plan.grid.rows,
        "columns": plan.grid.columns,
        "prompt": plan.prompt,
        "negative": plan.negative,
    }
    tiles = (
        json.dumps(dict(zip(("row", "column"), plan.grid.position(index), strict=True)) | vars(work))
        for index, work in enumerate(plan.tiles)
    )
    return f'{json.dumps(head)[:-1]}, "tiles": [\n' + ",\n".join(tiles) + "\n]}"


def _read(edits: str) -> Mapping[str, object]:
    if not edits.strip():
        return {}
    if len(edits) > MAX_BYTES:
        raise BadInput(
            "The edits are too long", value=f"{len(edits)} characters", limit=f"at most {MAX_BYTES}", remedy=_CLEAR
        )
    try:
        data = json.loads(edits, parse_constant=_no_constant)
    except RecursionError:
        raise BadInput("The edits are nested too deep", value="JSON", limit="a plan", remedy=_CLEAR) from None
    except ValueError as error:
        raise BadInput(
            "The edits are no JSON", value=str(error), limit="the text of plan_json", remedy=_EXAMPLE + _CLEAR
        ) from None
    if not isinstance(data, dict):
        raise BadInput("The edits are no plan", value=_kind(data), limit="an object", remedy=_EXAMPLE + _CLEAR)
    _check_fields(data, _PLAN_FIELDS, "the edits")
    if data.get("version") not in (None, VERSION):
        raise BadInput(
            "Version of the edits", value=repr(data["version"]), limit=VERSION, remedy="Update VectraHub, or " + _CLEAR
        )
    return data


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _check_shape(data: Mapping[str, object], grid: TileGrid) -> None:
    for axis in ("rows", "columns"):
        if data.get(axis) is not None and _whole(data[axis]) is None:
            raise BadInput(f"'{axis}' of the edits", value=_short(data[axis]), limit="a whole number", remedy=_CLEAR)
    rows = grid.rows if data.get("rows") is None else data["rows"]
    columns = grid.columns if data.get("columns") is None else data["columns"]
    if (rows, columns) != (grid.rows, grid.columns):
        raise BadInput(
            "The edits were made for another grid (rows x columns)",
            value=f"{_short(rows)} x {_short(columns)} tiles",
            limit=f"{grid.rows} x {grid.columns}, the grid of this run",
            remedy="Set the size and tile on Tile Split as they were, or start anew: " + _CLEAR,
        )


def _works(tiles: object, grid: TileGrid) -> dict[int, TileWork]:
    """Index of a tile in `grid` -> what the JSON says of it."""
    if tiles is None:
        return {}
    if not isinstance(tiles, list):
        raise BadInput("'tiles' of the edits", value=_kind(tiles), limit="a list", remedy=_EXAMPLE + _CLEAR)
    works: dict[int, TileWork] = {}
    for number, tile in enumerate(tiles):
        if not isinstance(tile, dict):
            raise BadInput(
                f"Entry {number} of the edits' tiles", value=_kind(tile), limit="an object", remedy=_EXAMPLE + _CLEAR
            )
        _check_fields(tile, _TILE_FIELDS, f"entry {number} of the edits' tiles")
        index = _index(tile, number, grid)
        if index in works:
            raise BadInput(
                "A tile is edited twice",
                value=f"{_place(tile)} in entry {number} again",
                limit="one entry per tile",
                remedy="Take one of them out of the text. " + _CLEAR,
            )
        works[index] = _work(tile)
    return works


def _index(tile: Mapping[str, object], number: int, grid: TileGrid) -> int:
    row, column = _whole(tile.get("row")), _whole(tile.get("column"))
    if row is None or column is None:
        raise BadInput(
            f"Place of entry {number} of the edits' tiles",
            value=_place(tile),
            limit="whole numbers from 0",
            remedy=_EXAMPLE + _CLEAR,
        )
    if not (0 <= row < grid.rows and 0 <= column < grid.columns):
        raise BadInput(
            "An edited tile lies outside the grid",
            value=_place(tile),
            limit=f"rows 0 to {grid.rows - 1}, columns 0 to {grid.columns - 1}",
            remedy="Take it out of the text. " + _CLEAR,
        )
    return row * grid.columns + column


def _work(tile: Mapping[str, object]) -> TileWork:
    denoise, seed, skip = tile.get("denoise"), tile.get("seed"), tile.get("skip")
    if denoise is not None and (
        isinstance(denoise, bool) or not isinstance(denoise, int | float) or not 0 <= denoise <= 1
    ):
        raise _bad(tile, "Denoise", denoise, "0 to 1, or null for the same as all")
    if seed is not None and ((whole := _whole(seed)) is None or not 0 <= whole <= MAX_SEED):
        raise _bad(tile, "Seed", seed, f"whole numbers from 0 to {MAX_SEED}, or null for the automatic one")
    if skip is not None and not isinstance(skip, bool):
        raise _bad(tile, "'skip'", skip, "true or false")
    return TileWork(
        caption=_text(tile, "caption") or "",
        prompt=_text(tile, "prompt"),
        denoise=None if denoise is None else float(denoise),
        seed=_whole(seed),
        skip=bool(skip),
    )


def _bad(tile: Mapping[str, object], what: str, value: object, limit: str) -> BadInput:
    return BadInput(
        f"{what} of the tile at {_place(tile)}",
        value=_short(value),
        limit=limit,
        remedy="Press 'Reset tile' on the node, or correct the text of 'edits'.",
    )


def _check_fields(data: Mapping[str, object], known: frozenset[str], where: str) -> None:
    unknown = sorted(data.keys() - known)
    if unknown:
        raise BadInput(
            f"Unknown field in {where}",
            value=_short(unknown[0]),
            limit=", ".join(sorted(known)),
            remedy="Correct the name or take it out. " + _CLEAR,
        )


def _text(data: Mapping[str, object], field: str) -> str | None:
    value = data.get(field)
    if value is None or isinstance(value, str):
        return value
    where = f" of the tile at {_place(data)}" if "row" in data else " of the edits"
    raise BadInput(f"'{field}'{where}", value=_short(value), limit="a text or null", remedy=_EXAMPLE + _CLEAR)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _place(tile: Mapping[str, object]) -> str:
    return f"row {_short(tile.get('row'))}, column {_short(tile.get('column'))}"


def _kind(value: object) -> str:
    names = {list: "a list", dict: "an object", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
