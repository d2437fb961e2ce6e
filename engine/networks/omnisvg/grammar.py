"""Which tokens keep a stream a valid drawing: a small automaton, in tensors, so that it runs on the GPU.

A stream is paths; a path is one or more subpaths `M p p (L p | C p p p | A p rot flag flag p)+ [Z p]`
and one colour, which ends it; an end comes only between paths. Before all of them one of the two ends may
come as the beginning: the network was trained on prompt, BOS, drawing, EOS, and official inference leaves
BOS to it. `Z` returns to the point where its subpath began. Near the end of the budget only what can still
be completed may begin, so that no stream is cut off. "Rows" are places in the head's rows of drawing: ids
first..stop - 1, then the two ends.
"""

from dataclasses import dataclass

import torch

from .vocabulary import COMMANDS, ENDS, Vocabulary

# Classes of tokens: the five commands, then
_POINT, _FLAG, _SCALAR, _COLOR, _END, _OTHER = range(len(COMMANDS), len(COMMANDS) + 6)
_CLASSES = _OTHER + 1

# States by name: what the next token is about. "begin": nothing yet; "first": no path yet; "between": after a path;
# "open": a subpath without a segment; "drawn": with one; "closed": after its Z; the others wait for an argument.
_ARGUMENTS = {
    "M": ("M1", "M2"),
    "L": ("L1",),
    "C": ("C1", "C2", "C3"),
    "A": ("radii", "rotation", "large", "sweep", "A1"),
    "Z": ("Z1",),
}
_STATES = (
    "begin",
    "first",
    "between",
    "open",
    "drawn",
    "closed",
    *(s for states in _ARGUMENTS.values() for s in states),
    "end",
)
_BEGINS = {"begin": "M", "first": "M", "between": "M", "open": "LCA", "drawn": "MLCAZ", "closed": "M"}
_NOT_POINTS = {"rotation": (_FLAG, _SCALAR), "large": (_FLAG,), "sweep": (_FLAG,)}
_AFTER = {"M": "open", "L": "drawn", "C": "drawn", "A": "drawn", "Z": "closed"}

_M2, _Z1, _DONE = (_STATES.index(name) for name in ("M2", "Z1", "end"))


def _transitions() -> dict[str, dict[int, str]]:
    """State -> class of the next token -> state after it. `Z1` is left out: its only point is found at run time."""
    table: dict[str, dict[int, str]] = {state: {} for state in _STATES}
    for state, letters in _BEGINS.items():
        table[state] |= {COMMANDS.index(letter): _ARGUMENTS[letter][0] for letter in letters}
    for letter, states in _ARGUMENTS.items():
        for state, after in zip(states, (*states[1:], _AFTER[letter]), strict=True):
            table[state] |= dict.fromkeys(_NOT_POINTS.get(state, (_POINT,)), after)
    table["drawn"][_COLOR] = table["closed"][_COLOR] = "between"
    table["between"][_END] = table["end"][_END] = "end"
    table["begin"][_END] = "first"
    return table


def _shortest_ways(table: dict[str, dict[int, str]]) -> dict[str, int]:
    """State -> the fewest tokens until the drawing is complete."""
    ways = dict.fromkeys(_STATES, len(_STATES)) | {"between": 0, "end": 0}
    for _ in _STATES:
        for state, exits in table.items():
            ways[state] = min(ways[state], *(ways[after] + 1 for after in exits.values()))
    return ways


@dataclass(frozen=True)
class Grammar:
    """The automaton's tables on one device.

    ids: (rows,) the token of each row. Other fields are private.
    """

    ids: torch.Tensor
    _class_of_row: torch.Tensor  # (rows,)
    _bars: torch.Tensor  # (states, tokens left, rows), 0 or -inf: 25 MB, so that a step copies whole rows
    _following: torch.Tensor  # (states, classes)

    @classmethod
    def of(cls, vocabulary: Vocabulary, device: torch.device) -> "Grammar":
        """The grammar of one size's ids."""
        ids = [*range(vocabulary.first, vocabulary.stop), *ENDS]
        table = _transitions()
        ways = _shortest_ways(table)
        most = max(ways.values()) + 2
        bars = torch.full((len(_STATES), most, _CLASSES), -torch.inf)
        following = torch.zeros(len(_STATES), _CLASSES, dtype=torch.int64)
        for index, state in enumerate(_STATES):
            for kind, after in table[state].items():
                following[index, kind] = _STATES.index(after)
                if state != "Z1":
                    bars[index, ways[after] + 1 :, kind] = 0
        classes = torch.tensor([_class(vocabulary, token) for token in ids])
        return cls(torch.tensor(ids, device=device), *(t.to(device) for t in (classes, bars[..., classes], following)))

    def begin(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """State and start row (count,) of drawings that are still empty."""
        device = self.ids.device
        return tuple(torch.zeros(count, dtype=torch.int64, device=device) for _ in range(2))  # pyright: ignore[reportReturnType]

    def bars(self, state: torch.Tensor, start: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
        """(K, rows) float32, 0 for what may come next and -inf for the rest, to be added to logits.

        `left` (1,): how many tokens, >= 1, may still come, this one too. Not 0-d: indexing would wait for the device.
        """
        bars = self._bars[state, left.clamp(max=self._bars.shape[1] - 1)]
        begun = start[:, None]
        free = torch.where((state == _Z1)[:, None], torch.zeros_like(begun, dtype=bars.dtype), bars.gather(1, begun))
        return bars.scatter_(1, begun, free)

    def advance(self, state: torch.Tensor, start: torch.Tensor, row: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """State and start row after `row` (K,) was said."""
        return self._following[state, self._class_of_row[row]], torch.where(state == _M2, row, start)

    def ended(self, state: torch.Tensor) -> torch.Tensor:
        """(K,) bool: which drawings have said their end."""
        return state == _DONE


def _class(vocabulary: Vocabulary, token: int) -> int:
    kind, value = vocabulary.read(token)
    if kind == "command":
        return value
    if kind == "scalar":
        return _FLAG if value < 2 else _SCALAR
    return {"point": _POINT, "color": _COLOR, "end": _END}.get(kind, _OTHER)
