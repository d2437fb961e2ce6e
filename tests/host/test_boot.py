"""The private host boots with the pack. How it ends: tests/client/test_trouble.py."""

from __future__ import annotations

import httpx

from vectrahub.tests.host_fixture import RunningHost


def test_it_serves_core_nodes_and_the_test_pack(host: RunningHost) -> None:
    nodes = httpx.get(f"{host.url}/object_info", trust_env=False, timeout=60).json()
    assert {"LoadImage", "SaveImage", "VectraHubTest_Sleep"} <= set(nodes)


def test_the_checkout_is_imported_without_an_error(host: RunningHost) -> None:
    log = host.log.read_text(encoding="utf-8")
    assert "custom_nodes/vectrahub" in log
    assert not [line for line in log.splitlines() if "IMPORT FAILED" in line]
