"""The real host for tests: one ComfyUI for the whole session, with the checkout and the test-only packs.

    def test_something(host): ...          host.url, host.base, host.input, host.output, host.tail()
    def test_own(boot_host): h = boot_host(packs=("slow_node",))   # when a test will kill or flood it

Where the host comes from: $VECTRAHUB_HOST or the cache's host.json (`python install.py host`). If that variable is
set, a host that does not start is a failure; if nothing was prepared, these tests are skipped and say so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from vectrahub.vectrahub_client.errors import HostNotPrepared
from vectrahub.vectrahub_client.host_config import HostConfig, load_config
from vectrahub.vectrahub_client.host_process import PrivateHost

ROOT = Path(__file__).resolve().parent.parent
PACKS = Path(__file__).resolve().parent / "host" / "packs"


class RunningHost(PrivateHost):
    """A private host with a base directory of its own that lists the checkout as custom node `vectrahub`."""

    @property
    def input(self) -> Path:
        return self.base / "input"

    @property
    def models(self) -> Path:
        return self.base / "models"


def make_host(
    config: HostConfig, folder: Path, packs: Sequence[str] = (), args: Sequence[str] = (), with_vectrahub: bool = True
) -> RunningHost:
    """A host, not yet started, whose base directory is `folder`/base. `packs` are folders of tests/host/packs."""
    base, run = folder / "base", folder / "run"
    for sub in ("custom_nodes", "input", "models", "user"):
        (base / sub).mkdir(parents=True, exist_ok=True)
    run.mkdir(exist_ok=True)
    if with_vectrahub:
        (base / "custom_nodes" / "vectrahub").symlink_to(ROOT, target_is_directory=True)
    for pack in packs:
        (base / "custom_nodes" / pack).symlink_to(PACKS / pack, target_is_directory=True)
    return RunningHost(config, base=base, run_directory=run, args=args)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a host, so that `-m "not host"` leaves them out."""
    for item in items:
        if {"host", "boot_host", "host_config"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def host_config() -> HostConfig:
    """The prepared private host, or a skip that says how to prepare it."""
    try:
        return load_config()
    except HostNotPrepared as error:
        if "VECTRAHUB_HOST" in os.environ:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def host(host_config: HostConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """One running host for the session, with the checkout and every pack of tests/host/packs."""
    packs = sorted(path.parent.name for path in PACKS.glob("*/__init__.py"))
    with make_host(host_config, tmp_path_factory.mktemp("host"), packs) as running:
        yield running


@pytest.fixture
def boot_host(
    host_config: HostConfig, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., RunningHost]]:
    """Boots further hosts for one test: `boot_host(packs=..., args=..., with_vectrahub=...)`."""
    started: list[RunningHost] = []

    def boot(packs: Sequence[str] = (), args: Sequence[str] = (), with_vectrahub: bool = True) -> RunningHost:
        running = make_host(host_config, tmp_path_factory.mktemp("own-host"), packs, args, with_vectrahub)
        started.append(running)
        running.start()
        return running

    try:
        yield boot
    finally:
        for running in started:
            running.stop()
