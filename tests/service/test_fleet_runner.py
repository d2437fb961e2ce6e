"""What the edge does with what replicas say, and when they die. Replicas are played; Ray's errors are its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from vectrahub.vectrahub_client.errors import UsageError
from vectrahub.vectrahub_client.fleet._ray import import_ray
from vectrahub.vectrahub_client.fleet.messages import Over, Result, Standing, Task
from vectrahub.vectrahub_client.fleet.replica import environ_of_host
from vectrahub.vectrahub_client.fleet.runner import RayRunner
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.records import Caller, Job, Order
from vectrahub.vectrahub_client.service.service import Folders, Service
from vectrahub.vectrahub_client.service.settings import Settings, load_settings
from vectrahub.vectrahub_client.service.systems.registry import SYSTEMS

pytest.importorskip("ray", reason="pip install 'vectrahub[fleet]'")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own
LOCAL = Caller("local", "local", frozenset({"admin"}))
ORDER = Order("workflows", {"workflow": {"1": {"class_type": "Test", "inputs": {}}}})
RUNNING = Standing("running", 0.5, "Trace")
DRAWING = Result("a.svg", "Save", "image/svg+xml", b"<svg/>")
DONE = Over("completed", {"Trace": {"ms": 3}}, None)
DIES = "the replica dies"
WAITS = "until it is cancelled"


class Response:
    """Serve's answer to a call: the messages of one replica."""

    def __init__(self, script: Sequence[object]) -> None:
        self._script = script
        self._cancelled = asyncio.Event()

    def cancel(self) -> None:
        self._cancelled.set()

    async def __aiter__(self) -> AsyncIterator[Any]:
        from ray.exceptions import ActorDiedError
        from ray.serve.exceptions import RequestCancelledError

        for step in self._script:
            await asyncio.sleep(0)
            if step == DIES:
                raise ActorDiedError
            if step == WAITS:
                await self._cancelled.wait()
                raise RequestCancelledError("x")
            yield step


def played(
    folder: Path, scripts: Sequence[Sequence[object]], act: Callable[[Service, RayRunner, Job], Any] | None = None
) -> tuple[Job, list[Task]]:
    """The job in the end, and what replicas were asked: the n-th call is answered by the n-th script."""
    asked: list[Task] = []

    def ask(task: Task) -> Response:
        asked.append(task)
        return Response(scripts[len(asked) - 1])

    async def play() -> Job:
        made: list[RayRunner] = []

        def runner(service: Service) -> RayRunner:
            made.append(RayRunner(service, ask, None))
            return made[0]

        folders = Folders(folder / "in", folder / "out", folder / "jobs.sqlite")
        service = Service(Settings(), folders, runner, SYSTEMS)
        await service.start()
        try:
            job = await service.submit(ORDER, LOCAL)
            if act is not None:
                await act(service, made[0], job)
            return await service.wait(job.id, 20)
        finally:
            await service.stop()

    return asyncio.run(play()), asked


def files(folder: Path, job: Job) -> list[str]:
    return sorted(path.name for path in (folder / "out" / "vectrahub" / "jobs" / job.id).glob("*"))


def test_results_are_taken_over_and_told(tmp_path: Path) -> None:
    job, asked = played(tmp_path, [[Standing("queued", 0, None), RUNNING, DRAWING, DONE]])
    assert job.state == "completed" and job.attempts == 1 and job.report == {"Trace": {"ms": 3}}
    (output,) = job.outputs
    assert (tmp_path / "out" / output.path).read_bytes() == b"<svg/>" and output.bytes == 6
    assert asked[0].system == "workflows" and asked[0].timeout_s == Settings().limits.timeout_s


def test_a_job_so_short_that_nobody_saw_it_run_has_run(tmp_path: Path) -> None:
    job, _ = played(tmp_path, [[DRAWING, DONE]])
    assert job.state == "completed" and job.attempts == 1 and job.started_at is not None


