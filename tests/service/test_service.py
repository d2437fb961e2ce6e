"""The service between the API and whoever runs the jobs: a runner of these tests, a real ledger, real files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from vectrahub.vectrahub_client.errors import UsageError
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.records import Caller, Ending, Failure, Job, Order, Output
from vectrahub.vectrahub_client.service.service import Folders, Service
from vectrahub.vectrahub_client.service.settings import load_settings
from vectrahub.vectrahub_client.service.systems.registry import SYSTEMS

ME = Caller("t1", "me", frozenset({"jobs"}))
OTHER = Caller("t2", "other", frozenset({"jobs"}))
BOSS = Caller("t3", "boss", frozenset({"admin"}))


class Bench:
    """Takes jobs and does nothing with them; a test says what becomes of each."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.begun: list[str] = []
        self.refuse: str | None = None

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def plan(self, job: Job) -> Mapping[str, Any]:
        if self.refuse:
            raise UsageError(self.refuse)
        return {"of": dict(job.params), "files": dict(job.inputs)}

    async def start(self, job: Job) -> None:
        self.begun.append(job.id)

    async def resume(self, job: Job) -> None:
        self.begun.append(job.id)

    async def cancel(self, job_id: str) -> None:
        await self.service.finish(job_id, Ending("cancelled"))

    def place(self, job_id: str) -> int | None:
        return self.begun.index(job_id) if job_id in self.begun else None


def with_service(
    folder: Path,
    work: Callable[[Service, Bench], Awaitable[None]],
    settings: str = "",
    runner: type[Bench] = Bench,
) -> None:
    config = folder / "config.toml"
    config.write_text(settings, encoding="utf-8")

    async def scene() -> None:
        places = Folders(folder / "in", folder / "out", folder / "private" / "jobs.sqlite")
        service = Service(load_settings(config), places, runner, SYSTEMS)
        await service.start()
        assert service.ledger.trouble is None
        try:
            assert isinstance(service.runner, Bench)
            await work(service, service.runner)
        finally:
            await service.stop()

    asyncio.run(scene())


def folders(service: Service) -> list[str]:
    """Jobs that have files."""
    places = [root / "vectrahub" / "jobs" for root in (service.files.inputs, service.files.outputs)]
    return sorted({path.name for place in places if place.is_dir() for path in place.iterdir()})


async def order(service: Service, **values: Any) -> Order:
    """With one file, as the API hands it over."""
    path = service.files.inputs / "incoming.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"picture")
    return Order(**{"system": "vectorize", "params": {"colors": 3}, "files": {"image": path}, **values})


async def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_a_job_goes_from_its_order_to_its_end(tmp_path: Path) -> None:
    async def scene(service: Service, bench: Bench) -> None:
        job = await service.submit(await order(service, metadata={"n": 1}), ME)
        assert (job.state, job.plan["of"], job.attempts) == ("queued", {"colors": 3}, 0)
        assert (service.files.inputs / job.inputs["image"]).read_bytes() == b"picture"
        assert bench.begun == [job.id] and service.view(job)["queue_place"] == 0
        service.started(job.id)
        service.progress(job.id, 0.25, "Trace: layer 1 of 4")
        view = service.view(await service.job(job.id, ME))
        assert (view["state"], view["progress"], view["stage"]) == ("running", 0.25, "Trace: layer 1 of 4")
        output = Output("a b.svg", "Save", "image/svg+xml", 4, f"vectrahub/jobs/{job.id}/a b.svg")
        await service.finish(job.id, Ending("completed", (output,), {"Trace": {"ms": 1}}, seconds=2.0))
        view = service.view(await service.job(job.id, ME))
        assert (view["state"], view["progress"], view["stage"], view["attempts"]) == ("completed", 1.0, None, 1)
        assert view["outputs"][0]["url"] == f"/vectrahub/v1/jobs/{job.id}/outputs/a%20b.svg"
        assert "path" not in view["outputs"][0] and view["metadata"] == {"n": 1}
        words = [line.split(" ", 1)[1] for line in view["logs"]]
        assert words == ["queued", "running", "Trace: layer 1 of 4", "completed after 2.0 s"]
        assert service.unfinished() == 0

    with_service(tmp_path, scene)


def test_an_end_counts_once(tmp_path: Path) -> None:
    async def scene(service: Service, bench: Bench) -> None:
        job = await service.submit(await order(service), ME)
        await service.finish(job.id, Ending("completed"))
        await service.finish(job.id, Ending("failed", failure=Failure("internal", "too late")))
        assert (await service.job(job.id, None)).state == "completed"
        assert service.metrics.text().count(b'state="failed"') == 0

    with_service(tmp_path, scene)


