"""Orders over HTTP, up to the runner."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web

from vectrahub.tests.service.job_server import (
    PNG,
    THEIRS,
    ask,
    inputs,
    job_folders,
    job_server,
    picture,
    run,
    text,
    workflow,
)
from vectrahub.tests.service.local_server import serving


def left_over(server):
    return [path for path in (server.service.files.inputs / "vectrahub" / "incoming").rglob("*")]


def test_an_accepted_order_is_a_202_with_its_place(tmp_path):
    async def story(server):
        status, job, headers = await server.order()
        assert (status, headers["Location"]) == (202, f"/vectrahub/v1/jobs/{job['job_id']}")
        assert (job["state"], job["system"], job["queue_place"]) == ("queued", "workflows", 0)
        assert server.runner.waiting == [job["job_id"]]
        assert (await server.ask("GET", f"/jobs/{job['job_id']}"))[1] == job

    run(tmp_path, story)


@pytest.mark.parametrize("shape", ["base64", "data URI", "form", "address"])
def test_a_file_comes_in_each_of_four_ways(tmp_path, shape):
    data = picture("JPEG")

    async def give(_request):
        return web.Response(body=data)

    async def story(server, origin):
        form = aiohttp.FormData()
        form.add_field("image", data, filename="x.png")
        how = {
            "base64": {"json": {"files": {"image": text(data)}}},
            "data URI": {"json": {"files": {"image": "data:image/png;base64," + text(data)}}},
            "address": {"json": {"files": {"image": f"http://{origin}/x?key=1"}}},
            "form": {"data": form},
        }[shape]
        status, job, _ = await server.ask("POST", "/vectorize", **how)
        assert status == 202, job
        assert inputs(server, job["job_id"]) == {"00-image.jpg": data}
        assert not left_over(server)

    async def main():
        async with serving(give) as origin, job_server(tmp_path, urls={"internal": (origin,)}) as server:
            await story(server, origin)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("system", "order", "place"),
    [
        ("vectorize", {}, "files.image"),
        ("vectorize", {"files": {"image": PNG, "other": PNG}}, "files.other"),
        ("vectorize", {"files": {"image": PNG}, "params": {"colors": -1}}, "params.colors"),
        ("vectorize", {"files": {"image": PNG}, "params": {"nothing": 1}}, "params.nothing"),
        ("vectorize", {"files": {"image": PNG}, "params": {"draft": "yes"}}, "params.draft"),
        ("vectorize", {"files": {"image": PNG}, "more": 1}, "more"),
        ("vectorize", {"files": {"image": PNG}, "timeout_s": 0}, "timeout_s"),
        ("vectorize", {"files": {"image": PNG}, "timeout_s": 1e6}, "timeout_s"),
        ("vectorize", {"files": {"image": PNG}, "metadata": {"a": "b" * 20_000}}, "metadata"),
        ("vectorize", {"files": {"image": 5}}, "files.image"),
        ("vectorize", {"files": [PNG]}, "files"),
        ("workflows", {"params": {}}, "params.workflow"),
        ("workflows", {"params": {"workflow": []}}, "params.workflow"),
        ("workflows", {**workflow(), "files": {"": PNG}}, "files"),
        ("workflows", {**workflow(), "files": {"a\0b": PNG}}, "files"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, system, order, place):
    status, body, _ = ask(tmp_path, "POST", f"/{system}", json=order)
    assert status == 422 and place in [one["place"] for one in body["errors"]] and place in body["detail"]


def test_all_that_is_wrong_is_named_at_once_with_value_and_limit(tmp_path):
    order = {"files": {"image": PNG}, "params": {"colors": -1, "route": "elsewhere"}}
    errors = {one["place"]: one for one in ask(tmp_path, "POST", "/vectorize", json=order)[1]["errors"]}
    assert set(errors) == {"params.colors", "params.route"}
    assert errors["params.colors"]["value"] == "-1" and errors["params.colors"]["limit"] == {"ge": 0}


@pytest.mark.parametrize("order", ["[]", '"x"', "1", "null", "{}"])
def test_an_order_that_is_no_object_is_a_422(tmp_path, order):
    headers = {"Content-Type": "application/json"}
    assert ask(tmp_path, "POST", "/vectorize", data=order, headers=headers)[0] == 422


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ("no base64!", 422),
        (text(b"no picture"), 422),
        (text(picture()[:60]), 422),
        (text(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), 422),
        ("file:///etc/passwd", 422),
        ("http://169.254.169.254/latest", 422),
        ("https://not.allowed.example/x.png", 422),
        (text(picture(size=(2000, 1000))), 413),
    ],
)
def test_a_file_that_cannot_be_used_leaves_nothing(tmp_path, file, status):
    async def story(server):
        answer = await server.ask("POST", "/vectorize", json={"files": {"image": file}})
        assert answer[0] == status and "image" in json.dumps(answer[1])
        assert not left_over(server) and not job_folders(server) and not server.runner.waiting

    run(tmp_path, story, limits={"pixels_mp": 1})


def test_an_svg_is_for_workflows(tmp_path):
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>"

    async def story(server):
        status, job, _ = await server.order(json={**workflow(), "files": {"Load": text(svg)}})
        assert status == 202 and inputs(server, job["job_id"]) == {"00-Load.svg": svg}

    run(tmp_path, story)


def test_an_svg_is_not_for_captions(tmp_path):
    svg = text(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    status, body, _ = ask(tmp_path, "POST", "/caption", json={"files": {"a": svg}})
    assert status == 422 and "SVG" in body["detail"]


@pytest.mark.parametrize(
    ("system", "params", "limit"),
    [("vectorize", {"route": "x" * 1_050_000}, 1 << 20), ("workflows", {"workflow": {"1": "x" * 4_200_000}}, 4 << 20)],
)
def test_params_that_are_too_large_are_a_413(tmp_path, system, params, limit):
    order = {"params": params, "files": {} if system == "workflows" else {"image": PNG}}
    status, body, _ = ask(tmp_path, "POST", f"/{system}", json=order)
    assert status == 413 and str(limit) in body["detail"]


@pytest.mark.parametrize(
    ("order", "known"),
    [
        ({"files": {"image": PNG}, "param": {}}, ["params", "callback_url"]),
        ({"files": {"image": PNG}, "params": {"colour": 3}}, ["colors", "route"]),
    ],
)
def test_an_unknown_name_is_told_the_known_ones(tmp_path, order, known):
    detail = ask(tmp_path, "POST", "/vectorize", json=order)[1]["detail"]
    assert all(name in detail for name in known) and "Extra inputs" not in detail


def test_names_of_files_do_not_lead_anywhere(tmp_path):
    async def story(server):
        names = ["../../../up", "/etc/passwd", "..", "C:\\x", "con"]
        status, job, _ = await server.order(json={**workflow(), "files": {name: PNG for name in names}})
        assert status == 202 and len(inputs(server, job["job_id"])) == len(names)

    run(tmp_path, story)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "https://10.0.0.1/", "ftp://a/", "x", "https://elsewhere.example/"]
)
def test_a_callback_to_where_it_may_not_go_is_a_422(tmp_path, url):
    status, body, _ = ask(tmp_path, "POST", "/workflows", json=workflow(callback_url=url))
    assert status == 422 and body["type"].endswith("address-refused")


def test_a_callback_is_kept_with_the_job(tmp_path):
    async def story(server):
        _, job, _ = await server.order(json=workflow(callback_url="http://127.0.0.1:9/x"))
        await server.runner.complete(job["job_id"], {})
        return (await server.ask("GET", f"/jobs/{job['job_id']}"))[1]["deliveries"][0]["kind"]

    assert run(tmp_path, story, urls={"internal": ("127.0.0.1:9",)}) == "callback"


def test_workflows_are_for_admins_unless_the_operator_says_otherwise(tmp_path):
    async def story(server):
        status, body, _ = await server.order()
        assert status == 403 and "limits.workflows" in body["detail"]
        assert (await server.order(bare=True))[0] == 202
        for system in ("vectorize", "caption"):
            assert (await server.ask("POST", f"/{system}", json={"files": {"image": PNG}}))[0] == 202
        told = (await server.ask("GET", "/openapi.json"))[1]["paths"]["/vectrahub/v1/workflows"]["post"]
        assert "limits.workflows" in told["description"]

    run(tmp_path, story, limits={"workflows": False})


# Idempotency


def test_one_key_and_request_is_one_job(tmp_path):
    async def story(server):
        headers = {"Idempotency-Key": "order 1"}
        order = {"files": {"image": PNG}, "params": {"colors": 3}}
        first = await server.ask("POST", "/vectorize", json=order, headers=headers)
        again = {"params": {"colors": 3, "draft": False}, "files": {"image": "data:image/png;base64," + PNG}}
        second = await server.ask("POST", "/vectorize", json=again, headers=headers)
        assert first[0] == second[0] == 202 and first[1]["job_id"] == second[1]["job_id"]
        other = {**order, "params": {"colors": 4}}
        assert (await server.ask("POST", "/vectorize", json=other, headers=headers))[0] == 409
        file = {**order, "files": {"image": text(picture(size=(9, 9)))}}
        assert (await server.ask("POST", "/vectorize", json=file, headers=headers))[0] == 409
        theirs = await server.ask("POST", "/vectorize", json=other, headers={**headers, **THEIRS})
        assert theirs[0] == 202 and theirs[1]["job_id"] != first[1]["job_id"]
        assert len(server.runner.waiting) == 2

    run(tmp_path, story)


def test_concurrent_requests_of_one_key_are_one_job(tmp_path):
    async def story(server):
        headers = {"Idempotency-Key": "k"}
        answers = await asyncio.gather(*(server.order(headers=headers) for _ in range(20)))
        assert len({answer[1]["job_id"] for answer in answers}) == 1
        assert len(server.runner.waiting) == 1 and len(job_folders(server)) <= 1

    run(tmp_path, story)


def test_a_repeated_request_fetches_nothing(tmp_path):
    asked = []

    async def once(request):
        asked.append(request.path)
        return web.Response(body=picture()) if len(asked) == 1 else web.Response(status=410)

    async def main():
        async with serving(once) as origin, job_server(tmp_path, urls={"internal": (origin,)}) as server:
            order = {"files": {"image": f"http://{origin}/signed"}}
            how = {"json": order, "headers": {"Idempotency-Key": "k"}}
            answers = [await server.ask("POST", "/vectorize", **how) for _ in range(2)]
            return [answer[0] for answer in answers], {answer[1]["job_id"] for answer in answers}

    statuses, jobs = asyncio.run(main())
    assert statuses == [202, 202] and len(jobs) == 1 and len(asked) == 1


@pytest.mark.parametrize("key", ["", "x" * 201, "caf\u00e9"])
def test_an_unusable_key_is_a_400(tmp_path, key):
    assert ask(tmp_path, "POST", "/workflows", json=workflow(), headers={"Idempotency-Key": key})[0] == 400


# Bounds


def test_a_full_queue_is_a_429_that_says_when_to_come_back(tmp_path):
    async def story(server):
        keyed = {"headers": {"Idempotency-Key": "k"}}
        assert (await server.order(**keyed))[0] == (await server.order())[0] == 202
        for how in ({}, {"headers": {"Idempotency-Key": "other"}}):
            status, body, headers = await server.order(**how)
            assert status == 429 and int(headers["Retry-After"]) > 0 and "2" in body["detail"]
        assert (await server.order(**keyed))[0] == 202  # it has its place
        await server.runner.complete(server.runner.waiting[0], {})
        assert (await server.order())[0] == 202

    run(tmp_path, story, limits={"queue": 2})


def test_a_token_has_a_bound_of_its_own(tmp_path):
    async def story(server):
        assert [(await server.order())[0] for _ in range(3)] == [202, 202, 429]
        assert (await server.order(headers=THEIRS))[0] == 202

    run(tmp_path, story, limits={"per_token": 2})


def test_many_at_once_do_not_pass_the_bound(tmp_path):
    async def story(server):
        answers = await asyncio.gather(*(server.order() for _ in range(30)))
        statuses = [answer[0] for answer in answers]
        assert (statuses.count(202), statuses.count(429)) == (5, 25)

    run(tmp_path, story, limits={"queue": 5})
