"""Text from a command line as the value of a node's input, by the input's own schema."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import UsageError, WorkflowError

LARGEST_SEED = 2**64 - 1  # of ComfyUI's samplers
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_SHOWN = 20


def input_schemas(node_schema: Mapping[str, Any]) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """Every input of a node of /object_info as {name: (type, options)}."""
    found: dict[str, tuple[Any, Mapping[str, Any]]] = {}
    for part in ("required", "optional"):
        for name, spec in (node_schema.get("input", {}).get(part) or {}).items():
            options = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
            found[name] = (spec[0], options)
    return found


def combo_options(kind: Any, options: Mapping[str, Any]) -> Sequence[Any] | None:
    """The choices of a combo input, old style or new; None where the input is not a combo."""
    if isinstance(kind, (list, tuple)):
        return kind
    return options.get("options", ()) if kind == "COMBO" else None


def is_upload(options: Mapping[str, Any]) -> bool:
    """Whether the input takes an uploaded file (LoadImage's `image_upload` and its relatives)."""
    return any(bool(value) for name, value in options.items() if name.endswith("_upload"))


def check_seed(seed: int | None) -> None:
    """Raise UsageError for a seed that no sampler takes; None is the workflow's own."""
    if seed is not None and not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"seed is 0 to {LARGEST_SEED}; {seed} is outside")


def parse_value(text: str, kind: Any, options: Mapping[str, Any], where: str) -> object:
    """`text` as an int, float, bool, str or combo choice. Raises WorkflowError, which begins with `where`."""
    choices = combo_options(kind, options)
    if choices is not None:
        return _choice(text, choices, options, where)
    parsers = {"INT": _integer, "FLOAT": _number, "BOOLEAN": _boolean}
    if kind in parsers:
        return _in_range(parsers[kind](text, where), options, where)
    if kind == "STRING":
        return text
    raise WorkflowError(f"{where} is a {kind} socket: it takes a link to another node, not a value")


def name_and_strength(text: str, strength: float) -> tuple[str, float]:
    """NAME:STRENGTH as its two parts; without a number behind the last colon all is the name, at `strength`."""
    name, _, number = text.rpartition(":")
    try:
        return (name, float(number)) if name else (text, strength)
    except ValueError:
        return text, strength


def _integer(text: str, where: str) -> int:
    try:
        return int(text.strip(), 10)
    except ValueError:
        raise WorkflowError(f"{where} is a whole number; {text!r} is not") from None


def _number(text: str, where: str) -> float:
    try:
        value = float(text.strip())
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise WorkflowError(f"{where} is a number; {text!r} is not")
    return value


def _boolean(text: str, where: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise WorkflowError(f"{where} is true or false; {text!r} is neither")


def _in_range(value: Any, options: Mapping[str, Any], where: str) -> object:
    low, high = options.get("min"), options.get("max")
    if (low is not None and value < low) or (high is not None and value > high):
        raise WorkflowError(f"{where} is {low} to {high}; {value} is outside")
    return value


def _choice(text: str, choices: Sequence[Any], options: Mapping[str, Any], where: str) -> object:
    for choice in choices:
        if str(choice) == text:
            return choice
    if is_upload(options):
        return text  # a file in a subfolder is not listed; the server checks it
    names = [str(choice) for choice in choices]
    near = difflib.get_close_matches(text, names, n=3)
    hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"one of: {', '.join(names[:_SHOWN]) or '(none)'}"
    more = "" if near or len(names) <= _SHOWN else f" and {len(names) - _SHOWN} more"
    raise WorkflowError(f"{where} has no choice {text!r}; {hint}{more}")
