"""The edge's HTTP: the job API as a ComfyUI serves it, and probes that tell of the fleet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from aiohttp import web

from .. import __version__
from ..service.api.jobs import job_routes
from ..service.api.tokens import token_routes
from ..service.api.unknown import catch_all_route
from ..service.door import Door
from ..service.metrics import CONTENT_TYPE
from ..service.openapi import bare_answer, json_answer, openapi_route, operation
from ..service.records import Caller
from ..service.route import PREFIX, Route
from ..service.service import Service

_OBJECT = {"type": "object"}
_TAG = "service"

# What the fleet says of itself: {"replicas": running, "starting": ..., "wanted": ...}, None where Serve is silent.
Fleet = dict[str, int] | None


def application(service: Service, fleet: Callable[[], Fleet], draining: Callable[[], bool]) -> web.Application:
    """The service behind its door, started and stopped with the application. `fleet` must not block."""
    door = Door(service.settings, service.ledger, service.metrics)
    routes = [*job_routes(service), *token_routes(service)]
    routes += _probes(service, fleet, draining)
    routes.append(openapi_route(routes))
    routes.append(catch_all_route(routes))
    app = web.Application(client_max_size=int(service.settings.limits.body_mb * 1024 * 1024) + 1)
    for route in routes:
        handler = door.behind(route)
        if route.method == "GET":
            app.router.add_get(route.path, handler)  # and HEAD
        else:
            app.router.add_route(route.method, route.path, handler)

    async def life(_app: web.Application) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app.cleanup_ctx.append(life)
    return app


def _probes(service: Service, fleet: Callable[[], Fleet], draining: Callable[[], bool]) -> list[Route]:
    async def health(_request: web.Request, _caller: Caller) -> web.Response:
        known = {"version": __version__, "node_id": service.settings.node_id, "jobs": service.unfinished()}
        return web.json_response({"status": "ok", **known, "fleet": fleet()})

    async def ready(_request: web.Request, _caller: Caller) -> web.Response:
        bound = service.settings.limits.queue
        seen = fleet() or {}
        checks = {
            "ledger": "ok" if service.ledger.trouble is None else "jobs cannot be kept; the log says why",
            "queue": "ok" if service.unfinished() < bound else f"full: {bound} jobs wait or run",
            "replicas": "ok" if seen.get("replicas") else "none is there yet",
            "life": "ok" if not draining() else "this server is being stopped",
        }
        if all(state == "ok" for state in checks.values()):
            return web.json_response({"status": "ready", "checks": checks})
        return web.json_response({"status": "not_ready", "checks": checks}, status=503, headers={"Retry-After": "5"})

    async def metrics(_request: web.Request, _caller: Caller) -> web.Response:
        return web.Response(body=service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    lives = operation("Whether the server lives, and how large the fleet is", _TAG, {200: json_answer("Yes.", _OBJECT)})
    answers = {status: json_answer(text, _OBJECT) for status, text in ((200, "It would be."), (503, "It would not."))}
    would = operation("Whether a job that is sent now would be taken", _TAG, answers)
    figures = operation("Figures for Prometheus", _TAG, {200: bare_answer("Text.", "text/plain", {"type": "string"})})
    return [
        Route("GET", f"{PREFIX}/health", health, doc=lives),
        Route("GET", f"{PREFIX}/ready", ready, doc=would),
        Route("GET", f"{PREFIX}/metrics", metrics, doc=figures),
    ]
