"""The background task that hands over what is due. Its whole state is in the ledger, so a kill loses nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

import aiohttp

from ..ledger import Delivery
from ..net.addresses import Lookup, origin, system_lookup
from ..net.outgoing import Poster, reason
from ..net.sign import webhook_key
from ..problems import Problem
from ..settings import Callbacks, Settings, Urls
from .kinds import KINDS
from .needs import DeliveryFailed, DeliveryService, Desk, Sender

MOST_AT_ONCE = 8  # jobs whose deliveries are being sent
_BATCH = 64
_LOOK_S = 1.0  # between two looks while what is due waits for what is being sent
_LONGEST_SLEEP_S = 60.0  # the wall clock, by which things are due, may be set
_AFTER_TROUBLE_S = 5.0  # of our own: a ledger that cannot be read or written
_DOUBLING_FROM_S = 8.0

_LOG = logging.getLogger("vectrahub")


class Deliveries:
    """Sends what the ledger says is due: jobs side by side, the deliveries of one job one after the other.

    For one event loop. `lookup` resolves names.
    """

    def __init__(self, service: DeliveryService, lookup: Lookup = system_lookup) -> None:
        """Raises UsageError for settings that cannot be used: entries of [urls], addresses, a broken secret."""
        if service.settings.secrets.callbacks is not None:
            webhook_key(service.settings.secrets.callbacks.get_secret_value())
        self._service = service
        self._desk = Desk(
            service,
            callers=Poster(service.settings.urls, lookup),
            # Not one list with the callers': nobody may make this server call them.
            operator=Poster(_operator_urls(service.settings), lookup),
        )
        self._kinds = dict(KINDS)
        self._wake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    def also(self, kind: str, send: Sender) -> None:
        """A kind of somebody else's, to be known before `start`: what is left over may be of it."""
        self._kinds[kind] = send

    async def start(self) -> None:
        """Begin; what a process before left over comes first."""
        self._stopping = False
        self._loop = asyncio.create_task(self._run(), name="vectrahub-deliveries")

    async def stop(self) -> None:
        """End; what is being sent is cut off, and sent again with the same id by the next process."""
        self._stopping = True
        tasks = [task for task in (self._loop, *self._busy.values()) if task is not None]
        self._loop = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._busy.clear()
        await self._desk.callers.close()
        await self._desk.operator.close()

    def wake(self) -> None:
        """Something may be due: look now. Call it in the loop."""
        self._wake.set()

    async def check_target(self, url: str) -> None:
        """Refuse a callback address when it is given, not when the job is over. Raises Problem 422."""
        await self._desk.callers.rules.check(url)

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            pause = await _outcome(self._turn())
            if isinstance(pause, BaseException):
                _LOG.error("due deliveries cannot be looked up; again in %g s", _AFTER_TROUBLE_S, exc_info=pause)
                await asyncio.sleep(_AFTER_TROUBLE_S)
                continue
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    async def _turn(self) -> float | None:
        """Begin what is due; the seconds until the next look, None = when somebody calls."""
        room = MOST_AT_ONCE - len(self._busy)
        if room <= 0:
            return None
        by_job: dict[str, list[Delivery]] = {}
        for delivery in await self._service.ledger.due(time.time(), _BATCH):
            if delivery.job_id not in self._busy:
                by_job.setdefault(delivery.job_id, []).append(delivery)
        for job_id, group in list(by_job.items())[:room]:
            self._busy[job_id] = asyncio.create_task(self._send_all(job_id, group))
        next_at = await self._service.ledger.next_due()
        if next_at is None:
            return None
        pause = next_at - time.time()
        if pause <= 0:
            pause = _LOOK_S if self._busy else 0.01
        return min(pause, _LONGEST_SLEEP_S)

    async def _send_all(self, job_id: str, group: Sequence[Delivery]) -> None:
        try:
            for delivery in sorted(group, key=lambda one: "after" in one.target):
                trouble = await _outcome(self._send_one(delivery))
                if isinstance(trouble, BaseException):
                    # It stays due; without a pause it would be sent again and again.
                    _LOG.error("the outcome of the delivery %s was not kept", delivery.id, exc_info=trouble)
                    await asyncio.sleep(_AFTER_TROUBLE_S)
        finally:
            self._busy.pop(job_id, None)
            self._wake.set()

    async def _send_one(self, delivery: Delivery) -> None:
        ledger = self._service.ledger
        until = await self._waits_until(delivery)
        if until is not None:
            await ledger.put_off(delivery.id, delivery.attempts, until, f"waits for {delivery.target['after']}")
            return
        reply = await _outcome(self._send(delivery))
        if isinstance(reply, BaseException):
            await self._failed(delivery, reply)
            return
        await ledger.delivered(delivery.id, reply)
        self._service.metrics.delivery(delivery.kind, "done")
        _LOG.debug("delivery %s (%s) of the job %s done", delivery.id, delivery.kind, delivery.job_id)

    async def _waits_until(self, delivery: Delivery) -> float | None:
        after = delivery.target.get("after")
        if after is None:
            return None
        others = await self._service.ledger.deliveries(delivery.job_id)
        pending = [one.next_at for one in others if one.kind == after and one.state == "pending"]
        now = time.time()
        return (max(pending) + 0.05 if max(pending) > now else now + _LOOK_S) if pending else None

    async def _send(self, delivery: Delivery) -> dict[str, Any]:
        send = self._kinds.get(delivery.kind)
        if send is None:
            raise DeliveryFailed(f"nobody knows how to send {delivery.kind!r}", permanent=True)
        job = await self._service.job(delivery.job_id, None)
        return await send(delivery, job, self._desk)

    async def _failed(self, delivery: Delivery, error: BaseException) -> None:
        ledger, callbacks = self._service.ledger, self._service.settings.callbacks
        message, permanent = _in_words(delivery, error)
        attempts = delivery.attempts + 1
        next_at = time.time() + pause_after(attempts, callbacks)
        dead = permanent or next_at > delivery.created_at + callbacks.give_up_hours * 3600
        if dead:
            await ledger.give_up(delivery.id, attempts, message)
        else:
            await ledger.put_off(delivery.id, attempts, next_at, message)
        self._service.metrics.delivery(delivery.kind, "dead" if dead else "retry")
        _LOG.log(
            logging.WARNING if dead else logging.INFO,
            "delivery %s (%s) of the job %s %s after %d tries: %s",
            delivery.id,
            delivery.kind,
            delivery.job_id,
            "given up" if dead else "put off",
            attempts,
            message,
        )


