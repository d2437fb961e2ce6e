"""The client of the job API: against the real service, and against servers that fail in chosen ways."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web

from vectrahub.tests.service.job_server import SECRET, job_server
from vectrahub.tests.service.local_server import serving
from vectrahub.vectrahub_client.errors import (
    BadAnswer,
    ClientError,
    JobCancelled,
    JobFailed,
    JobLost,
    JobRejected,
    JobTimeout,
    OutputError,
    ServerBusy,
    ServerLost,
    UsageError,
)
from vectrahub.vectrahub_client.jobs import JobsClient, completed
from vectrahub.vectrahub_client.warmup import small_picture

T = TypeVar("T")
GRAPH = {"1": {"class_type": "Test", "inputs": {}}}
JOB = {"job_id": "7", "system": "workflows", "state": "queued", "progress": 0.0, "stage": None, "outputs": []}
DONE = {**JOB, "state": "completed", "progress": 1.0, "outputs": [{"name": "a.bin", "bytes": 6}]}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def against(handler: Handler, do: Callable[[JobsClient], T], **client: Any) -> T:
    """What `do` gives with a client of a server that answers by `handler`."""

    async def talk() -> T:
        async with serving(handler) as address:
            with JobsClient(f"http://{address}", "token", **{"patience": 20.0, **client}) as jobs:
                return await asyncio.to_thread(do, jobs)

    return asyncio.run(talk())


def drop(request: web.Request) -> web.StreamResponse:
    """Close the connection instead of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def gone(_request: web.Request) -> web.Response:
    return web.json_response({"title": "There is no such thing"}, status=404)


def test_an_order_with_files_goes_through_the_real_service(tmp_path: Path) -> None:
    picture = tmp_path / "Logo of ours.PNG"
    picture.write_bytes(small_picture())
    heard: list[str] = []

    async def talk() -> None:
        async with job_server(tmp_path / "server") as server:
            with JobsClient(server.url, SECRET) as jobs:
                order: dict[str, Any] = {"idempotency_key": "one", "metadata": {"order": 17}, "timeout_s": 60}
                job = await asyncio.to_thread(jobs.submit, "vectorize", {"colors": 3}, {"image": picture}, **order)
                again = await asyncio.to_thread(jobs.submit, "vectorize", {"colors": 3}, {"image": picture}, **order)
                assert again["job_id"] == job["job_id"] and job["metadata"] == {"order": 17}
                waiting = asyncio.create_task(jobs.follow(job["job_id"], lambda one: heard.append(one["state"])))
                await asyncio.sleep(0.1)
                await server.runner.complete(job["job_id"], {"a.svg": ("image/svg+xml", b"<svg/>")})
                over = completed(await waiting)
                (path,) = await asyncio.to_thread(jobs.download_all, over, tmp_path / "out")
                assert path.read_bytes() == b"<svg/>"
                await asyncio.to_thread(jobs.delete, job["job_id"])
                await asyncio.to_thread(jobs.delete, job["job_id"])
                with pytest.raises(JobLost):
                    await asyncio.to_thread(jobs.job, job["job_id"])

    asyncio.run(talk())
    assert heard[0] == "queued" and heard[-1] == "completed"


def test_refusals_say_what_the_server_said_and_never_the_token(tmp_path: Path) -> None:
    async def talk() -> None:
        async with job_server(tmp_path) as server:
            with JobsClient(server.url, SECRET) as jobs, JobsClient(server.url, "wrong" + SECRET) as stranger:
                with pytest.raises(JobRejected, match="bogus"):
                    await asyncio.to_thread(jobs.submit, "vectorize", {"bogus": 1}, {"image": small_picture()})
                with pytest.raises(UsageError, match="token") as refused:
                    await asyncio.to_thread(stranger.workflow, GRAPH)
                assert SECRET not in str(refused.value)
                await asyncio.to_thread(jobs.workflow, GRAPH, idempotency_key="k")
                with pytest.raises(UsageError, match="another request"):
                    await asyncio.to_thread(jobs.workflow, GRAPH, idempotency_key="k", metadata={"x": 1})

    asyncio.run(talk())


@pytest.mark.parametrize("trouble", ["429", "503", "lost", "lost after it was read"])
def test_an_order_is_repeated_under_one_key(trouble: str) -> None:
    keys: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) > 2:
            assert b"IMAGE" in await request.read()  # the file is sent whole each time
            return web.json_response(JOB, status=202)
        if trouble == "lost after it was read":
            await request.read()
        if trouble.startswith("lost"):
            return drop(request)
        return web.json_response({"title": "Too much"}, status=int(trouble), headers={"Retry-After": "1"})

    assert against(answer, lambda jobs: jobs.submit("vectorize", {}, {"image": b"IMAGE"}))["job_id"] == "7"
    assert len(keys) == 3 and len(set(keys)) == 1


