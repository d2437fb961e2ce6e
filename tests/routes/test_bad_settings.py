"""A host whose settings cannot be used: the nodes are there, the service is not, and strangers are kept out."""

from __future__ import annotations

from collections.abc import Callable

from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.routes.job_calls import API, call

STRANGER = {"X-Forwarded-For": "203.0.113.7"}


def test_a_guard_that_cannot_be_read_is_not_off(make_job_host: Callable[..., RunningHost]) -> None:
    host = make_job_host("[limits]\nqueue = 0\n[auth]\nguard_host = true\n")
    assert call(host, "POST", f"{API}/logo", json={}).status_code == 405
    assert "VectraHub_VTracerTrace" in call(host, "GET", "object_info").json()
    assert "limits.queue" in host.tail(200)
    for path in ("queue", "prompt", "object_info", "view?filename=a.png", "nothing"):
        refused = call(host, "GET", path, headers=STRANGER)
        assert refused.status_code == 503 and "settings of VectraHub" in refused.json()["detail"]
