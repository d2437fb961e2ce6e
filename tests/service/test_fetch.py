from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from vectrahub.tests.service.local_server import Handler, closed_port, serving, speaking
from vectrahub.vectrahub_client.service.net.fetch import Fetcher
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.settings import Urls

DATA = bytes(range(256)) * 5000
Get = Callable[[str], Awaitable[str]]


async def fetch(
    address: str, target: Path, limit: int = 10_000_000, timeout_s: float = 20, path: str = "/a?key=s3cret"
) -> str:
    fetcher = Fetcher(Urls(internal=(address,), timeout_s=timeout_s))
    try:
        return await asyncio.wait_for(fetcher.fetch(f"http://{address}{path}", target, limit), 60)
    finally:
        await fetcher.close()


def fetched(handler: Handler, target: Path, **options: float) -> str:
    async def run() -> str:
        async with serving(handler) as address:
            return await fetch(address, target, **options)

    return asyncio.run(run())


def spoken(said: bytes, target: Path, pause: float = 0.0, endless: bytes = b"", **options: float) -> str:
    async def run() -> str:
        async with speaking(said, pause, endless) as address:
            return await fetch(address, target, **options)

    return asyncio.run(run())


def failed(run: Callable[[], object], folder: Path) -> str:
    with pytest.raises(Problem) as caught:
        run()
    assert (caught.value.status, caught.value.kind) == (422, "fetch-failed")
    assert "s3cret" not in caught.value.detail
    assert not list(folder.iterdir()), "something is left over"
    return caught.value.detail


def test_a_file_is_fetched_whole(tmp_path: Path) -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        response = web.Response(body=DATA, content_type="image/png")
        response.set_cookie("a", "b")
        return response

    assert fetched(answer, tmp_path / "in.png") == "image/png"
    assert (tmp_path / "in.png").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
    assert seen[0].headers["Accept-Encoding"] == "identity" and seen[0].query["key"] == "s3cret"


def test_no_proxy_no_cookie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    cookies: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        cookies.append(len(request.cookies))
        response = web.Response(body=b"x")
        response.set_cookie("a", "b")
        return response

    async def run() -> None:
        async with serving(answer) as address:
            fetcher = Fetcher(Urls(internal=(f"files.test:{address.split(':')[1]}",)), lookup=loopback)
            url = f"http://files.test:{address.split(':')[1]}/"
            await fetcher.fetch(url, tmp_path / "a", 10)
            await fetcher.fetch(url, tmp_path / "b", 10)
            await fetcher.close()

    asyncio.run(run())
    assert cookies == [0, 0]


async def loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_a_name_that_leads_inside_is_not_asked(tmp_path: Path) -> None:
    async def run() -> None:
        fetcher = Fetcher(Urls(allow=("files.test",)), lookup=loopback)
        try:
            await fetcher.fetch("https://files.test/a?key=s3cret", tmp_path / "a", 10)
        finally:
            await fetcher.close()

    with pytest.raises(Problem, match="not public") as caught:
        asyncio.run(run())
    assert caught.value.kind == "address-refused" and not list(tmp_path.iterdir())


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    asked: list[str] = []

    async def inside(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=b"secret")

    async def run() -> None:
        async with serving(inside) as secret:

            async def redirect(request: web.Request) -> web.Response:
                raise web.HTTPFound(f"http://{secret}/")

            async with serving(redirect) as address:
                await fetch(address, tmp_path / "a")

    assert "redirects (302)" in failed(lambda: asyncio.run(run()), tmp_path)
    assert not asked


@pytest.mark.parametrize("status", [404, 500, 204, 206])
def test_another_status_is_no_file(tmp_path: Path, status: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    assert f"answers {status}" in failed(lambda: fetched(answer, tmp_path / "a"), tmp_path)


def test_a_declared_length_above_the_limit_is_refused(tmp_path: Path) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    assert "at most 100 bytes" in failed(lambda: spoken(said, tmp_path / "a", limit=100), tmp_path)


def test_the_operators_limit_counts_too(tmp_path: Path) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    assert "at most 52428800 bytes" in failed(lambda: spoken(said, tmp_path / "a", limit=10**12), tmp_path)


def test_an_endless_body_is_cut(tmp_path: Path) -> None:
    said = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    detail = failed(lambda: spoken(said, tmp_path / "a", endless=bytes(65536), limit=1_000_000), tmp_path)
    assert "at most 1000000 bytes" in detail


def test_the_limit_itself_is_allowed(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=DATA)

    fetched(answer, tmp_path / "a", limit=len(DATA))
    assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nshort",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
)
def test_a_broken_answer_leaves_nothing(tmp_path: Path, said: bytes) -> None:
    failed(lambda: spoken(said, tmp_path / "a"), tmp_path)


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2000, b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 2000])
def test_a_slow_answer_is_not_waited_for(tmp_path: Path, said: bytes) -> None:
    detail = failed(lambda: spoken(said, tmp_path / "a", pause=0.02, timeout_s=0.6), tmp_path)
    assert "no complete answer in time" in detail


def test_a_compressed_answer_is_refused(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(bytes(10_000_000)), headers={"Content-Encoding": "gzip"})

    assert "compressed" in failed(lambda: fetched(answer, tmp_path / "a"), tmp_path)


def test_nobody_there(tmp_path: Path) -> None:
    async def run() -> str:
        return await fetch(await closed_port(), tmp_path / "a")

    assert "ClientConnectorError" in failed(lambda: asyncio.run(run()), tmp_path)


def test_a_cancelled_fetch_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with speaking(b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 2000, pause=0.02) as address:
            task = asyncio.create_task(fetch(address, tmp_path / "a"))
            while not list(tmp_path.iterdir()):
                await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()

    asyncio.run(asyncio.wait_for(run(), 30))
    assert not list(tmp_path.iterdir())


def test_an_earlier_file_stays_when_the_fetch_fails(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"before")
    with pytest.raises(Problem):
        spoken(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_our_own_disk_is_not_the_addresss_fault(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x")

    with pytest.raises(FileNotFoundError):
        fetched(answer, tmp_path / "missing" / "a")