def test_patience_ends() -> None:
    async def full(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"title": "Too much to do"}, status=429, headers={"Retry-After": "3600"})

    async def silent(request: web.Request) -> web.StreamResponse:
        return drop(request)

    with pytest.raises(ServerBusy, match="Too much to do") as busy:
        against(full, lambda jobs: jobs.workflow(GRAPH))
    assert busy.value.retry_after == 3600
    with pytest.raises(ServerLost, match="within 1 s"):
        against(silent, lambda jobs: jobs.workflow(GRAPH), patience=1.0)
    with pytest.raises(ServerLost, match="it crashed"):
        against(silent, lambda jobs: jobs.workflow(GRAPH), host_ended=lambda: "it crashed")
    with pytest.raises(ServerLost, match="it crashed"):
        against(silent, lambda jobs: jobs.wait("7"), host_ended=lambda: "it crashed")


def test_events_are_heard_and_a_lost_stream_is_taken_up_again() -> None:
    streams: list[int] = []
    over = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/events"):
            return web.json_response(DONE if over.is_set() else JOB)
        streams.append(1)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        share = {"job_id": "7", "state": "running", "progress": len(streams) / 10}
        await response.write(f": hello\n\nevent: progress\ndata: {json.dumps(share)}\n\n".encode())
        if len(streams) == 3:
            over.set()
            await response.write(b'event: state\ndata: {"job_id": "7", "state": "completed"}\n\n')
            await response.write_eof()
            return response
        assert request.transport is not None
        request.transport.close()  # what was written arrives
        return response

    heard: list[Any] = []
    assert against(answer, lambda jobs: jobs.wait("7", heard.append)) == DONE
    # A look may see the end before the last event does.
    assert [one["progress"] for one in heard if one["state"] == "running"][:2] == [0.1, 0.2]


def test_without_events_looking_is_enough() -> None:
    looks: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/events"):
            return gone(request)
        looks.append(1)
        return drop(request) if len(looks) == 2 else web.json_response(DONE if len(looks) > 2 else JOB)

    assert against(answer, lambda jobs: jobs.wait("7"))["state"] == "completed"


def test_waiting_can_end_before_the_job() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return gone(request) if request.path.endswith("/events") else web.json_response(JOB)

    stop = threading.Event()
    stop.set()
    assert against(answer, lambda jobs: jobs.wait("7", timeout=0.2)) == JOB
    assert against(answer, lambda jobs: jobs.wait("7", stop=stop)) == JOB
    with pytest.raises(JobTimeout):
        completed(JOB)


def test_a_result_comes_whole_or_not_at_all(tmp_path: Path) -> None:
    tries: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        tries.append(1)
        response = web.StreamResponse(headers={"Content-Length": "6"} if len(tries) > 1 else {})
        await response.prepare(request)
        await response.write(b"abc" if len(tries) < 3 else b"abcdef")
        if len(tries) == 2:
            return drop(request)
        await response.write_eof()
        return response

    target = tmp_path / "a.bin"
    assert against(answer, lambda jobs: jobs.download(DONE, "a.bin", target)) == target
    assert target.read_bytes() == b"abcdef" and len(tries) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    with pytest.raises(OutputError, match="no output"):
        against(answer, lambda jobs: jobs.download(DONE, "b.bin", target))


def test_a_server_that_is_none_is_said_so() -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(["hello"])

    with pytest.raises(BadAnswer):
        against(answer, lambda jobs: jobs.workflow(GRAPH))


@pytest.mark.parametrize("source", ["logo.png", "/etc/passwd", "ftp://x/y", Path("absent.png")])
def test_only_paths_and_urls_are_files(source: str | Path) -> None:
    with JobsClient("http://127.0.0.1:1") as jobs, pytest.raises(UsageError):
        jobs.submit("vectorize", {}, {"image": source})


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("node", JobFailed),
        ("timeout", JobTimeout),
        ("refused", JobRejected),
        ("lost", JobLost),
        ("internal", JobFailed),
    ],
)
def test_how_a_job_failed_is_an_error_of_its_own(kind: str, error: type[ClientError]) -> None:
    node = {"id": "4", "type": "Trace", "title": "Trace"}
    job = {**JOB, "state": "failed", "error": {"kind": kind, "message": "the reason", "node": node}}
    with pytest.raises(error, match="the reason"):
        completed(job)
    with pytest.raises(JobCancelled):
        completed({**JOB, "state": "cancelled"})
