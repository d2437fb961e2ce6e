"""How many bodies are read at a time, with clients that send a part of theirs and wait."""

import asyncio
import contextlib
import json

import pytest

from vectrahub.tests.service.job_server import OTHER, PNG, SECRET, THEIRS, job_server, workflow
from vectrahub.vectrahub_client.service import body_gate
from vectrahub.vectrahub_client.service.route import PREFIX

LARGE = {"files": {"image": PNG}, "metadata": {}, "params": {}, "callback_url": None}


@contextlib.asynccontextmanager
async def idle(server, count, secret=SECRET, path="/vectorize"):
    """Clients that begin a chunked body and say nothing more."""
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        f"POST {PREFIX}{path} HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {secret}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    )
    writers = []
    for _ in range(count):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(head.encode())
        await writer.drain()
        writers.append(writer)
    try:
        await asyncio.sleep(0.2)
        yield
    finally:
        for writer in writers:
            writer.close()


async def large(server, headers=None):
    """An order whose length is not said."""

    async def body():
        yield json.dumps(LARGE).encode()

    more = {"Content-Type": "application/json", **(headers or {})}
    return await server.ask("POST", "/vectorize", data=body(), headers=more)


def story_of(tmp_path, story, **settings):
    async def main():
        async with job_server(tmp_path, **settings) as server:
            return await story(server)

    return asyncio.run(main())


def test_one_caller_takes_no_place_from_another(tmp_path, monkeypatch):
    monkeypatch.setattr(body_gate, "WAIT_S", 0.3)

    async def story(server):
        async with idle(server, 8):
            return await large(server), await large(server, THEIRS), await server.order()

    mine, theirs, small = story_of(tmp_path, story)
    assert mine[0] == 429 and int(mine[2]["Retry-After"]) > 0 and "at a time" in mine[1]["detail"]
    assert (theirs[0], small[0]) == (202, 202)


def test_a_place_that_is_left_is_given_to_who_waits(tmp_path):
    async def story(server):
        async with idle(server, 8):
            waiting = asyncio.create_task(large(server))
            await asyncio.sleep(0.2)
            assert not waiting.done()
        return await waiting

    assert story_of(tmp_path, story)[0] == 202


def test_memory_is_bounded_over_all(tmp_path, monkeypatch):
    monkeypatch.setattr(body_gate, "WAIT_S", 0.3)

    async def story(server):
        async with idle(server, 2), idle(server, 2, OTHER):  # four times the limit
            admin = {"Content-Type": "application/json"}
            data = (b"{}" + b" " * 300_000,)

            async def body():
                for one in data:
                    yield one

            return await server.ask("POST", "/vectorize", data=body(), headers=admin, bare=True)

    assert story_of(tmp_path, story)[0] == 429


@pytest.mark.parametrize("length", [True, False], ids=["said", "not said"])
def test_what_needs_little_may_bring_little(tmp_path, length):
    data = json.dumps({"name": "x" * 100_000, "scopes": ["jobs"]}).encode()

    async def pieces():
        yield data

    async def story(server):
        headers = {"Content-Type": "application/json"}
        return await server.ask("POST", "/tokens", data=data if length else pieces(), headers=headers, bare=True)

    status, body, _ = story_of(tmp_path, story)
    assert status == 413 and "65536" in body["detail"] and "body_mb" not in body["detail"]


def test_small_orders_come_in_beside_large_ones(tmp_path):
    async def story(server):
        async with idle(server, 20):
            answers = await asyncio.gather(*(server.order(json=workflow()) for _ in range(30)))
            return {answer[0] for answer in answers}

    assert story_of(tmp_path, story) == {202}