def test_results_of_a_run_that_died_are_not_there_twice(tmp_path: Path) -> None:
    job, asked = played(tmp_path, [[RUNNING, DRAWING, DIES], [RUNNING, DRAWING, DONE]])
    assert job.state == "completed" and job.attempts == 2 and len(asked) == 2
    assert files(tmp_path, job) == ["a.svg"] and len(job.outputs) == 1


def test_too_many_replicas_that_die_are_the_jobs_end(tmp_path: Path) -> None:
    job, asked = played(tmp_path, [[RUNNING, DIES]] * 3)
    assert job.state == "failed" and job.failure and job.failure.kind == "lost" and len(asked) == 3


def test_a_replica_that_dies_before_the_job_began_costs_no_attempt(tmp_path: Path) -> None:
    job, asked = played(tmp_path, [[DIES], [DIES], [DIES], [DIES], [RUNNING, DONE]])
    assert job.state == "completed" and job.attempts == 1 and len(asked) == 5


@pytest.mark.parametrize("kind", ["node", "timeout", "refused"])
def test_a_failure_is_that_of_the_replica(tmp_path: Path, kind: str) -> None:
    job, _ = played(tmp_path, [[RUNNING, Over("failed", {}, {"kind": kind, "message": "why", "node": {"id": "1"}})]])
    assert job.state == "failed" and job.failure and job.failure.as_dict()["kind"] == kind
    assert job.failure.message == "why" and job.failure.node == {"id": "1"}


@pytest.mark.parametrize("script", [[WAITS], [RUNNING, WAITS]])
def test_a_cancelled_job_is_cancelled_where_it_is(tmp_path: Path, script: list[object]) -> None:
    async def cancel(service: Service, runner: RayRunner, job: Job) -> None:
        await asyncio.sleep(0.2)
        assert runner.place(job.id) == (0 if RUNNING in script else 1)
        await service.cancel(job.id)

    job, asked = played(tmp_path, [script], cancel)
    assert job.state == "cancelled" and len(asked) == 1


def test_draining_takes_nothing_more_and_leaves_what_waits(tmp_path: Path) -> None:
    async def drain(service: Service, runner: RayRunner, job: Job) -> None:
        await asyncio.sleep(0.1)
        assert await runner.drain(5) == 1
        assert not (await service.job(job.id, None)).is_over
        with pytest.raises(Problem) as refused:
            await service.submit(ORDER, LOCAL)
        assert refused.value.status == 503
        raise asyncio.TimeoutError

    with pytest.raises(asyncio.TimeoutError):
        played(tmp_path, [[WAITS]], drain)


def test_without_ray_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'vectrahub\[fleet\]'"):
        import_ray()


def test_a_replicas_host_has_the_edges_limits_and_none_of_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {"PATH": "/bin", "VECTRAHUB_HOST": "host.json", "VECTRAHUB_SECRETS__LINKS": "s", "SVG_UPLOAD_SECRET": "s"}
    ours |= {"VECTRAHUB_CONFIG": "edge.toml", "RAY_AUTH_TOKEN": "s", "VECTRAHUB_CONTRACTS__VTON__ENABLED": "true"}
    limits = Settings.model_validate({"limits": {"timeout_s": 7200, "workflows": False}}).limits
    theirs = environ_of_host(ours, limits.model_dump(), "n")
    assert "s" not in theirs.values() and {"PATH", "VECTRAHUB_HOST"} <= set(theirs)
    assert "VECTRAHUB_CONFIG" not in theirs and "VECTRAHUB_CONTRACTS__VTON__ENABLED" not in theirs
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    assert load_settings().limits == limits


def test_the_next_start_takes_up_what_was_left(tmp_path: Path) -> None:
    async def leave(_service: Service, _runner: RayRunner, _job: Job) -> None:
        await asyncio.sleep(0.1)
        raise asyncio.TimeoutError

    with pytest.raises(asyncio.TimeoutError):
        played(tmp_path, [[RUNNING, WAITS]], leave)
    _, asked = played(tmp_path, [[RUNNING, DONE], [RUNNING, DONE]])
    assert len(asked) == 2 and asked[0].job_id != asked[1].job_id
