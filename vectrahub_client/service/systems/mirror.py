"""Pydantic models of the client's request dataclasses: names, types and defaults are theirs, ranges are added.

What a schema cannot say (values that exclude one another, the files of a server) stays with the dataclasses.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Strict, create_model
from pydantic import Field as Rule

from ..._values import LARGEST_SEED

T = TypeVar("T")

# "1" is no number and 1 is not true, as the JSON schema says it.
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

SEED = Rule(ge=0, le=LARGEST_SEED, description="Of the sampler's noise; the same seed gives the same result.")
STEPS = Rule(ge=1, le=200, description="Steps of the sampler.")


def mirrored(name: str, request: type, rules: Mapping[str, Any], /, **more: tuple[Any, Any]) -> type[BaseModel]:
    """The model `name` with the fields of the dataclass `request`, and `more` as (type, default).

    `rules`: for each field a pydantic Field with its range and description, or (type, Field) for a narrower type.
    Raises ValueError, at import, where a field lacks its rule or a rule its field.
    """
    hints = get_type_hints(request)
    made = {}
    for field in fields(request):
        rule = rules.get(field.name)
        if rule is None:
            raise ValueError(f"{request.__name__}.{field.name} has no rule")
        narrower, rule = rule if isinstance(rule, tuple) else (hints[field.name], rule)
        made[field.name] = (Annotated[from_json(narrower), rule], _default(field))
    if unknown := set(rules) - set(made):
        raise ValueError(f"{request.__name__} lacks {', '.join(sorted(unknown))}")
    extra = {key: (from_json(hint), rule) for key, (hint, rule) in more.items()}
    return create_model(name, __config__=STRICT, **extra, **made)


def request_of(request: type[T], params: BaseModel) -> T:
    """The dataclass with the values of its model. Raises UsageError."""
    return request(**{field.name: getattr(params, field.name) for field in fields(request)})  # type: ignore[arg-type]


def one_of(choices: Iterable[str]) -> Any:
    """The type of one of these words."""
    return Literal[tuple(choices)]  # type: ignore[valid-type]


def from_json(hint: Any) -> Any:
    """The type with its tuples taken from JSON's arrays, which strict models refuse."""
    inner = tuple(from_json(one) for one in get_args(hint))
    if get_origin(hint) is tuple:
        return Annotated[tuple[inner], Strict(False)]
    if get_origin(hint) in (Union, types.UnionType):
        return Union[inner]  # noqa: UP007, of a computed tuple
    return hint


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return ... if field.default is MISSING else field.default
