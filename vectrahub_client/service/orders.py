"""A request for a job, checked: its values, its files, where its results go, and what it is told apart by."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, get_args

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .bodies import MAX_NAME, Body, Stored
from .body_gate import byte_limit
from .inline_files import decode, is_address
from .pictures import examine
from .problems import Problem, bad_request, bad_value, too_large
from .records import DeliveryOrder, Order
from .settings import Limits
from .systems.system import System

CALLBACK = "callback"  # kind of delivery
MAX_METADATA = 16 * 1024  # bytes of JSON
MAX_PARAMS = 1 << 20  # bytes of JSON: they stay in memory and in the ledger
MAX_GRAPH = 4 << 20  # the same where they hold a graph
KEY_HEADER = "Idempotency-Key"

_KEY = re.compile(r"[\x20-\x7e]{1,200}")
_SHOWN_ERRORS = 20
_SHOWN_VALUE = 80

# pydantic calls some things as Python does.
_IN_JSON = {
    name: f"Input should be {what}"
    for name, what in (("tuple_type", "a list"), ("dict_type", "an object"), ("model_type", "an object"))
}


class OrderBody(BaseModel):
    """What is asked for. The files of a form may stand in parts of their own instead of in `files`."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    params: dict[str, Any] = Field(default={}, description="The system's values.")
    files: dict[str, str] = Field(default={}, description="Name -> base64, data URI, or https address.")
    callback_url: str | None = Field(
        default=None, max_length=2000, description="Address that is told when the job is over, signed."
    )
    timeout_s: float | None = Field(default=None, gt=0, description="Seconds that the job may run.")
    metadata: dict[str, Any] = Field(default={}, description="Given back with the job; at most 16 KB.")


class Fetch(Protocol):
    """Of the service's fetcher: write what is at an address to a file. Raises Problem."""

    def __call__(self, url: str, target: Path, limit_bytes: int, /) -> Awaitable[object]: ...


@dataclass(frozen=True)
class Draft:
    """An order whose files from addresses are still to be fetched; `order.files` are the others."""

    order: Order
    addresses: Mapping[str, str]


async def read_draft(body: Body, key: str | None, system: System, limits: Limits, folder: Path) -> Draft:
    """Check everything that can be checked without asking anybody. Inline files are decoded into `folder`.

    Raises Problem 422, which lists every place, value and limit that is wrong; 413 for a file, or params, too large.
    """
    wanted, params = await asyncio.to_thread(_values, body.document, system, limits)
    _check_files(wanted.files, body.files, system)
    addresses = {name: text.strip() for name, text in wanted.files.items() if is_address(text)}
    files = dict(body.files)
    for number, (name, text) in enumerate(wanted.files.items()):
        if name not in addresses:
            target = folder / f"inline-{number}"
            files[name] = await asyncio.to_thread(decode, text, target, name, byte_limit(limits))
    order = Order(
        system=system.name,
        params=params,
        files={name: file.path for name, file in files.items()},
        timeout_s=wanted.timeout_s,
        deliveries=(DeliveryOrder(CALLBACK, {"url": wanted.callback_url}),) if wanted.callback_url else (),
        idempotency_key=key,
        metadata=wanted.metadata,
    )
    fingerprint = await asyncio.to_thread(_fingerprint, order, wanted.callback_url, files, addresses)
    return Draft(replace(order, fingerprint=fingerprint), addresses)


async def fetch_files(draft: Draft, fetch: Fetch, limits: Limits, folder: Path) -> Order:
    """Fetch what comes from addresses into `folder`. Raises Problem 422."""
    files = dict(draft.order.files)
    for number, (name, url) in enumerate(draft.addresses.items()):
        target = folder / f"fetched-{number}"
        try:
            await fetch(url, target, byte_limit(limits))
        except Problem as problem:
            problem.extra.setdefault("place", f"files.{name}")
            raise
        files[name] = target
    return replace(draft.order, files=files)


async def examine_files(order: Order, system: System, limits: Limits) -> Order:
    """Make sure that every file is a whole picture within the limits, and give it the suffix that fits its content.

    An SVG is taken where the caller's own workflow says what is done with it. Raises Problem 422, 413.
    """
    files = {}
    for name, path in order.files.items():
        picture = await asyncio.to_thread(examine, path, name, limits.pixels_mp, svg=system.own_graph)
        files[name] = await asyncio.to_thread(path.rename, path.with_suffix(picture.kind.suffix))
    return replace(order, files=files)


def idempotency_key(request: web.Request) -> str | None:
    """The request's key, if it has one. Raises Problem 400."""
    given = request.headers.getall(KEY_HEADER, [])
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise bad_request(f"{KEY_HEADER} is one header of 1 to 200 printable ASCII characters")
    return given[0]


