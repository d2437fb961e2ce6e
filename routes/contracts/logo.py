"""S2, the Logo Generator: POST /api/generate_logo answers with the logos when they are done.

At most `[contracts.logo] max_concurrent_jobs` of its jobs are in the queue at a time; further requests wait, as they
did there.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ...vectrahub_client._fetch import png_width
from ...vectrahub_client._graph_edit import MODEL_FILES, file_behind
from ...vectrahub_client._workflow import find_node, read_workflow
from ...vectrahub_client.errors import UsageError
from ...vectrahub_client.logo import LONGEST_PROMPT, MOST_SIZES, SAMPLE, SAVE, SHIPPED, SHORTEST_PROMPT
from ...vectrahub_client.service.bodies import read_json
from ...vectrahub_client.service.plain_png import read_plain
from ...vectrahub_client.service.problems import Problem, bad_value, busy
from ...vectrahub_client.service.records import Caller, Job
from ...vectrahub_client.service.route import Route
from ...vectrahub_client.service.service import Service
from ...vectrahub_client.service.systems.logo import LOGO
from ...vectrahub_client.vectorize import shipped_workflow
from .intake import Intake, Wish, key_of, said, validated, why_failed

CONTRACT = "logo"
ADDRESS = "/api/generate_logo"
SMALLEST, LARGEST = 64, 2048  # px; narrower than the system's

_RETRY_AFTER = 5
_LONGEST_BODY = 64 * 1024  # bytes
_DAY = 86_400.0  # seconds; a job that long in the queue is given up by whoever asked


class LogoRequest(BaseModel):
    """The body. Sizes outside of 64..2048 are dropped."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prompt: str = Field(min_length=SHORTEST_PROMPT, max_length=LONGEST_PROMPT)
    sizes: tuple[int, ...] = (256, 512, 1024)


class LogoContract:
    """The address, and what is waiting before it."""

    def __init__(self, service: Service, intake: Intake) -> None:
        self._service, self._intake = service, intake
        self._settings = service.settings.contracts.logo
        self._room = asyncio.Semaphore(self._settings.max_concurrent_jobs)
        self._waiting = 0

    def routes(self) -> list[Route]:
        """All of them but /health."""
        return [Route("POST", ADDRESS, self.generate, "jobs", refuse=refusal)]

    async def generate(self, request: web.Request, caller: Caller) -> web.Response:
        """Logos in all sizes."""
        async with self._service.gate.place(request, caller, _LONGEST_BODY) as place:
            asked = validated(LogoRequest, await read_json(place), "body")
        sizes = list(dict.fromkeys(size for size in asked.sizes if SMALLEST <= size <= LARGEST))[:MOST_SIZES]
        if not sizes:
            raise _wrong("sizes", f"none of {list(asked.sizes)[:20]} is {SMALLEST} to {LARGEST} px")
        if len(asked.prompt.strip()) < SHORTEST_PROMPT:
            raise _wrong("prompt", f"it has less than {SHORTEST_PROMPT} characters")
        self._check_room()
        self._waiting += 1
        try:
            async with self._room:
                job = await self._made(asked, sizes, request, caller)
        finally:
            self._waiting -= 1
        if job.state != "completed":
            raise _failed(why_failed(job))
        images = await asyncio.to_thread(self._images, job)
        if missing := [size for size in sizes if str(size) not in images]:
            raise _failed(f"no picture of {missing[0]} px was made")
        return web.json_response(
            {
                "message": "Logo generated successfully!",
                "prompt": asked.prompt,
                "images": {str(size): images[str(size)] for size in sizes},
                "sizes": sizes,
                "model": await asyncio.to_thread(shipped_model),
            },
            headers={"X-Job-Id": job.id},
        )

    async def _made(self, asked: LogoRequest, sizes: list[int], request: web.Request, caller: Caller) -> Job:
        params: dict[str, Any] = {"prompt": asked.prompt, "sizes": sizes}
        for name in ("steps", "guidance"):
            if (value := getattr(self._settings, name)) is not None:
                params[name] = value
        try:
            async with self._service.files.incoming() as folder:
                job = await self._intake.order(caller, Wish(CONTRACT, LOGO.name, params), folder, key_of(request))
        except UsageError as error:  # the request was right: it is this server that lacks something
            raise _failed(str(error)) from None
        return await self._service.wait(job.id, _DAY)

    def _check_room(self) -> None:
        bound = self._service.settings.limits.queue
        if self._waiting >= bound:
            raise busy(f"{bound} requests wait, which is the limit; try again later", _RETRY_AFTER)

    def _images(self, job: Job) -> dict[str, str]:
        """{side: base64 PNG} of what the node Save saved."""
        files = [self._service.output(job, output.name) for output in job.outputs if output.node == SAVE]
        return {str(png_width(file, SAVE)): base64.b64encode(read_plain(file)).decode() for file in files}


def shipped_model() -> str:
    """The file of the diffusion model that logos are sampled with, as the workflow names it. Blocks."""
    graph = read_workflow(shipped_workflow(SHIPPED))
    node, name = file_behind(graph, find_node(graph, SAMPLE), "model", MODEL_FILES)
    return str(graph[node]["inputs"][name])


def refusal(problem: Problem, request_id: str) -> web.Response:
    """As FastAPI and the old server's own handlers said it."""
    text = said(problem)
    document: dict[str, Any] = {"detail": problem.extra.get("logo", text)}
    if problem.status == 422:
        places = problem.extra.get("errors") or [{"place": "body", "problem": problem.detail}]
        document["detail"] = [
            {"loc": one["place"].split("."), "msg": one["problem"], "type": "value_error"} for one in places
        ]
    elif problem.status == 400:
        document["detail"] = f"Invalid request: {problem.detail or problem.title}"
    elif problem.status == 500 and "logo" not in problem.extra:
        document = {"status": "error", "message": text, "request_id": request_id}
    return web.json_response(document, status=problem.status, headers=problem.headers)


def _wrong(name: str, problem: str) -> Problem:
    return bad_value(f"{name}: {problem}", errors=[{"place": f"body.{name}", "problem": problem}])


def _failed(why: str) -> Problem:
    return Problem(500, "failed", "The logo failed", why, logo=f"Failed to generate logo: {why}")
