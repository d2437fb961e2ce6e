import asyncio
import logging

import pytest
from aiohttp import web

from vectrahub.tests.service.job_server import OTHER, SECRET, job_server
from vectrahub.vectrahub_client.errors import UsageError
from vectrahub.vectrahub_client.service.door import seal
from vectrahub.vectrahub_client.service.origin import is_loopback_name
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.route import PREFIX, Route
from vectrahub.vectrahub_client.service.tokens import make


def ask(tmp_path, method, path, routes=(), settings=None, guard=False, **how):
    async def main():
        async with job_server(tmp_path, routes, guard=guard, **(settings or {})) as server:
            return await server.ask(method, path, **how)

    return asyncio.run(main())


def route(handler, scope="jobs", **more):
    return Route("GET", f"{PREFIX}/under-test", handler, scope, **more)


async def says_who(_request, caller):
    return web.json_response({"token": caller.token, "scopes": sorted(caller.scopes)})


WHO = route(says_who)
NO_TRUST = {"auth": {"trust_loopback": False}}


def who(tmp_path, headers=None, settings=None, bare=True):
    status, body, answer = ask(tmp_path, "GET", "/under-test", [WHO], settings, headers=headers or {}, bare=bare)
    return status, body, answer


def test_loopback_without_a_token_is_the_admin(tmp_path):
    assert who(tmp_path)[:2] == (200, {"token": "local", "scopes": ["admin"]})


def test_without_trust_in_loopback_nobody_is_let_in_without_a_token(tmp_path):
    status, body, headers = who(tmp_path, settings=NO_TRUST)
    assert all(name in body["detail"] for name in ("Authorization: Bearer", "X-API-Key", "X-Internal-Auth"))
    assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer ")
    assert headers["Content-Type"].startswith("application/problem+json")
    assert body["type"] == "urn:vectrahub:problem:unauthorized" and body["status"] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "attacker.example"},
        {"Host": "localhost.attacker.example"},
        {"Host": "127.0.0.1.attacker.example:80"},
        {"Host": "192.168.1.5"},
        {"Host": "[::ffff:10.0.0.1]"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"x-forwarded-host": "localhost"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://attacker.example"},
        {"Origin": "http://127.0.0.1"},  # another port
        {"Origin": "null"},
        {"Origin": "http://[broken"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YTpi"},
        {"X-API-Key": ""},
        {"X-API-Key": "wrong"},
        {"Authorization": f"Bearer {SECRET}", "X-API-Key": OTHER},
        {"Authorization": f"Bearer {SECRET}x"},
    ],
    ids=lambda headers: " ".join(f"{name}={value[:30]}" for name, value in headers.items()),
)
def test_every_doubt_is_a_401(tmp_path, headers):
    assert who(tmp_path, headers)[0] == 401


@pytest.mark.parametrize(("version", "status"), [("1.0", 401), ("1.1", 200)])
def test_what_a_bare_proxy_passes_on_is_not_local(tmp_path, version, status):
    async def main():
        async with job_server(tmp_path, [WHO]) as server:
            host, port = server.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            asked = f"GET {PREFIX}/under-test HTTP/{version}\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
            writer.write(asked.encode())
            answer = (await reader.read()).decode()
            writer.close()
            return answer

    assert asyncio.run(main()).split()[1] == str(status)


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", "X-Internal-Auth"])
def test_a_token_counts_from_each_of_three_headers_whatever_host_and_proxy_say(tmp_path, header):
    value = f"bearer {SECRET}" if header == "Authorization" else SECRET
    headers = {header: value, "Host": "gpu.example", "X-Forwarded-For": "8.8.8.8", "Origin": "https://shop.example"}
    assert who(tmp_path, headers, NO_TRUST)[:2] == (200, {"token": "settings:ours", "scopes": ["jobs"]})


def test_a_missing_scope_is_a_403_that_names_it(tmp_path):
    status, body, headers = who(tmp_path, {"X-API-Key": "may-do-models-but-no-jobs"})
    assert status == 403 and "jobs" in body["detail"] and 'scope="jobs"' in headers["WWW-Authenticate"]


