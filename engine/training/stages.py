"""A training in stages: each ends with a checkpoint, whose name says how many steps it has seen."""

import math
import re
from dataclasses import dataclass

from ..errors import BadInput

MAX_STEPS = 100_000
MOST_CHECKPOINTS = 50  # in one run: each keeps its weights twice in the host's cache and once in a file beside it
MARK = "_steps_"  # after the number, as the host's own SaveLoRA names its files and reads them again
SEED_PER_STEP = 1000  # the host draws the noise of step i of a stage from its seed + 1000 i
_SEEDS = 2**64


@dataclass(frozen=True)
class Stage:
    """The steps after `start` up to `end`."""

    start: int
    end: int

    @property
    def steps(self) -> int:
        return self.end - self.start


def stages(done: int, total: int, every: int) -> list[Stage]:
    """The stages from `done` to `total` steps, with an end at every multiple of `every`.

    Raises BadInput for numbers out of range, for more than `MOST_CHECKPOINTS` stages, and when nothing is left to do.
    """
    if not 1 <= total <= MAX_STEPS:
        raise BadInput("'steps'", value=total, limit=f"1 to {MAX_STEPS}", remedy="Ask for fewer or more steps.")
    if every < 1:
        raise BadInput("'checkpoint_every'", value=every, limit="1 or more", remedy="500 is usual.")
    if done >= total:
        raise BadInput(
            "'steps' counts those that the file to continue has seen",
            value=total,
            limit=f"more than its {done}",
            remedy="Raise 'steps', or set 'continue_from' to new.",
        )
    count = (total - 1) // every - done // every + 1
    if count > MOST_CHECKPOINTS:
        raise BadInput(
            f"'checkpoint_every' {every} makes too many checkpoints",
            value=count,
            limit=f"at most {MOST_CHECKPOINTS} in a run",
            remedy=f"Set it to {math.ceil((total - done) / (MOST_CHECKPOINTS - 1))} or more.",
        )
    ends = [*range((done // every + 1) * every, total, every), total]
    return [Stage(start, end) for start, end in zip([done, *ends], ends, strict=False)]


def stage_seed(seed: int, start: int, accumulate: int) -> int:
    """The seed of a stage: its noise goes on where that of the stage before it ended."""
    return (seed + SEED_PER_STEP * start * accumulate) % _SEEDS


def steps_of(file: str) -> int:
    """The steps that a checkpoint has seen: the last number before a `MARK` in its name. Raises BadInput for none."""
    found = re.findall(rf"(?:^|[_/\\])(\d+)(?={MARK})", file)
    if not found:
        raise BadInput(
            "A file to continue says in its name how many steps it has seen",
            value=repr(file),
            limit=f"a name such as style_500{MARK}00001_.safetensors",
            remedy="Choose a checkpoint, or rename the file.",
        )
    return int(found[-1])


def check_name(name: str) -> None:
    """Raises BadInput for a name in which the host would read a number of steps."""
    if MARK in f"{name}_":
        raise BadInput(
            "'name'",
            value=repr(name),
            limit=f"no '{MARK}' in it, and no '{MARK[:-1]}' at its end",
            remedy="The number of steps is put after it.",
        )
