from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from vectrahub.tests.service.local_server import closed_port, serving, speaking
from vectrahub.tests.service.outbox import QUICK, MemoryLedger, Office, a_job, office_settings, until
from vectrahub.vectrahub_client.service.delivery import Deliveries, worker
from vectrahub.vectrahub_client.service.settings import Callbacks


class Receiver:
    """Answers with the statuses in turn, then 200; keeps the ids that came in."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.ids: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, request: web.Request) -> web.Response:
        self.ids.append((await request.json())["id"])
        await self.gate.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


def settled(office: Office) -> bool:
    return all(one.state != "pending" for one in office.ledger.kept.values())


async def sent(office: Office) -> None:
    """Run until nothing is pending."""
    deliveries = Deliveries(office)
    await deliveries.start()
    await until(lambda: settled(office))
    await deliveries.stop()


def test_twice_500_then_taken_with_the_same_id(tmp_path: Path) -> None:
    async def run() -> None:
        receiver = Receiver(500, 302)
        async with serving(receiver) as address:
            office = Office(office_settings(address), tmp_path)
            name = office.ledger.add("callback", {"url": f"http://{address}/"})
            await sent(office)
        assert receiver.ids == [name] * 3
        assert office.ledger.outcomes == [(name, "put off"), (name, "put off"), (name, "done")]
        assert office.ledger.kept[name].attempts == 3
        assert office.metrics.seen == [("callback", "retry"), ("callback", "retry"), ("callback", "done")]

    asyncio.run(run())


def test_gone_is_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        receiver = Receiver(410)
        async with serving(receiver) as address:
            office = Office(office_settings(address), tmp_path)
            name = office.ledger.add("callback", {"url": f"http://{address}/"})
            await sent(office)
        assert office.ledger.kept[name].state == "dead" and office.ledger.kept[name].error == "the receiver answers 410"
        assert office.metrics.seen == [("callback", "dead")]

    asyncio.run(run())


def test_a_redirect_to_loopback_is_not_followed(tmp_path: Path) -> None:
    async def run() -> None:
        inside = Receiver()
        async with serving(inside) as secret:

            async def redirect(request: web.Request) -> web.Response:
                raise web.HTTPTemporaryRedirect(f"http://{secret}/")

            async with serving(redirect) as address:
                office = Office(office_settings(address), tmp_path)
                name = office.ledger.add("callback", {"url": f"http://{address}/"})
                deliveries = Deliveries(office)
                await deliveries.start()
                await until(lambda: len(office.ledger.outcomes) >= 3)
                await deliveries.stop()
        assert not inside.ids and office.ledger.kept[name].error == "the receiver answers 307"

    asyncio.run(run())


def test_a_target_that_is_not_allowed_any_more_is_not_sent_to(tmp_path: Path) -> None:
    async def run() -> None:
        receiver = Receiver()
        async with serving(receiver) as address:
            office = Office(office_settings(), tmp_path)
            name = office.ledger.add("callback", {"url": f"http://{address}/?key=s3cret"})
            deliveries = Deliveries(office)
            await deliveries.start()
            await until(lambda: bool(office.ledger.outcomes))
            await deliveries.stop()
        assert not receiver.ids
        error = str(office.ledger.kept[name].error)
        assert "only https" in error and "s3cret" not in error

    asyncio.run(run())


@pytest.mark.parametrize("how", ["dead", "silent", "garbage"])
def test_a_receiver_that_never_answers_is_given_up(tmp_path: Path, how: str) -> None:
    callbacks = Callbacks(timeout_s=0.2, pauses_s=(0.01, 0.02), longest_pause_s=0.05, give_up_hours=1 / 3600)

    async def run(address: str) -> None:
        office = Office(office_settings(address, callbacks=callbacks), tmp_path)
        name = office.ledger.add("callback", {"url": f"http://{address}/?key=s3cret"})
        await sent(office)
        delivery = office.ledger.kept[name]
        assert delivery.state == "dead" and delivery.attempts >= 2
        assert delivery.error and "s3cret" not in delivery.error

    async def silent() -> None:
        async with speaking(
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2000 if how == "silent" else b"hello\r\n\r\n", 0.05
        ) as address:
            await run(address)

    async def dead() -> None:
        await run(await closed_port())

    asyncio.run(dead() if how == "dead" else silent())


def test_an_old_delivery_still_gets_one_try(tmp_path: Path) -> None:
    async def run() -> None:
        receiver = Receiver(500)
        async with serving(receiver) as address:
            office = Office(office_settings(address), tmp_path)
            week = time.time() - 7 * 86400
            first = office.ledger.add("callback", {"url": f"http://{address}/"}, created_at=week)
            await sent(office)
            second = office.ledger.add("callback", {"url": f"http://{address}/"}, created_at=week)
            await sent(office)
        assert [office.ledger.kept[name].state for name in (first, second)] == ["dead", "done"]

    asyncio.run(run())


def test_pauses_grow(tmp_path: Path) -> None:
    callbacks = Callbacks(longest_pause_s=100)
    assert [worker.pause_after(n, callbacks) for n in range(1, 10)] == [1, 2, 4, 8, 16, 32, 64, 100, 100]
    assert worker.pause_after(100_000, callbacks) == 100
    assert worker.pause_after(1, Callbacks(pauses_s=())) == 8


@pytest.mark.parametrize("fate", ["done", "dead"])
def test_the_load_balancer_waits_for_the_asset_service(tmp_path: Path, fate: str) -> None:
    order: list[str] = []
    statuses = [500, 500, 200 if fate == "done" else 410]

    async def receive(request: web.Request) -> web.Response:
        await request.read()
        order.append(request.path)
        return web.Response(status=statuses.pop(0) if request.path == "/result" else 200)

    async def run() -> None:
        async with serving(receive) as address:
            vton = {"callback_url": f"http://{address}/result", "load_balancer_url": f"http://{address}"}
            office = Office(office_settings(contracts={"vton": vton}), tmp_path)
            (tmp_path / "art.png").write_bytes(b"x")
            balancer = office.ledger.add("load_balancer", {"after": "vton_result"})
            result = office.ledger.add("vton_result", {})
            await sent(office)
        assert order == ["/result"] * 3 + ["/job_complete"]
        assert office.ledger.kept[result].state == fate
        assert office.ledger.kept[balancer].state == "done" and office.ledger.kept[balancer].attempts == 1

    asyncio.run(run())


def test_what_waits_neither_goes_first_nor_asks_all_the_time(tmp_path: Path) -> None:
    statuses = [500, 200]

    async def receive(request: web.Request) -> web.Response:
        return web.Response(status=statuses.pop(0) if request.path == "/result" else 200)

    async def run() -> None:
        async with serving(receive) as address:
            vton = {"callback_url": f"http://{address}/result", "load_balancer_url": f"http://{address}"}
            callbacks = Callbacks(pauses_s=(0.3,))
            office = Office(office_settings(contracts={"vton": vton}, callbacks=callbacks), tmp_path)
            (tmp_path / "art.png").write_bytes(b"x")
            balancer = office.ledger.add("load_balancer", {"after": "vton_result"})
            result = office.ledger.add("vton_result", {})
            await sent(office)
        assert office.ledger.outcomes == [
            (result, "put off"),
            (balancer, "put off"),
            (result, "done"),
            (balancer, "done"),
        ]

    asyncio.run(run())


def test_one_job_in_turn_jobs_side_by_side_but_not_all(tmp_path: Path) -> None:
    async def run() -> None:
        receivers = Receiver(), Receiver()
        for receiver in receivers:
            receiver.gate.clear()

        def ids() -> list[str]:
            return [name for receiver in receivers for name in receiver.ids]

        async with serving(receivers[0]) as one, serving(receivers[1]) as other:
            office = Office(office_settings(one, other), tmp_path)
            names = []
            for number in range(12):
                job_id = f"job{number:02}"
                office.jobs[job_id] = a_job(job_id)
                target = {"url": f"http://{(one, other)[number % 2]}/"}
                names += [office.ledger.add("callback", target, job_id) for _ in range(2)]
            deliveries = Deliveries(office)
            await deliveries.start()
            await until(lambda: len(ids()) == worker.MOST_AT_ONCE)
            deliveries.wake()
            await asyncio.sleep(0.2)
            assert len(ids()) == worker.MOST_AT_ONCE, "more than allowed at once"
            assert len({name[:5] for name in ids()}) == worker.MOST_AT_ONCE, "two of one job at once"
            for receiver in receivers:
                receiver.gate.set()
            await until(lambda: settled(office))
            await deliveries.stop()
        assert sorted(ids()) == sorted(names), "each once"
        for job_id in office.jobs:
            mine = [name for name in ids() if name.startswith(f"{job_id}-")]
            assert mine == sorted(mine, key=lambda name: int(name.rsplit("-", 1)[1]))

    asyncio.run(run())


def test_what_is_being_sent_is_not_sent_again(tmp_path: Path) -> None:
    async def run() -> None:
        receiver = Receiver()
        receiver.gate.clear()
        async with serving(receiver) as address:
            office = Office(office_settings(address), tmp_path)
            name = office.ledger.add("callback", {"url": f"http://{address}/"})
            deliveries = Deliveries(office)
            await deliveries.start()
            await until(lambda: len(receiver.ids) == 1)
            deliveries.wake()
            await asyncio.sleep(0.2)
            receiver.gate.set()
            await until(lambda: settled(office))
            await deliveries.stop()
        assert receiver.ids == [name]

    asyncio.run(run())


def test_what_cannot_be_written_down_is_not_hammered(tmp_path: Path) -> None:
    async def run() -> None:
        receiver = Receiver()
        async with serving(receiver) as address:
            office = Office(office_settings(address), tmp_path)
            office.ledger.add("callback", {"url": f"http://{address}/"})
            receiver.gate.clear()
            deliveries = Deliveries(office)
            await deliveries.start()
            await until(lambda: len(receiver.ids) == 1)
            office.ledger.troubles = [OSError("disk full")]
            receiver.gate.set()
            await until(lambda: not office.ledger.troubles)
            await asyncio.sleep(0.3)
            await deliveries.stop()
        assert len(receiver.ids) == 1

    asyncio.run(run())


def test_a_restart_in_the_middle_sends_again_with_the_same_id(tmp_path: Path) -> None:
    async def run() -> None:
        receiver = Receiver()
        receiver.gate.clear()
        async with serving(receiver) as address:
            office = Office(office_settings(address), tmp_path)
            name = office.ledger.add("callback", {"url": f"http://{address}/"})
            before = Deliveries(office)
            await before.start()
            await until(lambda: len(receiver.ids) == 1)
            await before.stop()
            assert office.ledger.kept[name].state == "pending" and not office.ledger.outcomes
            receiver.gate.set()
            await sent(Office(office.settings, tmp_path, office.ledger))
        assert receiver.ids == [name, name] and office.ledger.kept[name].state == "done"

    asyncio.run(run())


def test_it_sleeps_until_it_is_woken_or_something_is_due(tmp_path: Path) -> None:
    looks: list[float] = []

    class Watched(MemoryLedger):
        async def due(self, now: float, limit: int) -> list[Any]:
            looks.append(now)
            return await super().due(now, limit)

    async def run() -> None:
        receiver = Receiver()
        async with serving(receiver) as address:
            office = Office(office_settings(address), tmp_path, Watched())
            deliveries = Deliveries(office)
            await deliveries.start()
            await until(lambda: len(looks) == 1)
            await asyncio.sleep(0.2)
            assert len(looks) == 1, "it looked although nothing was due"
            later = office.ledger.add("callback", {"url": f"http://{address}/"})
            await office.ledger.put_off(later, 1, time.time() + 0.3, "later")
            deliveries.wake()
            await until(lambda: settled(office))
            assert len(looks) < 8, "it did not sleep"
            await deliveries.stop()
        assert receiver.ids == [later]

    asyncio.run(run())


def test_a_bug_of_one_sender_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        receiver = Receiver()
        async with serving(receiver) as address:
            office = Office(office_settings(address), tmp_path)
            broken = office.ledger.add("callback", {"no url": 1})
            gone = office.ledger.add("callback", {"url": f"http://{address}/"}, "deleted")
            fine = office.ledger.add("callback", {"url": f"http://{address}/"})
            deliveries = Deliveries(office)
            await deliveries.start()
            await until(lambda: office.ledger.kept[fine].state == "done" and office.ledger.kept[broken].attempts >= 2)
            await deliveries.stop()
        assert office.ledger.kept[broken].error == "an internal error; the server's log has it"
        assert office.ledger.kept[gone].state == "dead"

    with caplog.at_level(logging.ERROR, "vectrahub"):
        asyncio.run(run())
    assert any(record.exc_info and "a bug" in record.message for record in caplog.records)


def test_a_ledger_that_stumbles_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_AFTER_TROUBLE_S", 0.05)

    async def run() -> None:
        receiver = Receiver()
        async with serving(receiver) as address:
            office = Office(office_settings(address), tmp_path)
            office.ledger.troubles = [OSError("locked"), OSError("locked")]
            name = office.ledger.add("callback", {"url": f"http://{address}/"})
            deliveries = Deliveries(office)
            await deliveries.start()
            await until(lambda: bool(receiver.ids))
            await until(lambda: settled(office))
            office.ledger.add("callback", {"url": f"http://{address}/"})
            receiver.gate.clear()
            deliveries.wake()
            await until(lambda: len(receiver.ids) == 2)
            office.ledger.troubles = [OSError("disk full")]  # when it writes down that it was taken
            receiver.gate.set()
            await until(lambda: settled(office))
            await deliveries.stop()
        assert receiver.ids[0] == name
        assert receiver.ids[1:] == [receiver.ids[1]] * 2, "taken, not written down: sent again with the same id"

    asyncio.run(run())


def test_secrets_stay_out_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with serving(Receiver(500, 410)) as address:
            office = Office(office_settings(address, callbacks=QUICK), tmp_path)
            office.ledger.add("callback", {"url": f"http://{address}/?key=s3cret"})
            await sent(office)

    with caplog.at_level(logging.DEBUG):
        asyncio.run(run())
    text = json.dumps([record.getMessage() for record in caplog.records if record.name == "vectrahub"])
    assert "given up" in text and "put off" in text and "s3cret" not in text