def test_what_cannot_run_leaves_nothing(tmp_path: Path) -> None:
    async def scene(service: Service, bench: Bench) -> None:
        bench.refuse = "no such model"
        with pytest.raises(UsageError, match="no such model"):
            await service.submit(await order(service), ME)
        assert await service.jobs(BOSS, state=None, limit=9, before=None) == []
        assert folders(service) == [] and bench.begun == [] and service.unfinished() == 0

    with_service(tmp_path, scene)


def test_one_key_is_one_job_also_at_once(tmp_path: Path) -> None:
    async def scene(service: Service, bench: Bench) -> None:
        orders = [Order("logo", {"prompt": "a fox"}, idempotency_key="k", fingerprint="f") for _ in range(8)]
        jobs = await asyncio.gather(*(service.submit(one, ME) for one in orders))
        assert len({job.id for job in jobs}) == 1 and len(bench.begun) == 1
        assert (await service.submit(orders[0], OTHER)).id != jobs[0].id
        with pytest.raises(Problem) as taken:
            await service.submit(Order("logo", {}, idempotency_key="k", fingerprint="g"), ME)
        assert taken.value.status == 409

    with_service(tmp_path, scene)


def test_bounds_are_told_with_a_time_to_come_back(tmp_path: Path) -> None:
    async def scene(service: Service, bench: Bench) -> None:
        first = await service.submit(Order("logo", {}), ME)
        with pytest.raises(Problem) as mine:
            await service.submit(await order(service), ME)
        assert mine.value.status == 429 and "of this token" in mine.value.detail and mine.value.headers["Retry-After"]
        await service.submit(Order("logo", {}), OTHER)
        with pytest.raises(Problem) as full:
            await service.submit(Order("logo", {}), BOSS)
        assert "2 jobs wait or run" in full.value.detail
        assert len(folders(service)) == 0
        await service.cancel(first.id)
        await service.submit(Order("logo", {}), ME)

    with_service(tmp_path, scene, "[limits]\nqueue = 2\nper_token = 1\n")


def test_a_job_is_its_tokens_own(tmp_path: Path) -> None:
    async def scene(service: Service, bench: Bench) -> None:
        job = await service.submit(Order("logo", {}), ME)
        with pytest.raises(Problem) as hidden:
            await service.job(job.id, OTHER)
        assert hidden.value.status == 404
        assert (await service.job(job.id, BOSS)).id == job.id
        lists = [await service.jobs(who, state=None, limit=9, before=None) for who in (ME, OTHER, BOSS)]
        assert [len(one) for one in lists] == [1, 0, 1]

    with_service(tmp_path, scene)


def test_waiting_ends_with_the_job_or_the_time(tmp_path: Path) -> None:
    async def scene(service: Service, bench: Bench) -> None:
        job = await service.submit(Order("logo", {}), ME)
        assert (await service.wait(job.id, 0.05)).state == "queued"
        waiting = asyncio.create_task(service.wait(job.id, 60))
        await asyncio.sleep(0)
        service.started(job.id)
        service.progress(job.id, 0.5, None)
        await service.finish(job.id, Ending("failed", failure=Failure("node", "no", {"id": "1"})))
        ended = await waiting
        assert ended.state == "failed" and ended.failure == Failure("node", "no", {"id": "1"})

    with_service(tmp_path, scene)


def test_deleting_takes_the_files_and_only_of_what_is_over(tmp_path: Path) -> None:
    async def scene(service: Service, bench: Bench) -> None:
        job = await service.submit(await order(service), ME)
        with pytest.raises(Problem) as running:
            await service.delete(job.id)
        assert running.value.status == 409
        assert (await service.cancel(job.id)).state == "cancelled"
        await service.delete(job.id)
        assert folders(service) == []
        with pytest.raises(Problem):
            await service.job(job.id, BOSS)

    with_service(tmp_path, scene)


def test_a_restart_takes_up_what_was_left_in_its_order(tmp_path: Path) -> None:
    left: list[str] = []

    async def before(service: Service, bench: Bench) -> None:
        for number in range(5):
            job = await service.submit(await order(service, metadata={"n": number}), ME)
            left.append(job.id)
        await service.finish(left.pop(2), Ending("completed"))
        service.started(left[0])
        part = service.files.output_folder(left[0]) / "half.svg"
        part.parent.mkdir(parents=True)
        part.write_text("<svg")

    async def after(service: Service, bench: Bench) -> None:
        await until(lambda: len(bench.begun) == 4)
        assert bench.begun == left and service.unfinished() == 4
        assert not (service.files.output_folder(left[0]) / "half.svg").exists()
        job = await service.job(left[0], ME)
        assert job.attempts == 2 and (service.files.inputs / job.inputs["image"]).is_file()

    with_service(tmp_path, before)
    with_service(tmp_path, after)


