"""Uploads as the toolbox server takes them: numbered chunks of a file whose size nobody says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from vectrahub.routes.models.chunks import Chunk, take_chunk
from vectrahub.routes.models.store import Model
from vectrahub.routes.models.uploads import Uploads
from vectrahub.tests.routes.model_files import ModelPlace, model_bytes
from vectrahub.vectrahub_client.service.problems import Problem

DATA = model_bytes()


@pytest.fixture
def place(tmp_path: Path) -> ModelPlace:
    return ModelPlace(tmp_path)


def chunks(*numbers: int, total: int = 3, data: bytes = DATA) -> list[Chunk]:
    step = -(-len(data) // total)
    pieces = [data[one * step : (one + 1) * step] for one in range(total)]
    return [Chunk("x.safetensors", "lora", "sdxl", one, total, pieces[one]) for one in numbers]


async def sent(take: Callable[[], Uploads], *given: Chunk) -> list[Model | None]:
    uploads = take()
    return [await take_chunk(uploads, chunk) for chunk in given]


@pytest.mark.parametrize("numbers", [(0, 1, 2), (0, 0, 1, 1, 1, 2), (0, 1, 0, 1, 2)])
def test_chunks_in_order_and_some_again_make_the_model(place: ModelPlace, numbers: tuple[int, ...]) -> None:
    *first, last = asyncio.run(sent(place.uploads, *chunks(*numbers)))
    assert not any(first)
    assert last is not None
    assert (last.type, last.path) == ("loras", "sdxl/x.safetensors")
    assert place.lora.read_bytes() == DATA
    assert place.left() == ["x.safetensors"]


def test_chunks_go_on_after_a_restart(place: ModelPlace) -> None:
    asyncio.run(sent(place.uploads, *chunks(0, 1)))
    (model,) = asyncio.run(sent(place.uploads, *chunks(2)))
    assert model is not None
    assert place.lora.read_bytes() == DATA


@pytest.mark.parametrize("given", [chunks(1), chunks(0, 2), [*chunks(0), *chunks(1, total=4)]])
def test_chunks_out_of_order_are_refused_and_change_nothing(place: ModelPlace, given: list[Chunk]) -> None:
    with pytest.raises(Problem) as refused:
        asyncio.run(sent(place.uploads, *given))
    assert refused.value.status == 409
    if given[0].index == 0:
        asyncio.run(sent(place.uploads, *chunks(1, 2)))
        assert place.lora.read_bytes() == DATA


@pytest.mark.parametrize(("index", "total"), [(-1, 2), (2, 2), (0, 0), (0, 10**9)])
def test_numbers_that_no_chunk_has(place: ModelPlace, index: int, total: int) -> None:
    with pytest.raises(Problem) as refused:
        asyncio.run(sent(place.uploads, Chunk("x.safetensors", "lora", None, index, total, b"x")))
    assert refused.value.status == 422


def test_a_last_chunk_that_makes_no_model_ends_the_upload(place: ModelPlace) -> None:
    with pytest.raises(Problem) as refused:
        asyncio.run(sent(place.uploads, *chunks(0, 1, 2, data=DATA[:-4])))
    assert refused.value.status == 422
    assert place.left() == []
