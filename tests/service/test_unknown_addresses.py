import asyncio
from types import SimpleNamespace

import pytest

from vectrahub.tests.service.job_server import ask
from vectrahub.vectrahub_client.service.api.unknown import catch_all_route
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.route import PREFIX, Route

NOBODY = {"auth": {"trust_loopback": False}}


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/jobs", "GET, HEAD"),
        ("GET", "/vectorize", "POST"),
        ("PATCH", "/jobs/some-id", "DELETE, GET, HEAD"),
        ("GET", "/jobs/some-id/cancel", "POST"),
        ("DELETE", "/tokens", "GET, HEAD, POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(tmp_path, method, path, allow):
    status, body, headers = ask(tmp_path, method, path, NOBODY, bare=True)
    assert (status, headers["Allow"]) == (405, allow)
    assert headers["Content-Type"].startswith("application/problem+json") and allow in body["detail"]


@pytest.mark.parametrize("path", ["/nothing", "/", "/jobs/", "/jobs/a/b", "/vectorize/x", "/openapi.jsonx"])
def test_an_unknown_address_is_a_404_problem(tmp_path, path):
    status, body, headers = ask(tmp_path, "GET", path, NOBODY, bare=True)
    assert status == 404 and headers["Content-Type"].startswith("application/problem+json") and path in body["detail"]
    assert headers["X-Request-ID"]


def test_what_is_there_is_still_there(tmp_path):
    assert ask(tmp_path, "GET", "/jobs")[0] == 200
    assert "/vectrahub/v1/{tail}" not in ask(tmp_path, "GET", "/openapi.json")[1]["paths"]


def test_patterns_of_placeholders_count():
    asked = SimpleNamespace(method="POST", match_info={"tail": "models/loras/sdxl/x.safetensors"})

    async def never(_request, _caller):
        raise NotImplementedError

    route = catch_all_route([Route("GET", f"{PREFIX}/models/{{type}}/{{path:.+}}", never)])
    with pytest.raises(Problem) as caught:
        asyncio.run(route.handler(asked, None))
    assert caught.value.status == 405 and route.doc is None and route.scope is None