def test_an_open_route_takes_anybody_and_trusts_no_wrong_token(tmp_path):
    async def main():
        async with job_server(tmp_path, [route(says_who, None)]) as server:
            wrong = await server.ask("GET", "/under-test", headers={"X-API-Key": "wrong"}, bare=True)
            right = await server.ask("GET", "/under-test")
            await server.service.ledger.close()
            headers = {"X-API-Key": "vh_00000000_" + "a" * 43}
            without_ledger = await server.ask("GET", "/under-test", headers=headers, bare=True)
            return wrong, right, without_ledger

    wrong, right, without_ledger = asyncio.run(main())
    assert wrong[:2] == without_ledger[:2] == (200, {"token": "", "scopes": []})
    assert right[1]["token"] == "settings:ours"


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST:8188", "127.0.0.1", "127.8.9.1:1", "[::1]:8188", "[::1]"])
def test_names_of_this_machine(name):
    assert is_loopback_name(name)


@pytest.mark.parametrize(
    "name", ["", "localhost.", "::1", "localhost:", "a@localhost", "localhost/", "0.0.0.0", "127.1", "2130706433"]
)
def test_other_spellings_are_not_trusted(name):
    assert not is_loopback_name(name)


def test_a_revoked_token_is_a_401(tmp_path):
    async def main():
        async with job_server(tmp_path, [WHO]) as server:
            wish = {"name": "shop", "scopes": ["jobs"]}
            status, made, _ = await server.ask("POST", "/tokens", json=wish, bare=True)
            assert status == 201
            headers = {"Authorization": f"Bearer {made['token']}"}
            assert (await server.ask("GET", "/under-test", headers=headers, bare=True))[1]["token"] == made["id"]
            _, listed, _ = await server.ask("GET", "/tokens", bare=True)
            assert [one["id"] for one in listed["tokens"]] == [made["id"]]
            assert made["token"] not in str(listed) and "digest" not in str(listed)
            assert (await server.ask("GET", "/tokens", headers=headers, bare=True))[0] == 403
            assert (await server.ask("DELETE", f"/tokens/{made['id']}", bare=True))[0] == 204
            assert (await server.ask("DELETE", f"/tokens/{made['id']}", bare=True))[0] == 404
            assert (await server.ask("GET", "/under-test", headers=headers, bare=True))[0] == 401

    asyncio.run(main())


@pytest.mark.parametrize(
    "wish",
    [
        {},
        [],
        {"name": "", "scopes": ["jobs"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "scopes": ["jobs"], "max_jobs": 0},
        {"name": "x", "scopes": ["jobs"], "more": 1},
    ],
)
def test_a_wrong_wish_for_a_token_is_a_422(tmp_path, wish):
    assert ask(tmp_path, "POST", "/tokens", json=wish, bare=True)[0] == 422


@pytest.mark.parametrize("given", ["abc", "A.b_c-9", "x" * 128])
def test_a_harmless_request_id_is_kept(tmp_path, given):
    assert who(tmp_path, {"X-Request-ID": given})[2]["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\u00e9", "<script>", "a;b"])
def test_another_one_is_replaced(tmp_path, given):
    made = who(tmp_path, {"X-Request-ID": given})[2]["X-Request-ID"]
    assert made != given and len(made) == 32


def test_every_answer_has_the_headers(tmp_path):
    for path in ("/under-test", "/jobs/nothing", "/openapi.json"):
        headers = ask(tmp_path, "GET", path, [WHO])[2]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert headers["X-Request-ID"] and "Access-Control-Allow-Origin" not in headers


