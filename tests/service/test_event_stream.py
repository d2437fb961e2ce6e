import asyncio
import json

import aiohttp

from vectrahub.tests.service.job_server import Server, job_server
from vectrahub.vectrahub_client.service.api import events as events_module
from vectrahub.vectrahub_client.service.records import Ending, Failure
from vectrahub.vectrahub_client.service.route import PREFIX


async def lines_of(answer, many=None):
    """(event, data) pairs, comments as (":", text), so many or until the stream ends."""
    found, kind = [], ""
    async for raw in answer.content:
        line = raw.decode().rstrip("\n")
        if line.startswith(":"):
            found.append((":", line))
        elif line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            found.append((kind, json.loads(line.removeprefix("data: "))))
        if len(found) == many:
            break
    return found


def listen(server: Server, job_id):
    return server.http.get(f"{server.url}{PREFIX}/jobs/{job_id}/events", timeout=aiohttp.ClientTimeout(total=30))


async def listened_to(server, job_id):
    while not server.service.live._listeners.get(job_id):
        await asyncio.sleep(0.01)


def test_a_listener_hears_where_it_stands_then_all_and_the_end(tmp_path):
    async def main():
        async with job_server(tmp_path) as server:
            job_id = (await server.order())[1]["job_id"]
            async with listen(server, job_id) as answer:
                assert answer.headers["Content-Type"] == "text/event-stream"
                assert answer.headers["X-Request-ID"] and answer.headers["Cache-Control"] == "no-store"
                (first,) = await lines_of(answer, 1)
                server.service.started(job_id)
                server.service.progress(job_id, 0.5, "Sampler")
                await server.runner.complete(job_id, {})
                heard = await lines_of(answer)
        assert first[0] == "state" and first[1]["state"] == "queued" and first[1]["queue_place"] == 0
        assert [kind for kind, _ in heard] == ["state", "progress", "state"]
        assert heard[0][1]["state"] == "running" and heard[-1][1]["state"] == "completed"
        assert (heard[1][1]["progress"], heard[1][1]["stage"]) == (0.5, "Sampler")
        assert not server.service.live._listeners

    asyncio.run(main())


def test_of_a_job_that_is_over_one_event_is_told(tmp_path):
    async def main():
        async with job_server(tmp_path) as server:
            job_id = (await server.order())[1]["job_id"]
            await server.runner.end(job_id, Ending("failed", failure=Failure("node", "no")))
            async with listen(server, job_id) as answer:
                return await lines_of(answer)

    ((kind, data),) = asyncio.run(main())
    assert (kind, data["state"]) == ("state", "failed")


def test_silence_is_filled(tmp_path, monkeypatch):
    monkeypatch.setattr(events_module, "HEARTBEAT_S", 0.05)

    async def main():
        async with job_server(tmp_path) as server:
            job_id = (await server.order())[1]["job_id"]
            async with listen(server, job_id) as answer:
                heard = asyncio.create_task(lines_of(answer))
                await asyncio.sleep(0.4)
                await server.runner.cancel(job_id)
                return await heard

    heard = asyncio.run(main())
    assert [kind for kind, _ in heard].count(":") >= 2 and heard[-1][1]["state"] == "cancelled"


def test_a_listener_that_goes_away_is_forgotten(tmp_path, caplog):
    async def main():
        async with job_server(tmp_path) as server:
            job_id = (await server.order())[1]["job_id"]
            async with aiohttp.ClientSession(headers=server.http.headers) as leaving:
                answer = await leaving.get(f"{server.url}{PREFIX}/jobs/{job_id}/events")
                await answer.content.readline()
                await listened_to(server, job_id)
                answer.close()
            for step in range(200):
                server.service.progress(job_id, step / 200, "Sampler")
                await asyncio.sleep(0.01)
                if not server.service.live._listeners:
                    return True
        return False

    assert asyncio.run(main())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