def pause_after(attempts: int, callbacks: Callbacks) -> float:
    """Seconds to the next try after so many failed ones: `pauses_s`, then 8, 16 ... up to `longest_pause_s`."""
    if attempts <= len(callbacks.pauses_s):
        return callbacks.pauses_s[attempts - 1]
    doublings = min(attempts - len(callbacks.pauses_s) - 1, 30)
    return min(_DOUBLING_FROM_S * 2**doublings, callbacks.longest_pause_s)


def _in_words(delivery: Delivery, error: BaseException) -> tuple[str, bool]:
    """(what the delivery keeps of a failure, whether it is for good); a bug of ours is logged with its traceback."""
    if isinstance(error, DeliveryFailed):
        return str(error), error.permanent
    if isinstance(error, Problem):  # 404: the job or its file is gone
        return error.detail or error.title, error.status == 404
    # OSError and not NETWORK_ERRORS: here a disk that fails is put off like a network that does.
    if isinstance(error, (aiohttp.ClientError, OSError, asyncio.TimeoutError)):
        return reason(error), False
    _LOG.error("a bug in sending %s of the job %s", delivery.kind, delivery.job_id, exc_info=error)
    return "an internal error; the server's log has it", False


def _operator_urls(settings: Settings) -> Urls:
    named = {
        "contracts.vton.callback_url": settings.contracts.vton.callback_url,
        "contracts.vton.load_balancer_url": settings.contracts.vton.load_balancer_url,
        "contracts.vectrahub.app_base_url": settings.contracts.vectrahub.app_base_url,
    }
    origins = tuple(origin(url, name) for name, url in named.items() if url)
    return settings.urls.model_copy(update={"allow": (), "internal": origins})


async def _outcome(work: Coroutine[Any, Any, Any]) -> Any:
    """What it gives, or its exception, whichever that is; a cancellation of the caller passes."""
    return (await asyncio.gather(work, return_exceptions=True))[0]