def test_a_job_that_takes_the_server_down_is_given_up(tmp_path: Path) -> None:
    ids: list[str] = []

    async def deadly(service: Service, bench: Bench) -> None:
        if not ids:
            ids.append((await service.submit(Order("logo", {}), ME)).id)
        await until(lambda: bench.begun == ids)
        service.started(ids[0])
        await until(lambda: service.view(Job(**{**vars(DRAFT), "id": ids[0]}))["state"] == "running")

    async def last(service: Service, bench: Bench) -> None:
        await until(lambda: service.unfinished() == 0)
        job = await service.job(ids[0], ME)
        assert job.failure is not None and job.failure.kind == "lost" and bench.begun == []

    settings = "[limits]\nattempts = 2\n"
    with_service(tmp_path, deadly, settings)
    with_service(tmp_path, deadly, settings)
    with_service(tmp_path, last, settings)


def test_only_ones_own_litter_is_swept(tmp_path: Path) -> None:
    """Another server may keep its jobs in the same folders."""
    others = tmp_path / "out/vectrahub/jobs/of-another-server/a.svg"
    reading = tmp_path / "in/vectrahub/incoming/of-another-server/part"
    for path in (others, reading):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")

    async def killed(service: Service, bench: Bench) -> None:
        async def die(job: Job) -> Mapping[str, Any]:
            raise KeyboardInterrupt

        bench.plan = die  # type: ignore[method-assign]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(service.files, "remove", lambda _job_id: None)  # nobody is left to do it
            patch.setattr(service.ledger, "swept", lambda _job_id: asyncio.sleep(0))
            with pytest.raises(KeyboardInterrupt):
                await service.submit(await order(service), ME)
        assert len(folders(service)) == 2

    async def next_one(service: Service, bench: Bench) -> None:
        await until(lambda: folders(service) == ["of-another-server"])
        assert others.exists() and reading.exists()

    with_service(tmp_path, killed)
    with_service(tmp_path, next_one)


def test_one_job_that_cannot_be_taken_up_keeps_no_other_waiting(tmp_path: Path) -> None:
    ids: list[str] = []

    async def before(service: Service, bench: Bench) -> None:
        for _ in range(4):
            ids.append((await service.submit(Order("logo", {}), ME)).id)

    class Odd(Bench):
        async def resume(self, job: Job) -> None:
            if job.id == ids[0]:
                raise TypeError("a graph that nobody foresaw")
            await super().resume(job)

    async def after(service: Service, bench: Bench) -> None:
        await until(lambda: len(bench.begun) == 2 and service.unfinished() == 2)
        assert bench.begun == [ids[1], ids[3]]
        failed = await service.job(ids[0], ME)
        assert failed.failure is not None and failed.failure.kind == "internal"

    with_service(tmp_path, before)

    async def cancel_one(service: Service, bench: Bench) -> None:
        await service.cancel(ids[2])  # before its turn has come
        await service.delete(ids[2])
        await after(service, bench)

    with_service(tmp_path, cancel_one, runner=Odd)


def test_the_job_that_runs_at_once_after_a_restart_is_counted_before(tmp_path: Path) -> None:
    """It may end the process before anybody hears that it began."""
    ids: list[str] = []

    async def first(service: Service, bench: Bench) -> None:
        ids.extend([(await service.submit(Order("logo", {}), ME)).id for _ in range(2)])

    async def again(service: Service, bench: Bench) -> None:
        await until(lambda: len(bench.begun) == 2)

    async def last(service: Service, bench: Bench) -> None:
        await until(lambda: service.unfinished() == 1)
        deadly, innocent = await service.job(ids[0], ME), await service.job(ids[1], ME)
        assert deadly.failure is not None and deadly.failure.kind == "lost" and not innocent.is_over
        assert service.view(innocent)["state"] == "queued" and innocent.attempts == 1  # now it is the next to run

    settings = "[limits]\nattempts = 2\n"
    for scene in (first, again, again, last):
        with_service(tmp_path, scene, settings)


def test_an_end_is_written_when_the_disk_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vectrahub.vectrahub_client.service.service._RETRY", 0.01)

    async def scene(service: Service, bench: Bench) -> None:
        job = await service.submit(Order("logo", {}), ME)
        end, tries = service.ledger.end, []

        def full(*args: Any) -> Any:
            tries.append(1)
            if len(tries) < 3:
                raise Problem(503, "unavailable", "Not now", "the disk is full")
            return end(*args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(service.ledger, "end", full)
            await service.finish(job.id, Ending("completed"))
        assert len(tries) == 3 and (await service.job(job.id, ME)).state == "completed"

    with_service(tmp_path, scene)


DRAFT = Job("", 0, "logo", "queued", "t1", {}, {}, {}, {}, 1.0, 0.0)
