"""Jobs in ComfyUI's own queue: put there, followed while they run, read from its history at their end."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import execution
from server import PromptServer

from ..vectrahub_client._events import EventReader
from ..vectrahub_client._outputs import read_entry
from ..vectrahub_client._workflow import Graph, check_graph
from ..vectrahub_client.client import rejection
from ..vectrahub_client.errors import BadAnswer, JobCancelled, JobFailed, JobRejected
from ..vectrahub_client.service.records import Ending, Failure, Job
from ..vectrahub_client.service.service import Service
from .host_events import HostEvents
from .host_graph import into_folder, schema_of
from .host_results import collected

log = logging.getLogger("vectrahub")
_LOOK = 1.0  # seconds between two looks at the queue and the history, should an event have been missed


@dataclass
class _Run:
    """A job between its way into the queue and its end."""

    job: Job
    graph: Graph
    reader: EventReader
    began: float = 0.0  # time.monotonic()
    node: tuple[str, float] | None = None  # the class at work, since when
    seconds: dict[str, float] = field(default_factory=dict)  # by node class
    cached: int = 0
    stopped_for: str | None = None  # "timeout", where it was that
    timer: asyncio.TimerHandle | None = None
    missed: int = 0  # looks at which it was nowhere
    settling: bool = False


class HostRunner:
    """Runs the jobs of `service` in the ComfyUI around us. The job's id is the prompt's id. For one event loop."""

    def __init__(self, server: PromptServer, service: Service) -> None:
        self._server = server
        self._service = service
        self._client_id = f"vectrahub-{uuid.uuid4().hex}"
        self._events = HostEvents(self._hear)
        self._runs: dict[str, _Run] = {}
        self._running: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen to the server from now on."""
        self._listen()
        self._in_background(self._keep_looking())

    async def close(self) -> None:
        """Listen no longer."""
        self._server.sockets.pop(self._client_id, None)
        self._server.sockets_metadata.pop(self._client_id, None)
        for task in self._tasks:
            task.cancel()

    async def plan(self, job: Job) -> Mapping[str, Any]:
        """{"graph", "outputs"}: the order as an API-format graph whose results go to the job's own folder, and the ids
        of its output nodes.

        Raises UsageError, of which JobRejected names the node that cannot run.
        """
        system = self._service.systems[job.system]
        params = system.params.model_validate(job.params)
        graph = await asyncio.to_thread(system.build, params, job.inputs, schema_of)
        folder = self._service.files.output_folder(job.id)
        graph = into_folder(graph, folder.relative_to(self._service.files.outputs).as_posix())
        # What every graph that is posted to the server goes through: other packs' handlers, and renamed nodes.
        body = self._server.trigger_on_prompt({"prompt": graph, "client_id": self._client_id, "prompt_id": job.id})
        graph = body["prompt"] = check_graph(body["prompt"], "the workflow")  # a handler may have made it anything
        self._server.node_replace_manager.apply_replacements(body["prompt"])
        return {"graph": graph, "outputs": await _valid(job.id, graph)}

    async def start(self, job: Job) -> None:
        """Put it into the server's queue, unless it was cancelled a moment ago."""
        if not self._service.waits(job.id):
            return
        graph = dict(job.plan["graph"])
        self._runs[job.id] = _Run(job, graph, EventReader(job.id, graph))
        extra = {"client_id": self._client_id, "create_time": int(job.created_at * 1000)}
        number, self._server.number = self._server.number, self._server.number + 1
        self._server.prompt_queue.put((number, job.id, graph, extra, list(job.plan["outputs"]), {}))

    async def resume(self, job: Job) -> None:
        """The same, if the models and nodes of before are still there; else it ends as failed."""
        try:
            await _valid(job.id, dict(job.plan["graph"]))
        except JobRejected as error:
            await self._service.finish(job.id, Ending("failed", failure=Failure("refused", str(error))))
            return
        await self.start(job)

    async def cancel(self, job_id: str) -> None:
        """Out of the queue at once; a run ends as soon as its node looks up."""
        queue = self._server.prompt_queue
        if queue.delete_queue_item(lambda item: item[1] == job_id) or job_id not in self._runs:
            self._runs.pop(job_id, None)
            await self._service.finish(job_id, Ending("cancelled"))
        else:
            queue.interrupt_if_running(job_id)

    def place(self, job_id: str) -> int | None:
        """0 = running, 1 = next; jobs that people queued in the UI count, too."""
        running, waiting = self._server.prompt_queue.get_current_queue_volatile()
        if any(item[1] == job_id for item in running):
            return 0
        mine = next((item[0] for item in waiting if item[1] == job_id), None)
        return None if mine is None else 1 + sum(item[0] < mine for item in waiting)

    # While it runs.

    def _hear(self, message: Mapping[str, Any]) -> None:
        data = message.get("data")
        kind = message.get("type")
        if not isinstance(data, Mapping):
            return
        run = self._runs.get(str(data.get("prompt_id") or (self._running if kind == "progress_text" else "")))
        if run is None:
            return
        if kind == "execution_start":
            self._begin(run)
        elif kind == "execution_cached":
            run.cached = len(data.get("nodes") or ())
        elif kind == "executing":
            self._enter(run, data.get("display_node") or data.get("node"))
        if (event := run.reader.read(message)) is not None:
            words = ": ".join(filter(None, (event.title or event.node_type, event.text)))
            self._service.progress(run.job.id, event.share, words or None)

    def _begin(self, run: _Run) -> None:
        run.began = time.monotonic()
        self._running = run.job.id
        run.timer = asyncio.get_running_loop().call_later(run.job.timeout_s, self._time_out, run)
        self._service.started(run.job.id)

    def _enter(self, run: _Run, node_id: object) -> None:
        now = time.monotonic()
        if run.node is not None:
            name, since = run.node
            run.seconds[name] = run.seconds.get(name, 0.0) + now - since
            run.node = None
        if node_id is None:  # said last of all, when the history has the job
            self._settle(run)
        elif str(node_id) in run.graph:
            run.node = run.graph[str(node_id)]["class_type"], now

    def _time_out(self, run: _Run) -> None:
        run.stopped_for = "timeout"
        self._server.prompt_queue.interrupt_if_running(run.job.id)

    # At its end.

    def _settle(self, run: _Run) -> None:
        entry = self._server.prompt_queue.get_history(prompt_id=run.job.id, map_function=_as_it_is).get(run.job.id)
        if entry is not None and not run.settling:
            run.settling = True
            if run.timer is not None:
                run.timer.cancel()
            self._in_background(self._finish(run, entry))

    async def _finish(self, run: _Run, entry: Mapping[str, Any]) -> None:
        try:
            ending = await asyncio.to_thread(self._ending, run, entry)
        except Exception:  # whatever a node put into the history, the job must end
            log.exception("the results of the job %s cannot be read", run.job.id)
            failure = Failure("internal", "its results cannot be read; the server's log says why")
            ending = Ending("failed", failure=failure, seconds=time.monotonic() - run.began)
        await self._end(run, ending)
        # The ledger has it: the host would keep the graph and what its nodes showed until its history is full.
        self._server.prompt_queue.delete_history_item(run.job.id)

    async def _end(self, run: _Run, ending: Ending) -> None:
        await self._service.finish(run.job.id, ending)
        self._runs.pop(run.job.id, None)

    def _ending(self, run: _Run, entry: Mapping[str, Any]) -> Ending:
        seconds = time.monotonic() - run.began if run.began else 0.0
        figures = {"seconds": seconds, "nodes": run.seconds, "cached": run.cached}
        try:
            result = read_entry(run.job.id, entry, run.graph, seconds)
            outputs = collected(result.files, self._service.files, run.job.id)
            self._service.files.flush(outputs)
            report = self._service.systems[run.job.system].tell(run.graph, result.reports)
            return Ending("completed", outputs, report, **figures)
        except JobFailed as error:
            node = {"id": error.node_id, "type": error.node_type, "title": error.title}
            return Ending("failed", failure=Failure("node", str(error), node), **figures)
        except JobCancelled:
            if run.stopped_for is None:
                return Ending("cancelled", **figures)
            text = f"it ran longer than {run.job.timeout_s:g} s, which it was allowed, and was stopped"
            return Ending("failed", failure=Failure("timeout", text), **figures)
        except (BadAnswer, OSError) as error:
            return Ending("failed", failure=Failure("internal", f"its results cannot be read: {error}"), **figures)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            self._listen()
            running, waiting = self._server.prompt_queue.get_current_queue_volatile()
            for job_id in {item[1] for item in running} & set(self._runs):
                if not self._runs[job_id].began:  # its beginning was not heard
                    self._begin(self._runs[job_id])
            there = {item[1] for item in (*running, *waiting)}
            for run in [run for job_id, run in self._runs.items() if job_id not in there and not run.settling]:
                self._settle(run)
                run.missed += 1
                if not run.settling and run.missed > 2:
                    run.settling = True
                    self._in_background(self._lost(run))

    async def _lost(self, run: _Run) -> None:
        """It is neither in the queue nor in the history: somebody emptied the one or the other."""
        if not run.began:
            self._service.live.say(run.job.id, "somebody removed it from ComfyUI's queue")
            await self._end(run, Ending("cancelled"))
            return
        if run.timer is not None:
            run.timer.cancel()
        self._service.live.say(run.job.id, "somebody removed it from ComfyUI's history; it runs again")
        await asyncio.to_thread(self._service.files.clear_outputs, run.job.id)
        await self.start(run.job)

    def _listen(self) -> None:
        """Stand among the sockets; whoever connects under our name, which the queue shows, takes the place."""
        if self._server.sockets.get(self._client_id) is not self._events:
            self._server.sockets[self._client_id] = self._events
            self._server.sockets_metadata[self._client_id] = {"feature_flags": {}}

    def _in_background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("following a job failed: %s", error, exc_info=error)


def _as_it_is(entry: Any) -> Any:
    """Instead of the deep copy that the history makes otherwise."""
    return entry


async def _valid(job_id: str, graph: Graph) -> list[str]:
    """The ids of the output nodes. Raises JobRejected where any of them cannot run."""
    valid, error, outputs, node_errors = await execution.validate_prompt(job_id, graph, None)
    if not valid or node_errors:  # the server would run the valid outputs: half a result is none
        raise rejection({"error": error, "node_errors": node_errors}, graph)
    return list(outputs)