def test_a_streamed_answer_has_them_too(tmp_path):
    async def streamed(request, _caller):
        response = seal(request, web.StreamResponse())
        await response.prepare(request)
        await response.write(b"a")
        return response

    headers = ask(tmp_path, "GET", "/under-test", [route(streamed)], headers={"X-Request-ID": "mine"})[2]
    assert (headers["X-Request-ID"], headers["X-Content-Type-Options"]) == ("mine", "nosniff")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (Problem(418, "teapot", "Tea only", "no coffee", headers={"Allow": "TEA"}), 418, "teapot"),
        (UsageError("the value 9 is above 8"), 422, "bad-value"),
        (web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2), 413, "too-large"),
        (web.HTTPConflict(), 409, "http-409"),
    ],
    ids=["problem", "usage", "too large", "http"],
)
def test_refusals_are_problem_documents(tmp_path, error, status, kind):
    async def refuses(_request, _caller):
        raise error

    answer = ask(tmp_path, "GET", "/under-test", [route(refuses)], headers={"X-Request-ID": "mine"})
    assert answer[0] == status and answer[1]["type"] == f"urn:vectrahub:problem:{kind}"
    assert answer[1]["request_id"] == "mine"


def test_a_mistake_is_logged_and_not_told(tmp_path, caplog):
    async def breaks(_request, _caller):
        raise KeyError("inner detail")

    with caplog.at_level(logging.ERROR, "vectrahub"):
        status, body, _ = ask(tmp_path, "GET", "/under-test", [route(breaks)], headers={"X-Request-ID": "mine"})
    assert status == 500 and "inner detail" not in str(body)
    assert "inner detail" in caplog.text and "mine" in caplog.text and "Traceback" in caplog.text


def test_a_refusal_is_worded_by_its_route(tmp_path):
    def refuse(problem, request_id):
        return web.json_response({"error": problem.detail, "id": request_id}, status=problem.status)

    old = route(says_who, "admin", refuse=refuse)
    status, body, _ = ask(tmp_path, "GET", "/under-test", [old], headers={"X-Request-ID": "mine"})
    assert (status, body["id"]) == (403, "mine") and "admin" in body["error"]


def test_a_redirection_passes(tmp_path):
    async def moved(_request, _caller):
        raise web.HTTPSeeOther("/there")

    status, _, headers = ask(tmp_path, "GET", "/under-test", [route(moved)])
    assert status == 303 and headers["Location"] == "/there" and headers["X-Request-ID"]


def test_a_client_that_goes_away_is_no_mistake(tmp_path, caplog):
    async def main():
        gone = asyncio.Event()

        async def slow(request, _caller):
            await asyncio.sleep(0.2)
            gone.set()
            raise ConnectionResetError("the client is gone")

        async with job_server(tmp_path, [route(slow)]) as server:
            task = asyncio.create_task(server.ask("GET", "/under-test"))
            await asyncio.sleep(0.05)
            task.cancel()
            await gone.wait()
            await asyncio.sleep(0.05)

    with caplog.at_level(logging.ERROR, "vectrahub"):
        asyncio.run(main())
    assert not caplog.records


def test_requests_are_counted_by_the_routes_pattern(tmp_path):
    async def main():
        async with job_server(tmp_path) as server:
            await server.ask("GET", "/jobs/a-secret-name")
            return server.service.metrics.text().decode()

    text = asyncio.run(main())
    assert 'route="/vectrahub/v1/jobs/{job_id}",status="404"' in text and "a-secret-name" not in text


def test_a_guarded_host_wants_an_admin_everywhere_else(tmp_path):
    async def main():
        async with job_server(tmp_path, [route(says_who, None)], guard=True, **NO_TRUST) as server:

            async def status(path, **headers):
                async with server.bare.get(server.url + path, headers=headers) as answer:
                    return answer.status

            record, token = make("root", ["admin"], None, 0.0)
            await server.service.ledger.add_token(record)
            return [
                await status("/elsewhere"),
                await status("/nowhere"),
                await status("/elsewhere", **{"X-API-Key": SECRET}),
                await status("/elsewhere", **{"X-API-Key": token}),
                await status(f"{PREFIX}/under-test"),
                await status(f"{PREFIX}/jobs", **{"X-API-Key": SECRET}),
            ]

    assert asyncio.run(main()) == [401, 401, 403, 200, 200, 200]


def test_an_unguarded_host_is_left_alone(tmp_path):
    async def main():
        async with job_server(tmp_path, **NO_TRUST) as server, server.bare.get(server.url + "/elsewhere") as answer:
            return answer.status

    assert asyncio.run(main()) == 200
