"""The ledger: what it promises is there after a restart, once, in order, and nobody else's."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from vectrahub.tests.host_fixture import ROOT
from vectrahub.vectrahub_client.service.ledger import Acceptance, Full, KeyTaken, Ledger
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.records import DeliveryOrder, Ending, Failure, Job, Output

T = TypeVar("T")


def draft(name: str = "a", token: str = "t") -> Job:
    return Job(
        id=name,
        seq=0,
        system="vectorize",
        state="queued",
        token=token,
        params={"colors": 3},
        plan={"graph": {"1": {"class_type": "X", "inputs": {}}}},
        inputs={"image": "vectrahub/jobs/a/00-image.png"},
        metadata={"mine": [1, None]},
        timeout_s=5.0,
        created_at=100.0,
    )


def wanted(key: str | None = None, fingerprint: str = "f", queue: int = 9, per_token: int = 9) -> Acceptance:
    return Acceptance(queue, per_token, key, fingerprint)


def with_ledger(path: Path, work: Callable[[Ledger], Awaitable[T]]) -> T:
    async def scene() -> T:
        ledger = Ledger(path)
        await ledger.open()
        assert ledger.trouble is None
        try:
            return await work(ledger)
        finally:
            await ledger.close()

    return asyncio.run(scene())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "jobs.sqlite"


def test_a_job_is_the_same_after_a_restart(path: Path) -> None:
    async def first(ledger: Ledger) -> Job:
        return await ledger.accept(draft(), wanted(), ())

    accepted = with_ledger(path, first)

    async def second(ledger: Ledger) -> Job | None:
        return await ledger.job("a")

    assert with_ledger(path, second) == accepted
    assert accepted.seq == 1 and accepted.plan == draft().plan and accepted.metadata == draft().metadata


def test_one_key_is_one_job_of_one_token(path: Path) -> None:
    async def scene(ledger: Ledger) -> None:
        first = await ledger.accept(draft("a"), wanted("key"), ())
        assert (await ledger.accept(draft("b"), wanted("key"), ())).id == first.id == "a"
        assert (await ledger.accept(draft("c", token="other"), wanted("key"), ())).id == "c"
        with pytest.raises(KeyTaken):
            await ledger.accept(draft("d"), wanted("key", "another request"), ())
        assert await ledger.repeated("t", wanted("new")) is None
        assert {job.id for job in await ledger.unfinished()} == {"a", "c"}

    with_ledger(path, scene)


def test_many_at_once_under_one_key_are_one_job(path: Path) -> None:
    async def scene(ledger: Ledger) -> None:
        drafts = [ledger.accept(draft(f"job-{n}"), wanted("key"), ()) for n in range(20)]
        assert {job.id for job in await asyncio.gather(*drafts)} == {"job-0"}

    with_ledger(path, scene)


def test_bounds_count_what_is_unfinished(path: Path) -> None:
    async def scene(ledger: Ledger) -> None:
        await ledger.accept(draft("a"), wanted(), ())
        with pytest.raises(Full) as mine:
            await ledger.accept(draft("b"), wanted(per_token=1), ())
        assert mine.value.mine
        with pytest.raises(Full) as everybody:
            await ledger.accept(draft("b", token="other"), wanted(queue=1), ())
        assert not everybody.value.mine
        await ledger.end("a", Ending("completed"), 101.0, [])
        assert (await ledger.accept(draft("b"), wanted(queue=1, per_token=1), ())).id == "b"

    with_ledger(path, scene)


def test_a_job_ends_once_and_its_deliveries_with_it(path: Path) -> None:
    output = Output("a.svg", "Save", "image/svg+xml", 7, "vectrahub/jobs/a/a.svg")
    orders = (DeliveryOrder("callback", {"url": "https://example.org"}), DeliveryOrder("load_balancer", {}))

    async def scene(ledger: Ledger) -> None:
        await ledger.accept(draft(), wanted(), orders)
        assert await ledger.begin("a", 101.0)
        assert await ledger.due(1e12, 9) == []
        job = await ledger.end("a", Ending("completed", (output,), {"Trace": {"ms": 3}}), 102.0, ["line"])
        assert job is not None and job.outputs == (output,) and job.attempts == 1 and job.log == ("line",)
        assert job.report == {"Trace": {"ms": 3}} and (job.started_at, job.finished_at) == (101.0, 102.0)
        failure = Failure("node", "too late", {"id": "1"})
        assert await ledger.end("a", Ending("failed", failure=failure), 103.0, []) is None
        assert not await ledger.begin("a", 104.0)
        assert [one.kind for one in await ledger.deliveries("a")] == ["callback", "load_balancer"]
        assert await ledger.job("a") == job

    with_ledger(path, scene)


def test_a_failure_keeps_its_node(path: Path) -> None:
    async def scene(ledger: Ledger) -> None:
        await ledger.accept(draft(), wanted(), ())
        failure = Failure("node", "no", {"id": "1", "type": "X", "title": None})
        await ledger.end("a", Ending("failed", failure=failure), 101.0, [])
        job = await ledger.job("a")
        assert job is not None and job.failure == failure and job.is_over

    with_ledger(path, scene)


def test_deliveries_are_put_off_done_and_given_up(path: Path) -> None:
    orders = tuple(DeliveryOrder("callback", {"n": n}) for n in range(3))

    async def scene(ledger: Ledger) -> None:
        await ledger.accept(draft(), wanted(), orders)
        await ledger.end("a", Ending("completed"), 200.0, [])
        first, second, third = await ledger.due(200.0, 9)
        await ledger.put_off(first.id, 1, 300.0, "nobody there")
        await ledger.delivered(second.id, {"status": 200})
        await ledger.give_up(third.id, 7, "gone")
        assert await ledger.next_due() == 300.0 and await ledger.due(299.0, 9) == []
        states = {one.target["n"]: (one.state, one.attempts, one.error) for one in await ledger.deliveries("a")}
        assert states == {0: ("pending", 1, "nobody there"), 1: ("done", 1, None), 2: ("dead", 7, "gone")}
        assert await ledger.finished_before(1e12, 9) == []  # one is still to be handed over
        await ledger.delivered(first.id, {})
        assert await ledger.finished_before(1e12, 9) == ["a"] and await ledger.next_due() is None
        assert await ledger.remove("a") and await ledger.deliveries("a") == []

    with_ledger(path, scene)


def test_an_unfinished_job_is_not_removed(path: Path) -> None:
    async def scene(ledger: Ledger) -> None:
        await ledger.accept(draft(), wanted(), ())
        assert not await ledger.remove("a") and await ledger.job("a") is not None

    with_ledger(path, scene)


def test_files_are_litter_before_a_job_and_after_it(path: Path) -> None:
    async def scene(ledger: Ledger) -> None:
        await ledger.litter("a")
        await ledger.litter("b")
        assert await ledger.all_litter() == ["a", "b"]
        await ledger.accept(draft("a"), wanted(), ())
        assert await ledger.all_litter() == ["b"]
        await ledger.end("a", Ending("cancelled"), 1.0, [])
        assert await ledger.remove("a") and set(await ledger.all_litter()) == {"a", "b"}
        await ledger.swept("b")
        assert await ledger.all_litter() == ["a"]

    with_ledger(path, scene)


def test_a_damaged_file_is_told_when_it_is_met(path: Path) -> None:
    async def scene(ledger: Ledger) -> None:
        for number in range(200):
            await ledger.accept(draft(f"{number}"), wanted(queue=999, per_token=999), ())

    with_ledger(path, scene)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"x" * (size - 8192))

    async def broken() -> None:
        ledger = Ledger(path)
        await ledger.open()
        with pytest.raises(Problem) as problem:
            await ledger.unfinished()
        assert problem.value.status == 503 and "damaged" in problem.value.detail
        assert "damaged" in (ledger.trouble or "")

    asyncio.run(broken())


def test_lists_page_from_the_newest(path: Path) -> None:
    async def scene(ledger: Ledger) -> None:
        for n in range(5):
            await ledger.accept(draft(f"{n}", token="even" if n % 2 == 0 else "odd"), wanted(), ())
        page = await ledger.jobs(token=None, state=None, limit=2, before=None)
        assert [job.id for job in page] == ["4", "3"]
        assert [job.id for job in await ledger.jobs(token="even", state="queued", limit=9, before=page[-1].seq)] == [
            "2",
            "0",
        ]
        assert await ledger.jobs(token=None, state="failed", limit=9, before=None) == []

    with_ledger(path, scene)


HOLD = """
    import asyncio, sys
    from pathlib import Path
    sys.path.insert(0, {root!r})
    from vectrahub_client.service.ledger import Ledger
    async def hold():
        ledger = Ledger(Path({path!r}))
        await ledger.open()
        print(ledger.trouble, flush=True)
        await asyncio.sleep(600)
    asyncio.run(hold())
"""


def test_one_process_holds_it_until_it_dies(path: Path) -> None:
    code = textwrap.dedent(HOLD.format(root=str(ROOT), path=str(path)))
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ})
    try:
        assert holder.stdout is not None and holder.stdout.readline().strip() == "None"

        async def refused() -> None:
            ledger = Ledger(path)
            await ledger.open()
            assert "another ComfyUI" in (ledger.trouble or "")
            with pytest.raises(Problem) as problem:
                ledger.unfinished()
            assert problem.value.status == 503

        asyncio.run(refused())
    finally:
        holder.kill()
        holder.wait()

    async def scene(ledger: Ledger) -> None:
        assert await ledger.unfinished() == []

    with_ledger(path, scene)


def test_a_file_that_is_no_ledger_is_told_and_left(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)

    async def scene() -> str | None:
        ledger = Ledger(path)
        await ledger.open()
        return ledger.trouble

    assert "cannot be opened" in (asyncio.run(scene()) or "")
    assert path.read_bytes().startswith(b"no database")


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    import sqlite3

    path.parent.mkdir()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")

    async def scene() -> str | None:
        ledger = Ledger(path)
        await ledger.open()
        return ledger.trouble

    assert "newer VectraHub" in (asyncio.run(scene()) or "")
