"""Starting and ending a fleet."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from ..errors import HostFailed, NoServer, UsageError
from ..service.settings import Settings
from ._ray import import_ray
from .edge import APP, DEPLOYMENT, Edge
from .options import FleetOptions
from .replica import Replica

NAMESPACE = "vectrahub"
EDGE = "edge"
_SPARE = 120.0  # seconds beyond a job's own time that a replica gets before Serve ends it by force
_STORE = 256 * 1024 * 1024  # bytes of a local Ray's object store: inputs and results on their way


@dataclass(frozen=True)
class Fleet:
    """One that runs. `url`: of its job API."""

    url: str
    edge: Any
    grace: float

    def stop(self) -> int:
        """Let running jobs end, for `grace` seconds, and end everything; how many jobs are left in the ledger."""
        ray, serve = import_ray()
        try:
            left = ray.get(self.edge.drain.remote(self.grace))
        except ray.exceptions.RayActorError as error:
            raise HostFailed(f"the edge ended before its jobs did; they are in its ledger: {error}") from error
        finally:
            ray.kill(self.edge)
            serve.shutdown()
            ray.shutdown()
        return left


def start(
    options: FleetOptions,
    settings: Settings,
    *,
    address: str | None = None,
    detach: bool = False,
    say: Callable[[str], None] = lambda _text: None,
) -> Fleet:
    """Replicas and edge on the Ray at `address` ("auto": this machine's), else on one that ends with this process.

    `detach`: they stay when this process ends. Raises UsageError, HostFailed where no replica or no edge comes up.
    """
    if address is None:
        _shut_in(os.environ)  # Ray reads it when it is imported
    ray, serve = import_ray()
    if __name__.split(".")[0] != "vectrahub_client":
        raise UsageError(
            "a fleet is started from the package vectrahub_client, not from the pack: Ray names classes so"
        )
    if detach and address is None:
        raise UsageError("--detach wants --address: a Ray of this process ends with it")
    _connect(ray, address)
    try:
        serve.start(proxy_location="Disabled", logging_config={"enable_access_log": False})
        say(f"starting {options.replicas} replicas (each about 20 s)")
        _deploy(serve, options, settings)
        place = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        edge = (
            ray.remote(Edge)
            .options(
                name=EDGE,
                num_cpus=0,
                max_restarts=-1,
                max_concurrency=8,
                lifetime="detached" if detach else None,
                scheduling_strategy=place,  # where its ledger is
            )
            .remote(options, settings)
        )
        return Fleet(ray.get(edge.url.remote()), edge, options.grace)
    except (RuntimeError, ray.exceptions.RayError) as error:
        ray.shutdown()
        raise HostFailed(f"the fleet did not start: {error}") from error


def find(address: str, grace: float) -> Fleet:
    """A detached fleet on the Ray at `address`. Raises NoServer."""
    ray, _ = import_ray()
    _connect(ray, address)
    try:
        edge = ray.get_actor(EDGE, namespace=NAMESPACE)
    except ValueError as error:
        raise NoServer(f"no fleet runs on the Ray at {address}") from error
    return Fleet(ray.get(edge.url.remote()), edge, grace)


def _connect(ray: Any, address: str | None) -> None:
    local: dict[str, Any] = {}
    if address is None:
        local = {"include_dashboard": False, "object_store_memory": _STORE}
    try:
        ray.init(address=address or "local", namespace=NAMESPACE, log_to_driver=False, **local)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise NoServer(f"no Ray at {address}: {error}" if address else f"Ray does not start: {error}") from error


def _shut_in(environ: MutableMapping[str, str]) -> None:
    """A Ray of our own listens on every address and runs what it is sent: only for who has this process's token.

    Ray knows tokens since 2.52 and takes them from the environment. Nor does it tell its makers what it does.
    """
    environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if "RAY_AUTH_MODE" not in environ:
        environ["RAY_AUTH_MODE"] = "token"
        if not (environ.get("RAY_AUTH_TOKEN") or environ.get("RAY_AUTH_TOKEN_PATH")):
            environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _deploy(serve: Any, options: FleetOptions, settings: Settings) -> None:
    longest = settings.limits.timeout_s + _SPARE
    size: dict[str, Any] = {"num_replicas": options.replicas}
    if options.most is not None and options.most > options.replicas:
        # A request lasts as long as its job, those that wait included: requests are the queue.
        size = {
            "autoscaling_config": {
                "min_replicas": options.replicas,
                "max_replicas": options.most,
                "target_ongoing_requests": options.ahead,
            }
        }
    deployment = serve.deployment(
        name=DEPLOYMENT,
        ray_actor_options={"num_gpus": options.gpus, "num_cpus": options.cpus},
        max_ongoing_requests=options.ahead,
        graceful_shutdown_timeout_s=longest,
        health_check_period_s=2,
        **size,
    )(Replica)
    limits = settings.limits.model_dump()
    serve.run(deployment.bind(limits, settings.node_id), name=APP, route_prefix=None)
