"""What a refused request goes on sending is not read."""

import asyncio
import gzip

import pytest
from aiohttp import web

from vectrahub.tests.service.job_server import SECRET, job_server
from vectrahub.vectrahub_client.service import door
from vectrahub.vectrahub_client.service.route import PREFIX

BOMB = gzip.compress(b"0" * 60_000_000)
CHUNK = 1 << 20


async def send(url, path, headers, body):
    """The head of the answer to a client that sends all of its body first."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    for at in range(0, len(body), CHUNK):
        writer.write(body[at : at + CHUNK])
        await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    await asyncio.sleep(0.3)  # in which aiohttp would read on
    writer.close()
    return head


def bytes_read(tmp_path, monkeypatch, headers, body, path=f"{PREFIX}/vectorize", **how):
    """(head of the answer, bytes that the request's body had when all was over)."""
    seen = []
    before = door.check_encoding

    def looked_at(request):
        seen.append(request.content)
        before(request)

    monkeypatch.setattr(door, "check_encoding", looked_at)

    async def main():
        async with job_server(tmp_path, auth={"trust_loopback": False}, **how) as server:
            return await send(server.url, path, {"Content-Length": len(body), **headers}, body)

    head = asyncio.run(main())
    return head, seen[0].total_bytes


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity, gzip", "x-unheard-of"])
@pytest.mark.parametrize("guarded", [True, False], ids=["the host's", "ours"])
def test_a_compressed_body_is_refused_before_anybody_is_asked_for(tmp_path, monkeypatch, encoding, guarded):
    path = "/elsewhere" if guarded else f"{PREFIX}/vectorize"
    headers = {**JSON, "Content-Encoding": encoding}
    head, came = bytes_read(tmp_path, monkeypatch, headers, BOMB, path, guard=guarded)
    assert head.startswith("HTTP/1.1 415") and ("connection: close" in head.lower() or came <= len(BOMB))
    assert came < 5_000_000


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": "may-do-models-but-no-jobs"}, 403),
        ({"X-API-Key": SECRET}, 413),
        ({"X-API-Key": SECRET, "Content-Type": "text/plain"}, 413),
    ],
)
def test_a_large_body_that_is_refused_is_thrown_away(tmp_path, monkeypatch, headers, status):
    head, came = bytes_read(tmp_path, monkeypatch, {**JSON, **headers}, b"0" * 30_000_000, limits={"body_mb": 20})
    assert head.startswith(f"HTTP/1.1 {status}") and "connection: close" in head.lower()
    assert came < 5_000_000


def test_a_small_body_keeps_its_connection(tmp_path, monkeypatch):
    head, _ = bytes_read(tmp_path, monkeypatch, JSON, b"{}")
    assert head.startswith("HTTP/1.1 401") and "connection: close" not in head.lower()


@pytest.mark.parametrize("raised", [True, False])
def test_what_another_middleware_refuses_is_not_inflated(raised):
    contents = []

    @web.middleware
    async def refuses(request, handler):
        contents.append(request.content)
        if raised:
            raise web.HTTPForbidden
        return web.Response(status=403)

    async def main():
        app = web.Application(middlewares=[door.no_reading_on, refuses])
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = "http://{}:{}".format(*runner.addresses[0][:2])
        head = await send(url, "/", {"Content-Encoding": "gzip", "Content-Length": len(BOMB)}, BOMB)
        await runner.cleanup()
        return head

    assert asyncio.run(main()).startswith("HTTP/1.1 403")
    assert contents[0].total_bytes < 5_000_000