def _fingerprint(order: Order, callback: str | None, files: Mapping[str, Stored], addresses: Mapping[str, str]) -> str:
    """SHA-256 of what was asked for. A file counts by its content, one from an address by the address."""
    asked = {
        "system": order.system,
        "params": order.params,
        "files": {name: file.digest for name, file in files.items()},
        "addresses": dict(addresses),
        "timeout_s": order.timeout_s,
        "callback_url": callback,
        "metadata": order.metadata,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def params_limit(system: System) -> int:
    """The most bytes that the JSON of its params may have."""
    return MAX_GRAPH if system.own_graph else MAX_PARAMS


def _values(document: object, system: System, limits: Limits) -> tuple[OrderBody, dict[str, Any]]:
    """The body, and its params with their defaults. Blocks: a tenth of a second for the largest."""
    wanted = _validated(OrderBody, document, "")
    _check_params(wanted, system)
    params = _validated(system.params, wanted.params, "params")
    _check(wanted, limits)
    return wanted, params.model_dump(mode="json")


def _validated(model: type[BaseModel], value: object, place: str) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise refused_values(error, place, model) from None


def refused_values(error: ValidationError, place: str = "", model: type[BaseModel] | None = None) -> Problem:
    """422 with every place that is wrong: detail for people, `errors` for programs.

    With the `model` that refused them, members that are not known are told those that are.
    """
    errors = [_explained(one, place, model) for one in error.errors(include_url=False)[:_SHOWN_ERRORS]]
    texts = []
    for one in errors:
        shown = f" (it is {one['value']})" if "value" in one else ""
        texts.append(f"{one['place'] or 'the body'}: {one['problem']}{shown}")
    more = error.error_count() - len(errors)
    return bad_value("; ".join(texts) + (f"; and {more} more" if more > 0 else ""), errors=errors)


def _explained(error: Mapping[str, Any], place: str, model: type[BaseModel] | None) -> dict[str, Any]:
    where = ".".join(str(part)[:_SHOWN_VALUE] for part in ((place,) if place else ()) + error["loc"])
    explained = {"place": where, "problem": _IN_JSON.get(error["type"], error["msg"])}
    if error["type"] == "extra_forbidden":
        known = ", ".join(_members(model, error["loc"][:-1]))
        explained["problem"] = f"there is no such member; there are {known}" if known else "there is no such member"
    if error["type"] != "missing" and isinstance(error["input"], str | int | float | None):
        explained["value"] = repr(error["input"])[:_SHOWN_VALUE]
    limits = {name: value for name, value in error.get("ctx", {}).items() if isinstance(value, str | int | float)}
    if limits:
        explained["limit"] = limits
    return explained


def _members(model: type[BaseModel] | None, place: Iterable[int | str]) -> list[str]:
    """Names that an object at this place of the model may have; none where that cannot be told."""
    for part in place:
        if isinstance(part, str) and model is not None:
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            model = _model_in(fields[part].annotation) if part in fields else None
    return [] if model is None else [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if inner := get_args(annotation):
        return next((model for one in inner if (model := _model_in(one)) is not None), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _check_params(wanted: OrderBody, system: System) -> None:
    size, most = len(json.dumps(wanted.params)), params_limit(system)
    if size > most:
        raise too_large(f"params has {size} bytes of JSON, above the limit of {most} of {system.name}")


def _check(wanted: OrderBody, limits: Limits) -> None:
    if wanted.timeout_s is not None and wanted.timeout_s > limits.timeout_s:
        raise _wrong("timeout_s", f"{wanted.timeout_s:g} is above the limit of {limits.timeout_s:g} s")
    size = len(json.dumps(wanted.metadata))
    if size > MAX_METADATA:
        raise _wrong("metadata", f"it has {size} bytes, above the limit of {MAX_METADATA}")


def _check_files(inline: Mapping[str, str], parts: Mapping[str, Stored], system: System) -> None:
    given = {*inline, *parts}
    if both := set(inline) & set(parts):
        raise _wrong(f"files.{_first(both)}", "it came as a part of the form and inside the request")
    for name in given:
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise _wrong("files", f"a name has 1 to {MAX_NAME} printable characters; {name[:_SHOWN_VALUE]!r} has not")
    if not system.any_files and (unknown := given - set(system.files)):
        taken = ", ".join(system.files) or "no files"
        raise _wrong(f"files.{_first(unknown)}", f"{system.name} does not take it; it takes {taken}")
    if missing := {name for name, required in system.files.items() if required} - given:
        raise _wrong(
            f"files.{_first(missing)}", f"{system.name} needs it, as base64, data URI, address or part of a form"
        )


def _first(names: Iterable[str]) -> str:
    return min(names)[:_SHOWN_VALUE]


def _wrong(place: str, problem: str) -> Problem:
    return bad_value(f"{place}: {problem}", errors=[{"place": place, "problem": problem}])
