"""`config_overrides` of the old vehicle server: parts of its configuration file, as values of our system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ...vectrahub_client.service.problems import Problem, bad_value
from ...vectrahub_client.vehicle import PHASES

_NUMBER, _WHOLE, _TEXT, _SWITCH = "a number", "a whole number", "a text", "true or false"

_GENERATE = "phases.phase2"
# Where a value stands there -> its name here, and what it is.
VALUES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        f"{_GENERATE}.controlnet.depth_weight": ("depth", _NUMBER),
        f"{_GENERATE}.controlnet.canny_weight": ("canny", _NUMBER),
        f"{_GENERATE}.prompt_override": ("prompt", _TEXT),
        f"{_GENERATE}.sdxl.num_inference_steps": ("steps", _WHOLE),
        f"{_GENERATE}.iou_retry.allow_skip_on_failure": ("keep_best", _SWITCH),
    }
)
# phase1 is the first of PHASES and so on.
SWITCHES: Mapping[str, str] = MappingProxyType(
    {f"phases.phase{number}.enabled": name for number, name in enumerate(PHASES, 1)}
)


def overridden(document: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the system vehicle. Raises Problem 422 for what is not known, and lists what is."""
    given = dict(_leaves(document))
    known = (*SWITCHES, *VALUES)
    if unknown := sorted(set(given) - set(known)):
        shown = ", ".join(name[:200] for name in unknown[:10])
        raise Problem(
            422,
            "bad-value",
            "A value cannot be used",
            f"config_overrides has unknown members: {shown}; known are {', '.join(known)}",
            unknown=[name[:200] for name in unknown[:50]],
            known=list(known),
        )
    params: dict[str, Any] = {}
    skipped = [name for place, name in SWITCHES.items() if not _checked(place, given.get(place, True), _SWITCH)]
    if skipped:
        params["skip"] = skipped
    for place, (name, kind) in VALUES.items():
        if given.get(place) is not None:
            params[name] = _checked(place, given[place], kind)
    return params


def _leaves(value: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of everything that is no object with members."""
    for name, inner in value.items():
        where = f"{place}.{name}" if place else name
        if isinstance(inner, Mapping):
            yield from _leaves(inner, where)
        else:
            yield where, inner


def _checked(place: str, value: object, kind: str) -> Any:
    right = {
        _SWITCH: isinstance(value, bool),
        _TEXT: isinstance(value, str),
        _WHOLE: isinstance(value, int) and not isinstance(value, bool),
        _NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
    }
    if not right[kind]:
        raise bad_value(f"config_overrides: {place} is {kind}; {str(value)[:80]!r} is not")
    return value
