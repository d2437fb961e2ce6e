"""Who is let in, on the real host."""

import gzip
import socket

import httpx
import pytest

from vectrahub.tests.host_fixture import make_host
from vectrahub.tests.routes.conftest import bearer, configured
from vectrahub.tests.routes.jobs_over_http import ask, order

ADMIN, SHOP = "the-admins-secret-0001", "the-shops-secret-00001"

SETTINGS = """
    [auth]
    guard_host = true
    [limits]
    workflows = true
"""
SECRETS = f"""
    [tokens.admin]
    secret = "{ADMIN}"
    scopes = ["admin"]
    [tokens.shop]
    secret = "{SHOP}"
    max_jobs = 1
"""


def test_loopback_is_trusted_only_without_any_doubt(host):
    assert ask(host, "GET", "/jobs").status_code == 200
    for name, value in {
        "Host": "attacker.example",
        "X-Forwarded-For": "127.0.0.1",
        "Forwarded": "for=127.0.0.1",
        "X-Real-IP": "127.0.0.1",
        "Sec-Fetch-Site": "same-site",
        "Authorization": "Bearer wrong",
        "X-API-Key": "wrong",
    }.items():
        answer = ask(host, "GET", "/jobs", headers={name: value})
        assert answer.status_code == 401 and "Bearer" in answer.headers["WWW-Authenticate"], name
    for name, value in {"Sec-Fetch-Site": "cross-site", "Origin": "https://attacker.example"}.items():
        assert ask(host, "POST", "/workflows", json=order(), headers={name: value}).status_code in (401, 403)


def test_a_bare_proxy_of_this_machine_is_not_this_machine(host):
    address = httpx.URL(host.url)
    with socket.create_connection((address.host, address.port), 30) as asking:
        asking.sendall(f"GET /vectrahub/v1/jobs HTTP/1.0\r\nHost: {address.netloc.decode()}\r\n\r\n".encode())
        assert b" 401 " in asking.makefile("rb").readline()


@pytest.mark.parametrize("path", ["/vectrahub/v1/jobs", "/system_stats", "/nothing"])
def test_compressed_bodies_are_not_even_inflated(guarded, path):
    headers = {**STRANGER, "Content-Encoding": "gzip"}
    answer = httpx.post(guarded.url + path, content=gzip.compress(b"0" * 10**8), headers=headers, trust_env=False)
    assert answer.status_code == 415 and answer.headers["Connection"] == "close"


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json"])
def test_probes_are_open(host, path):
    answer = ask(host, "GET", path, headers={"Host": "attacker.example"})
    assert answer.status_code in (200, 503) and answer.headers["X-Request-ID"]


# As a proxy of this machine would pass a stranger on: the host itself has to be asked from loopback when it starts.
STRANGER = {"X-Forwarded-For": "198.51.100.7"}


@pytest.fixture(scope="module")
def guarded(host_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    with configured(make_host(host_config, folder, ("slow_node",)), SETTINGS, SECRETS) as host:
        yield host


def test_tokens_of_settings_and_ledger_and_a_guarded_host(guarded):
    host = guarded
    admin, shop = {**STRANGER, **bearer(ADMIN)}, {**STRANGER, **bearer(SHOP)}
    assert ask(host, "GET", "/jobs", headers=STRANGER).status_code == 401
    assert ask(host, "GET", "/jobs", headers=shop).status_code == 200
    assert ask(host, "GET", "/tokens", headers=shop).status_code == 403
    assert ask(host, "GET", "/health", headers=STRANGER).status_code == 200

    # Everything else of the host, too, wants an admin: with or without the prefix that the host adds.
    def status(method, path, headers):
        return httpx.request(method, host.url + path, headers=headers, trust_env=False).status_code

    for path in (
        "/",
        "/prompt",
        "/api/prompt",
        "/system_stats",
        "/view?filename=x",
        "/ws",
        "/internal/logs",
        "/nothing",
    ):
        assert status("GET", path, STRANGER) == 401, path
        assert status("GET", path, shop) == 403, path
    assert status("POST", "/prompt", STRANGER) == 401 and status("GET", "/system_stats", admin) == 200
    assert status("GET", "/api/vectrahub/v1/jobs", shop) == 200

    # A token of the ledger lives until it is revoked.
    made = ask(host, "POST", "/tokens", json={"name": "t", "scopes": ["jobs"]}, headers=admin).json()
    theirs = {**STRANGER, **bearer(made["token"])}
    job = ask(host, "POST", "/workflows", json=order(seconds=30), headers=theirs)
    assert job.status_code == 202, job.text
    path = f"/jobs/{job.json()['job_id']}"
    assert ask(host, "GET", path, headers=theirs).status_code == 200
    assert ask(host, "GET", path, headers=shop).status_code == 404
    assert ask(host, "POST", f"{path}/cancel", headers=shop).status_code == 404

    # A token's own bound.
    assert ask(host, "POST", "/workflows", json=order(seconds=30), headers=shop).status_code == 202
    full = ask(host, "POST", "/workflows", json=order(), headers=shop)
    assert full.status_code == 429 and int(full.headers["Retry-After"]) > 0

    assert ask(host, "DELETE", f"/tokens/{made['id']}", headers=admin).status_code == 204
    assert ask(host, "GET", path, headers=theirs).status_code == 401
    assert ask(host, "POST", f"{path}/cancel", headers=admin).status_code == 200

    log = host.tail()
    assert ADMIN not in log and SHOP not in log and made["token"] not in log
